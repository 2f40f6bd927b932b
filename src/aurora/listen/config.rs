//! The settings of section `[aurora]` that concern listening.

use crate::aurora::listen::choice::Choice;
use crate::aurora::listen::mix::Form;
use crate::config::{Env, Fault, JsonSchema, Range};
use crate::error::Error;
use serde::{Deserialize, Serialize};

/// Environment variables of section `[aurora]`: none here.
pub const ENV: &[Env] = &[];

/// The numbers that make sense.
pub const RANGES: &[Range] = &[Range::new("aurora.delay_ms", -1_000, 10_000)];

/// Music becomes light: where the sound comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What is listened to, and only while something needs it. Empty: the first sound card that can
    /// record. `hw:CARD=NAME,DEV=0`: that device (`hearth audio list`). `fifo:/PATH`: raw sound
    /// written into a named pipe. `tcp:HOST:PORT`: raw sound of a server. `listen:PORT` or
    /// `listen:ADDRESS:PORT`: raw sound of whoever connects. `file:/PATH`: a WAV, FLAC, MP3 or OGG
    /// file. `wled` or `wled:ADDRESS:PORT`: the sound packets of a WLED. `sample`: music of
    /// Hearth's own.
    pub input: String,
    /// Other inputs that may be switched to while Hearth runs.
    pub inputs: Vec<String>,
    /// What raw sound looks like: rate, bits (16, 24 in four bytes, `24_3` in three, 32) and channels.
    pub pcm_format: String,
    /// What is asked of a sound card, written like `pcm_format`. Empty: what suits it best.
    pub card_format: String,
    /// Whether quiet and loud music give light of one strength. Beats are found either way.
    pub automatic_gain: bool,
    /// So many milliseconds after Hearth gets it the sound is heard: what Snapcast or a Bluetooth
    /// speaker buffers. Negative when it was heard before, by a far microphone.
    pub delay_ms: i64,
    /// Whether a file begins again at its end.
    pub repeat: bool,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            input: String::new(),
            inputs: Vec::new(),
            pcm_format: "48000:16:2".into(),
            card_format: String::new(),
            automatic_gain: true,
            delay_ms: 0,
            repeat: true,
        }
    }
}

impl Config {
    /// Returns what would be refused at the start, all of it.
    pub fn faults(&self) -> Vec<Fault> {
        let fault = |path: &str, wrong: Option<Error>| wrong.map(|e| Fault::new(path, e.what()));
        let mut faults = Vec::new();
        faults.extend(fault("aurora.input", Choice::parse(&self.input).err()));
        let others = self.inputs.iter().find_map(|input| Choice::parse(input).err());
        faults.extend(fault("aurora.inputs", others));
        faults.extend(fault("aurora.pcm_format", Form::parse(&self.pcm_format).err()));
        faults.extend(fault("aurora.card_format", self.card_form().err()));
        faults
    }

    /// What is asked of a sound card.
    pub(super) fn card_form(&self) -> Result<Option<Form>, Error> {
        let set = Some(self.card_format.as_str()).filter(|text| !text.is_empty());
        set.map(Form::parse).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_opened_is_refused_before_the_start() {
        assert_eq!(Config::default().faults(), []);
        let config = Config {
            input: "plughw:CARD=Mic,DEV=0".into(),
            inputs: vec!["wled".into(), "microphone".into()],
            pcm_format: "44100".into(),
            ..Config::default()
        };
        let paths: Vec<String> = config.faults().into_iter().map(|fault| fault.path).collect();
        assert_eq!(paths, ["aurora.input", "aurora.inputs", "aurora.pcm_format"]);
    }
}

//! The settings of section `[aurora]` that concern listening.

use crate::aurora::listen::choice::Choice;
use crate::aurora::listen::mix::Form;
use crate::config::Fault;
use crate::error::Error;

/// How sound is listened to: the part of [`crate::aurora::Config`] that concerns it.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// What is listened to.
    pub input: String,
    /// Other inputs that may be switched to.
    pub inputs: Vec<String>,
    /// What raw sound looks like.
    pub pcm_format: String,
    /// What is asked of a sound card; empty: what suits it best.
    pub card_format: String,
    /// Whether levels are brought to full scale.
    pub automatic_gain: bool,
    /// So many milliseconds after Hearth gets it the sound is heard.
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

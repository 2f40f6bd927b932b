//! The settings of section `[aurora]`.

use crate::aurora::{lamps, listen};
use crate::config::{Env, Fault, Form, JsonSchema, Range};
use serde::{Deserialize, Serialize};

/// Environment variables of section `[aurora]`.
pub const ENV: &[Env] = &[Env::new("AURORA_PORT", "aurora.web_port", Form::Number(0, 65_535))];

/// The numbers that make sense.
pub const RANGES: &[Range] = &[
    Range::new("aurora.delay_ms", -1_000, 10_000),
    Range::new("aurora.lead_ms", 0, 500),
    Range::new("aurora.rate", 1, 100),
    Range::new("aurora.web_port", 0, 65_535),
];

/// Music becomes light.
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
    /// Pictures a second for lamps that bear it.
    pub rate: u32,
    /// Light is to be seen so many milliseconds ahead of the sound: people want it a little early.
    pub lead_ms: u32,
    /// Own address whose network multicast goes out to; empty: as the system routes it.
    pub interface: String,
    /// No more than three flashes a second. Without it a show may harm people with epilepsy.
    pub limit_flashes: bool,
    /// Calls a second to Home Assistant, for all its lamps together.
    pub home_calls_per_second: u32,
    /// Messages a second to lights on the broker, for all of them together.
    pub mqtt_messages_per_second: u32,
    /// Where sound files for timelines are; empty: `audio` in the data folder.
    pub audio_dir: String,
    /// Where saved looks are; empty: `aurora-profiles` in the data folder.
    pub profiles_dir: String,
    /// One more port whose root is the page of Aurora.
    pub web_port: Option<u16>,
    /// The address for that port; empty: that of `http.host`.
    pub web_host: String,
    /// The lamps. More can be added on the page.
    pub lamp: Vec<lamps::Lamp>,
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
            rate: 50,
            lead_ms: 30,
            interface: String::new(),
            limit_flashes: true,
            home_calls_per_second: 8,
            mqtt_messages_per_second: 5,
            audio_dir: String::new(),
            profiles_dir: String::new(),
            web_port: None,
            web_host: String::new(),
            lamp: Vec::new(),
        }
    }
}

impl Config {
    /// Returns what would be refused at the start, all of it.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = listen::faults(self);
        faults.extend(self.lights(self.lamp.clone()).faults("aurora"));
        if !(1..=50).contains(&self.home_calls_per_second) {
            let text = "must be from 1 to 50; Home Assistant and Zigbee bear about 8";
            faults.push(Fault::new("aurora.home_calls_per_second", text));
        }
        if !(1..=100).contains(&self.mqtt_messages_per_second) {
            let text = "must be from 1 to 100; a Zigbee network bears about 5";
            faults.push(Fault::new("aurora.mqtt_messages_per_second", text));
        }
        faults
    }

    /// How these lamps are driven.
    pub fn lights(&self, lamp: Vec<lamps::Lamp>) -> lamps::Config {
        let interface = self.interface.clone();
        lamps::Config { rate: self.rate, lead_ms: self.lead_ms, interface, lamp }
    }
}

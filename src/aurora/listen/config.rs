//! The settings of section `[aurora]` that concern listening.

use crate::aurora::Config;
use crate::aurora::listen::choice::Choice;
use crate::aurora::listen::mix::Form;
use crate::config::Fault;
use crate::error::Error;

/// Returns what of these settings would be refused at the start, all of it.
pub fn faults(config: &Config) -> Vec<Fault> {
    let fault = |path: &str, wrong: Option<Error>| wrong.map(|e| Fault::new(path, e.what()));
    let mut faults = Vec::new();
    faults.extend(fault("aurora.input", Choice::parse(&config.input).err()));
    let others = config.inputs.iter().find_map(|input| Choice::parse(input).err());
    faults.extend(fault("aurora.inputs", others));
    faults.extend(fault("aurora.pcm_format", Form::parse(&config.pcm_format).err()));
    faults.extend(fault("aurora.card_format", card_form(config).err()));
    faults
}

/// What is asked of a sound card.
pub(super) fn card_form(config: &Config) -> Result<Option<Form>, Error> {
    let set = Some(config.card_format.as_str()).filter(|text| !text.is_empty());
    set.map(Form::parse).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_opened_is_refused_before_the_start() {
        assert_eq!(faults(&Config::default()), []);
        let config = Config {
            input: "plughw:CARD=Mic,DEV=0".into(),
            inputs: vec!["wled".into(), "microphone".into()],
            pcm_format: "44100".into(),
            ..Config::default()
        };
        let paths: Vec<String> = faults(&config).into_iter().map(|fault| fault.path).collect();
        assert_eq!(paths, ["aurora.input", "aurora.inputs", "aurora.pcm_format"]);
    }
}

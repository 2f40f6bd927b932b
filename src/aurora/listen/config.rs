//! The settings of section `[aurora]` that concern listening.

use crate::aurora::Config;
use crate::aurora::listen::choice::Choice;
use crate::aurora::listen::mix::Form;
use crate::config::Fault;
use crate::error::Error;
use crate::text::clean;

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

/// Says whether the chosen input is there, without opening it; for servers and senders, which may come
/// later, nothing can be said.
///
/// # Errors
/// Offline: there is no such card. NotFound: there is no such file or pipe.
pub fn is_there(config: &Config) -> Result<String, Error> {
    let choice = Choice::parse(&config.input)?;
    let shown = clean(&config.input, 120);
    match &choice {
        Choice::First => {
            let first = crate::aurora::input_names()?.into_iter().next();
            first.ok_or_else(|| {
                Error::offline(
                    "no sound card can record; plug one in, or set aurora.input (sample: Hearth's own music)",
                )
            })
        }
        Choice::Card(wanted) => {
            let there = crate::aurora::input_names()?;
            let same = |name: &&String| Choice::parse(name).is_ok_and(|name| name == choice);
            match there.iter().find(same) {
                Some(name) => Ok(name.clone()),
                None => Err(Error::offline(format!(
                    "{wanted} is not here; there is: {}",
                    if there.is_empty() {
                        "no card that can record".into()
                    } else {
                        there.join(", ")
                    }
                ))),
            }
        }
        Choice::File(path) | Choice::Fifo(path) if !path.exists() => {
            Err(Error::not_found(format!("there is no {shown}")))
        }
        _ => Ok(shown),
    }
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

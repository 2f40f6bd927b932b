//! The sound cards of this machine, as alsa-lib sees them.

use crate::aurora::Input;
use crate::aurora::listen::card::{abilities, hush};
use crate::error::Error;
use alsa::Direction;
use alsa::ctl::{Ctl, DeviceIter};

/// Every input, with what it can when nobody has it.
pub(super) fn inputs() -> Result<Vec<Input>, Error> {
    let mut found = Vec::new();
    each(|input| found.push(input))?;
    for input in &mut found {
        match abilities(&input.name) {
            Ok(can) => input.can = Some(can),
            Err(e) => input.why = Some(e.to_string()),
        }
    }
    Ok(found)
}

/// Their names alone, without opening one.
pub(super) fn names() -> Result<Vec<String>, Error> {
    let mut names = Vec::new();
    each(|input| names.push(input.name))?;
    Ok(names)
}

/// Shows each input.
fn each(mut show: impl FnMut(Input)) -> Result<(), Error> {
    hush();
    let bad = |e: alsa::Error| Error::broken("ALSA cannot list the sound cards").because(e);
    for card in alsa::card::Iter::new() {
        let card = card.map_err(bad)?;
        // A card that goes away just now is none.
        let Ok(ctl) = Ctl::new(&format!("hw:{}", card.get_index()), false) else { continue };
        let Ok(info) = ctl.card_info() else { continue };
        let id = info.get_id().map_err(bad)?;
        for device in DeviceIter::new(&ctl) {
            // A device without the capture direction answers with an error: it is an output.
            let number = u32::try_from(device).unwrap_or_default();
            let Ok(pcm) = ctl.pcm_info(number, 0, Direction::Capture) else { continue };
            show(Input {
                name: format!("hw:CARD={id},DEV={device}"),
                card: card.get_name().map_err(bad)?,
                device: pcm.get_name().map_err(bad)?.to_owned(),
                can: None,
                why: None,
            });
        }
    }
    Ok(())
}

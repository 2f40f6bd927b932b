//! The sound cards of this machine, as alsa-lib sees them.

use crate::aurora::Input;
use crate::error::Error;
use alsa::Direction;
use alsa::ctl::{Ctl, DeviceIter};

pub(super) fn inputs() -> Result<Vec<Input>, Error> {
    let bad = |e: alsa::Error| Error::broken("ALSA cannot list the sound cards").because(e);
    let mut found = Vec::new();
    for card in alsa::card::Iter::new() {
        let card = card.map_err(bad)?;
        let ctl = Ctl::new(&format!("hw:{}", card.get_index()), false).map_err(bad)?;
        let info = ctl.card_info().map_err(bad)?;
        let id = info.get_id().map_err(bad)?;
        for device in DeviceIter::new(&ctl) {
            // A device without the capture direction answers with an error: it is an output.
            let number = u32::try_from(device).unwrap_or_default();
            let Ok(pcm) = ctl.pcm_info(number, 0, Direction::Capture) else { continue };
            found.push(Input {
                name: format!("hw:CARD={id},DEV={device}"),
                card: card.get_name().map_err(bad)?,
                device: pcm.get_name().map_err(bad)?.to_owned(),
            });
        }
    }
    Ok(found)
}

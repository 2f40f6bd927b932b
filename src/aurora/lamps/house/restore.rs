//! Puts lights back: at the end of a show, when the house is back, and after Hearth was killed.

use super::HouseLamps;
use super::dress::back;
use crate::aurora::lamps::mail::kept::Before;
use crate::error::{Error, Kind};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The house has so long to answer.
const ANSWER: Duration = Duration::from_secs(10);
/// What could not be put back is tried again after so long.
const AGAIN: Duration = Duration::from_secs(30);
/// At the end of the program the shows have so long to end.
const LAST: Duration = Duration::from_secs(5);

/// Puts back what is kept of lights that are in no show, whenever the house can be reached. Ends every
/// show when the program ends.
pub(super) async fn watch(lamps: HouseLamps, stop: CancellationToken) -> Result<(), Error> {
    let home = &lamps.shared.home;
    loop {
        if home.is_connected() {
            put_back_left(&lamps).await;
        }
        let is_left = !lamps.shared.kept.all().await?.is_empty();
        tokio::select! {
            () = stop.cancelled() => break,
            () = home.connected_anew(!home.is_connected()) => {}
            () = tokio::time::sleep(AGAIN), if is_left => {}
        }
    }
    lamps.shared.stop.cancel();
    let _ = tokio::time::timeout(LAST, lamps.shared.busy.empty()).await;
    Ok(())
}

async fn put_back_left(lamps: &HouseLamps) {
    let _turn = lamps.shared.kept.turn().await;
    let all = match lamps.shared.kept.all().await {
        Ok(all) => all,
        Err(e) => return log::warn!("lights of a show cannot be put back now: {e}"),
    };
    let left = all.into_iter().filter(|before| !lamps.shared.busy.has(&before.lamp));
    put_back_these(lamps, left.collect()).await;
}

/// Puts these lights back, as far as they can be reached now.
pub(super) async fn put_back(lamps: &HouseLamps, ids: &[String]) {
    match lamps.shared.kept.all().await {
        Ok(mut all) => {
            all.retain(|before| ids.contains(&before.lamp));
            put_back_these(lamps, all).await;
        }
        Err(e) => log::warn!("the lights of a show are not put back yet: {e}"),
    }
}

async fn put_back_these(lamps: &HouseLamps, mut all: Vec<Before>) {
    // Lights that were the same are put back in one call.
    while let Some(first) = all.first().cloned() {
        let (same, others): (Vec<Before>, _) =
            all.into_iter().partition(|before| before.is_alike(&first));
        all = others;
        match call(lamps, &same).await {
            Ok(()) => {}
            // One of them may be gone; the others are not to suffer for it.
            Err(e) if same.len() > 1 && is_final(&e) => {
                for before in same {
                    if let Err(e) = call(lamps, std::slice::from_ref(&before)).await {
                        give_up(lamps, &before, &e).await;
                    }
                }
            }
            Err(e) => {
                for before in &same {
                    give_up(lamps, before, &e).await;
                }
            }
        }
    }
}

/// Whether trying again would give the same answer.
fn is_final(e: &Error) -> bool {
    matches!(e.kind(), Kind::NotFound | Kind::Refused | Kind::Invalid)
}

async fn give_up(lamps: &HouseLamps, before: &Before, e: &Error) {
    let id = &before.lamp;
    log::warn!("{id} is not as it was before the show: {e}");
    if is_final(e)
        && let Err(e) = lamps.shared.kept.forget(id).await
    {
        log::warn!("{id}: what is kept of it stays in the store: {e}");
    }
}

async fn call(lamps: &HouseLamps, same: &[Before]) -> Result<(), Error> {
    let Some(first) = same.first() else { return Ok(()) };
    let caller = first.caller(&lamps.shared.policy);
    let home = &lamps.shared.home;
    for before in same {
        let bulb = home.bulb(&caller, &before.lamp)?;
        if bulb.state == "unavailable" {
            // A call would be answered, and do nothing.
            return Err(Error::offline(format!("{} is away", before.lamp)));
        }
    }
    let (service, data) = back(&first.state);
    let ids = same.iter().map(|before| before.lamp.clone()).collect();
    home.light_call(&caller, service, ids, data)?.context(ANSWER).await?;
    for before in same {
        lamps.shared.kept.forget(&before.lamp).await?;
    }
    Ok(())
}

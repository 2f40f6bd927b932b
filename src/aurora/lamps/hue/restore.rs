//! Puts a bridge's lights back: at the end of a show, and after Hearth was killed.

use super::HueLamps;
use crate::aurora::lamps::mail::kept::Before;
use crate::error::{Error, Kind};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A bridge takes about ten changes of lights a second.
const PACE: Duration = Duration::from_millis(100);
/// What could not be put back is tried again after so long.
const AGAIN: Duration = Duration::from_secs(30);
/// At the end of the program the shows have so long to end.
const LAST: Duration = Duration::from_secs(8);

/// Puts back what an earlier run left behind, and what could not be put back at the end of a show. Ends
/// every show when the program ends.
pub(super) async fn watch(lamps: HueLamps, stop: CancellationToken) -> Result<(), Error> {
    loop {
        let turn = lamps.shared.kept.turn().await;
        // While a show runs, what is kept is its own.
        if lamps.shared.busy.is_empty() {
            put_back(&lamps, |_| true).await;
        }
        drop(turn);
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(AGAIN) => {}
        }
    }
    lamps.shared.stop.cancel();
    let _ = tokio::time::timeout(LAST, lamps.shared.busy.empty()).await;
    Ok(())
}

/// Puts back what is kept of these lights, as far as their bridge can be reached now.
pub(super) async fn put_back(lamps: &HueLamps, which: impl Fn(&str) -> bool) {
    let all = match lamps.shared.kept.all().await {
        Ok(all) => all,
        Err(e) => return log::warn!("lights of a show cannot be put back now: {e}"),
    };
    for before in &all {
        let Some((bridge, light)) = before.lamp.split_once('/') else { continue };
        if !which(light) {
            continue;
        }
        if let Err(e) = one(lamps, bridge, light, before).await {
            log::warn!("the Hue light {light} is not as it was before the show: {e}");
            if !matches!(e.kind(), Kind::NotFound | Kind::Refused | Kind::Invalid) {
                continue;
            }
        }
        if let Err(e) = lamps.shared.kept.forget(&before.lamp).await {
            log::warn!("what is kept of a light stays in the store: {e}");
        }
        tokio::time::sleep(PACE).await;
    }
}

async fn one(lamps: &HueLamps, bridge: &str, light: &str, before: &Before) -> Result<(), Error> {
    let card = lamps.card(bridge).await?;
    lamps.bridge(&card)?.light(light, &before.state).await
}

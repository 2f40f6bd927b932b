//! `/api/aurora/levels`: what is heard, and what the lamps show of it, 25 times a second.
//!
//! Each event `frame` has `level` and `peak` (0 to 1), `clipped`, `open` (there is sound), `sixteen` (WLED's
//! bands, 0 to 1), `beat` (`bpm`, `phase` 0 to 1, place `beat` `of` a bar, `sure`; null without one), `key`,
//! `arc` and `lamps`, the colours of each lamp of the status in its order. Sound is captured while
//! somebody reads this.

use crate::aurora::Aurora;
use crate::aurora::analyse::{Key, Level as LevelOf};
use crate::aurora::lamps::Lamp;
use crate::aurora::listen::{Follower, Heard, Joined};
use crate::aurora::moment::{Moment, Watcher};
use crate::aurora::show::Profile;
use crate::aurora::studio::{Place, Rehearsal};
use crate::aurora::timeline::State;
use crate::error::Error;
use crate::http::{Bytes, HeaderMap, Response, sse};
use crate::policy::{Caller, Level};
use crate::web;
use serde_json::{Value, json};
use std::pin::Pin;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

/// Between two events.
const PAUSE: Duration = Duration::from_millis(40);

/// The stream, on the lamps that `caller` may use.
///
/// # Errors
/// Refused for a caller who may not look at Aurora; Broken when the system gives no descriptor.
pub(super) fn stream(
    aurora: &Aurora,
    caller: Caller,
    headers: &HeaderMap,
) -> Result<Response, Error> {
    aurora.policy().check(&caller, "aurora", Level::Read)?;
    let feed = Feed {
        _joined: aurora.listening().join(),
        heard: aurora.listening().follow()?,
        looks: aurora.looks(),
        lamps: aurora.rosters(),
        rehearsal: aurora.rehearse(&caller)?,
        names: names(aurora, &caller),
        watcher: Watcher::default(),
        until: Box::pin(web::until_barred(aurora.policy(), aurora.tasks(), &caller, headers)),
        aurora: aurora.clone(),
        caller,
        due: Instant::now(),
    };
    Ok(sse::answer_with(futures_util::stream::unfold(feed, |mut feed| async move {
        let frame = feed.next().await?;
        Some((frame, feed))
    })))
}

struct Feed {
    _joined: Joined,
    heard: Follower,
    looks: watch::Receiver<Profile>,
    lamps: watch::Receiver<Vec<Lamp>>,
    rehearsal: Rehearsal,
    /// The lamps that are rehearsed on.
    names: Vec<String>,
    watcher: Watcher,
    until: Pin<Box<dyn Future<Output = ()> + Send>>,
    aurora: Aurora,
    caller: Caller,
    /// No event before.
    due: Instant,
}

impl Feed {
    /// Waits for the next piece of the stream; `None` at its end.
    async fn next(&mut self) -> Option<Bytes> {
        tokio::select! {
            biased;
            () = &mut self.until => return None,
            () = sleep_until(self.due) => {}
        }
        let place = self.aurora.playback_now();
        let patience = if place.is_some() { PAUSE } else { sse::KEEP_ALIVE };
        let heard = tokio::select! {
            biased;
            () = &mut self.until => return None,
            heard = timeout(patience, self.heard.next()) => heard.ok(),
        };
        self.due = Instant::now() + PAUSE;
        self.renew();
        match (place, heard) {
            (Some(place), heard) => Some(self.played(&place, heard.unwrap_or_default())),
            (None, Some(heard)) => Some(self.event(&heard)),
            // Nothing is heard while the input is away.
            (None, None) => Some(Bytes::from_static(b":\n\n")),
        }
    }

    /// Takes over what was changed since the last event.
    fn renew(&mut self) {
        // What a limited token sees may change in the house, too.
        let is_limited = !self.caller.grant.entities.is_open();
        if is_limited || self.lamps.has_changed().unwrap_or_default() {
            self.lamps.mark_unchanged();
            self.stage();
        }
        if self.looks.has_changed().unwrap_or_default() {
            let look = self.looks.borrow_and_update().clone();
            self.rehearsal.change(&look);
        }
    }

    /// Rehearses on the lamps that there are now, when they are others.
    fn stage(&mut self) {
        let names = names(&self.aurora, &self.caller);
        if names != self.names {
            match self.aurora.rehearse(&self.caller) {
                Ok(rehearsal) => (self.rehearsal, self.names) = (rehearsal, names),
                Err(e) => log::debug!("the page cannot show these lamps: {e}"),
            }
        }
    }

    /// What is heard.
    fn event(&mut self, heard: &Heard) -> Bytes {
        self.watcher.see(&heard.frame, heard.at);
        let moment = self.watcher.at(heard.at);
        let lamps = self.rehearsal.paint(heard);
        frame(&moment, heard.frame.level, heard.frame.key, &lamps)
    }

    /// What a timeline plays, whatever is heard meanwhile.
    fn played(&mut self, place: &Place, heard: Heard) -> Bytes {
        let moment = match place.state() {
            State::Playing | State::Paused => place.timeline.moment(place.position()),
            State::Stopped | State::Over => Moment::default(),
        };
        let lamps = self.rehearsal.paint_moment(&moment);
        let level = LevelOf { open: moment.playing, ..heard.frame.level };
        frame(&moment, level, place.timeline.key, &lamps)
    }
}

fn frame(moment: &Moment, level: LevelOf, key: Option<Key>, lamps: &[String]) -> Bytes {
    // A double of three digits prints as such.
    let round = |x: f32| (f64::from(x) * 1000.0).round() / 1000.0;
    let beat = moment.beat.map_or(Value::Null, |place| {
        json!({
            "bpm": round(60.0 / place.period), "phase": round(place.phase),
            "beat": place.bar.map(|bar| bar.beat), "of": place.bar.map(|bar| bar.of),
            "sure": round(place.sure),
        })
    });
    let event = json!({
        "level": round(level.rms), "peak": round(level.peak), "clipped": level.clipped,
        "open": level.open, "sixteen": moment.sixteen.map(round), "beat": beat,
        "key": key.map(|key| key.to_string()), "arc": moment.arc.word(), "lamps": lamps,
    });
    format!("event: frame\ndata: {event}\n\n").into()
}

fn names(aurora: &Aurora, caller: &Caller) -> Vec<String> {
    aurora.stage(caller).iter().map(|lamp| format!("{} {}", lamp.name, lamp.pixels)).collect()
}

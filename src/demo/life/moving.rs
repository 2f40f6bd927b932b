//! What moves: covers, the music, the vacuum.

use crate::demo::attr::Val;
use crate::demo::birth::TRACKS;
use crate::demo::entity::Context;
use crate::demo::house::House;
use crate::demo::life::What;
use crate::demo::time::iso;
use std::sync::Arc;

const VACUUM: &str = "vacuum.robot_vacuum";
const PLAYER: &str = "media_player.living_room_speaker";
/// Seconds of one cleaning, and of the way back to the dock.
const CLEANING: f64 = 900.0;
const WAY_BACK: f64 = 20.0;

/// A cover on its way.
pub(crate) struct Move {
    pub(crate) id: Arc<str>,
    /// Percent open.
    pub(crate) at: f64,
    pub(crate) goal: f64,
    /// Percent per second.
    pub(crate) speed: f64,
    pub(crate) by: Context,
}

/// Where the music is.
#[derive(Default)]
pub(crate) struct Player {
    /// Index of the track.
    pub(crate) track: usize,
    /// Seconds played of it.
    pub(crate) position: f64,
}

impl House {
    pub(crate) fn move_covers(&mut self, seconds: f64) {
        for mut cover in std::mem::take(&mut self.life.moves) {
            let way = cover.speed * seconds;
            let left = cover.goal - cover.at;
            cover.at = if left.abs() <= way { cover.goal } else { cover.at + way * left.signum() };
            let (at, has_arrived) = (cover.at, cover.at == cover.goal);
            self.change(&cover.id, cover.by, |e| {
                if e.attrs.has("current_position") {
                    e.set("current_position", at.round() as i64);
                }
                if has_arrived {
                    e.set("is_closed", at == 0.0);
                    e.put(if at == 0.0 { "closed" } else { "open" });
                }
            });
            if !has_arrived {
                self.life.moves.push(cover);
            }
        }
    }

    pub(crate) fn play(&mut self, seconds: f64) {
        if !self.is(PLAYER, "playing") {
            return;
        }
        self.life.player.position += seconds;
        let (_, _, length) = TRACKS[self.life.player.track];
        if self.life.player.position >= length as f64 {
            let by = self.own_context();
            self.skip_track(PLAYER, 1, by);
        }
    }

    /// Goes `by_tracks` on (or back) in the list and starts that track.
    pub(crate) fn skip_track(&mut self, id: &str, by_tracks: isize, by: Context) {
        let count = TRACKS.len() as isize;
        let track = (self.life.player.track as isize + by_tracks).rem_euclid(count) as usize;
        self.life.player = Player { track, position: 0.0 };
        let (title, artist, length) = TRACKS[track];
        let at = iso(self.now);
        self.change(id, by, |e| {
            e.set("media_duration", length);
            e.set("media_position", 0i64);
            e.set("media_position_updated_at", at);
            e.set("media_title", title);
            e.set("media_artist", artist);
        });
    }

    pub(crate) fn clean(&mut self, seconds: f64) {
        let rate = match self.state(VACUUM) {
            "cleaning" => -1.0 / 45.0,
            "docked" => 1.0 / 30.0,
            _ => 0.0,
        };
        self.life.charge = (self.life.charge + rate * seconds).clamp(0.0, 100.0);
        let charge = format!("{}", self.life.charge.round());
        self.drift("sensor.robot_vacuum_battery", |e| e.put(charge));
        let Some(vacuum) = self.get(VACUUM) else { return };
        if vacuum.is("cleaning") && self.now - vacuum.changed >= CLEANING {
            let by = self.own_context();
            self.send_home(VACUUM, by);
        }
    }

    /// Sends the vacuum back to its dock.
    pub(crate) fn send_home(&mut self, id: &str, by: Context) {
        self.forget_later(id);
        self.change(id, by, |e| e.put("returning"));
        self.later(id, WAY_BACK, What::State("docked"), by);
    }

    /// Stops a cover where it is.
    pub(crate) fn halt(&mut self, id: &str, by: Context) {
        let Some(at) = self.life.moves.iter().position(|m| &*m.id == id) else { return };
        let cover = self.life.moves.remove(at);
        self.change(id, by, |e| {
            e.put(if cover.at == 0.0 { "closed" } else { "open" });
            e.set("is_closed", Val::Bool(cover.at == 0.0));
        });
    }
}

//! The media player.

use crate::demo::action::Data;
use crate::demo::entity::Context;
use crate::demo::house::House;
use crate::demo::time::iso;
use serde_json::Value;

/// How much louder one press is.
const STEP: f64 = 0.05;

/// Plays, stops, skips, sets the volume.
pub(crate) fn act(house: &mut House, id: &str, service: &str, data: &Data, by: Context) {
    let is_playing = house.is(id, "playing");
    let number = |name: &str| data.get(name).and_then(Value::as_f64);
    match service {
        "turn_on" if house.is(id, "off") => house.change(id, by, |e| e.put("idle")),
        "toggle" if house.is(id, "off") => house.change(id, by, |e| e.put("idle")),
        "turn_off" | "toggle" => house.change(id, by, |e| e.put("off")),
        "media_play" => play(house, id, "playing", by),
        "media_pause" if is_playing => play(house, id, "paused", by),
        "media_play_pause" => play(house, id, if is_playing { "paused" } else { "playing" }, by),
        "media_stop" => {
            house.life.player.position = 0.0;
            play(house, id, "idle", by);
        }
        "media_next_track" => house.skip_track(id, 1, by),
        "media_previous_track" => house.skip_track(id, -1, by),
        "media_seek" => {
            house.life.player.position = number("seek_position").unwrap_or(0.0);
            let state = if is_playing { "playing" } else { "paused" };
            play(house, id, state, by);
        }
        "volume_up" => volume(house, id, STEP, by),
        "volume_down" => volume(house, id, -STEP, by),
        "volume_set" => {
            let level = number("volume_level").unwrap_or(0.0);
            house.change(id, by, |e| e.set("volume_level", level));
        }
        "volume_mute" => set(house, id, "is_volume_muted", data.get("is_volume_muted"), by),
        "shuffle_set" => set(house, id, "shuffle", data.get("shuffle"), by),
        "select_source" => {
            let Some(source) = data.get("source").and_then(Value::as_str) else { return };
            house.change(id, by, |e| {
                if e.attrs.get("source_list").lists(source) {
                    e.set("source", source.to_owned());
                }
            });
        }
        _ => {}
    }
}

fn play(house: &mut House, id: &str, state: &'static str, by: Context) {
    let (position, at) = (house.life.player.position as i64, iso(house.now));
    house.change(id, by, |e| {
        e.put(state);
        e.set("media_position", position);
        e.set("media_position_updated_at", at);
    });
}

fn volume(house: &mut House, id: &str, step: f64, by: Context) {
    house.change(id, by, |e| {
        let now = e.number("volume_level").unwrap_or(0.0);
        e.set("volume_level", ((now + step).clamp(0.0, 1.0) * 100.0).round() / 100.0);
    });
}

fn set(house: &mut House, id: &str, name: &'static str, value: Option<&Value>, by: Context) {
    let Some(value) = value.cloned() else { return };
    house.change(id, by, |e| e.set(name, value));
}

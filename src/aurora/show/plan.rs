//! A profile made ready for the lamps of this house: looked up, measured, checked, so that painting
//! looks nothing up and allocates nothing.

use super::effects::Effect;
use super::palette::Palette;
use super::profile::{Profile, Zone};
use super::scene::{Dials, Scene, ramp};
use super::trail::Trail;
use crate::aurora::light::Light;
use crate::aurora::moment::Moment;
use crate::error::Error;
use crate::text::clean;
use std::f32::consts::TAU;

/// A lamp as a show sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fixture {
    /// Its name, by which profiles name it.
    pub name: String,
    /// How many lights it has that can be set one by one.
    pub pixels: usize,
}

/// How bright a zone stays in silence.
const CALM: f32 = 0.05;

/// A profile, ready to be painted.
#[derive(Debug)]
pub struct Plan {
    rooms: Vec<Room>,
    /// For each lamp the pieces of it that zones have.
    pieces: Vec<Vec<Piece>>,
    pub(super) fade: f32,
    /// Lamps that the profile names and this house does not have.
    pub missing: Vec<String>,
}

/// A zone.
struct Room {
    effect: &'static Effect,
    palette: Palette,
    values: Vec<f32>,
    dials: Dials,
    brightness: f32,
    seed: u32,
}

impl std::fmt::Debug for Room {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Room").field("effect", &self.effect.name).finish_non_exhaustive()
    }
}

/// Some pixels of a lamp and where they are on the line of their zone.
#[derive(Clone, Copy, Debug)]
struct Piece {
    room: usize,
    from: usize,
    to: usize,
    first: usize,
    count: usize,
    reverse: bool,
}

impl Plan {
    /// Looks up what a profile names.
    ///
    /// # Errors
    /// Invalid: as [`Profile::check`]; two zones share pixels; a zone names pixels a lamp has not.
    pub fn new(profile: &Profile, lamps: &[Fixture], seed: u32) -> Result<Plan, Error> {
        profile.check()?;
        let mut plan = Plan {
            rooms: Vec::new(),
            pieces: vec![Vec::new(); lamps.len()],
            fade: profile.fade,
            missing: Vec::new(),
        };
        let taken: Vec<&str> =
            profile.zones.iter().flat_map(|z| &z.lamps).map(|part| part.lamp.as_str()).collect();
        for zone in &profile.zones {
            let (effect, values) = zone.resolved()?;
            let (room, seed) = (plan.rooms.len(), seed_of(seed, &zone.name));
            plan.rooms.push(Room {
                effect,
                values,
                palette: profile.palette(zone)?,
                dials: Dials {
                    speed: zone.speed,
                    intensity: zone.intensity,
                    mirror: zone.mirror,
                    reverse: zone.reverse,
                },
                brightness: zone.brightness,
                seed,
            });
            let parts = match zone.lamps.is_empty() {
                true => rest(lamps, &taken),
                false => plan.parts(zone, lamps)?,
            };
            plan.lay(zone, room, &parts, lamps)?;
        }
        Ok(plan)
    }

    /// The pixels that a zone names: lamp, from, to, reverse.
    fn parts(
        &mut self,
        zone: &Zone,
        lamps: &[Fixture],
    ) -> Result<Vec<(usize, usize, usize, bool)>, Error> {
        let mut parts = Vec::new();
        for part in &zone.lamps {
            let Some(lamp) = lamps.iter().position(|lamp| lamp.name == part.lamp) else {
                if !self.missing.contains(&part.lamp) {
                    self.missing.push(part.lamp.clone());
                }
                continue;
            };
            let has = lamps[lamp].pixels;
            let to = part.to.unwrap_or(has);
            if part.from >= to || to > has {
                let (at, name) = (clean(&zone.name, 60), clean(&part.lamp, 60));
                return Err(Error::invalid(format!(
                    "zone '{at}': pixels {} to {to} of lamp '{name}', which has {has}; 'from' is the \
                     first, 'to' the one after the last",
                    part.from
                )));
            }
            parts.push((lamp, part.from, to, part.reverse));
        }
        Ok(parts)
    }

    /// Puts the parts of a zone on its line.
    fn lay(
        &mut self,
        zone: &Zone,
        room: usize,
        parts: &[(usize, usize, usize, bool)],
        lamps: &[Fixture],
    ) -> Result<(), Error> {
        let whole: usize = parts.iter().map(|(_, from, to, _)| to - from).sum();
        let mut first = 0;
        for (lamp, from, to, reverse) in parts.iter().copied() {
            if self.pieces[lamp].iter().any(|other| from < other.to && other.from < to) {
                let (at, name) = (clean(&zone.name, 60), clean(&lamps[lamp].name, 60));
                return Err(Error::invalid(format!(
                    "zone '{at}': some pixels of lamp '{name}' are in a zone already; give each to one"
                )));
            }
            let count = if zone.across { whole } else { to - from };
            let begin = if zone.across { first } else { 0 };
            self.pieces[lamp].push(Piece { room, from, to, first: begin, count, reverse });
            first += to - from;
        }
        Ok(())
    }

    /// Paints a lamp; what no zone has stays dark.
    pub(super) fn paint(&self, lamp: usize, moment: &Moment, trail: &Trail, pixels: &mut [Light]) {
        pixels.fill(Light::BLACK);
        let Some(pieces) = self.pieces.get(lamp) else { return };
        for piece in pieces {
            let room = &self.rooms[piece.room];
            let to = piece.to.min(pixels.len());
            let Some(part) = pixels.get_mut(piece.from..to) else { continue };
            let scene = Scene {
                moment,
                trail,
                palette: &room.palette,
                dials: room.dials,
                values: &room.values,
                seed: room.seed,
                first: piece.first,
                count: piece.count,
            };
            room.paint(&scene, part);
            if piece.reverse {
                part.reverse();
            }
        }
    }
}

impl Room {
    fn paint(&self, scene: &Scene, part: &mut [Light]) {
        (self.effect.paint)(scene, part);
        // In silence a glow that hardly moves, whatever the effect.
        let life = ramp(scene.trail.life, 0.0, 0.7);
        let turn = (scene.seconds() / 12.0).fract() as f32;
        for (k, light) in part.iter_mut().enumerate() {
            if life < 1.0 {
                let x = (scene.first + k) as f32 / scene.count.max(1) as f32;
                let glow = CALM * (0.75 + 0.25 * ((turn - 0.3 * x) * TAU).cos());
                *light = self.palette.along(2.0 * turn + 0.3 * x).times(glow).mix(*light, life);
            }
            // A fault in an effect must not reach a lamp as something that is no light.
            let clean = |x: f32| if x.is_finite() { x.clamp(0.0, 1.0) } else { 0.0 };
            *light = Light(light.0.map(|x| clean(x) * self.brightness));
        }
    }
}

/// Every lamp that no zone names, as parts.
fn rest(lamps: &[Fixture], taken: &[&str]) -> Vec<(usize, usize, usize, bool)> {
    let free =
        |(_, lamp): &(usize, &Fixture)| lamp.pixels > 0 && !taken.contains(&lamp.name.as_str());
    lamps.iter().enumerate().filter(free).map(|(k, lamp)| (k, 0, lamp.pixels, false)).collect()
}

/// A zone's own seed (FNV-1a over its name).
fn seed_of(seed: u32, name: &str) -> u32 {
    name.bytes()
        .fold(seed ^ 0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

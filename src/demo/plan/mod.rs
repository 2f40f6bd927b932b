//! What the house is made of: floors, areas, labels, devices and entities. Tables, nothing else.
//!
//! Read by [`crate::demo::birth`], the registries and the services. Never changes while it runs.

mod devices;
mod places;
mod routines;

pub(crate) use devices::DEVICES;
pub(crate) use places::{AREAS, FLOORS, LABELS};
pub(crate) use routines::LOOSE;

/// A storey.
pub(crate) struct Floor {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) level: i64,
    pub(crate) icon: &'static str,
}

/// A room.
pub(crate) struct Area {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) floor: &'static str,
    pub(crate) icon: &'static str,
    /// The entity that says how warm it is.
    pub(crate) temperature: Option<&'static str>,
    /// The entity that says how damp it is.
    pub(crate) humidity: Option<&'static str>,
}

/// A label.
pub(crate) struct Label {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) colour: &'static str,
    pub(crate) icon: &'static str,
    pub(crate) description: &'static str,
}

/// A thing one can hold, with its entities.
pub(crate) struct Device {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) area: Option<&'static str>,
    pub(crate) maker: &'static str,
    pub(crate) model: &'static str,
    pub(crate) labels: &'static [&'static str],
    pub(crate) things: &'static [Thing],
}

/// An entity as planned.
pub(crate) struct Thing {
    /// Its entity id.
    pub(crate) id: &'static str,
    /// Its own name; none when it bears its device's.
    pub(crate) name: Option<&'static str>,
    pub(crate) labels: &'static [&'static str],
    pub(crate) kind: Kind,
    /// Whether assistants are shown it.
    pub(crate) is_exposed: bool,
    /// Whether it tells of the device, not of the house.
    pub(crate) is_diagnostic: bool,
}

impl Thing {
    const fn new(id: &'static str, kind: Kind) -> Thing {
        Thing { id, name: None, labels: &[], kind, is_exposed: true, is_diagnostic: false }
    }

    const fn named(mut self, name: &'static str) -> Thing {
        self.name = Some(name);
        self
    }

    const fn labelled(mut self, labels: &'static [&'static str]) -> Thing {
        self.labels = labels;
        self
    }

    const fn unexposed(mut self) -> Thing {
        self.is_exposed = false;
        self
    }

    const fn diagnostic(mut self) -> Thing {
        self.is_diagnostic = true;
        self.unexposed()
    }
}

/// What a lamp can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lamp {
    OnOff,
    Dimmable,
    White,
    Colour,
}

/// A value in a step's data.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lit {
    Int(i64),
    Num(f64),
    Text(&'static str),
}

/// One step of a scene, script or automation: a service call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    /// `domain.service`.
    pub(crate) service: &'static str,
    /// The entities it is aimed at.
    pub(crate) on: &'static [&'static str],
    pub(crate) data: &'static [(&'static str, Lit)],
}

/// What an entity is, and how it begins.
pub(crate) enum Kind {
    /// A lamp; brightness of 0 is off.
    Light(Lamp, i64),
    /// A switch, its device class and whether it is on.
    Switch(&'static str, bool),
    /// A thermostat: modes, present mode, target.
    Climate(&'static [&'static str], &'static str, f64),
    /// A cover: device class, position in percent, whether it can stop anywhere.
    Cover(&'static str, i64, bool),
    Lock,
    Alarm,
    Player,
    Vacuum,
    /// A fan, with presets or none.
    Fan(&'static [&'static str]),
    /// A sensor: device class, state class, unit, first value.
    Sensor(&'static str, &'static str, &'static str, &'static str),
    /// A binary sensor and its device class.
    Binary(&'static str),
    Weather,
    Sun,
    Zone,
    Person,
    Scene(&'static [Step]),
    Script(&'static [Step]),
    Automation(&'static [Step]),
    Toggle,
    /// Least, most, step, first, unit.
    Number(f64, f64, f64, f64, &'static str),
    Choice(&'static [&'static str]),
    Button,
    /// A list and what stands on it.
    List(&'static [&'static str]),
}

/// Returns every planned entity with its device.
pub(crate) fn things() -> impl Iterator<Item = (Option<&'static Device>, &'static Thing)> {
    let held = DEVICES.iter().flat_map(|d| d.things.iter().map(move |t| (Some(d), t)));
    held.chain(LOOSE.iter().map(|t| (None, t)))
}

/// Returns the planned entity of this id.
pub(crate) fn thing(id: &str) -> Option<(Option<&'static Device>, &'static Thing)> {
    things().find(|(_, t)| t.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_house_is_as_large_as_it_says_and_every_name_leads_somewhere() {
        let ids: Vec<&str> = things().map(|(_, t)| t.id).collect();
        let unique: BTreeSet<&str> = ids.iter().copied().collect();
        assert_eq!(unique.len(), ids.len(), "an entity id is given twice");
        assert!((45..=65).contains(&ids.len()), "{} entities", ids.len());
        assert_eq!((FLOORS.len(), AREAS.len()), (2, 7));
        for area in AREAS {
            assert!(FLOORS.iter().any(|f| f.id == area.floor), "{}", area.id);
            let sensors = [area.temperature, area.humidity];
            assert!(sensors.iter().flatten().all(|id| unique.contains(id)), "{}", area.id);
        }
        let known = |label: &&str| LABELS.iter().any(|l| l.id == *label);
        for device in DEVICES {
            let area = |id: &str| AREAS.iter().any(|a| a.id == id);
            assert!(device.area.is_none_or(area) && device.labels.iter().all(known));
        }
        for (_, thing) in things() {
            assert!(thing.labels.iter().all(known), "{}", thing.id);
            let (Kind::Scene(steps) | Kind::Script(steps) | Kind::Automation(steps)) = &thing.kind
            else {
                continue;
            };
            for id in steps.iter().flat_map(|step| step.on) {
                assert!(unique.contains(id), "{} names {id}", thing.id);
            }
        }
    }
}

//! Electricity: what is on uses it, the meter counts it.

use crate::demo::entity::Entity;
use crate::demo::house::House;

/// The meter's inside.
pub(crate) struct Meter {
    kilowatt_hours: f64,
    /// What the fridge and the rest use just now, in watts.
    base: f64,
}

impl Default for Meter {
    fn default() -> Meter {
        Meter { kilowatt_hours: 4213.57, base: 95.0 }
    }
}

/// Average seconds until the fridge or something like it changes its mind.
const BASE_CHANGES: f64 = 20.0;
/// The coffee maker heats so long, then it keeps warm.
const BREWING: f64 = 150.0;

impl House {
    pub(crate) fn measure_power(&mut self, seconds: f64) {
        if self.dice.happens(BASE_CHANGES, seconds) {
            self.life.meter.base = self.dice.between(70.0, 160.0);
        }
        let coffee = self.coffee_watts();
        self.drift("sensor.coffee_maker_power", |e| e.put(format!("{coffee}")));
        let used: f64 = self.all().iter().map(|e| watts(e)).sum();
        let total = self.life.meter.base + coffee + used;
        self.life.meter.kilowatt_hours += total * seconds / 3.6e6;
        let kilowatt_hours = self.life.meter.kilowatt_hours;
        self.drift("sensor.house_power", |e| e.put(format!("{:.0}", total)));
        self.drift("sensor.house_energy", |e| e.put(format!("{kilowatt_hours:.2}")));
    }

    fn coffee_watts(&self) -> f64 {
        match self.get("switch.coffee_maker") {
            Some(plug) if plug.is("on") && self.now - plug.changed < BREWING => 870.0,
            Some(plug) if plug.is("on") => 42.0,
            _ => 0.0,
        }
    }
}

/// What one entity uses, in watts.
fn watts(e: &Entity) -> f64 {
    match (e.domain(), &*e.state) {
        ("light", "on") => 9.0 * e.number("brightness").unwrap_or(255.0) / 255.0,
        ("climate", _) if &*e.id == "climate.living_room" => {
            match e.attrs.get("hvac_action").text() {
                Some("heating" | "cooling") => 640.0,
                _ => 4.0,
            }
        }
        ("fan", "on") => 0.3 * e.number("percentage").unwrap_or(0.0),
        ("media_player", "playing") => 7.0,
        ("switch", "on") if &*e.id == "switch.garden_lights" => 36.0,
        ("cover", "opening" | "closing") => 120.0,
        ("vacuum", "docked") => 4.0,
        _ => 0.0,
    }
}

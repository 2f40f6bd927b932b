use crate::demo::house::{Happening, House};

/// 2026-06-21, 10:00 UTC: broad daylight.
const MORNING: f64 = 1_782_036_000.0;

fn count(house: &mut House, id: &str) -> usize {
    let happened = house.take_happened();
    let of_it = |h: &&Happening| matches!(h, Happening::Changed { new, .. } if &*new.id == id);
    happened.iter().filter(of_it).count()
}

#[test]
fn equal_seeds_live_equal_lives() {
    let life = |seed| {
        let mut house = House::new(seed, MORNING, 20);
        house.tick(600.0);
        let states =
            house.all().iter().map(|e| (e.id.to_string(), e.state.to_string(), e.context.id));
        (states.collect::<Vec<_>>(), house.take_happened().len())
    };
    assert_eq!(life(3), life(3));
    assert_ne!(life(3), life(4));
}

#[test]
fn within_an_hour_everything_that_lives_has_moved() {
    let mut house = House::new(1, MORNING, 0);
    let mut moved = std::collections::BTreeSet::new();
    for _ in 0..3600 {
        house.tick(1.0);
        for happening in house.take_happened() {
            if let Happening::Changed { new, .. } = happening {
                moved.insert(new.id.to_string());
            }
        }
    }
    for id in [
        "sensor.living_room_temperature",
        "sensor.bathroom_humidity",
        "sensor.house_power",
        "sensor.house_energy",
        "sensor.outdoor_illuminance",
        "binary_sensor.hallway_motion",
        "binary_sensor.garden_door",
        "binary_sensor.front_door",
        "lock.front_door",
        "person.robin",
        "zone.home",
        "sun.sun",
        "weather.home",
        "climate.living_room",
        "media_player.living_room_speaker",
    ] {
        assert!(moved.contains(id), "{id} did not move");
    }
    // What only people switch stays as it is.
    for id in ["light.bathroom", "cover.garage_door", "input_boolean.guest_mode"] {
        assert!(!moved.contains(id), "{id} moved by itself");
    }
}

#[test]
fn a_cold_room_warms_up_and_the_pump_uses_power() {
    let mut house = House::new(1, MORNING, 0);
    house.drift("climate.living_room", |e| e.set("temperature", 24.0));
    let before: f64 = house.state("sensor.living_room_temperature").parse().unwrap();
    house.tick(120.0);
    let e = house.get("climate.living_room").unwrap();
    assert_eq!(e.attrs.get("hvac_action").text(), Some("heating"));
    assert!(house.state("sensor.house_power").parse::<f64>().unwrap() > 700.0);
    house.tick(1200.0);
    let after: f64 = house.state("sensor.living_room_temperature").parse().unwrap();
    assert!(after > before + 1.5, "{before} {after}");
    house.drift("climate.living_room", |e| e.put("off"));
    house.tick(3600.0);
    let cold: f64 = house.state("sensor.living_room_temperature").parse().unwrap();
    assert!(cold < after - 1.0, "{after} {cold}");
}

#[test]
fn a_quiet_house_says_little() {
    let mut house = House::new(1, MORNING, 0);
    house.tick(5.0);
    house.take_happened();
    house.tick(600.0);
    let told = house.take_happened().len();
    assert!((20..900).contains(&told), "{told} changes in ten minutes");
}

#[test]
fn music_goes_on_to_the_next_track() {
    let mut house = House::new(1, MORNING, 0);
    let title = |house: &House| {
        let player = house.get("media_player.living_room_speaker").unwrap();
        player.attrs.get("media_title").text().unwrap().to_owned()
    };
    let first = title(&house);
    house.tick(213.0);
    assert_eq!(title(&house), first);
    house.tick(3.0);
    assert_ne!(title(&house), first);
    assert_eq!(count(&mut house, "media_player.living_room_speaker"), 1);
}

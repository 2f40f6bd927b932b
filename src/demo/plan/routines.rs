//! What no device carries: weather, people, scenes, scripts, the automation, helpers, lists.

use crate::demo::plan::Kind::{
    Automation, Button, Choice, List, Number, Person, Scene, Script, Sun, Toggle, Weather, Zone,
};
use crate::demo::plan::{Lit, Step, Thing};

const fn step(service: &'static str, on: &'static [&'static str]) -> Step {
    Step { service, on, data: &[] }
}

const fn with(mut step: Step, data: &'static [(&'static str, Lit)]) -> Step {
    step.data = data;
    step
}

const fn thing(id: &'static str, name: &'static str, kind: crate::demo::plan::Kind) -> Thing {
    Thing::new(id, kind).named(name)
}

const LIVING_LAMPS: &[&str] = &["light.living_room_ceiling", "light.floor_lamp"];
const EVERY_LAMP: &[&str] = &[
    "light.living_room_ceiling",
    "light.floor_lamp",
    "light.kitchen_ceiling",
    "light.kitchen_counter",
    "light.hallway",
    "light.garage",
    "light.bedroom_ceiling",
    "light.bedside_lamp",
    "light.bathroom",
    "light.desk_lamp",
];

const MOVIE_NIGHT: &[Step] = &[
    with(step("light.turn_on", &["light.floor_lamp"]), &[("brightness", Lit::Int(40))]),
    step("light.turn_off", &["light.living_room_ceiling", "light.kitchen_ceiling"]),
    step("cover.close_cover", &["cover.living_room_blinds"]),
];

const BRIGHT: &[Step] = &[with(
    step("light.turn_on", LIVING_LAMPS),
    &[("brightness", Lit::Int(255)), ("color_temp_kelvin", Lit::Int(4000))],
)];

const LEAVING: &[Step] = &[
    step("light.turn_off", EVERY_LAMP),
    step("switch.turn_off", &["switch.coffee_maker", "switch.garden_lights"]),
    step("media_player.media_pause", &["media_player.living_room_speaker"]),
    with(
        step("climate.set_temperature", &["climate.living_room"]),
        &[("temperature", Lit::Num(18.0))],
    ),
    step("cover.close_cover", &["cover.garage_door"]),
    step("lock.lock", &["lock.front_door"]),
    with(
        step("input_select.select_option", &["input_select.house_mode"]),
        &[("option", Lit::Text("Away"))],
    ),
];

const GOOD_MORNING: &[Step] = &[
    step("cover.open_cover", &["cover.bedroom_blind", "cover.living_room_blinds"]),
    step("switch.turn_on", &["switch.coffee_maker"]),
    with(step("light.turn_on", &["light.kitchen_counter"]), &[("brightness", Lit::Int(160))]),
    with(
        step("input_select.select_option", &["input_select.house_mode"]),
        &[("option", Lit::Text("Home"))],
    ),
];

const HALLWAY: &[Step] =
    &[with(step("light.turn_on", &["light.hallway"]), &[("brightness", Lit::Int(140))])];

/// Every entity without a device.
pub(crate) const LOOSE: &[Thing] = &[
    thing("zone.home", "Demo house", Zone).unexposed(),
    thing("sun.sun", "Sun", Sun).unexposed(),
    thing("weather.home", "Home", Weather),
    thing("person.robin", "Robin", Person).unexposed(),
    thing("scene.movie_night", "Movie night", Scene(MOVIE_NIGHT)),
    thing("scene.bright_evening", "Bright evening", Scene(BRIGHT)),
    thing("script.leaving_home", "Leaving home", Script(LEAVING)),
    thing("script.good_morning", "Good morning", Script(GOOD_MORNING)),
    thing("automation.hallway_light", "Hallway light on motion", Automation(HALLWAY)).unexposed(),
    thing("input_boolean.guest_mode", "Guest mode", Toggle),
    thing(
        "input_number.evening_brightness",
        "Evening brightness",
        Number(0.0, 100.0, 5.0, 60.0, "%"),
    ),
    thing("input_select.house_mode", "House mode", Choice(&["Home", "Away", "Night"])),
    thing("input_button.doorbell", "Doorbell", Button),
    thing("todo.shopping_list", "Shopping list", List(&["Milk", "Bread", "Coffee"])),
];

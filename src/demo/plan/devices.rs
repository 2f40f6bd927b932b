//! The devices, room by room.

use crate::demo::plan::Kind::{
    Alarm, Binary, Climate, Cover, Fan, Light, Lock, Player, Sensor, Switch, Vacuum,
};
use crate::demo::plan::Lamp::{Colour, Dimmable, OnOff, White};
use crate::demo::plan::{Device, Kind, Thing};

const fn device(
    id: &'static str,
    name: &'static str,
    area: &'static str,
    (maker, model): (&'static str, &'static str),
    things: &'static [Thing],
) -> Device {
    Device { id, name, area: Some(area), maker, model, labels: &[], things }
}

const fn labelled(mut device: Device, labels: &'static [&'static str]) -> Device {
    device.labels = labels;
    device
}

const fn outside(mut device: Device) -> Device {
    device.area = None;
    device
}

const MEASURED: &str = "measurement";
const LAMP: (&str, &str) = ("Lumen & Sons", "Ceiling 2");
const SPOT: (&str, &str) = ("Lumen & Sons", "Spot");
const HEAT: (&str, &str) = ("Warmwell", "Radiator thermostat");
const CLIMATE: (&str, &str) = ("Warmwell", "Room sensor");
const BLIND: (&str, &str) = ("Shadeworks", "Roller");
const EYE: (&str, &str) = ("Quietbox", "Motion sensor");
const DOOR: (&str, &str) = ("Quietbox", "Contact sensor");

const fn warmth(id: &'static str, first: &'static str) -> Thing {
    Thing::new(id, Sensor("temperature", MEASURED, "°C", first)).named("Temperature")
}

const fn dampness(id: &'static str, first: &'static str) -> Thing {
    Thing::new(id, Sensor("humidity", MEASURED, "%", first)).named("Humidity")
}

const fn watts(id: &'static str) -> Thing {
    Thing::new(id, Sensor("power", MEASURED, "W", "0")).named("Power").labelled(&["energy"])
}

const fn battery(id: &'static str, first: &'static str) -> Thing {
    Thing::new(id, Sensor("battery", MEASURED, "%", first)).named("Battery").diagnostic()
}

const HEAT_ONLY: &[&str] = &["off", "heat"];
const BOTH_WAYS: &[&str] = &["off", "heat", "cool", "auto"];
const NIGHT: &[&str] = &["off_at_night"];
const SAFE: &[&str] = &["security"];

const fn one(id: &'static str, kind: Kind) -> Thing {
    Thing::new(id, kind)
}

/// Every device.
pub(crate) const DEVICES: &[Device] = &[
    // Living room
    labelled(
        device(
            "living_room_ceiling",
            "Living room ceiling",
            "living_room",
            LAMP,
            &[one("light.living_room_ceiling", Light(White, 180))],
        ),
        NIGHT,
    ),
    labelled(
        device(
            "floor_lamp",
            "Floor lamp",
            "living_room",
            ("Lumen & Sons", "Colour 1"),
            &[one("light.floor_lamp", Light(Colour, 90))],
        ),
        NIGHT,
    ),
    device(
        "living_room_thermostat",
        "Living room thermostat",
        "living_room",
        ("Warmwell", "Heat pump"),
        &[one("climate.living_room", Climate(BOTH_WAYS, "heat", 21.0))],
    ),
    device(
        "living_room_climate",
        "Living room",
        "living_room",
        CLIMATE,
        &[
            warmth("sensor.living_room_temperature", "20.6"),
            dampness("sensor.living_room_humidity", "46"),
        ],
    ),
    device(
        "living_room_blinds",
        "Living room blinds",
        "living_room",
        BLIND,
        &[one("cover.living_room_blinds", Cover("blind", 100, true))],
    ),
    labelled(
        device(
            "living_room_speaker",
            "Living room speaker",
            "living_room",
            ("Larkfield", "Shelf"),
            &[one("media_player.living_room_speaker", Player)],
        ),
        NIGHT,
    ),
    device(
        "living_room_motion",
        "Living room motion",
        "living_room",
        EYE,
        &[one("binary_sensor.living_room_motion", Binary("motion"))],
    ),
    labelled(
        device(
            "garden_door",
            "Garden door",
            "living_room",
            DOOR,
            &[one("binary_sensor.garden_door", Binary("door"))],
        ),
        SAFE,
    ),
    device(
        "robot_vacuum",
        "Robot vacuum",
        "living_room",
        ("Dustwell", "R3"),
        &[one("vacuum.robot_vacuum", Vacuum), battery("sensor.robot_vacuum_battery", "100")],
    ),
    // Kitchen
    labelled(
        device(
            "kitchen_ceiling",
            "Kitchen ceiling",
            "kitchen",
            LAMP,
            &[one("light.kitchen_ceiling", Light(White, 0))],
        ),
        NIGHT,
    ),
    labelled(
        device(
            "kitchen_counter",
            "Kitchen counter",
            "kitchen",
            SPOT,
            &[one("light.kitchen_counter", Light(Dimmable, 0))],
        ),
        NIGHT,
    ),
    labelled(
        device(
            "coffee_maker",
            "Coffee maker",
            "kitchen",
            ("Plugwright", "Metering plug"),
            &[
                one("switch.coffee_maker", Switch("outlet", false)),
                watts("sensor.coffee_maker_power"),
            ],
        ),
        NIGHT,
    ),
    device(
        "kitchen_climate",
        "Kitchen",
        "kitchen",
        CLIMATE,
        &[warmth("sensor.kitchen_temperature", "21.1")],
    ),
    device(
        "kitchen_leak",
        "Kitchen sink",
        "kitchen",
        ("Quietbox", "Leak sensor"),
        &[one("binary_sensor.kitchen_sink_leak", Binary("moisture")).named("Leak")],
    ),
    // Hallway
    device(
        "hallway_light",
        "Hallway light",
        "hallway",
        SPOT,
        &[one("light.hallway", Light(Dimmable, 0))],
    ),
    device(
        "hallway_motion",
        "Hallway motion",
        "hallway",
        EYE,
        &[one("binary_sensor.hallway_motion", Binary("motion"))],
    ),
    labelled(
        device(
            "front_door",
            "Front door",
            "hallway",
            ("Boltson", "Smart lock"),
            &[
                one("lock.front_door", Lock),
                one("binary_sensor.front_door", Binary("door")).named("Door"),
                battery("sensor.front_door_battery", "84"),
            ],
        ),
        SAFE,
    ),
    labelled(
        device(
            "home_alarm",
            "Home alarm",
            "hallway",
            ("Boltson", "Panel"),
            &[one("alarm_control_panel.home_alarm", Alarm)],
        ),
        SAFE,
    ),
    labelled(
        device(
            "electricity_meter",
            "House",
            "hallway",
            ("Gridwell", "Meter"),
            &[
                watts("sensor.house_power"),
                one("sensor.house_energy", Sensor("energy", "total_increasing", "kWh", "4213.57"))
                    .named("Energy"),
            ],
        ),
        &["energy"],
    ),
    // Garage
    device("garage_light", "Garage light", "garage", SPOT, &[one("light.garage", Light(OnOff, 0))]),
    labelled(
        device(
            "garage_door",
            "Garage door",
            "garage",
            ("Liftwell", "Opener"),
            &[one("cover.garage_door", Cover("garage", 0, false))],
        ),
        SAFE,
    ),
    // Bedroom
    labelled(
        device(
            "bedroom_ceiling",
            "Bedroom ceiling",
            "bedroom",
            LAMP,
            &[one("light.bedroom_ceiling", Light(White, 0))],
        ),
        NIGHT,
    ),
    device(
        "bedside_lamp",
        "Bedside lamp",
        "bedroom",
        ("Lumen & Sons", "Colour 1"),
        &[one("light.bedside_lamp", Light(Colour, 0))],
    ),
    device(
        "bedroom_radiator",
        "Bedroom radiator",
        "bedroom",
        HEAT,
        &[one("climate.bedroom", Climate(HEAT_ONLY, "heat", 18.5))],
    ),
    device(
        "bedroom_climate",
        "Bedroom",
        "bedroom",
        CLIMATE,
        &[warmth("sensor.bedroom_temperature", "18.9")],
    ),
    device(
        "bedroom_blind",
        "Bedroom blind",
        "bedroom",
        BLIND,
        &[one("cover.bedroom_blind", Cover("shade", 0, true))],
    ),
    device(
        "bedroom_fan",
        "Bedroom fan",
        "bedroom",
        ("Airlie", "Ceiling fan"),
        &[one("fan.bedroom_fan", Fan(&["breeze", "sleep"]))],
    ),
    // Bathroom
    device(
        "bathroom_light",
        "Bathroom light",
        "bathroom",
        SPOT,
        &[one("light.bathroom", Light(Dimmable, 0))],
    ),
    device(
        "bathroom_fan",
        "Bathroom fan",
        "bathroom",
        ("Airlie", "Extractor"),
        &[one("fan.bathroom_fan", Fan(&[]))],
    ),
    device(
        "bathroom_climate",
        "Bathroom",
        "bathroom",
        CLIMATE,
        &[
            warmth("sensor.bathroom_temperature", "21.8"),
            dampness("sensor.bathroom_humidity", "58"),
        ],
    ),
    // Office
    labelled(
        device(
            "desk_lamp",
            "Desk lamp",
            "office",
            ("Lumen & Sons", "Desk"),
            &[one("light.desk_lamp", Light(White, 0))],
        ),
        NIGHT,
    ),
    device(
        "office_radiator",
        "Office radiator",
        "office",
        HEAT,
        &[one("climate.office", Climate(HEAT_ONLY, "off", 20.0))],
    ),
    device(
        "office_climate",
        "Office",
        "office",
        CLIMATE,
        &[warmth("sensor.office_temperature", "19.4")],
    ),
    // Outside
    outside(labelled(
        device(
            "garden_lights",
            "Garden lights",
            "",
            ("Plugwright", "Relay"),
            &[one("switch.garden_lights", Switch("switch", false))],
        ),
        NIGHT,
    )),
    outside(device(
        "outdoor_station",
        "Outdoor",
        "",
        ("Fairweather", "Station"),
        &[
            warmth("sensor.outdoor_temperature", "9.0"),
            one("sensor.outdoor_illuminance", Sensor("illuminance", MEASURED, "lx", "0"))
                .named("Illuminance"),
        ],
    )),
];

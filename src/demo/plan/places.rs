//! Floors, areas and labels.

use crate::demo::plan::{Area, Floor, Label};

/// The floors, lowest first.
pub(crate) const FLOORS: &[Floor] = &[
    Floor { id: "ground_floor", name: "Ground floor", level: 0, icon: "mdi:home-floor-g" },
    Floor { id: "upstairs", name: "Upstairs", level: 1, icon: "mdi:home-floor-1" },
];

const fn area(
    (id, name): (&'static str, &'static str),
    floor: &'static str,
    icon: &'static str,
    temperature: Option<&'static str>,
    humidity: Option<&'static str>,
) -> Area {
    Area { id, name, floor, icon, temperature, humidity }
}

const DOWN: &str = "ground_floor";
const UP: &str = "upstairs";

/// The areas.
pub(crate) const AREAS: &[Area] = &[
    area(
        ("living_room", "Living room"),
        DOWN,
        "mdi:sofa",
        Some("sensor.living_room_temperature"),
        Some("sensor.living_room_humidity"),
    ),
    area(("kitchen", "Kitchen"), DOWN, "mdi:countertop", Some("sensor.kitchen_temperature"), None),
    area(("hallway", "Hallway"), DOWN, "mdi:door", None, None),
    area(("garage", "Garage"), DOWN, "mdi:garage", None, None),
    area(("bedroom", "Bedroom"), UP, "mdi:bed", Some("sensor.bedroom_temperature"), None),
    area(
        ("bathroom", "Bathroom"),
        UP,
        "mdi:shower",
        Some("sensor.bathroom_temperature"),
        Some("sensor.bathroom_humidity"),
    ),
    area(("office", "Office"), UP, "mdi:desk", Some("sensor.office_temperature"), None),
];

/// The labels.
pub(crate) const LABELS: &[Label] = &[
    Label {
        id: "off_at_night",
        name: "Off at night",
        colour: "indigo",
        icon: "mdi:weather-night",
        description: "Switched off when the last one goes to bed",
    },
    Label {
        id: "security",
        name: "Security",
        colour: "red",
        icon: "mdi:shield-home",
        description: "Doors, locks and the alarm",
    },
    Label {
        id: "energy",
        name: "Energy",
        colour: "green",
        icon: "mdi:lightning-bolt",
        description: "What uses or measures electricity",
    },
];

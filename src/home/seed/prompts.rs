//! The original's prompts, in our words.

use crate::home::seed::PLACE;
use crate::mcp::{Prompt, PromptArg};
use serde_json::{Map, Value};
use std::fmt::Write as _;
use std::sync::Arc;

/// One prompt: its name, what it is for, its arguments (name, what, required) and what is asked.
struct Words {
    name: &'static str,
    about: &'static str,
    args: &'static [(&'static str, &'static str, bool)],
    text: &'static str,
}

const ALL: &[Words] = &[
    Words {
        name: "control_lights",
        about: "Change the lights of a room",
        args: &[("room", "Name of the room", true), ("action", "What to do with them", true)],
        text: "Find the lights of that room, do what is wanted, and say what each of them does now.",
    },
    Words {
        name: "morning_routine",
        about: "Plan an automation for the morning",
        args: &[],
        text: "Look at the lights, covers, heating and media players of the house, ask me when the day \
               begins and what should happen, and write an automation for it. Show it before it is made.",
    },
    Words {
        name: "energy_saving",
        about: "Find what could use less energy",
        args: &[],
        text: "Look for lights, heating and devices that are on without need, and suggest automations \
               that would save energy. Change nothing before I agree.",
    },
    Words {
        name: "security_setup",
        about: "Look over locks, doors, windows and alarms",
        args: &[],
        text: "Check locks, doors, windows, cameras and alarm panels, say what is open or missing, and \
               suggest automations that watch over them. Unlock and disarm nothing.",
    },
    Words {
        name: "climate_comfort",
        about: "Make the rooms comfortable",
        args: &[("preferred_temp", "The temperature you like", false)],
        text: "Look at heating, cooling and temperatures room by room, and suggest set points and times \
               that are comfortable and do not waste energy.",
    },
    Words {
        name: "media_control",
        about: "Use the media players",
        args: &[("room", "Where", false), ("activity", "What you want to do", false)],
        text: "Find the media player that fits, say what it plays, and do what is wanted.",
    },
    Words {
        name: "vacuum_schedule",
        about: "Plan when the vacuum cleaner runs",
        args: &[],
        text: "Look at the vacuum cleaners, ask me when nobody is at home and which rooms count, and \
               write an automation that cleans then. Show it before it is made.",
    },
    Words {
        name: "troubleshoot_device",
        about: "Find out why a device does not work",
        args: &[("device_name", "Name or kind of the device", true)],
        text: "Find the device and its entities, look at states, last changes and what is unavailable, \
               and work out step by step what is wrong.",
    },
    Words {
        name: "voice_control_setup",
        about: "Prepare the house for voice control",
        args: &[],
        text: "Look at the names and areas of the entities and say which of them are hard to say, double \
               or missing an area, so that voice commands will find them.",
    },
    Words {
        name: "scene_creation",
        about: "Make a scene",
        args: &[("scene_name", "What the scene is called", true)],
        text: "Propose what lights, covers, climate and media players should do in this scene, and make \
               it when I agree.",
    },
];

/// Returns the prompts.
pub fn prompts() -> Vec<Prompt> {
    ALL.iter()
        .map(|words| Prompt {
            name: words.name,
            title: words.about,
            about: words.about,
            args: words
                .args
                .iter()
                .map(|(name, about, required)| PromptArg { name, about, required: *required })
                .collect(),
            values: Arc::new(|_, _| Vec::new()),
            write: Arc::new(move |_, given| {
                let text = written(words, &given);
                Box::pin(async move { Ok(text.into()) })
            }),
            place: Some(PLACE),
        })
        .collect()
}

fn written(words: &Words, given: &Map<String, Value>) -> String {
    let mut text = words.text.to_owned();
    for (name, about, _) in words.args {
        if let Some(value) = given.get(*name).and_then(Value::as_str) {
            // Writing to a text cannot fail.
            let _ = write!(text, "\n{about}: {value}");
        }
    }
    text
}

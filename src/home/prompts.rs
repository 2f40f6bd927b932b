//! Texts that a person picks in their client to begin with a house.

use crate::error::Error;
use crate::home::house::House;
use crate::home::text::{NOTE, clean};
use crate::home::{Home, overview};
use crate::mcp::{Call, Prompt, PromptArg, Values};
use crate::policy::Caller;
use serde_json::{Map, Value};
use std::sync::Arc;

/// What a prompt tells of the house, in bytes.
const BUDGET: usize = 6 * 1024;

/// Returns the prompts.
pub fn prompts(home: &Home) -> Vec<Prompt> {
    let (review, room) = (home.clone(), home.clone());
    vec![
        Prompt {
            name: "home_review",
            title: "Look over the house",
            about: "What is on, open or wrong right now, and what to do about it",
            args: vec![house_arg()],
            values: values(home),
            write: Arc::new(move |call, args| {
                let home = review.clone();
                Box::pin(async move { Ok(write_review(&home, &call, &args)?.into()) })
            }),
            place: None,
        },
        Prompt {
            name: "home_room",
            title: "Take care of a room",
            about: "Everything in a room and what can be done there",
            args: vec![
                PromptArg { name: "area", about: "Name of the room", required: true },
                PromptArg { name: "wish", about: "What should be different", required: false },
                house_arg(),
            ],
            values: values(home),
            write: Arc::new(move |call, args| {
                let home = room.clone();
                Box::pin(async move { Ok(write_room(&home, &call, &args)?.into()) })
            }),
            place: None,
        },
    ]
}

fn house_arg() -> PromptArg {
    PromptArg { name: "house", about: "Which house, when there are several", required: false }
}

fn values(home: &Home) -> Values {
    let home = home.clone();
    Arc::new(move |caller: &Caller, argument: &str| {
        let mut found: Vec<String> = Vec::new();
        for house in home.houses() {
            match argument {
                "house" => found.push(house.name.to_string()),
                "area" => {
                    let cache = house.cache();
                    let sight = home.sight(caller);
                    let areas = cache.registry.areas.values();
                    let seen = areas.filter(|area| sight.sees_area(&cache, &area.id));
                    found.extend(seen.map(|area| clean(&area.name, 60)));
                }
                _ => {}
            }
        }
        found
    })
}

fn text<'a>(args: &'a Map<String, Value>, name: &str) -> &'a str {
    args.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn write_review(home: &Home, call: &Call, args: &Map<String, Value>) -> Result<String, Error> {
    let house = home.house(Some(text(args, "house")))?;
    let cache = house.known()?;
    let now = overview::overview(house, &cache, home.sight(&call.caller), BUDGET);
    let now = Value::Object(now);
    Ok(format!(
        "Look over the house '{}' and tell me in a few lines: what is on or open that I may have \
         forgotten, what is wrong (unavailable devices, low batteries), and what you suggest. Change \
         nothing before I agree. {} What follows is {NOTE}:\n\n{now}",
        house.name,
        standing(house)
    ))
}

fn write_room(home: &Home, call: &Call, args: &Map<String, Value>) -> Result<String, Error> {
    let house = home.house(Some(text(args, "house")))?;
    let cache = house.known()?;
    let sight = home.sight(&call.caller);
    let area = crate::home::select::area(&cache, sight, text(args, "area"))?;
    let fields = ["name", "state", "unit"];
    let rows: Vec<Value> = sight
        .iter(&cache)
        .filter(|(_, entity)| entity.area.as_ref() == Some(&area))
        .map(|(id, entity)| crate::home::view::row(house, &cache, id, entity, &fields).into())
        .collect();
    let all = rows.len();
    let mut rows = Value::Array(rows);
    crate::home::text::shrink(&mut rows, BUDGET);
    let shown = rows.as_array().map_or(0, Vec::len);
    let left_out = match all - shown {
        0 => String::new(),
        more => format!(" ({more} more are left out here; home_find lists them)"),
    };
    let name = cache.registry.areas.get(&area).map_or("", |area| &area.name);
    let wish = match text(args, "wish") {
        "" => "Tell me how the room is, and ask what I would like to change.".to_owned(),
        wish => format!("What I want: {}", clean(wish, 500)),
    };
    Ok(format!(
        "This is about the room '{}' in the house '{}'. {wish} Use home_call with the ids \
         below{left_out}. {} What follows is {NOTE}:\n\n{rows}",
        clean(name, 60),
        house.name,
        standing(house)
    ))
}

/// Says whether what follows is true now.
fn standing(house: &House) -> String {
    match house.stale_since() {
        None => "This is how it is now;".to_owned(),
        Some(since) => format!(
            "The house cannot be reached: this is how it was at {since} (stale_since) and may be \
             otherwise now;"
        ),
    }
}

//! The words that scripts have besides Lua's: on, every, at, after, call, state, keep, log, tool.

use crate::plugins::desk::{Desk, Rhythm};
use crate::plugins::meter::{fail, said};
use crate::plugins::offer::{self, Offer};
use crate::plugins::reach::Reach;
use crate::plugins::value::{to_json, to_lua, to_object};
use crate::plugins::when::{self, Filter};
use mlua::{Function, Lua, MultiValue, Result, Table, Value};
use serde_json::{Map, Value as Json};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// The shortest time between two runs of `every`.
const SHORTEST: Duration = Duration::from_secs(1);
/// The longest line that a script logs, in characters.
const LINE: usize = 500;
/// What a line in the log costs of a run's steps.
const LINE_COSTS: u64 = 10_000;

type Shared = Rc<RefCell<Desk>>;

/// Puts the words into `lua`.
pub(super) fn add(lua: &Lua, desk: &Shared, reach: &Rc<Reach>) -> Result<()> {
    add_waking(lua, desk)?;
    add_acting(lua, desk, reach)?;
    add_keep(lua, desk, reach)?;
    add_log(lua, reach)?;
    add_tool(lua, desk, reach)
}

/// Gives the script the function that takes back what it asked for.
fn taking_back(
    lua: &Lua,
    desk: &Shared,
    asked: std::result::Result<u64, String>,
) -> Result<Function> {
    let id = asked.map_err(|text| fail(lua, text))?;
    let desk = Rc::downgrade(desk);
    lua.create_function(move |_, ()| {
        if let Some(desk) = desk.upgrade() {
            desk.borrow_mut().forget(id);
        }
        Ok(())
    })
}

fn add_waking(lua: &Lua, desk: &Shared) -> Result<()> {
    let globals = lua.globals();
    // The functions hold the desk weakly: the desk holds functions, and Lua could never be freed.
    let own = Rc::downgrade(desk);
    let on =
        lua.create_function(move |lua, (event, given, run): (String, Value, Option<Function>)| {
            let Some(desk) = own.upgrade() else { return Err(gone()) };
            let (wanted, run) = match (given, run) {
                (Value::Function(run), None) => (Map::new(), run),
                (Value::Table(table), Some(run)) => {
                    (to_object(&table).map_err(|e| fail(lua, e))?, run)
                }
                _ => {
                    return Err(fail(
                        lua,
                        "on: write on(event, {what it is like}, function(e) … end)",
                    ));
                }
            };
            let filter = Filter::read(&event, &wanted).map_err(|e| fail(lua, e))?;
            let asked = desk.borrow_mut().hear(filter, run);
            taking_back(lua, &desk, asked)
        })?;
    globals.raw_set("on", on)?;
    for (name, again) in [("every", true), ("after", false)] {
        let own = Rc::downgrade(desk);
        let timer = lua.create_function(move |lua, (text, run): (String, Function)| {
            let Some(desk) = own.upgrade() else { return Err(gone()) };
            let span = when::span(&text).filter(|span| !again || *span >= SHORTEST);
            let span = span.ok_or_else(|| {
                let text = super::plain(&text, 40);
                fail(lua, format!("{name}: '{text}' is no span of time; write 30s, 5m, 2h or 1d"))
            })?;
            let rhythm = if again { Rhythm::Every(span) } else { Rhythm::Once };
            let asked = desk.borrow_mut().time(span, rhythm, run);
            taking_back(lua, &desk, asked)
        })?;
        globals.raw_set(name, timer)?;
    }
    let own = Rc::downgrade(desk);
    let at = lua.create_function(move |lua, (text, run): (String, Function)| {
        let Some(desk) = own.upgrade() else { return Err(gone()) };
        let time = when::time_of_day(&text).ok_or_else(|| {
            let text = super::plain(&text, 40);
            fail(lua, format!("at: '{text}' is no time of day; write it like 22:30"))
        })?;
        let asked = desk.borrow_mut().time(Duration::ZERO, Rhythm::At(time), run);
        taking_back(lua, &desk, asked)
    })?;
    globals.raw_set("at", at)
}

fn gone() -> mlua::Error {
    mlua::Error::runtime("the script was stopped")
}

/// Whether the script is still being read; what acts waits until it is known to be whole.
fn is_loading(desk: &std::rc::Weak<RefCell<Desk>>) -> bool {
    desk.upgrade().is_none_or(|desk| desk.borrow().loading)
}

fn add_acting(lua: &Lua, desk: &Shared, reach: &Rc<Reach>) -> Result<()> {
    let globals = lua.globals();
    let (own, outer) = (Rc::downgrade(desk), reach.clone());
    let call = lua.create_function(move |lua, (tool, args): (String, Option<Table>)| {
        if is_loading(&own) {
            return Err(fail(
                lua,
                "call: not while the script is read; write after(\"0s\", function() call(…) end)",
            ));
        }
        let args = args.map_or(Ok(Map::new()), |args| to_object(&args));
        let args = args.map_err(|e| fail(lua, format!("call: {e}")))?;
        let answer = outer.call(&tool, args);
        outer.meter.check().map_err(|e| fail(lua, said(&e)))?;
        let answer = answer.map_err(|e| fail(lua, super::plain(&e.to_string(), LINE)))?;
        to_lua(lua, &answer)
    })?;
    globals.raw_set("call", call)?;
    let (own, outer) = (Rc::downgrade(desk), reach.clone());
    let state = lua.create_function(move |lua, id: String| {
        if is_loading(&own) {
            return Err(fail(lua, "state: not while the script is read; ask in a handler"));
        }
        let found = outer.entity(&id);
        outer.meter.check().map_err(|e| fail(lua, said(&e)))?;
        let found = found.map_err(|e| fail(lua, super::plain(&e.to_string(), LINE)))?;
        let Some(entity) = found else { return Ok((Value::Nil, Value::Nil)) };
        let part = |name: &str| to_lua(lua, entity.get(name).unwrap_or(&Json::Null));
        Ok((part("state")?, part("attributes")?))
    })?;
    globals.raw_set("state", state)
}

fn add_keep(lua: &Lua, desk: &Shared, reach: &Rc<Reach>) -> Result<()> {
    let keep = lua.create_table()?;
    let outer = reach.clone();
    let get = lua.create_function(move |lua, key: String| {
        let value = outer.kept(&key);
        to_lua(lua, &value.map_err(|e| fail(lua, e))?)
    })?;
    keep.raw_set("get", get)?;
    let (own, outer) = (Rc::downgrade(desk), reach.clone());
    let set = lua.create_function(move |lua, (key, value): (String, Value)| {
        if is_loading(&own) {
            return Err(fail(lua, "keep.set: not while the script is read; set it in a handler"));
        }
        let value = to_json(&value).map_err(|e| fail(lua, format!("keep.set: {e}")))?;
        outer.keep(&key, &value).map_err(|e| fail(lua, e))
    })?;
    keep.raw_set("set", set)?;
    lua.globals().raw_set("keep", keep)
}

fn add_log(lua: &Lua, reach: &Rc<Reach>) -> Result<()> {
    let (own, text): (_, Function) = (reach.clone(), lua.globals().get("tostring")?);
    let log = lua.create_function(move |_, words: MultiValue| {
        own.meter.pay(LINE_COSTS)?;
        let mut parts = Vec::new();
        for word in words.into_iter().take(20) {
            parts.push(text.call::<mlua::LuaString>(word)?.to_string_lossy());
        }
        log::info!("{}: {}", own.name, super::plain(&parts.join(" "), LINE));
        Ok(())
    })?;
    lua.globals().raw_set("print", log.clone())?;
    lua.globals().raw_set("log", log)
}

fn add_tool(lua: &Lua, desk: &Shared, reach: &Rc<Reach>) -> Result<()> {
    let (own, outer) = (Rc::downgrade(desk), reach.clone());
    let tool = lua.create_function(move |lua, given: Table| {
        let Some(desk) = own.upgrade() else { return Err(gone()) };
        let mut desk = desk.borrow_mut();
        if !desk.loading {
            return Err(fail(lua, "tool: only while the script is read, not in a handler"));
        }
        let offer = Offer::read(&outer.name, &given).map_err(|e| fail(lua, e))?;
        if desk.offers.iter().any(|known| known.name == offer.name) {
            return Err(fail(lua, format!("tool: {} is there already", offer.name)));
        }
        if desk.offers.len() >= offer::MOST {
            return Err(fail(lua, format!("tool: a script offers at most {} tools", offer::MOST)));
        }
        desk.offers.push(offer);
        Ok(())
    })?;
    lua.globals().raw_set("tool", tool)
}

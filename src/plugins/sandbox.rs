//! Lua as scripts get it: what computes, nothing that reaches out, and no way to take more time or
//! memory than a run has.
//!
//! Some functions of Lua's own library are one piece of C code that no hook interrupts. Those that can
//! be made to run for ever stand behind a guard that looks at their arguments first.

use crate::plugins::meter::{Meter, STRIDE, fail, place, said};
use crate::plugins::pattern::{self, Halt, Ways};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use mlua::{
    Function, HookTriggers, Lua, LuaOptions, LuaString as Text, MultiValue, Result, StdLib, Table,
    Value, VmState,
};
use std::rc::Rc;

/// What reads code, and what could stop the collection of memory or hide an error.
const TAKEN: &[&str] =
    &["load", "loadstring", "loadfile", "dofile", "require", "collectgarbage", "xpcall", "warn"];
/// `string.rep` and `table.move` do at most so much in one call.
const MOST_AT_ONCE: i64 = 4_000_000;

/// Makes a Lua with nothing in it but what computes.
///
/// # Errors
/// When the memory does not suffice for that.
pub(super) fn make(memory: usize, meter: &Rc<Meter>, zone: &TimeZone) -> Result<Lua> {
    let libs = StdLib::STRING | StdLib::TABLE | StdLib::MATH | StdLib::UTF8;
    let lua = Lua::new_with(libs, LuaOptions::default())?;
    lua.set_memory_limit(memory)?;
    let globals = lua.globals();
    for name in TAKEN {
        globals.raw_set(*name, Value::Nil)?;
    }
    globals.get::<Table>("string")?.raw_set("dump", Value::Nil)?;
    guard_calls(&lua, meter)?;
    guard_tables(&lua)?;
    guard_strings(&lua, meter)?;
    globals.raw_set("os", clock(&lua, zone)?)?;
    let paid = meter.clone();
    let every = HookTriggers::new().every_nth_instruction(STRIDE);
    lua.set_hook(every, move |_, at| {
        let paid = paid.pay(STRIDE.into());
        paid.map_err(|e| mlua::Error::runtime(format!("{}{}", place(at), said(&e))))?;
        Ok(VmState::Continue)
    })?;
    Ok(lua)
}

/// An error that ends the run cannot be caught, and nothing runs where the hook does not look.
fn guard_calls(lua: &Lua, meter: &Rc<Meter>) -> Result<()> {
    let globals = lua.globals();
    let (pcall, paid) = (globals.get::<Function>("pcall")?, meter.clone());
    let guarded = lua.create_function(move |_, args: MultiValue| {
        let mut found: MultiValue = pcall.call(args)?;
        paid.check()?;
        // A failure of one of our functions is an object in Lua; scripts are given its text.
        if let Some(Value::Error(e)) = found.get(1) {
            let text = said(e);
            if let Some(place) = found.get_mut(1) {
                *place = Value::Error(Box::new(mlua::Error::runtime(text)));
            }
        }
        Ok(found)
    })?;
    globals.raw_set("pcall", guarded)?;
    // Lua runs finalizers with the hook switched off.
    let set: Function = globals.get("setmetatable")?;
    let guarded = lua.create_function(move |lua, (table, meta): (Table, Option<Table>)| {
        let holds = |key: &str| meta.as_ref().is_some_and(|m| m.contains_key(key).unwrap_or(true));
        if holds("__gc") {
            return Err(fail(lua, "setmetatable: scripts have no __gc"));
        }
        set.call::<Table>((table, meta))
    })?;
    globals.raw_set("setmetatable", guarded)
}

/// The functions of `table` believe a table's `__len`, whatever it says.
fn guard_tables(lua: &Lua) -> Result<()> {
    let library: Table = lua.globals().get("table")?;
    for name in ["concat", "insert", "remove", "sort", "unpack"] {
        let own: Function = library.get(name)?;
        let guarded = lua.create_function(move |lua, args: MultiValue| {
            plain_tables(lua, name, &args)?;
            own.call::<MultiValue>(args)
        })?;
        library.raw_set(name, guarded)?;
    }
    let own: Function = library.get("move")?;
    let guarded = lua.create_function(move |lua, args: MultiValue| {
        plain_tables(lua, "move", &args)?;
        let number = |at: usize| whole(lua, &args, at);
        if let (Some(first), Some(last)) = (number(1), number(2))
            && last.saturating_sub(first) >= MOST_AT_ONCE
        {
            return Err(fail(lua, format!("table.move: at most {MOST_AT_ONCE} items at once")));
        }
        own.call::<MultiValue>(args)
    })?;
    library.raw_set("move", guarded)
}

/// An argument as Lua's own functions read it: texts and floats can be whole numbers too.
fn whole(lua: &Lua, args: &MultiValue, at: usize) -> Option<i64> {
    args.get(at).and_then(|value| lua.coerce_integer(value.clone()).ok().flatten())
}

fn plain_tables(lua: &Lua, name: &str, args: &MultiValue) -> Result<()> {
    let tables = args.iter().filter_map(Value::as_table);
    let mut metas = tables.filter_map(Table::metatable);
    let reaches = ["__len", "__index", "__newindex"];
    let has = |m: &Table| {
        reaches.iter().any(|key| m.raw_get::<Value>(*key).map_or(true, |v| !v.is_nil()))
    };
    if metas.any(|meta| has(&meta)) {
        let text = format!("table.{name} takes no table with __len, __index or __newindex");
        return Err(fail(lua, text));
    }
    Ok(())
}

fn guard_strings(lua: &Lua, meter: &Rc<Meter>) -> Result<()> {
    let library: Table = lua.globals().get("string")?;
    let own: Function = library.get("rep")?;
    let guarded = lua.create_function(move |lua, args: MultiValue| {
        if whole(lua, &args, 1).is_some_and(|n| n > MOST_AT_ONCE) {
            return Err(fail(lua, format!("string.rep: at most {MOST_AT_ONCE} times")));
        }
        own.call::<MultiValue>(args)
    })?;
    library.raw_set("rep", guarded)?;
    for (name, all) in [("find", false), ("match", false), ("gmatch", true), ("gsub", true)] {
        let (own, paid): (Function, _) = (library.get(name)?, meter.clone());
        let guarded = lua.create_function(move |lua, args: MultiValue| {
            pay_for_pattern(lua, &paid, name, all, &args)?;
            own.call::<MultiValue>(args)
        })?;
        library.raw_set(name, guarded)?;
    }
    Ok(())
}

fn pay_for_pattern(
    lua: &Lua,
    meter: &Meter,
    name: &str,
    all: bool,
    args: &MultiValue,
) -> Result<()> {
    let text = |at: usize| -> Option<Text> {
        args.get(at).and_then(|value| lua.coerce_string(value.clone()).ok().flatten())
    };
    // What is no text is for Lua to refuse.
    let (Some(subject), Some(pattern)) = (text(0), text(1)) else { return Ok(()) };
    let (subject, pattern) = (subject.as_bytes(), pattern.as_bytes());
    let plain =
        name == "find" && args.get(3).is_some_and(|v| !v.is_nil() && *v != Value::Boolean(false));
    if plain {
        let cost = subject.len().saturating_mul(pattern.len().max(1)) / 16;
        return meter.pay(u64::try_from(cost).unwrap_or(u64::MAX));
    }
    let init = if name == "gsub" { None } else { whole(lua, args, 2) };
    let from = match init.unwrap_or(1) {
        back @ ..0 => subject.len().saturating_sub(usize::try_from(-back).unwrap_or(usize::MAX)),
        on => usize::try_from(on.max(1) - 1).unwrap_or(usize::MAX),
    };
    let ways = Ways { from, all, anchors: name != "gmatch" };
    match pattern::cost(&subject, &pattern, ways, meter.left()) {
        Ok(steps) => meter.pay(steps / 4),
        Err(Halt::Malformed) => Ok(()),
        Err(Halt::Steps) => {
            meter.pay(u64::MAX).map_err(|_| fail(lua, format!(
                "string.{name}: this pattern tries too many ways on a text of {} bytes; the run \
                 was ended (plugins.steps)",
                subject.len()
            )))
        }
    }
}

/// `os` with the time and nothing else.
fn clock(lua: &Lua, zone: &TimeZone) -> Result<Table> {
    let os = lua.create_table()?;
    let began = std::time::Instant::now();
    os.raw_set("clock", lua.create_function(move |_, ()| Ok(began.elapsed().as_secs_f64()))?)?;
    os.raw_set("time", lua.create_function(|_, ()| Ok(Timestamp::now().as_second()))?)?;
    let zone = zone.clone();
    let date = lua.create_function(move |lua, (form, at): (Option<String>, Option<f64>)| {
        let form = form.unwrap_or_else(|| "%Y-%m-%d %H:%M:%S".into());
        let at = match at {
            None => Timestamp::now(),
            #[allow(clippy::cast_possible_truncation, reason = "whole seconds are meant")]
            Some(at) => Timestamp::from_second(at as i64).map_err(|e| fail(lua, e))?,
        };
        let at = at.to_zoned(zone.clone());
        if form == "*t" {
            return parts(lua, &at).map(Value::Table);
        }
        if form.len() > 100 {
            return Err(fail(lua, "os.date: the format is longer than 100 bytes"));
        }
        let text = jiff::fmt::strtime::format(&form, &at);
        let text = text.map_err(|e| fail(lua, format!("os.date: {e}")))?;
        lua.create_string(text).map(Value::String)
    })?;
    os.raw_set("date", date)?;
    Ok(os)
}

fn parts(lua: &Lua, at: &Zoned) -> Result<Table> {
    let table = lua.create_table()?;
    for (name, value) in [
        ("year", i64::from(at.year())),
        ("month", i64::from(at.month())),
        ("day", i64::from(at.day())),
        ("hour", i64::from(at.hour())),
        ("min", i64::from(at.minute())),
        ("sec", i64::from(at.second())),
        ("wday", i64::from(at.weekday().to_sunday_one_offset())),
        ("yday", i64::from(at.day_of_year())),
    ] {
        table.raw_set(name, value)?;
    }
    Ok(table)
}

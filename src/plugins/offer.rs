//! The MCP tools that scripts offer: what a script says of one, and the tool made of it.

use crate::error::Error;
use crate::mcp::{Answer, Reply, Tool};
use crate::policy::Level;
use mlua::{Function, Table};
use serde_json::{Map, Value, json};
use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// A script offers at most so many tools.
pub(super) const MOST: usize = 16;
/// A tool takes at most so many arguments.
const ARGUMENTS: usize = 16;
/// The longest text about a tool, in bytes.
const ABOUT: usize = 300;
/// The names and texts of all tools ever offered, in bytes.
const WORDS: usize = 1 << 20;

/// What a script says of a tool.
pub(super) struct Offer {
    pub(super) name: &'static str,
    title: &'static str,
    about: &'static str,
    level: Level,
    arguments: Vec<Argument>,
    pub(super) run: Function,
}

/// A tool without the function that runs on the script's thread: what may leave it.
#[derive(Clone)]
pub(super) struct Offered {
    pub(super) name: &'static str,
    title: &'static str,
    about: &'static str,
    level: Level,
    arguments: Vec<Argument>,
}

#[derive(Clone)]
struct Argument {
    name: String,
    kind: Kind,
    optional: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Text,
    Number,
    Whole,
    Flag,
    List,
    Any,
}

const KINDS: [(&str, Kind, &str); 6] = [
    ("text", Kind::Text, "string"),
    ("number", Kind::Number, "number"),
    ("whole", Kind::Whole, "integer"),
    ("flag", Kind::Flag, "boolean"),
    ("list", Kind::List, "array"),
    ("any", Kind::Any, ""),
];

/// A call of a tool on its way to the script's thread.
pub(super) struct Job {
    pub(super) tool: &'static str,
    pub(super) level: Level,
    pub(super) args: Value,
    pub(super) reply: oneshot::Sender<Result<Value, Error>>,
}

impl Offer {
    /// Reads `tool{ name=…, about=…, level=…, arguments=…, run=… }` of the script `script`.
    pub(super) fn read(script: &str, given: &Table) -> Result<Offer, String> {
        let text = |key: &str| -> Result<Option<String>, String> {
            given.get(key).map_err(|_| format!("tool: '{key}' must be a text"))
        };
        const KNOWN: [&str; 5] = ["name", "about", "level", "arguments", "run"];
        for key in given.clone().pairs::<String, mlua::Value>() {
            let (key, _) = key.map_err(|_| "tool takes a table with names".to_owned())?;
            if !KNOWN.contains(&key.as_str()) {
                return Err(format!("tool: there is no '{key}'; there is {}", KNOWN.join(", ")));
            }
        }
        let name = text("name")?.unwrap_or_default();
        let whole = format!("plugins_{script}_{name}");
        let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if name.is_empty() || !name.chars().all(is_word) || whole.len() > 48 {
            return Err(format!(
                "tool: the name must be of a-z, 0-9 and _, and '{}' at most 48 characters",
                super::plain(&whole, 80)
            ));
        }
        let about = text("about")?.filter(|about| !about.trim().is_empty());
        let about = about.ok_or_else(|| format!("tool '{name}': 'about' must say what it does"))?;
        if about.len() > ABOUT {
            return Err(format!("tool '{name}': 'about' is longer than {ABOUT} bytes"));
        }
        let level = match text("level")?.as_deref() {
            None | Some("control") => Level::Control,
            Some("read") => Level::Read,
            Some("admin") => Level::Admin,
            Some(_) => {
                return Err(format!("tool '{name}': 'level' must be read, control or admin"));
            }
        };
        let run = given.get::<Function>("run");
        let run = run.map_err(|_| format!("tool '{name}': 'run' must be a function"))?;
        let arguments = match given.get::<Option<Table>>("arguments") {
            Ok(table) => table.map(|table| read_arguments(&name, &table)).transpose()?,
            Err(_) => return Err(format!("tool '{name}': 'arguments' must be a table")),
        };
        Ok(Offer {
            name: kept(&whole)?,
            title: kept(&name.replace('_', " "))?,
            about: kept(&super::plain(&about, ABOUT))?,
            level,
            arguments: arguments.unwrap_or_default(),
            run,
        })
    }

    /// Returns what may leave the thread.
    pub(super) fn offered(&self) -> Offered {
        let Offer { name, title, about, level, .. } = *self;
        Offered { name, title, about, level, arguments: self.arguments.clone() }
    }
}

fn read_arguments(tool: &str, table: &Table) -> Result<Vec<Argument>, String> {
    let mut arguments = Vec::new();
    for pair in table.pairs::<String, String>() {
        let bad = || format!("tool '{tool}': arguments are written like {{room = \"text\"}}");
        let (name, kind) = pair.map_err(|_| bad())?;
        let (word, optional) = match kind.strip_suffix('?') {
            Some(word) => (word, true),
            None => (kind.as_str(), false),
        };
        let Some((_, kind, _)) = KINDS.into_iter().find(|(known, ..)| *known == word) else {
            let known = KINDS.map(|(known, ..)| known).join(", ");
            return Err(format!(
                "tool '{tool}': '{name}' must be one of {known}; with ? at the end it may be left out"
            ));
        };
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || name.len() > 40 || !name.chars().all(is_word) || name == "confirm" {
            return Err(format!("tool '{tool}': an argument cannot be named '{name}'"));
        }
        arguments.push(Argument { name, kind, optional });
    }
    if arguments.len() > ARGUMENTS {
        return Err(format!("tool '{tool}' has more than {ARGUMENTS} arguments"));
    }
    arguments.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(arguments)
}

/// Returns a text that lives as long as the program; the same text again costs nothing.
fn kept(text: &str) -> Result<&'static str, String> {
    static KEPT: Mutex<Option<(HashSet<&'static str>, usize)>> = Mutex::new(None);
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let (words, bytes) = kept.get_or_insert_default();
    if let Some(known) = words.get(text) {
        return Ok(known);
    }
    if *bytes + text.len() > WORDS {
        return Err("tools were given too many different texts; restart Hearth".into());
    }
    *bytes += text.len();
    let word: &'static str = Box::leak(text.into());
    words.insert(word);
    Ok(word)
}

impl Offered {
    /// Makes the tool. Each call goes through `jobs` to the script's thread, which gives it `time`.
    pub(super) fn tool(self, jobs: mpsc::Sender<Job>, time: Duration) -> Tool {
        let Offered { name, title, about, level, arguments } = self;
        let schema = schema(&arguments);
        let tool = Tool::of_schema(name, title, about, level, schema, move |_, args| {
            let (jobs, arguments) = (jobs.clone(), arguments.clone());
            Box::pin(async move {
                check(name, &arguments, &args)?;
                let (reply, answer) = oneshot::channel();
                let job = Job { tool: name, level, args: Value::Object(args), reply };
                jobs.try_send(job).map_err(|_| {
                    Error::limit(format!("{name}: its script is busy or gone; try again soon"))
                })?;
                let gone = |_| Error::offline(format!("{name}: its script was changed or removed"));
                answer_of(answer.await.map_err(gone)??)
            })
        });
        tool.within(time)
    }
}

fn answer_of(value: Value) -> Result<Answer, Error> {
    Ok(match value {
        Value::Null => Answer::Value(Reply::from(json!({ "done": true }))),
        Value::String(text) => Answer::from(text),
        Value::Object(fields) => Answer::Value(Reply::from(Value::Object(fields))),
        other => Answer::Value(Reply::from(json!({ "result": other }))),
    })
}

fn schema(arguments: &[Argument]) -> Map<String, Value> {
    let property = |argument: &Argument| {
        let word =
            KINDS.into_iter().find(|(_, kind, _)| *kind == argument.kind).map_or("", |k| k.2);
        let shape = if word.is_empty() { json!({}) } else { json!({ "type": word }) };
        (argument.name.clone(), shape)
    };
    let properties: Map<String, Value> = arguments.iter().map(property).collect();
    let mut schema = Map::new();
    schema.insert("type".into(), "object".into());
    schema.insert("properties".into(), properties.into());
    schema.insert("additionalProperties".into(), false.into());
    let required: Vec<&str> =
        arguments.iter().filter(|a| !a.optional).map(|a| a.name.as_str()).collect();
    if !required.is_empty() {
        schema.insert("required".into(), json!(required));
    }
    schema
}

fn check(tool: &str, arguments: &[Argument], given: &Map<String, Value>) -> Result<(), Error> {
    for argument in arguments {
        let name = &argument.name;
        let fits = match (given.get(name).filter(|value| !value.is_null()), argument.kind) {
            (None, _) if argument.optional => true,
            (None, _) => {
                return Err(Error::invalid(format!("{tool}: the argument '{name}' is missing")));
            }
            (Some(value), Kind::Text) => value.is_string(),
            (Some(value), Kind::Number) => value.is_number(),
            (Some(value), Kind::Whole) => value.is_i64(),
            (Some(value), Kind::Flag) => value.is_boolean(),
            (Some(value), Kind::List) => value.is_array(),
            (Some(_), Kind::Any) => true,
        };
        if !fits {
            let word = KINDS.into_iter().find(|k| k.1 == argument.kind).map_or("", |k| k.0);
            return Err(Error::invalid(format!("{tool}: '{name}' must be a {word}")));
        }
    }
    match given.keys().find(|key| !arguments.iter().any(|a| a.name == **key)) {
        None => Ok(()),
        Some(key) => {
            let key = super::plain(key, 40);
            Err(Error::invalid(format!("{tool}: there is no argument '{key}'")))
        }
    }
}

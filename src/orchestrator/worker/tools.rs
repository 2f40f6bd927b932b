//! The worker's tools: what they are called, what they take, and what they answer.

use crate::error::Error;
use crate::orchestrator::worker::command::Ended;
use crate::orchestrator::worker::files::{Files, Item};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// Bytes of a file that one answer has unless more is asked for, and at most.
const PART: u64 = 6 << 10;
const MOST_PART: u64 = 1 << 20;
/// Names of a folder that one answer has.
const NAMES: usize = 100;
/// Bytes of a listing after which the next name begins a new page.
const LISTING: usize = 3 << 10;
/// How long a command may take.
const SECONDS: u64 = 30;
const MOST_SECONDS: u64 = 600;

/// How bytes stand in JSON.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Encoding {
    #[default]
    Text,
    Base64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Read {
    path: String,
    #[serde(default)]
    offset: u64,
    length: Option<u64>,
    #[serde(default)]
    encoding: Encoding,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Write {
    path: String,
    content: String,
    #[serde(default)]
    encoding: Encoding,
    #[serde(default)]
    append: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    #[serde(default)]
    path: String,
    #[serde(default)]
    cursor: String,
}

/// A command to run.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Execute {
    pub(super) command: String,
    #[serde(default)]
    pub(super) folder: String,
    timeout_seconds: Option<u64>,
}

impl Execute {
    /// How long it may take.
    pub(super) fn within(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds.unwrap_or(SECONDS).clamp(1, MOST_SECONDS))
    }
}

/// Describes the tools; `execute` is whether commands may be run.
pub(super) fn list(execute: bool) -> Value {
    let path = json!({ "type": "string", "description": "Relative to the sandbox's folder" });
    let encoding = json!({ "type": "string", "enum": ["text", "base64"], "default": "text" });
    let mut tools = vec![
        tool(
            "read_file",
            "Read a file, or part of it",
            true,
            &["path"],
            json!({
                "path": path,
                "offset": { "type": "integer", "minimum": 0, "default": 0, "description": "First byte" },
                "length": { "type": "integer", "minimum": 1, "maximum": MOST_PART, "default": PART },
                "encoding": encoding,
            }),
        ),
        tool(
            "write_file",
            "Write a file; its folders are made",
            false,
            &["path", "content"],
            json!({
                "path": path,
                "content": { "type": "string" },
                "encoding": encoding,
                "append": { "type": "boolean", "default": false },
            }),
        ),
        tool(
            "list_files",
            "List a folder",
            true,
            &[],
            json!({
                "path": path,
                "cursor": { "type": "string", "description": "next_cursor of the answer before" },
            }),
        ),
    ];
    if execute {
        tools.push(tool(
            "execute_command",
            "Run a line of shell in the sandbox and wait for its end",
            false,
            &["command"],
            json!({
                "command": { "type": "string" },
                "folder": path,
                "timeout_seconds": {
                    "type": "integer", "minimum": 1, "maximum": MOST_SECONDS, "default": SECONDS
                },
            }),
        ));
    }
    json!({ "tools": tools })
}

fn tool(name: &str, about: &str, reads: bool, required: &[&str], fields: Value) -> Value {
    json!({
        "name": name,
        "description": about,
        "inputSchema": {
            "type": "object",
            "properties": fields,
            "required": required,
            "additionalProperties": false,
        },
        "annotations": { "readOnlyHint": reads, "openWorldHint": false },
    })
}

/// Reads the arguments of a tool.
///
/// # Errors
/// Invalid: what is wrong with them.
pub(super) fn arguments<T: for<'a> Deserialize<'a>>(
    name: &str,
    params: &Map<String, Value>,
) -> Result<T, Error> {
    let given = params.get("arguments").cloned().unwrap_or_else(|| json!({}));
    serde_json::from_value(given).map_err(|e| Error::invalid(format!("{name}: {e}")))
}

/// Runs a tool that is about files; `None` when there is none of this name.
pub(super) fn about_files(
    files: &mut dyn Files,
    name: &str,
    params: &Map<String, Value>,
) -> Option<Result<Value, Error>> {
    Some(match name {
        "read_file" => arguments(name, params).and_then(|args| read(files, args)),
        "write_file" => arguments(name, params).and_then(|args| write(files, &args)),
        "list_files" => arguments(name, params).and_then(|args| list_files(files, &args)),
        _ => return None,
    })
}

fn read(files: &dyn Files, args: Read) -> Result<Value, Error> {
    let length = args.length.unwrap_or(PART).clamp(1, MOST_PART);
    let most = usize::try_from(length).unwrap_or(usize::MAX);
    let part = files.read(&args.path, args.offset, most)?;
    let text = match args.encoding {
        Encoding::Base64 => (BASE64_STANDARD.encode(&part.bytes), part.bytes.len()),
        Encoding::Text => text(part.bytes, args.offset)?,
    };
    let next = args.offset + text.1 as u64;
    // Beside the text, not with it once more: a structured answer would double its size.
    let mut meta = json!({ "hearth/size": part.size, "hearth/offset": args.offset });
    let mut content = vec![block(&text.0)];
    if next < part.size {
        meta["hearth/next_offset"] = json!(next);
        content.push(block(&format!(
            "(bytes {} to {next} of {}; go on with offset {next})",
            args.offset, part.size
        )));
    }
    Ok(json!({ "content": content, "_meta": meta, "isError": false }))
}

/// Returns text and how many bytes of the file it is: a character that was cut stays for the next part.
fn text(bytes: Vec<u8>, offset: u64) -> Result<(String, usize), Error> {
    let wrong = |at: usize| {
        let at = offset + at as u64;
        Error::invalid(format!("this is no UTF-8 text at byte {at}; ask with encoding 'base64'"))
    };
    match String::from_utf8(bytes) {
        Ok(text) => Ok((text.clone(), text.len())),
        Err(e) => {
            let good = e.utf8_error().valid_up_to();
            // Only an unfinished last character has no length of its own.
            if e.utf8_error().error_len().is_some() || good == 0 {
                return Err(wrong(good));
            }
            let mut bytes = e.into_bytes();
            bytes.truncate(good);
            String::from_utf8(bytes).map(|text| (text, good)).map_err(|_| wrong(good))
        }
    }
}

fn write(files: &mut dyn Files, args: &Write) -> Result<Value, Error> {
    let decoded;
    let bytes = match args.encoding {
        Encoding::Text => args.content.as_bytes(),
        Encoding::Base64 => {
            decoded = BASE64_STANDARD
                .decode(&args.content)
                .map_err(|e| Error::invalid("content: this is no base64").because(e))?;
            &decoded
        }
    };
    let size = files.write(&args.path, bytes, args.append)?;
    let said = format!("wrote {} bytes; the file has {size}", bytes.len());
    Ok(answer(&said, json!({ "path": args.path, "size": size })))
}

fn list_files(files: &dyn Files, args: &List) -> Result<Value, Error> {
    let mut listing = files.list(&args.path, &args.cursor, NAMES)?;
    let mut lines = String::new();
    let mut shown = 0;
    for item in &listing.items {
        if lines.len() > LISTING {
            break;
        }
        lines.push_str(&line(item));
        shown += 1;
    }
    let more = listing.more || shown < listing.items.len();
    listing.items.truncate(shown);
    let mut said = json!({ "entries": listing.items });
    if let Some(last) = listing.items.last().filter(|_| more) {
        said["next_cursor"] = json!(last.name);
        lines.push_str("(there are more: go on with next_cursor)\n");
    }
    Ok(answer(&lines, said))
}

fn line(item: &Item) -> String {
    let name = item.name.escape_debug();
    match item.size {
        Some(size) => format!("{name} ({size} bytes)\n"),
        None if item.kind == "folder" => format!("{name}/\n"),
        None => format!("{name} ({})\n", item.kind),
    }
}

/// Answers for a command that has ended.
pub(super) fn ended(end: &Ended) -> Value {
    let (out, err) = (end.stdout.shown(), end.stderr.shown());
    let mut text = match end.late {
        Some(time) => format!("ended after {} s, its time was up\n", time.as_secs()),
        None => format!("exit code {}\n", end.code),
    };
    for (name, shown) in [("stdout", &out), ("stderr", &err)] {
        if !shown.is_empty() {
            text.push_str(&format!("--- {name}\n{}\n", shown.trim_end_matches('\n')));
        }
    }
    let meta = json!({ "hearth/exit_code": end.code, "hearth/timed_out": end.late.is_some() });
    json!({ "content": [block(&text)], "_meta": meta, "isError": end.code != 0 })
}

/// Answers that a tool has failed.
pub(super) fn failed(error: &Error) -> Value {
    json!({ "content": [block(&error.to_string())], "isError": true })
}

fn answer(text: &str, said: Value) -> Value {
    json!({ "content": [block(text)], "structuredContent": said, "isError": false })
}

fn block(text: &str) -> Value {
    json!({ "type": "text", "text": text })
}

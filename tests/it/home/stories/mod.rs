//! What people ask their assistants, told as the tool calls of one: through `/mcp` of the built Hearth
//! on a real house, and checked through Home Assistant's own API alone.
//!
//! The questions are those of the acceptance tests of another server for the same job, so that what
//! we hold to be done is not what we had in mind while doing it. Each story makes what it needs under
//! names of its own and takes back what the assistant changed with `home_undo`.

mod arranging;
mod automating;
mod looking;
mod templates;

use super::raw::Raw;
use super::rig::{self, until};
use super::settings::{rest, theirs};
use crate::harness::{Folder, Hearth, Mcp};
use serde_json::{Value, json};

/// An assistant at a house, and somebody who looks at the house without Hearth.
struct Story {
    mcp: Mcp,
    raw: Raw,
    /// Helpers that the story begins with, made in Home Assistant: domain and id.
    helpers: Vec<(String, String)>,
    /// Files of Home Assistant's editor that the story begins with.
    files: Vec<String>,
    _hearth: Hearth,
}

impl Story {
    /// A new Hearth on the real house, and a session with it.
    async fn begin() -> Story {
        let raw = Raw::on_real().await;
        let (hearth, mcp) = tokio::task::block_in_place(|| {
            let started = rig::serve(Folder::new());
            let mcp = started.mcp("/mcp");
            (started, mcp)
        });
        Story { mcp, raw, helpers: Vec::new(), files: Vec::new(), _hearth: hearth }
    }

    /// A helper that is in the house before the story begins; returns its entity id.
    async fn helper(&mut self, domain: &str, name: &str, mut fields: Value) -> String {
        fields["type"] = format!("{domain}/create").into();
        fields["name"] = name.into();
        let made = self.raw.ask(fields).await;
        let own = made["id"].as_str().unwrap().to_owned();
        let id = format!("{domain}.{own}");
        self.helpers.push((domain.into(), own));
        self.knows(&id).await;
        id
    }

    /// An automation or script that is in the house before the story begins.
    async fn file(&mut self, kind: &str, own: &str, config: Value) {
        let path = format!("config/{kind}/config/{own}");
        rest("POST", &path, Some(config)).await;
        self.files.push(path);
    }

    /// Waits until Hearth has heard of an entity.
    async fn knows(&mut self, id: &str) {
        let args = json!({"entity_ids": [id]});
        until("Hearth knows it", async || {
            tokio::task::block_in_place(|| self.mcp.call("home_get", args.clone()))["isError"]
                != true
        })
        .await;
    }

    /// What a tool answers; it must not fail.
    fn ask(&mut self, tool: &str, args: Value) -> Value {
        tokio::task::block_in_place(|| self.mcp.tool(tool, args))
    }

    /// Whether `home_find` finds an entity so; what the house was just told it may not know yet.
    fn finds(&mut self, args: Value, id: &str) -> bool {
        let result = tokio::task::block_in_place(|| self.mcp.call("home_find", args));
        result["isError"] != true && ids(&result["structuredContent"]).contains(&id)
    }

    /// What a tool answers when a person agrees to whatever is asked.
    fn agreed(&mut self, tool: &str, mut args: Value) -> Value {
        tokio::task::block_in_place(|| {
            let first = self.mcp.call(tool, args.clone());
            if first["isError"] != true {
                return first["structuredContent"].clone();
            }
            let text = first["content"][0]["text"].as_str().unwrap().to_owned();
            let (_, rest) =
                text.split_once("confirm=\"").unwrap_or_else(|| panic!("{tool}: {text}"));
            args["confirm"] = rest.split_once('"').unwrap().0.into();
            self.mcp.tool(tool, args)
        })
    }

    /// Waits until Home Assistant says that an entity is in a state.
    async fn until_is(&mut self, id: &str, state: &str) {
        let mut last = String::new();
        until(&format!("{id} is {state}"), async || {
            last = self.raw.state(id).await;
            last == state
        })
        .await;
    }

    /// What Home Assistant itself has of a configured thing.
    async fn theirs(&mut self, kind: &str, id: &str) -> Value {
        theirs(&mut self.raw, kind, id).await
    }

    /// Whether Home Assistant has loaded what names an entity: so it says what is related to what.
    async fn is_related(&mut self, id: &str, kind: &str, other: &str) -> bool {
        let ask = json!({"type": "search/related", "item_type": "entity", "item_id": id});
        let found = self.raw.ask(ask).await;
        found[kind].as_array().is_some_and(|all| all.iter().any(|one| one == other))
    }

    /// Undoes whatever the assistant changed, the newest first, and takes away what the story began
    /// with.
    async fn end(mut self) {
        let listed = self.ask("home_undo", json!({}));
        let rows = listed["changes"].as_array().unwrap().clone();
        assert_eq!(listed["total"], rows.len(), "a story is short: {listed}");
        for row in rows {
            if row["undoes"].is_null() && row["undone_by"].is_null() {
                self.agreed("home_undo", json!({"change": row["id"]}));
            }
        }
        for path in &self.files {
            rest("DELETE", path, None).await;
        }
        for (domain, own) in &self.helpers {
            let key = format!("{domain}_id");
            self.raw.ask(json!({"type": format!("{domain}/delete"), key: own})).await;
        }
    }
}

/// The ids of the entities in an answer.
fn ids(answer: &Value) -> Vec<&str> {
    let rows = answer["entities"].as_array().unwrap_or_else(|| panic!("no entities: {answer}"));
    rows.iter().map(|row| row["id"].as_str().unwrap()).collect()
}

//! The pair of tools that finds and calls every tool that the default profile leaves out.

use crate::config::JsonSchema;
use crate::error::Error;
use crate::mcp::toolbox::Inner;
use crate::mcp::{Call, Reply, Tool, Toolbox};
use crate::policy::Level;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::sync::Weak;
use std::time::Duration;

/// The pair belongs to no service; policy is asked for the tool that it calls.
pub(crate) const SERVICE: &str = "hearth";
/// So many tools are found unless the caller says otherwise.
const FOUND: usize = 5;
/// So many when none of them fits.
const NEAREST: usize = 3;
/// Their definitions have at most so many bytes.
const BUDGET: usize = 12 << 10;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Find {
    /// What you want to do, in a few words
    query: String,
    /// Only tools of this service
    service: Option<String>,
    /// At most so many, 1 to 20; 5 if not given
    #[schemars(range(min = 1, max = 20))]
    limit: Option<usize>,
}

#[derive(Serialize, JsonSchema)]
struct Found {
    /// Best first
    tools: Vec<One>,
    /// Services that have tools
    services: Vec<String>,
    /// What to know of this answer
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'static str>,
}

#[derive(Serialize, JsonSchema)]
struct One {
    name: &'static str,
    about: &'static str,
    /// JSON schema of its arguments
    arguments: Map<String, Value>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CallTool {
    /// Name of the tool, as hearth_find_tools gives it
    name: String,
    /// Its arguments
    #[serde(default)]
    arguments: Map<String, Value>,
}

/// The pair, over the toolbox that holds it.
pub(crate) fn tools(own: Weak<Inner>) -> [Tool; 2] {
    let other = own.clone();
    let find = Tool::new(
        "hearth_find_tools",
        "Find tools",
        "Find tools that are not in this list by what they do. Call one with hearth_call_tool.",
        Level::Read,
        move |call: Call, args: Find| {
            let own = own.clone();
            async move { Ok(Reply::from(found(&toolbox(&own)?, &call, &args)?)) }
        },
    );
    let run = Tool::rich(
        "hearth_call_tool",
        "Call a found tool",
        "Call a tool by name with its arguments, as hearth_find_tools describes them.",
        Level::Read,
        move |call: Call, args: CallTool| {
            let own = other.clone();
            async move {
                if args.name.starts_with("hearth_") {
                    return Err(Error::invalid("name: call the tools of this pair directly"));
                }
                let mut arguments = args.arguments;
                if let Some(token) = &call.confirm {
                    arguments.entry("confirm").or_insert_with(|| token.as_str().into());
                }
                // Boxed because a call may lead here again only through this one place.
                let toolbox = toolbox(&own)?;
                Box::pin(toolbox.call(call, &args.name, arguments)).await
            }
        },
    );
    // The limits are those of the tool that is called.
    [find, run.destructive().within(Duration::from_secs(24 * 3600)).budget(usize::MAX)]
}

fn toolbox(own: &Weak<Inner>) -> Result<Toolbox, Error> {
    let inner = own.upgrade().ok_or_else(|| Error::offline("Hearth is ending"))?;
    Ok(Toolbox { inner })
}

fn found(toolbox: &Toolbox, call: &Call, args: &Find) -> Result<Found, Error> {
    if let Some(service) = &args.service {
        toolbox.profile(service)?;
    }
    let limit = args.limit.unwrap_or(FOUND).clamp(1, 20);
    let mut ranked = toolbox.find(&call.caller, &args.query, args.service.as_deref());
    let note = match ranked.first() {
        None => Some("you may use no tool here"),
        Some((_, true)) => None,
        Some(_) => Some("nothing fits these words well; these are the nearest, try other words"),
    };
    match note {
        None => ranked.retain(|(_, fits)| *fits),
        Some(_) => ranked.truncate(NEAREST),
    }
    let mut used = 0;
    let mut tools = Vec::new();
    for (known, _) in ranked.into_iter().take(limit) {
        let arguments = (*known.shown.input_schema).clone();
        let one = One { name: known.tool.name, about: known.tool.about, arguments };
        used += crate::mcp::wire::bytes(&one) + 1;
        if used > BUDGET && !tools.is_empty() {
            break;
        }
        tools.push(one);
    }
    Ok(Found { tools, services: toolbox.services(), note })
}

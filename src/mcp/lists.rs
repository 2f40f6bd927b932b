//! What a caller is shown: tools, resources and prompts, a page at a time.

use crate::error::Error;
use crate::mcp::{
    Contents, Place, Profile, Prompt, Resources, Toolbox, complete, page, pair, watched, wire,
};
use crate::policy::{Caller, Level};
use rmcp::ErrorData;
use rmcp::model::{
    CompleteRequestParams, ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult,
    ListToolsResult, Reference,
};
use serde_json::{Map, Value};
use std::sync::Arc;

/// A page of a list has at most so many bytes (one item may be larger).
const PAGE: usize = crate::mcp::MOST_BYTES;
/// A resource has at most so many bytes.
const RESOURCE: usize = 64 << 10;

pub(crate) fn instructions(toolbox: &Toolbox, profile: &Profile) -> String {
    let mut text = String::from(
        "Hearth runs a home. What is risky is done only after the person agreed; try with dry_run first \
         where a tool has it. Answers with stale_since are from before the house went away.",
    );
    if toolbox.held().hidden(profile).next().is_some() {
        text +=
            " More tools than listed: hearth_find_tools finds them, hearth_call_tool calls them.";
    }
    for more in &toolbox.held().instructions {
        text.push(' ');
        text += more;
    }
    text
}

pub(crate) fn tools(
    toolbox: &Toolbox,
    caller: &Caller,
    profile: &Profile,
    cursor: Option<&str>,
) -> Result<ListToolsResult, ErrorData> {
    let listed = toolbox.listed(caller, profile);
    let shown = listed.iter().map(|known| &*known.shown);
    let page = page(shown, |tool| tool.name.to_string(), cursor, PAGE);
    let page = page.map_err(|e| wire::protocol_error(&e))?;
    let mut result = ListToolsResult::with_all_items(page.items.into_iter().cloned().collect());
    result.next_cursor = page.next;
    Ok(result)
}

pub(crate) fn prompts(
    toolbox: &Toolbox,
    caller: &Caller,
    profile: &Profile,
    cursor: Option<&str>,
) -> Result<ListPromptsResult, ErrorData> {
    let held = toolbox.held();
    let mine = held.prompts.values().filter(|p| lists(profile, p.place, p.service()));
    let mine = mine.filter(|p| may(toolbox, caller, p.service()));
    let page = page(mine.map(wire::prompt), |prompt| prompt.name.clone(), cursor, PAGE);
    let page = page.map_err(|e| wire::protocol_error(&e))?;
    let mut result = ListPromptsResult::with_all_items(page.items);
    result.next_cursor = page.next;
    Ok(result)
}

/// The prompt of that name, when `caller` is shown it.
pub(crate) fn prompt(
    toolbox: &Toolbox,
    caller: &Caller,
    profile: &Profile,
    name: &str,
) -> Result<Prompt, ErrorData> {
    let held = toolbox.held();
    let prompt = held.prompts.get(name).filter(|p| profile.reaches(p.profile()));
    let prompt = prompt.filter(|p| may(toolbox, caller, p.service()));
    prompt
        .cloned()
        .ok_or_else(|| ErrorData::invalid_params(format!("Unknown prompt: {name}"), None))
}

/// Checks that what must be given is given, and nothing that is not known.
pub(crate) fn check_arguments(prompt: &Prompt, args: &Map<String, Value>) -> Result<(), ErrorData> {
    let name = prompt.name;
    for arg in prompt.args.iter().filter(|arg| arg.required) {
        if !args.contains_key(arg.name) {
            let text = format!("{name}: the argument '{}' is missing", arg.name);
            return Err(ErrorData::invalid_params(text, None));
        }
    }
    match args.keys().find(|key| !prompt.args.iter().any(|arg| arg.name == key.as_str())) {
        Some(key) => {
            let text = format!("{name}: there is no argument '{key}'");
            Err(ErrorData::invalid_params(text, None))
        }
        None => Ok(()),
    }
}

/// Pages go through one shelf after the other; a cursor is `<scheme>:<the shelf's cursor>`.
pub(crate) fn resources(
    toolbox: &Toolbox,
    caller: &Caller,
    profile: &Profile,
    cursor: Option<&str>,
) -> Result<ListResourcesResult, ErrorData> {
    let mut shelves = shelves(toolbox, caller, profile);
    shelves.retain(|shelf| lists(profile, shelf.place(), shelf.scheme()));
    let (first, inner) = match cursor {
        None => (0, None),
        Some(cursor) => {
            let (scheme, inner) = cursor.split_once(':').unwrap_or((cursor, ""));
            let place = shelves.iter().position(|shelf| shelf.scheme() == scheme);
            let place = place
                .ok_or_else(|| ErrorData::invalid_params("the cursor is not of this list", None))?;
            (place, (!inner.is_empty()).then_some(inner))
        }
    };
    let mut result = ListResourcesResult::default();
    let Some(shelf) = shelves.get(first) else { return Ok(result) };
    let page = shelf.list(caller, inner).map_err(|e| wire::protocol_error(&e))?;
    result.resources = page.items.into_iter().map(wire::resource).collect();
    let next = shelves.get(first + 1).map(|next| format!("{}:", next.scheme()));
    result.next_cursor = page.next.map(|rest| format!("{}:{rest}", shelf.scheme())).or(next);
    Ok(result)
}

pub(crate) fn templates(
    toolbox: &Toolbox,
    caller: &Caller,
    profile: &Profile,
) -> ListResourceTemplatesResult {
    let mut shelves = shelves(toolbox, caller, profile);
    shelves.retain(|shelf| lists(profile, shelf.place(), shelf.scheme()));
    let all = shelves.iter().flat_map(|shelf| shelf.templates());
    ListResourceTemplatesResult::with_all_items(all.map(|t| wire::template(&t)).collect())
}

/// Reads a resource on behalf of `caller`.
pub(crate) async fn read(
    toolbox: &Toolbox,
    caller: &Caller,
    profile: &Profile,
    uri: &str,
) -> Result<Contents, Error> {
    let nothing = || Error::not_found(format!("there is no resource '{uri}'"));
    let shelf = shelf_of(toolbox, caller, profile, uri).ok_or_else(nothing)?;
    let mut contents = shelf.read(caller, uri).await?;
    let (policy, mut names) = (toolbox.policy(), Vec::new());
    let masked = watched::contents(policy, &mut contents, &mut names);
    if !names.is_empty() {
        policy.record_masked(caller, uri, &names);
    }
    masked?;
    let bytes = match &contents {
        Contents::Text(_, text) => text.len(),
        Contents::Bytes(_, raw) => raw.len().div_ceil(3) * 4,
    };
    if bytes > RESOURCE {
        return Err(Error::limit(format!("'{uri}' has {bytes} bytes, more than {RESOURCE}")));
    }
    Ok(contents)
}

/// The version of a resource whose changes are no events, when `caller` may know it.
pub(crate) fn version(
    toolbox: &Toolbox,
    caller: &Caller,
    profile: &Profile,
    uri: &str,
) -> Option<u64> {
    shelf_of(toolbox, caller, profile, uri)?.version(caller, uri)
}

/// All values that fit what is typed for an argument of a prompt or a variable of a template.
pub(crate) fn complete(
    toolbox: &Toolbox,
    caller: &Caller,
    profile: &Profile,
    request: &CompleteRequestParams,
) -> Result<Vec<String>, ErrorData> {
    let name = request.argument.name.as_str();
    let values = match &request.r#ref {
        Reference::Prompt(asked) => {
            let prompt = prompt(toolbox, caller, profile, &asked.name)?;
            (prompt.values)(caller, name)
        }
        Reference::Resource(asked) => {
            let shelves = shelves(toolbox, caller, profile);
            let shelf = shelves.iter().find(|s| s.templates().iter().any(|t| t.uri == asked.uri));
            let shelf = shelf.ok_or_else(|| {
                ErrorData::invalid_params(format!("there is no template '{}'", asked.uri), None)
            })?;
            shelf.values(caller, &asked.uri, name)
        }
        _ => {
            let text = "only prompts and templates can be completed";
            return Err(ErrorData::invalid_params(text, None));
        }
    };
    Ok(complete::fitting(values, &request.argument.value))
}

/// The shelves that `caller` may read from, in the order in which they were added.
pub(crate) fn shelves(
    toolbox: &Toolbox,
    caller: &Caller,
    profile: &Profile,
) -> Vec<Arc<dyn Resources>> {
    let held = toolbox.held();
    let all = held.shelves.iter();
    let reached = all.filter(|shelf| profile.reaches(shelf.profile()));
    let service = |shelf: &dyn Resources| shelf.place().map_or(shelf.scheme(), |p| p.service);
    reached.filter(|shelf| may(toolbox, caller, service(&***shelf))).cloned().collect()
}

fn shelf_of(
    toolbox: &Toolbox,
    caller: &Caller,
    profile: &Profile,
    uri: &str,
) -> Option<Arc<dyn Resources>> {
    let (scheme, _) = uri.split_once("://")?;
    shelves(toolbox, caller, profile).into_iter().find(|shelf| shelf.scheme() == scheme)
}

/// Whether `profile` lists what stands at `place`, or belongs to `service` when it has none.
fn lists(profile: &Profile, place: Option<Place>, service: &str) -> bool {
    match place {
        None => profile.reaches(service),
        Some(place) => *profile == Profile::Service(place.profile.into()),
    }
}

fn may(toolbox: &Toolbox, caller: &Caller, service: &str) -> bool {
    debug_assert_ne!(service, pair::SERVICE);
    toolbox.policy().may(caller, service, Level::Read)
}

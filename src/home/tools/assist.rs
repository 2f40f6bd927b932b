//! The tool that talks to Home Assistant's own assistant.

use crate::config::JsonSchema;
use crate::error::Error;
use crate::home::Home;
use crate::home::assist::{self, Saying};
use crate::home::confirm::Rules;
use crate::home::house::House;
use crate::home::text::clean;
use crate::home::tools::{BUDGET, set, stamped, tool, wait};
use crate::mcp::{Call, Tool, Words, page};
use crate::policy::{Level, Outcome};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

/// The same words as for the service, so that one rule of the owner holds for both.
const ACTION: &str = "conversation.process";

/// Returns the tool.
pub(super) fn tools(home: &Home) -> Vec<Tool> {
    let words = Words {
        name: "home_assist",
        title: "Assist",
        about: "Talk to Home Assistant's assistant; says what it did. Without text: agents and \
                exposed entities.",
    };
    let patience = Duration::from_secs(home.config().timeout_seconds + 5);
    vec![tool::<_, Said, _, _>(home, words, Level::Control, run).within(patience)]
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct AssistArgs {
    text: String,
    agent: String,
    /// Like en
    language: String,
    /// To go on with an earlier one
    conversation: String,
    cursor: String,
    house: String,
}

/// The shape of what came of it.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "clients are told of it; answers are put together field by field")]
struct Said {
    speech: Option<String>,
    done: Option<Vec<String>>,
    exposed: Option<Vec<String>>,
}

async fn run(home: Home, call: Call, args: AssistArgs) -> Result<Value, Error> {
    let house = home.house(Some(&args.house))?;
    if args.text.trim().is_empty() {
        return known(&home, house, &call, &args.cursor).await;
    }
    wait::needs_open_scope(&home, &call, "Home Assistant's assistant acts on whatever is exposed")?;
    if home.config().read_only {
        return Err(Error::refused("the houses are set to read-only (home.read_only)"));
    }
    let target = format!("'{}' in the house '{}'", clean(args.text.trim(), 300), house.name);
    if Rules::new(home.config()).asks(ACTION) {
        home.policy().confirm(&call.caller, ACTION, &target, call.confirm.as_deref())?;
    }
    let AssistArgs { text, agent, language, conversation, .. } = args;
    let saying = Saying { text, agent, language, conversation };
    let said = assist::say(house, &saying).await;
    let (outcome, reason) = match &said {
        Ok(_) => (Outcome::Allowed, None),
        Err(e) => (Outcome::Failed, Some(e.to_string())),
    };
    home.policy().record(&call.caller, ACTION, &target, outcome, reason.as_deref());
    Ok(stamped(house, said?))
}

/// The agents, and what of the caller's entities is exposed to them.
async fn known(home: &Home, house: &House, call: &Call, cursor: &str) -> Result<Value, Error> {
    let agents = assist::agents(house).await?;
    let cache = house.known()?;
    let sight = home.sight(&call.caller);
    let exposed: Vec<String> = sight
        .iter(&cache)
        .filter(|(_, entity)| entity.exposed)
        .map(|(id, _)| id.to_string())
        .collect();
    let total = exposed.len();
    let page = page(exposed, String::clone, set(cursor).as_deref(), BUDGET - 2048)?;
    drop(cache);
    let mut answer = json!({ "agents": agents, "exposed": page.items, "total": total });
    if let Some(limits) = house.limits() {
        answer["hints"] = json!([limits]);
    }
    if let Some(next) = page.next {
        answer["next"] = next.into();
    }
    Ok(stamped(house, answer))
}

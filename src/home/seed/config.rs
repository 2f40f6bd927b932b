//! The original's `get_history` and `automation_config`.

use crate::error::Error;
use crate::home::Home;
use crate::home::seed::control::take;
use crate::home::text::clean;
use crate::home::tools as own;
use crate::mcp::Call;
use serde_json::{Map, Value, json};

/// `entity_id`, and from `start_time` to `end_time`; the answer is thinned out anyway.
pub(super) async fn history(
    home: Home,
    call: Call,
    mut asked: Map<String, Value>,
) -> Result<Value, Error> {
    let id = take(&mut asked, "entity_id")
        .ok_or_else(|| Error::invalid("get_history: the argument 'entity_id' is missing"))?;
    let mut question = json!({ "entity_ids": [id] });
    for (old, new) in [("start_time", "start"), ("end_time", "end")] {
        if let Some(time) = take(&mut asked, old) {
            question[new] = time.into();
        }
    }
    own::history_with(home, call, question).await
}

/// `action` create, update, delete or duplicate, `automation_id`, `config`.
pub(super) async fn automation(
    home: Home,
    call: Call,
    mut asked: Map<String, Value>,
) -> Result<Value, Error> {
    let missing =
        |name: &str| Error::invalid(format!("automation_config: the argument '{name}' is missing"));
    let action = take(&mut asked, "action").ok_or_else(|| missing("action"))?;
    let config = asked.shift_remove("config");
    let mut id = || take(&mut asked, "automation_id").ok_or_else(|| missing("automation_id"));
    let set = |more: Value| {
        let mut order = json!({ "kind": "automation" });
        for (name, value) in more.as_object().into_iter().flatten() {
            order[name] = value.clone();
        }
        order
    };
    match action.as_str() {
        "create" => {
            let config = config.ok_or_else(|| missing("config"))?;
            own::set_with(home, call, set(json!({ "config": config }))).await
        }
        "update" => {
            let (id, config) = (id()?, config.ok_or_else(|| missing("config"))?);
            // The original knew no hash: what is there now is what is replaced.
            let now = read(&home, &call, &id).await?;
            let order = set(json!({ "id": id, "config": config, "hash": now["hash"] }));
            own::set_with(home, call, order).await
        }
        "delete" => {
            let id = id()?;
            let now = read(&home, &call, &id).await?;
            let order = set(json!({ "id": id, "hash": now["hash"] }));
            own::delete_with(home, call, order).await
        }
        "duplicate" => {
            let id = id()?;
            let mut copy = read(&home, &call, &id).await?["config"].clone();
            if let Some(fields) = copy.as_object_mut() {
                fields.remove("id");
                let name = fields.get("alias").and_then(Value::as_str).unwrap_or("Automation");
                let name = format!("{name} (copy)");
                fields.insert("alias".into(), name.into());
            }
            own::set_with(home, call, set(json!({ "config": copy }))).await
        }
        other => Err(Error::invalid(format!(
            "automation_config: there is no action '{}'; there is create, update, delete and \
             duplicate",
            clean(other, 60)
        ))),
    }
}

async fn read(home: &Home, call: &Call, id: &str) -> Result<Value, Error> {
    let question = json!({ "kind": "automation", "id": id });
    own::config_with(home.clone(), call.clone(), question).await
}

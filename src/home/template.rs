//! Renders a template in Home Assistant, once, within a time limit and a size; or tests a condition.

use crate::error::Error;
use crate::home::ask;
use crate::home::house::House;
use crate::home::text;
use crate::home::text::clean;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

/// Longer templates are refused, in bytes.
const LONGEST: usize = 16 * 1024;
/// At most so many warnings are passed on.
const MOST_WARNINGS: usize = 5;
/// Larger results are cut, in bytes.
const BUDGET: usize = 7 * 1024;

/// What came out.
#[derive(Debug, PartialEq)]
pub(crate) struct Rendered {
    /// Text, or a value when the template gives one.
    pub(crate) result: Value,
    pub(crate) warnings: Vec<String>,
    pub(crate) cut: bool,
}

#[derive(Deserialize)]
struct Said {
    result: Option<Value>,
    error: Option<String>,
    level: Option<String>,
}

/// Renders `template`; it may take `seconds`.
///
/// # Errors
/// Invalid when the template is wrong, with Home Assistant's words; Timeout; Offline.
pub(crate) async fn render(house: &House, template: &str, seconds: u64) -> Result<Rendered, Error> {
    if template.len() > LONGEST {
        return Err(Error::invalid(format!("the template has more than {LONGEST} bytes")));
    }
    let command = json!({
        "type": "render_template",
        "template": template,
        "timeout": seconds,
        "report_errors": true,
    });
    let within = Duration::from_secs(seconds) + Duration::from_secs(1);
    let slow = |_| Error::timeout(format!("the template did not finish within {seconds} s"));
    let rendering = async {
        let mut events = house.link.subscribe(&command, within).await?;
        let mut warnings = Vec::new();
        loop {
            let event = events.next().await.ok_or_else(|| house.link.away())?;
            let said: Said = serde_json::from_str(&event)
                .map_err(|e| Error::broken("render_template has an unknown answer").because(e))?;
            match said {
                Said { result: Some(mut result), .. } => {
                    let cut = text::shrink(&mut result, BUDGET);
                    return Ok(Rendered { result: cleaned(result), warnings, cut });
                }
                Said { error: Some(error), level, .. } => {
                    let error = clean(&error, 500);
                    if level.as_deref() != Some("WARNING") {
                        return Err(Error::invalid(format!("the template fails: {error}")));
                    }
                    if warnings.len() < MOST_WARNINGS {
                        warnings.push(error);
                    }
                }
                Said { .. } => {}
            }
        }
    };
    tokio::time::timeout(within, rendering).await.map_err(slow)?
}

/// Tests a condition as automations have it: whether it holds now.
///
/// # Errors
/// Invalid when the condition is wrong, with Home Assistant's words; Offline. From `test_condition` of
/// Home Assistant's WebSocket interface.
pub(crate) async fn test(house: &House, condition: &Value) -> Result<bool, Error> {
    #[derive(Deserialize)]
    struct Tested {
        result: Option<bool>,
    }
    if condition.to_string().len() > LONGEST {
        return Err(Error::invalid(format!("the condition has more than {LONGEST} bytes")));
    }
    let command = json!({"type": "test_condition", "condition": condition});
    let tested: Tested = ask::ask(house, &command).await?;
    // None is said of a condition that is disabled.
    Ok(tested.result.unwrap_or_default())
}

/// Text keeps its lines; everything else is cleaned as any value is.
fn cleaned(result: Value) -> Value {
    match result {
        Value::String(text) => {
            let lines = text.lines().map(|line| clean(line, BUDGET));
            Value::String(lines.collect::<Vec<_>>().join("\n"))
        }
        other => text::clean_value(other),
    }
}

//! Templates: the part of Home Assistant's template language that a demo needs. Pure.
//!
//! The language itself is minijinja's; here are the functions that ask the house. The work of one
//! template is bounded by fuel, its result by [`RESULT_MAX`].

mod places;
mod states;

use crate::demo::house::House;
use minijinja::value::{Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind};
use serde_json::json;
use states::States;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Instructions one template may run, and bytes it may come to.
const FUEL: u64 = 200_000;
const RESULT_MAX: usize = 256 * 1024;

/// What a template came to.
#[derive(Clone, Debug)]
pub(crate) struct Rendered {
    /// As text.
    pub(crate) text: String,
    /// As the number, truth value or text that it looks like.
    pub(crate) result: serde_json::Value,
    heard: Heard,
}

/// What a template asked about, so that it can be rendered again when that changes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard {
    all: bool,
    entities: BTreeSet<String>,
    domains: BTreeSet<String>,
    time: bool,
}

impl Rendered {
    /// Returns the event for `render_template`.
    pub(crate) fn event(&self) -> serde_json::Value {
        let Heard { all, entities, domains, time } = &self.heard;
        json!({
            "result": self.result,
            "listeners": { "all": all, "entities": entities, "domains": domains, "time": time }
        })
    }

    /// Whether a change of this entity can change the result.
    pub(crate) fn listens_to(&self, id: &str) -> bool {
        let domain = id.split('.').next().unwrap_or_default();
        let Heard { all, entities, domains, .. } = &self.heard;
        *all || entities.contains(id) || domains.contains(domain)
    }
}

/// Renders a template; the error is a sentence for its author.
pub(crate) fn render(
    source: &str,
    variables: &serde_json::Value,
    house: &House,
) -> Result<Rendered, String> {
    let states = Arc::new(States::new(house.all().to_vec(), house.now));
    let mut environment = Environment::new();
    environment.set_fuel(Some(FUEL));
    environment.set_formatter(|out, state, value| match value.kind() {
        ValueKind::None => Ok(out.write_str("None")?),
        ValueKind::Bool => Ok(out.write_str(if value.is_true() { "True" } else { "False" })?),
        _ => minijinja::escape_formatter(out, state, value),
    });
    states::ask(&mut environment, &states);
    places::ask(&mut environment);
    let text =
        environment.render_str(source, template_value(variables)).map_err(|e| sentence(&e))?;
    if text.len() > RESULT_MAX {
        return Err(format!("TemplateError: the result is larger than {RESULT_MAX} bytes"));
    }
    let text = text.trim().to_owned();
    let heard = states.heard().clone();
    Ok(Rendered { result: native(&text), text, heard })
}

fn sentence(error: &Error) -> String {
    let kind = match error.kind() {
        ErrorKind::SyntaxError => "TemplateSyntaxError",
        ErrorKind::UndefinedError => "UndefinedError",
        _ => "TemplateError",
    };
    format!("{kind}: {}", error.detail().map_or_else(|| error.to_string(), str::to_owned))
}

/// Gives text that looks like a number, a truth value or a list its type.
fn native(text: &str) -> serde_json::Value {
    match text {
        "True" => return true.into(),
        "False" => return false.into(),
        "None" => return serde_json::Value::Null,
        _ => {}
    }
    let looks_plain = text.starts_with(|c: char| c.is_ascii_digit() || "-[{".contains(c));
    let typed = looks_plain.then(|| serde_json::from_str(text).ok()).flatten();
    typed.unwrap_or_else(|| text.into())
}

pub(crate) fn template_value(value: &serde_json::Value) -> Value {
    match value {
        serde_json::Value::Null => Value::from(()),
        serde_json::Value::Bool(b) => Value::from(*b),
        serde_json::Value::Number(n) => match n.as_i64() {
            Some(n) => Value::from(n),
            None => Value::from(n.as_f64().unwrap_or_default()),
        },
        serde_json::Value::String(text) => Value::from(text.as_str()),
        serde_json::Value::Array(list) => list.iter().map(template_value).collect(),
        serde_json::Value::Object(map) => {
            let pairs = map.iter().map(|(name, value)| (name.clone(), template_value(value)));
            Value::from(pairs.collect::<BTreeMap<_, _>>())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_ask_the_house() {
        let house = House::new(1, 1_795_258_358.0, 0);
        let rows = [
            ("{{ states('lock.front_door') }}", json!("locked")),
            ("{{ states('no.such') }}", json!("unknown")),
            ("{{ is_state('lock.front_door', 'locked') }}", json!(true)),
            ("{{ state_attr('light.floor_lamp', 'brightness') + 1 }}", json!(91)),
            ("{{ state_attr('light.floor_lamp', 'nothing') }}", json!(null)),
            (
                "{{ area_name('light.floor_lamp') }} / {{ 'garage' | floor_name }}",
                json!("Living room / Ground floor"),
            ),
            (
                "{{ area_entities('garage') | join(', ') }}",
                json!("light.garage, cover.garage_door"),
            ),
            ("{{ states.light | selectattr('state', 'eq', 'on') | list | length }}", json!(2)),
            ("{{ states.lock.front_door.name }}", json!("Front door")),
            ("{{ states.light.floor_lamp.attributes.brightness }}", json!(90)),
            ("{{ now().year }}-{{ now().month }}", json!("2026-11")),
            ("{{ x * 2 }}", json!(8)),
            (
                "{% for a in floor_areas('upstairs') %}{{ a }} {% endfor %}",
                json!("bedroom bathroom office"),
            ),
        ];
        for (source, result) in rows {
            let got = render(source, &json!({ "x": 4 }), &house).unwrap();
            assert_eq!(got.result, result, "{source}");
        }
        let heard =
            render("{{ states('sun.sun') }}{{ states.lock | list | length }}", &json!({}), &house);
        let heard = heard.unwrap();
        assert!(heard.listens_to("sun.sun") && heard.listens_to("lock.front_door"));
        assert!(!heard.listens_to("light.hallway"));
    }

    #[test]
    fn bad_and_endless_templates_end_with_a_sentence() {
        let house = House::new(1, 1.8e9, 0);
        let fails = |source: &str| render(source, &json!({}), &house).unwrap_err();
        assert!(fails("{{ nope( }}").starts_with("TemplateSyntaxError: "));
        assert!(fails("{{ nope() }}").contains("nope"));
        let endless =
            "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}";
        assert!(fails(endless).starts_with("TemplateError"));
    }
}

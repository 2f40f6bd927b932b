//! Numbers, choices and buttons that people made for themselves, and the forecast.

use crate::demo::action::{Data, Refusal};
use crate::demo::entity::Context;
use crate::demo::house::House;
use crate::demo::time::{DAY, iso};
use serde_json::{Value, json};

/// Sets an input_number.
pub(crate) fn number(
    house: &mut House,
    id: &str,
    service: &str,
    data: &Data,
    by: Context,
) -> Result<(), Refusal> {
    let Some(entity) = house.get(id) else { return Ok(()) };
    let part = |name: &str| entity.number(name).unwrap_or(0.0);
    let (low, high, step) = (part("min"), part("max"), part("step"));
    let now: f64 = entity.state.parse().unwrap_or(low);
    let value = match service {
        "increment" => (now + step).min(high),
        "decrement" => (now - step).max(low),
        _ => data.get("value").and_then(Value::as_f64).unwrap_or(now),
    };
    if !(low..=high).contains(&value) {
        return Err(Refusal::format(format!(
            "Invalid value for {id}: {value:?} (range {low:?} - {high:?})"
        )));
    }
    house.change(id, by, |e| e.put(format!("{value:?}")));
    Ok(())
}

/// Sets an input_select.
pub(crate) fn choice(
    house: &mut House,
    id: &str,
    service: &str,
    data: &Data,
    by: Context,
) -> Result<(), Refusal> {
    let Some(entity) = house.get(id) else { return Ok(()) };
    let options = entity.attrs.get("options").words();
    let now = options.iter().position(|o| entity.is(o)).unwrap_or(0);
    let last = options.len().saturating_sub(1);
    let cycles = data.get("cycle").and_then(Value::as_bool).unwrap_or(true);
    let option = match service {
        "select_first" => &options[0],
        "select_last" => &options[last],
        "select_next" if now == last => &options[if cycles { 0 } else { last }],
        "select_next" => &options[now + 1],
        "select_previous" if now == 0 => &options[if cycles { last } else { 0 }],
        "select_previous" => &options[now - 1],
        _ => {
            let asked = data.get("option").and_then(Value::as_str).unwrap_or_default();
            let unknown = || {
                let all = options.join(", ");
                Refusal::validation(
                    format!("Option {asked} is not valid for {id}. Valid options are: {all}"),
                    ("invalid_option", "input_select"),
                    json!({ "entity_id": id, "option": asked, "options": all }),
                )
            };
            options.iter().find(|o| *o == asked).ok_or_else(unknown)?
        }
    };
    let option = option.clone();
    house.change(id, by, |e| e.put(option));
    Ok(())
}

/// Presses a button: its state is when that was.
pub(crate) fn press(house: &mut House, id: &str, by: Context) {
    let at = iso(house.now);
    house.change(id, by, |e| e.put(at));
}

/// Returns the forecast: a quiet week, a little different each day.
pub(crate) fn forecast(house: &House, data: &Data) -> Value {
    let kind = data.get("type").and_then(Value::as_str).unwrap_or("daily");
    let (step, count) = match kind {
        "hourly" => (3600.0, 24),
        "twice_daily" => (DAY / 2.0, 14),
        _ => (DAY, 7),
    };
    let first = (house.now / step).ceil() * step;
    let entry = |n: i32| {
        let at = first + f64::from(n) * step;
        let wave = (at / DAY * 1.7).sin();
        let condition = crate::demo::life::condition(0.5 - wave * 0.45, true);
        let mut one = json!({
            "datetime": iso(at),
            "condition": condition,
            "temperature": (110.0 + wave * 40.0).round() / 10.0,
            "precipitation": if condition == "rainy" { 2.4 } else { 0.0 },
            "precipitation_probability": ((0.5 - wave * 0.5) * 100.0).round() as i64
        });
        if kind == "daily" {
            one["templow"] = json!((60.0 + wave * 30.0).round() / 10.0);
        }
        if kind == "twice_daily" {
            one["is_daytime"] = json!((at / step) as i64 % 2 == 1);
        }
        one
    };
    json!({ "forecast": (0..count).map(entry).collect::<Vec<_>>() })
}

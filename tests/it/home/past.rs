//! Looking back at a real house: what the tools say is what Home Assistant's own commands say.

use super::raw::Raw;
use super::rig::{Rig, ids, on_real, until};
use hearth::error::Kind;
use hearth::policy::{EntityScope, Level};
use jiff::Timestamp;
use serde_json::{Value, json};

fn seconds(text: &Value) -> f64 {
    text.as_str().unwrap().parse::<Timestamp>().unwrap().as_millisecond() as f64 / 1000.0
}

fn name(what: &str) -> String {
    format!("hearth_{what}_{}", std::process::id())
}

/// Makes a helper of the test's own; returns its id.
async fn helper(rig: &Rig, raw: &mut Raw, domain: &str, what: &str, mut fields: Value) -> String {
    let own = name(what);
    fields["type"] = format!("{domain}/create").into();
    fields["name"] = own.as_str().into();
    raw.ask(fields).await;
    let id = format!("{domain}.{own}");
    let known = async || rig.try_tool("home_get", json!({"entity_ids": [id]})).await.is_ok();
    until("the helper is known", known).await;
    id
}

async fn remove(raw: &mut Raw, domain: &str, id: &str) {
    let own = id.split_once('.').unwrap().1;
    let key = format!("{domain}_id");
    raw.ask(json!({"type": format!("{domain}/delete"), key: own})).await;
}

/// What Home Assistant itself stored of an entity in the last hour: state and when it began.
async fn stored(raw: &mut Raw, id: &str) -> Vec<(String, f64)> {
    let hour_ago = Timestamp::now().as_second() - 3600;
    let start = Timestamp::from_second(hour_ago).unwrap().to_string();
    let ask = json!({"type": "history/history_during_period", "start_time": start,
                     "entity_ids": [id], "no_attributes": true});
    let all = raw.ask(ask).await;
    let rows = all[id].as_array().cloned().unwrap_or_default();
    let when = |row: &Value| row["lc"].as_f64().or(row["lu"].as_f64()).unwrap();
    rows.iter().map(|row| (row["s"].as_str().unwrap_or("removed").to_owned(), when(row))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_over_time_are_those_that_home_assistant_stored() {
    let rig = on_real().await;
    let mut raw = Raw::on_real().await;
    let fields = json!({"min": 0, "max": 100, "initial": 5});
    let id = helper(&rig, &mut raw, "input_number", "level", fields).await;
    for value in [10, 40, 20] {
        raw.call("input_number.set_value", &id, json!({ "value": value })).await;
    }
    let ask = json!({"entity_ids": [id], "start": "1h"});
    let done = async || {
        let got = rig.tool("home_history", ask.clone()).await;
        let rows = got["entities"][0]["rows"].as_array().cloned().unwrap_or_default();
        rows.last().is_some_and(|row| row[1] == "20.0")
    };
    until("the recorder has written it", done).await;
    let theirs = stored(&mut raw, &id).await;
    let got = rig.tool("home_history", ask).await;
    let row = &got["entities"][0];
    assert_eq!(row["columns"], json!(["at", "state"]), "{got}");
    let ours: Vec<(String, f64)> = row["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row[1].as_str().unwrap().to_owned(), seconds(&row[0])))
        .collect();
    assert_eq!(ours.len(), theirs.len(), "{ours:?} {theirs:?}");
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert!(ours.0 == theirs.0 && (ours.1 - theirs.1).abs() < 1.0, "{ours:?} {theirs:?}");
    }
    // In one bucket: the mean weighs by time, worked out here from what Home Assistant stored.
    let got = rig.tool("home_history", json!({"entity_ids": [id], "points": 1})).await;
    let (row, to) = (&got["entities"][0], seconds(&got["to"]));
    assert_eq!(row["columns"], json!(["from", "mean", "min", "max"]), "{got}");
    let (mut area, mut time) = (0.0, 0.0);
    for (n, (state, at)) in theirs.iter().enumerate() {
        let end = theirs.get(n + 1).map_or(to, |next| next.1).min(to);
        area += state.parse::<f64>().unwrap() * (end - at).max(0.0);
        time += (end - at).max(0.0);
    }
    let mean = row["rows"][0][1].as_f64().unwrap();
    if time > 0.0 {
        assert!((mean - area / time).abs() < 0.01, "{mean} {} {theirs:?}", area / time);
    }
    assert_eq!((&row["rows"][0][2], &row["rows"][0][3]), (&json!(5), &json!(40)), "{got}");
    remove(&mut raw, "input_number", &id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_switch_is_told_by_how_long_it_was_on() {
    let rig = on_real().await;
    let mut raw = Raw::on_real().await;
    let id = helper(&rig, &mut raw, "input_boolean", "lamp", json!({"initial": false})).await;
    for _ in 0..4 {
        raw.call("input_boolean.toggle", &id, json!({})).await;
    }
    let ask = json!({"entity_ids": id, "start": "1h", "points": 2});
    let done = async || rig.tool("home_history", ask.clone()).await["entities"][0]["changes"] == 5;
    until("the recorder has written it", done).await;
    let got = rig.tool("home_history", ask.clone()).await;
    let row = &got["entities"][0];
    let columns: Vec<&str> =
        row["columns"].as_array().unwrap().iter().map(|c| c.as_str().unwrap()).collect();
    let mut sorted = columns.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, ["from", "seconds off", "seconds on"], "{got}");
    assert_eq!(row["rows"].as_array().unwrap().len(), 2);
    // All of the time since it was made is on or off.
    let made = stored(&mut raw, &id).await[0].1;
    let sum =
        ["on", "off"].map(|state| row["seconds"][state].as_f64().unwrap()).iter().sum::<f64>();
    assert!((sum - (seconds(&got["to"]) - made)).abs() <= 2.0, "{got}");
    // The logbook has every change, the newest first, as Home Assistant tells them.
    let ask = json!({"kind": "logbook", "entity_ids": [id], "start": "1h"});
    let done = async || {
        let got = rig.tool("home_history", ask.clone()).await;
        got["total"].as_u64().unwrap() >= 4
    };
    until("the logbook has it", done).await;
    let got = rig.tool("home_history", ask).await;
    let states = |rows: &Value| -> Vec<String> {
        let rows = rows.as_array().unwrap().iter();
        rows.filter_map(|row| Some(row.get("state")?.as_str()?.to_owned())).collect()
    };
    let hour_ago = Timestamp::from_second(Timestamp::now().as_second() - 3600).unwrap();
    let theirs = json!({"type": "logbook/get_events", "start_time": hour_ago.to_string(),
                        "entity_ids": [id]});
    let mut theirs = states(&raw.ask(theirs).await);
    theirs.reverse();
    assert_eq!(states(&got["events"]), theirs, "{got}");
    assert!(got["events"].as_array().unwrap().iter().all(|row| row["id"] == *id), "{got}");
    remove(&mut raw, "input_boolean", &id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_past_of_what_was_removed_and_made_anew_is_told_with_the_time_between() {
    let rig = on_real().await;
    let mut raw = Raw::on_real().await;
    let mut id = String::new();
    for value in [3, 7] {
        let fields = json!({"min": 0, "max": 9, "initial": value});
        id = helper(&rig, &mut raw, "input_number", "again", fields).await;
        let told = async || stored(&mut raw, &id).await.last().is_some_and(|(s, _)| s != "removed");
        until("the recorder has it", told).await;
        if value == 3 {
            remove(&mut raw, "input_number", &id).await;
            let gone =
                async || rig.try_tool("home_get", json!({"entity_ids": [id]})).await.is_err();
            until("it is gone", gone).await;
        }
    }
    until("the recorder has both", async || stored(&mut raw, &id).await.len() == 3).await;
    let theirs = stored(&mut raw, &id).await;
    let got = rig.tool("home_history", json!({"entity_ids": [id], "start": "1h"})).await;
    let row = &got["entities"][0];
    let states: Vec<&Value> = row["rows"].as_array().unwrap().iter().map(|row| &row[1]).collect();
    assert_eq!(states, ["3.0", "removed", "7.0"], "{got}");
    assert_eq!(theirs.iter().map(|(state, _)| state).collect::<Vec<_>>(), states);
    // The time between counts for nothing.
    assert_eq!((&row["min"], &row["max"]), (&json!(3), &json!(7)), "{got}");
    remove(&mut raw, "input_number", &id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statistics_are_those_that_were_imported() {
    let rig = on_real().await;
    let mut raw = Raw::on_real().await;
    let (mean_id, sum_id) = (format!("hearth:{}", name("mean")), format!("hearth:{}", name("sum")));
    let hour = |n: i64| format!("2026-03-{:02}T{:02}:00:00+00:00", 2 + n / 24, n % 24);
    // Hour n: mean n, from n - 1 to n + 2; and the sum grows by 2 each hour.
    let means: Vec<Value> =
        (0..48).map(|n| json!({"start": hour(n), "mean": n, "min": n - 1, "max": n + 2})).collect();
    let sums: Vec<Value> =
        (0..48).map(|n| json!({"start": hour(n), "state": 2 * n, "sum": 2 * n})).collect();
    import(&mut raw, &mean_id, false, "°C", "temperature", means).await;
    import(&mut raw, &sum_id, true, "kWh", "energy", sums).await;
    let both = json!([mean_id, sum_id]);
    let ask = |points: u32, period: &str| {
        json!({"kind": "statistics", "entity_ids": both, "start": "2026-03-02T00:00Z",
               "end": "2026-03-04T00:00Z", "points": points, "period": period})
    };
    let done = async || {
        let got = rig.try_tool("home_history", ask(48, "hour")).await;
        let full = |got: &Value, n: usize| {
            got["entities"][n]["rows"].as_array().is_some_and(|rows| rows.len() == 48)
        };
        got.is_ok_and(|got| full(&got, 0) && full(&got, 1))
    };
    until("the statistics are imported", done).await;
    let got = rig.tool("home_history", ask(48, "hour")).await;
    assert_eq!(got["period"], "hour");
    let (mean, sum) = (&got["entities"][0], &got["entities"][1]);
    assert_eq!((&mean["id"], &sum["id"]), (&both[0], &both[1]));
    assert_eq!(mean["unit"], "°C");
    assert_eq!(mean["columns"], json!(["from", "mean", "min", "max"]));
    let rows = mean["rows"].as_array().unwrap();
    for (n, row) in rows.iter().enumerate() {
        let n = n as i64;
        assert_eq!((&row[1], &row[2], &row[3]), (&json!(n), &json!(n - 1), &json!(n + 2)), "{row}");
    }
    // The times carry the house's offset, which is that of Amsterdam in winter.
    assert_eq!(rows[0][0], "2026-03-02T01:00:00+01:00");
    assert_eq!((&mean["mean"], &mean["min"], &mean["max"]), (&json!(23.5), &json!(-1), &json!(49)));
    assert_eq!(sum["rows"][5][1], 2, "{sum}");
    // Evenly put together: 12 hours in each of 4 rows.
    let got = rig.tool("home_history", ask(4, "hour")).await;
    let four: Vec<&Value> =
        got["entities"][0]["rows"].as_array().unwrap().iter().map(|row| &row[1]).collect();
    assert_eq!(four, [&json!(5.5), &json!(17.5), &json!(29.5), &json!(41.5)]);
    let grown: f64 = got["entities"][1]["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row[1].as_f64().unwrap())
        .sum();
    assert_eq!(json!(grown), json!(got["entities"][1]["change"].as_f64().unwrap()));
    // Nothing is said of the period: two days in two rows.
    assert_eq!(rig.tool("home_history", ask(3, "")).await["period"], "day");
    let listed = rig.tool("home_history", json!({"kind": "statistics"})).await;
    let all = raw.ask(json!({"type": "recorder/list_statistic_ids"})).await;
    assert!(listed["total"].as_u64().unwrap() + 4 >= all.as_array().unwrap().len() as u64);
    energy(&rig, &mut raw, &sum_id).await;
    let clear = json!({"type": "recorder/clear_statistics", "statistic_ids": both});
    raw.ask(clear).await;
}

async fn import(raw: &mut Raw, id: &str, sums: bool, unit: &str, class: &str, stats: Vec<Value>) {
    let mut metadata = json!({"statistic_id": id, "source": "hearth", "name": "Hearth test",
        "has_mean": !sums, "has_sum": sums, "unit_of_measurement": unit});
    let older = metadata.clone();
    metadata["mean_type"] = json!(if sums { 0 } else { 1 });
    metadata["unit_class"] = class.into();
    let ask = |metadata: &Value| json!({"type": "recorder/import_statistics", "metadata": metadata, "stats": stats});
    // Older releases know fewer fields.
    if raw.try_ask(ask(&metadata)).await["success"] != true {
        raw.ask(ask(&older)).await;
    }
}

/// The energy page names the statistic, and so it is found by it.
async fn energy(rig: &Rig, raw: &mut Raw, id: &str) {
    let source = |id: &str| json!({"type": "solar", "stat_energy_from": id, "config_entry_solar_forecast": null});
    raw.ask(json!({"type": "energy/save_prefs", "energy_sources": [source(id)]})).await;
    let ask = json!({"kind": "energy", "start": "2026-03-02T00:00Z", "end": "2026-03-04T00:00Z"});
    let got = rig.tool("home_history", ask.clone()).await;
    assert_eq!(ids(&got), [id], "{got}");
    assert_eq!(got["entities"][0]["is"], "solar: energy from", "{got}");
    assert!(got["entities"][0]["change"].as_f64().unwrap() >= 92.0, "{got}");
    raw.ask(json!({"type": "energy/save_prefs", "energy_sources": []})).await;
    let e = rig.try_tool("home_history", ask).await.unwrap_err();
    assert!(e.kind() == Kind::NotFound && e.what().contains("energy page"), "{e}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wide_question_is_refused_and_a_whole_house_fits_its_parts() {
    let rig = on_real().await;
    let refused = async |args: Value, kind: Kind, words: &[&str]| {
        let e = rig.try_tool("home_history", args.clone()).await.expect_err(&args.to_string());
        assert_eq!(e.kind(), kind, "{args}: {e}");
        for word in words {
            assert!(e.what().contains(word), "{args}: no '{word}' in: {e}");
        }
    };
    let wide = json!({"domain": "sensor,light", "start": "30d"});
    refused(wide, Kind::Limit, &["entities over 720 hours", "kind=statistics"]).await;
    refused(json!({"kind": "logbook", "start": "30d"}), Kind::Limit, &["72 hours"]).await;
    let rows = json!({"kind": "statistics", "entity_ids": "sensor.outside_temperature",
                      "start": "1000d", "period": "5minute"});
    refused(rows, Kind::Limit, &["288000 rows"]).await;
    refused(json!({}), Kind::Invalid, &["whose history?"]).await;
    refused(json!({"kind": "past"}), Kind::Invalid, &["use states, statistics"]).await;
    refused(json!({"entity_ids": "light.nope"}), Kind::NotFound, &["no entity 'light.nope'"]).await;
    let back = json!({"entity_ids": "sun.sun", "start": "1h", "end": "2h"});
    refused(back, Kind::Invalid, &["start must be before end"]).await;
    refused(json!({"entity_ids": "sun.sun", "start": "soon"}), Kind::Invalid, &["is no time"])
        .await;
    let none = json!({"kind": "statistics", "entity_ids": "light.bed_light"});
    refused(none, Kind::NotFound, &["none of these has statistics", "state_class"]).await;
    // Every sensor, in as many parts as it takes; each entity once.
    let (mut seen, mut cursor) = (Vec::new(), json!(""));
    loop {
        let args = json!({"domain": "sensor,light,switch", "start": "6h", "cursor": cursor});
        let got = rig.tool("home_history", args).await;
        assert!(got.to_string().len() <= 8192, "{} bytes", got.to_string().len());
        seen.extend(ids(&got));
        match got.get("next") {
            Some(next) => cursor = next.clone(),
            None => break,
        }
    }
    let mut sorted = seen.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert!(seen == sorted && seen.len() > 25, "{seen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_past_of_what_is_hidden_stays_hidden() {
    let rig = on_real().await;
    let scope = EntityScope { areas: vec!["kitchen".into()], ..EntityScope::default() };
    let guest = rig.token("guest", Level::Read, scope).await;
    let ask = async |args: Value| rig.tool_as(&guest, "home_history", args).await;
    let own = ask(json!({"entity_ids": "light.kitchen_lights"})).await.unwrap();
    assert_eq!(ids(&own), ["light.kitchen_lights"]);
    let e = ask(json!({"entity_ids": "sensor.outside_temperature"})).await.unwrap_err();
    assert_eq!(e.kind(), Kind::NotFound, "{e}");
    let external = json!({"kind": "statistics", "entity_ids": "other:energy"});
    assert_eq!(ask(external).await.unwrap_err().kind(), Kind::NotFound);
    let listed = ask(json!({"kind": "statistics"})).await.unwrap();
    assert_eq!(listed["total"], 0, "{listed}");
    // Of the whole house it is told what is its own.
    let mut raw = Raw::on_real().await;
    let was = raw.state("light.kitchen_lights").await;
    let lamp = "light.kitchen_lights";
    raw.call("light.toggle", lamp, json!({})).await;
    raw.call("light.toggle", lamp, json!({})).await;
    let logbook = json!({"kind": "logbook", "start": "1h"});
    let told = async || ask(logbook.clone()).await.unwrap()["total"].as_u64().unwrap() >= 1;
    until("the logbook tells of the lamp", told).await;
    let got = ask(logbook).await.unwrap();
    assert!(got["events"].as_array().unwrap().iter().all(|row| row["id"] == lamp), "{got}");
    assert!(got["events"].as_array().unwrap().iter().all(|row| row["message"].is_null()), "{got}");
    assert_eq!(raw.state(lamp).await, was);
    for tool in ["home_trace", "home_logs"] {
        let e = rig.tool_as(&guest, tool, json!({})).await.unwrap_err();
        assert!(e.kind() == Kind::Refused && e.what().contains("'guest'"), "{tool}: {e}");
    }
}

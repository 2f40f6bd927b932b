use super::*;

/// Numbers that look random and are the same in each run (a linear congruence, Knuth's constants).
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// What a sensor of a kind says at its `n`th time.
fn said(kind: usize, n: u64, dice: &mut Dice) -> Value {
    let temperature = (dice.throw(80) as f64 + 180.0) / 10.0;
    let state = ["ON", "OFF"][dice.throw(2) as usize];
    match kind {
        0 => {
            json!({"temperature": temperature, "humidity": dice.throw(40) + 30, "battery": 100 - n / 50})
        }
        1 => json!({"state": state, "brightness": dice.throw(255), "color": {"x": 0.3, "y": 0.4},
                    "color_mode": "xy"}),
        2 => {
            json!({"uptime": n * 10, "time": format!("2026-11-21T18:{:02}:00Z", n % 60), "ok": true})
        }
        3 if dice.throw(3) == 0 => json!({"action": "single", "linkquality": dice.throw(255)}),
        3 => json!({"linkquality": dice.throw(255)}),
        4 => json!(temperature),
        5 => json!(state),
        6 => json!([{"id": n, "names": ["a", "b"]}, {"id": n + 1, "names": []}]),
        _ => json!({"value": if dice.throw(4) == 0 { Value::Null } else { json!(temperature) }}),
    }
}

fn learned(kind: usize, count: u64, dice: &mut Dice) -> (Shape, u32) {
    let (mut shape, mut quiet) = (Shape::default(), 0);
    for n in 0..count {
        let news = shape.learn(&said(kind, n, dice));
        quiet = if news { 0 } else { quiet + 1 };
    }
    (shape, quiet)
}

#[test]
fn a_schema_holds_for_every_value_that_it_did_not_see() {
    for (kind, seed) in (0..8).flat_map(|kind| (0..20).map(move |seed| (kind, seed))) {
        let mut dice = Dice(seed);
        let (shape, quiet) = learned(kind, 200, &mut dice);
        let schema = schema(&shape);
        for n in 200..1200 {
            let value = said(kind, n, &mut dice);
            assert_eq!(faults(&schema, &value), [], "{value} against {schema}");
        }
        assert!(confidence(quiet) > 0.98, "kind {kind}: {quiet} quiet");
    }
}

#[test]
fn every_injected_drift_is_found_by_name_and_place() {
    let mut dice = Dice(7);
    let sensor = schema(&learned(0, 200, &mut dice).0);
    let lamp = schema(&learned(1, 200, &mut dice).0);
    let clock = schema(&learned(2, 200, &mut dice).0);
    let list = schema(&learned(6, 200, &mut dice).0);
    let good = json!({"temperature": 21.5, "humidity": 40, "battery": 99});
    let with = |field: &str, value: Value| {
        let mut changed = good.clone();
        changed[field] = value;
        changed
    };
    let fine =
        json!({"state": "ON", "brightness": 1, "color": {"x": 0.3, "y": 0.4}, "color_mode": "xy"});
    let mut grey = fine.clone();
    grey["color"] = json!({"x": 0.3});
    let mut odd = fine.clone();
    odd["state"] = "UNKNOWN".into();
    for (schema, value, place, drift) in [
        (&sensor, with("pressure", json!(1013)), "pressure", Drift::NewField),
        (&sensor, with("temperature", json!("21.5")), "temperature", Drift::ChangedType),
        (&sensor, with("humidity", json!(41.5)), "humidity", Drift::ChangedType),
        (&sensor, with("temperature", json!(-40)), "temperature", Drift::OutOfRange),
        (&sensor, with("temperature", json!(85)), "temperature", Drift::OutOfRange),
        (&sensor, json!({"temperature": 21.5, "humidity": 40}), "battery", Drift::MissingField),
        (&sensor, json!([1]), "", Drift::ChangedType),
        (&lamp, grey, "color.y", Drift::MissingField),
        (&lamp, odd, "state", Drift::NewWord),
        (&clock, json!({"uptime": 10, "time": "noon", "ok": true}), "time", Drift::WrongFormat),
        (&list, json!([{"id": 1, "names": [1]}]), "[].names[]", Drift::ChangedType),
    ] {
        let found = faults(schema, &value);
        let told: Vec<_> = found.iter().map(|fault| (&*fault.place, fault.drift)).collect();
        assert_eq!(told, [(place, drift)], "{value} against {schema}");
    }
    assert_eq!(faults(&sensor, &good), []);
    assert_eq!(faults(&lamp, &fine), []);
}

#[test]
fn a_schema_says_what_was_seen_and_how_often() {
    let mut dice = Dice(3);
    let told = schema(&learned(3, 300, &mut dice).0);
    assert_eq!(told["type"], "object");
    assert_eq!(told["required"], json!(["linkquality"]));
    let share = told["properties"]["action"]["x-share"].as_f64().unwrap();
    assert!((0.2..0.5).contains(&share), "{told}");
    assert_eq!(told["properties"]["action"]["enum"], json!(["single"]));
    let lamp = schema(&learned(1, 300, &mut dice).0);
    let mut words = lamp["properties"]["state"]["enum"].as_array().unwrap().clone();
    words.sort_by_key(|word| word.as_str().unwrap().to_owned());
    assert_eq!(words, ["OFF", "ON"]);
    assert_eq!(lamp["properties"]["brightness"]["type"], "integer");
    let clock = schema(&learned(2, 300, &mut dice).0);
    assert_eq!(clock["properties"]["time"]["format"], "date-time");
    assert_eq!(clock["properties"]["uptime"].get("maximum"), None, "a counter has no end");
    assert_eq!(schema(&Shape::default()), json!({}));
    let one = schema(&learned(0, 1, &mut dice).0);
    assert_eq!(one.get("required"), None, "one sample requires nothing");
}

#[test]
fn topics_of_one_kind_share_a_schema() {
    let mut dice = Dice(11);
    let (mut all, _) = learned(0, 100, &mut dice);
    assert!(!all.merge(&learned(0, 100, &mut dice).0), "the same kind is no news");
    assert!(all.merge(&learned(3, 100, &mut dice).0), "another kind is");
    let all = schema(&all);
    for kind in [0, 3] {
        (0..100).for_each(|n| assert_eq!(faults(&all, &said(kind, n, &mut dice)), []));
    }
    assert_eq!(all.get("required"), None);
}

#[test]
fn confidence_grows_with_samples_that_bring_nothing_new() {
    assert_eq!([0, 1, 8, 98].map(confidence), [0.5, 0.666, 0.9, 0.99]);
}

use super::*;
use crate::error::Kind;

fn row(tool: &str, limits: [u32; 3]) -> Quota {
    let [per_minute, at_once, per_day] = limits;
    Quota { tool: tool.into(), per_minute, at_once, per_day, ..Quota::default() }
}

/// Noon of a day.
const NOON: f64 = 20_000.0 * DAY + DAY / 2.0;

/// Takes and gives back at once; what is used up otherwise.
fn take(meter: &Meter, who: &str, tool: &str, now: f64) -> Result<(), String> {
    let held = meter.take(&who.into(), tool, now).map_err(|e| {
        assert_eq!(e.kind(), Kind::Limit);
        e.to_string()
    })?;
    let mut counts = meter.lock();
    held.iter().for_each(|key| counts.get_mut(key).unwrap().running -= 1);
    Ok(())
}

#[test]
fn a_minute_is_filled_up_again_bit_by_bit() {
    let meter = Meter::new(&[row("home_*", [6, 0, 0])]);
    for _ in 0..6 {
        take(&meter, "tablet", "home_call", NOON).unwrap();
    }
    let why = take(&meter, "tablet", "home_get", NOON + 1.0).unwrap_err();
    assert!(why.contains("'tablet' is used up: 6 calls a minute; try again in 9 s"), "{why}");
    assert!(why.contains("tool 'home_*'"), "{why}");
    // Others have their own, and other tools none.
    take(&meter, "phone", "home_call", NOON + 1.0).unwrap();
    take(&meter, "tablet", "mqtt_get", NOON + 1.0).unwrap();
    take(&meter, "tablet", "home_call", NOON + 10.0).unwrap();
    take(&meter, "tablet", "home_call", NOON + 10.0).unwrap_err();
    // A clock that is set back takes nothing away and gives nothing.
    take(&meter, "tablet", "home_call", NOON - 500.0).unwrap_err();
    take(&meter, "tablet", "home_call", NOON - 480.0).unwrap();
}

#[test]
fn a_day_ends_at_midnight_and_what_is_refused_does_not_count() {
    let meter = Meter::new(&[row("*", [0, 0, 2]), row("home_call", [1, 0, 0])]);
    take(&meter, "tablet", "home_call", NOON).unwrap();
    // Refused by the second: the first does not count it.
    take(&meter, "tablet", "home_call", NOON).unwrap_err();
    take(&meter, "tablet", "home_get", NOON).unwrap();
    let why = take(&meter, "tablet", "home_get", NOON + 3.0).unwrap_err();
    assert!(why.contains("2 calls a day; the next begins in 12.0 h (UTC)"), "{why}");
    take(&meter, "tablet", "home_get", NOON + DAY / 2.0 - 1.0).unwrap_err();
    take(&meter, "tablet", "home_get", NOON + DAY / 2.0).unwrap();
}

#[test]
fn places_are_given_back_and_a_common_count_is_everybodys() {
    let together = Quota { together: true, ..row("*", [0, 2, 0]) };
    let meter = Meter::new(&[together]);
    let first = meter.take(&"tablet".into(), "a", NOON).unwrap();
    meter.take(&"phone".into(), "b", NOON).unwrap();
    let why = take(&meter, "other", "c", NOON).unwrap_err();
    assert!(why.contains("'all together' is used up: 2 calls at once"), "{why}");
    meter.lock().get_mut(&first[0]).unwrap().running -= 1;
    take(&meter, "other", "c", NOON).unwrap();
    let usage = meter.usage(NOON);
    assert_eq!((usage.len(), &usage[0].who, usage[0].at_once), (1, &None, [2, 1]));
}

#[test]
fn there_are_only_so_many_counts() {
    let meter = Meter::new(&[row("*", [9, 0, 0])]);
    for n in 0..5000 {
        // Each its own day, as callers that came long ago.
        take(&meter, &n.to_string(), "a", NOON + f64::from(n) * DAY).unwrap();
    }
    assert!(meter.lock().len() <= MOST);
}

#[test]
fn quotas_that_limit_nothing_are_refused_by_their_place() {
    let bad = [
        row("*", [0, 0, 0]),
        row("", [1, 0, 0]),
        Quota { token: "a*b".into(), ..row("*", [1, 0, 0]) },
        row("home_*", [0, 0, 5]),
    ];
    let told: Vec<String> = faults(&bad).iter().map(|fault| format!("{fault:?}")).collect();
    let want = ["policy.quotas.0", "policy.quotas.1.tool", "policy.quotas.2.token"];
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told.iter().zip(want).all(|(told, want)| told.contains(want)), "{told:?}");
}

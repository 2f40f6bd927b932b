//! Quotas over MCP, and their counts over kills and restarts.

use super::House;
use crate::harness::wait_for;
use serde_json::{Value, json};

const DAY: &str = "[[policy.quotas]]\ntool = \"home_*\"\ntoken = \"tablet\"\nper_day = 6\n";

fn look(house: &House) -> Value {
    house.assistant().call("home_find", json!({"domain": "light"}))
}

fn looks(house: &House, times: usize) {
    for _ in 0..times {
        let found = look(house);
        assert_ne!(found["isError"], true, "{found}");
    }
}

fn usage(house: &House) -> Value {
    let (status, all) = house.hearth.get("/api/policy/quotas");
    assert_eq!(status, 200, "{all}");
    all["quotas"][0].clone()
}

#[test]
fn a_days_count_survives_a_kill_and_a_restart() {
    let house = House::new(DAY);
    looks(&house, 3);
    wait_for("the count in the store", || (usage(&house)["stored"].as_u64()? >= 3).then_some(()));
    let house = house.again(true, DAY);
    let used = usage(&house)["per_day"][1].as_u64().unwrap();
    // A little too much, never too little.
    assert!((3..=4).contains(&used), "{used}");
    looks(&house, usize::try_from(5 - used).unwrap());
    // One that ended well knows exactly.
    let house = house.again(false, DAY);
    assert_eq!(usage(&house)["per_day"], json!([6, 5]));
    looks(&house, 1);
    let refused = look(&house);
    let error = &refused["structuredContent"]["error"];
    assert_eq!((&error["code"], &error["retryable"]), (&"limit".into(), &true.into()), "{refused}");
    assert!(error["message"].as_str().unwrap().contains("6 calls a day"), "{refused}");
    // Others are not counted; a new limit keeps the count.
    let mut owner = house.hearth.mcp("/mcp");
    assert_ne!(owner.call("home_find", json!({"domain": "light"}))["isError"], true);
    let house = house.again(false, &DAY.replace("per_day = 6", "per_day = 7"));
    looks(&house, 1);
    assert_eq!(look(&house)["isError"], true);
}

#[test]
fn a_minutes_quota_holds_by_every_way() {
    let house = House::new(&DAY.replace("per_day = 6", "per_minute = 1"));
    looks(&house, 1);
    let text = look(&house).to_string();
    assert!(text.contains("1 calls a minute; try again in"), "{text}");
    // By the way round as well.
    let inner = json!({"name": "home_find", "arguments": {"domain": "light"}});
    let refused = house.assistant().call("hearth_call_tool", inner);
    assert!(refused.to_string().contains("1 calls a minute"), "{refused}");
    let usage = usage(&house);
    assert_eq!((&usage["who"], &usage["per_minute"]), (&"tablet".into(), &json!([1, 0])));
}

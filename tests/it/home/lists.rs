//! To-do lists, calendars and cameras of a real house.

use super::raw::Raw;
use super::rig::{on_real, real};
use hearth::error::Kind;
use hearth::mcp::{Answer, Block, Call};
use hearth::policy::{EntityScope, Level};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_item_is_added_ticked_off_and_removed() {
    let rig = on_real().await;
    let mut raw = Raw::on_real().await;
    let text = format!("Buy milk {}", std::process::id());
    let mut theirs = async || {
        let all = raw.ask(json!({"type": "todo/item/list", "entity_id": "todo.chores"})).await;
        let items = all["items"].as_array().unwrap().clone();
        items.into_iter().find(|item| item["summary"].as_str().unwrap().starts_with(&text))
    };
    let lists = rig.tool("home_todo", json!({})).await;
    assert!(lists["lists"].as_array().unwrap().iter().any(|l| l["id"] == "todo.chores"), "{lists}");
    let todo = async |args: Value| rig.tool("home_todo", args).await;
    let added = todo(json!({"list": "Chores", "action": "add", "item": text, "due": "2026-12-24",
                            "description": "two of them"}))
    .await;
    assert_eq!(added["result"], "verified", "{added}");
    let item = theirs().await.unwrap();
    assert_eq!((&item["due"], &item["status"]), (&json!("2026-12-24"), &json!("needs_action")));
    assert_eq!(added["items"][0]["uid"], item["uid"]);
    let shown = todo(json!({"list": "todo.chores", "item": text})).await;
    assert_eq!(shown["items"][0]["description"], "two of them", "{shown}");
    // By its text, then by its uid.
    let done = todo(json!({"list": "chores", "action": "update", "item": text.to_lowercase(),
                           "status": "completed"}))
    .await;
    assert_eq!(done["items"][0]["status"], "completed", "{done}");
    let renamed = format!("{text}, oat");
    let named = todo(json!({"action": "update", "list": "Chores", "item": item["uid"],
                            "rename": renamed}))
    .await;
    assert_eq!(named["items"][0]["summary"], renamed, "{named}");
    let item = theirs().await.unwrap();
    assert_eq!((&item["status"], &item["summary"]), (&json!("completed"), &json!(renamed)));
    let open = todo(json!({"list": "Chores", "status": "needs_action", "item": text})).await;
    assert_eq!(open["total"], 0, "{open}");
    let gone = todo(json!({"list": "Chores", "action": "remove", "item": renamed})).await;
    assert_eq!(gone["result"], "verified", "{gone}");
    assert!(theirs().await.is_none());
    for (args, kind, word) in [
        (json!({"list": "Chores", "action": "remove", "item": renamed}), Kind::NotFound, "no item"),
        (json!({"list": "Chores", "action": "eat", "item": "x"}), Kind::Invalid, "add, update"),
        (json!({"list": "Chores", "action": "add"}), Kind::Invalid, "give item"),
        (json!({"list": "light.bed_light"}), Kind::Invalid, "todo.chores"),
        (json!({"list": "nope"}), Kind::NotFound, "no entity"),
    ] {
        let e = rig.try_tool("home_todo", args.clone()).await.unwrap_err();
        assert!(e.kind() == kind && e.what().contains(word), "{args}: {e}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_may_only_look_changes_no_list_and_sees_no_hidden_one() {
    let rig = on_real().await;
    let reader = rig.token("reader", Level::Read, EntityScope::default()).await;
    assert!(rig.tool_as(&reader, "home_todo", json!({"list": "Chores"})).await.is_ok());
    for (tool, args) in [
        ("home_todo", json!({"list": "Chores", "action": "add", "item": "never"})),
        ("home_calendar", json!({"action": "create", "calendar": "Family", "summary": "never"})),
    ] {
        let e = rig.tool_as(&reader, tool, args).await.unwrap_err();
        assert!(e.kind() == Kind::Refused && e.what().contains("may not control"), "{e}");
    }
    let denied = ["todo.*", "calendar.*", "camera.*"].map(str::to_owned).to_vec();
    let scope = EntityScope { deny: denied, ..EntityScope::default() };
    let guest = rig.token("guest", Level::Control, scope).await;
    let lists = rig.tool_as(&guest, "home_todo", json!({})).await.unwrap();
    assert_eq!(lists["lists"], json!([]), "{lists}");
    let events = rig.tool_as(&guest, "home_calendar", json!({})).await.unwrap();
    assert_eq!(events["events"], json!([]), "{events}");
    for (tool, args) in [
        ("home_todo", json!({"list": "todo.chores"})),
        ("home_todo", json!({"list": "Chores", "action": "add", "item": "never"})),
        ("home_calendar", json!({"calendar": "calendar.family"})),
        ("home_camera", json!({"camera": "camera.demo_camera"})),
    ] {
        let e = rig.tool_as(&guest, tool, args.clone()).await.unwrap_err();
        assert_eq!(e.kind(), Kind::NotFound, "{tool} {args}: {e}");
    }
}

/// The events of the family's calendar with this beginning of a summary, as Home Assistant has them.
fn family(summary: &str) -> Vec<Value> {
    let house = crate::harness::real_house().unwrap();
    let path = "/api/calendars/calendar.family?start=2026-12-01T00:00:00Z&end=2027-01-31T00:00:00Z";
    let all = house.get(path);
    let is_own = |event: &&Value| event["summary"].as_str().unwrap().starts_with(summary);
    all.as_array().unwrap().iter().filter(is_own).cloned().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_is_created_moved_and_deleted() {
    let rig = on_real().await;
    let own = format!("Dentist {}", std::process::id());
    let calendar = async |args: Value| rig.tool("home_calendar", args).await;
    let made = calendar(json!({"calendar": "Family", "action": "create", "summary": own,
        "start": "2026-12-10T09:00", "end": "90m", "location": "Main Street"}))
    .await;
    assert_eq!(made["result"], "verified", "{made}");
    let event = family(&own).pop().unwrap();
    assert_eq!(event["start"]["dateTime"], "2026-12-10T09:00:00+01:00");
    assert_eq!(event["end"]["dateTime"], "2026-12-10T10:30:00+01:00");
    assert_eq!(made["events"][0]["uid"], event["uid"]);
    let listed = calendar(json!({"start": "2026-12-09", "end": "2026-12-12"})).await;
    let rows = listed["events"].as_array().unwrap();
    let row = rows.iter().find(|row| row["uid"] == event["uid"]).unwrap();
    assert_eq!(
        (&row["calendar"], &row["location"]),
        (&json!("calendar.family"), &json!("Main Street"))
    );
    // Moved: it lasts as long as before, and what was not named stays.
    let moved = calendar(json!({"calendar": "Family", "action": "update", "uid": event["uid"],
        "start": "2026-12-11T14:00"}))
    .await;
    assert_eq!(moved["result"], "verified", "{moved}");
    let event = family(&own).pop().unwrap();
    assert_eq!(event["end"]["dateTime"], "2026-12-11T15:30:00+01:00", "{event}");
    assert_eq!((&event["summary"], &event["location"]), (&json!(own), &json!("Main Street")));
    let mut delete = json!({"calendar": "Family", "action": "delete", "uid": event["uid"]});
    let e = rig.try_tool("home_calendar", delete.clone()).await.unwrap_err();
    assert!(e.kind() == Kind::Conflict && e.what().contains(&own), "{e}");
    assert_eq!(family(&own).len(), 1);
    let (_, token) = e.what().split_once("confirm=\"").unwrap_or_else(|| panic!("{e}"));
    delete["confirm"] = token.split_once('"').unwrap().0.into();
    let gone = calendar(delete).await;
    assert_eq!(gone["result"], "verified", "{gone}");
    assert!(family(&own).is_empty());
    // A whole day.
    let day = calendar(json!({"calendar": "Family", "action": "create", "summary": own,
        "start": "2026-12-24", "rrule": "FREQ=DAILY;COUNT=2"}))
    .await;
    assert_eq!(day["result"], "verified", "{day}");
    let both = family(&own);
    assert_eq!(both.len(), 2, "{both:?}");
    assert_eq!(
        (&both[0]["start"]["date"], &both[0]["end"]["date"]),
        (&json!("2026-12-24"), &json!("2026-12-25"))
    );
    // One of the two; the series as a whole is not rewritten.
    let mut one = json!({"calendar": "Family", "action": "update", "uid": both[1]["uid"],
                         "summary": format!("{own} moved")});
    let e = rig.try_tool("home_calendar", one.clone()).await.unwrap_err();
    assert!(e.kind() == Kind::Invalid && e.what().contains("is a series"), "{e}");
    one["recurrence_id"] = both[1]["recurrence_id"].clone();
    let changed = calendar(one).await;
    assert_eq!(changed["result"], "verified", "{changed}");
    let now = family(&own);
    let names: Vec<&str> = now.iter().map(|event| event["summary"].as_str().unwrap()).collect();
    assert_eq!(names, [own.as_str(), &format!("{own} moved")], "{now:?}");
    let mut delete = json!({"calendar": "Family", "action": "delete", "uid": both[0]["uid"]});
    let e = rig.try_tool("home_calendar", delete.clone()).await.unwrap_err();
    assert!(e.what().contains("all of its series"), "{e}");
    let (_, token) = e.what().split_once("confirm=\"").unwrap();
    delete["confirm"] = token.split_once('"').unwrap().0.into();
    calendar(delete).await;
    assert!(family(&own).is_empty());
    let audit = rig.policy.audit();
    let count = |action: &str, outcome: &str| {
        audit.iter().filter(|line| line.action == action && line.outcome == outcome).count()
    };
    assert_eq!(count("calendar.create_event", "allowed"), 2, "{audit:?}");
    assert_eq!(count("calendar.update_event", "allowed"), 2, "{audit:?}");
    assert_eq!(count("calendar.delete_event", "asked"), 2, "{audit:?}");
    assert_eq!(count("calendar.delete_event", "allowed"), 2, "{audit:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_calendar_cannot_is_said() {
    let rig = on_real().await;
    for (args, kind, word) in [
        (
            json!({"calendar": "calendar.calendar_1", "action": "create", "summary": "x",
                "start": "2026-12-24"}),
            Kind::Invalid,
            "cannot create",
        ),
        (
            json!({"calendar": "Family", "action": "create", "summary": "x"}),
            Kind::Invalid,
            "a start",
        ),
        (
            json!({"calendar": "Family", "action": "delete", "uid": "nope"}),
            Kind::NotFound,
            "'nope'",
        ),
        (json!({"calendar": "Family", "action": "delete"}), Kind::Invalid, "its uid"),
        (
            json!({"action": "create", "summary": "x", "start": "1h"}),
            Kind::Invalid,
            "which calendar?",
        ),
        (json!({"start": "2026-12-24", "end": "2026-12-01"}), Kind::Invalid, "after start"),
        (json!({"action": "eat"}), Kind::Invalid, "create, update"),
    ] {
        let e = rig.try_tool("home_calendar", args.clone()).await.unwrap_err();
        assert!(e.kind() == kind && e.what().contains(word), "{args}: {e}");
    }
    // The demo's own calendars have events that come from somewhere else.
    let got = rig.tool("home_calendar", json!({"start": "today", "end": "3d"})).await;
    let own = |id: &str| got["events"].as_array().unwrap().iter().any(|e| e["calendar"] == id);
    assert!(own("calendar.calendar_1") && own("calendar.calendar_2"), "{got}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_camera_shows_its_picture() {
    let rig = on_real().await;
    let args = json!({"camera": "Demo camera"}).as_object().unwrap().clone();
    let got = rig.toolbox.call(Call::new(rig.caller.clone()), "home_camera", args).await.unwrap();
    let Answer::Blocks(blocks) = got else { panic!("no blocks") };
    let [Block::Text(about), Block::Image(kind, bytes)] = &blocks[..] else { panic!("{blocks:?}") };
    assert_eq!(*kind, "image/jpeg");
    assert!(about.contains("camera.demo_camera") && about.contains("not instructions"), "{about}");
    // Home Assistant gives the same kind of picture to whoever asks it.
    let (url, token) = real();
    let (size, head) = tokio::task::spawn_blocking(move || {
        let url = format!("{url}/api/camera_proxy/camera.demo_camera?width=640&height=480");
        let ask = ureq::get(url).header("authorization", &format!("Bearer {token}"));
        let body = ask.call().unwrap().body_mut().read_to_vec().unwrap();
        (body.len(), body[..4].to_vec())
    })
    .await
    .unwrap();
    assert!(bytes.starts_with(&head[..3]), "{:?}", &bytes[..4]);
    // The demo shows one of four pictures of about this size.
    assert!(bytes.len() > size / 4 && bytes.len() < size * 4, "{} {size}", bytes.len());
    let e = rig.try_tool("home_camera", json!({"camera": "camera.nope"})).await.unwrap_err();
    assert_eq!(e.kind(), Kind::NotFound, "{e}");
}

use super::*;
use crate::error::Kind;
use crate::events::{Event, Events, Next};
use crate::policy::Grant;
use std::sync::Arc;
use std::time::Duration;

fn caller(name: &str, token: u64, via: Via) -> Caller {
    let grant = Arc::new(Grant::admin());
    Caller { name: name.into(), via, grant, token, underway: None }
}

fn desk(seconds: u64) -> (Desk, Events) {
    let events = Events::new();
    let lasts = Duration::from_secs(seconds);
    (Desk::new(&events, lasts, lasts), events)
}

fn about<'a>(caller: &'a Caller, target: &'a str, by_person: bool) -> Subject<'a> {
    Subject { caller, action: "home_restart", target, shown: target, by_person }
}

fn word(said: &Said) -> &'static str {
    match said {
        Said::Yes(_) => "yes",
        Said::No => "no",
        Said::Nothing => "nothing",
    }
}

#[tokio::test]
async fn an_answer_is_used_once_by_whoever_asked_and_for_that_alone() {
    let (desk, events) = desk(60);
    let mut told = events.read();
    let (tablet, page) = (caller("tablet", 7, Via::Http), caller("owner", 1, Via::Page));
    let subject = about(&tablet, "args:1", true);
    let asked = desk.ask(&subject).unwrap();
    // Asked again while nobody has answered it is the same question.
    assert_eq!(desk.ask(&subject).unwrap().id, asked.id);
    assert_eq!(word(&desk.said(&subject, Some(&asked.code))), "nothing");
    desk.answer(&page, &asked.id, true, false).unwrap();
    let e = desk.answer(&page, &asked.id, false, false).err().unwrap();
    assert!(e.kind() == Kind::Conflict && e.to_string().contains("allowed by 'owner'"), "{e}");
    let phone = caller("phone", 8, Via::Http);
    for other in [about(&tablet, "args:2", true), about(&phone, "args:1", true)] {
        assert_eq!(word(&desk.said(&other, None)), "nothing");
    }
    let Said::Yes(pass) = desk.said(&subject, None) else { panic!("it was allowed") };
    assert_eq!(word(&desk.said(&subject, None)), "nothing");
    pass.give_back();
    assert_eq!(word(&desk.said(&subject, None)), "yes");
    assert_eq!(word(&desk.said(&subject, None)), "nothing");
    let mut states = Vec::new();
    for _ in 0..3 {
        let Next::Event(event) = told.next().await else { panic!("no event") };
        let Event::Approval(approval) = &event.event else { panic!("another event") };
        states.push((approval.state, approval.by.clone()));
    }
    assert_eq!(states, [("pending", None), ("pending", None), ("allowed", Some("owner".into()))]);
}

#[tokio::test]
async fn a_no_holds_until_its_time_is_over() {
    let (desk, _) = desk(60);
    let (tablet, page) = (caller("tablet", 7, Via::Http), caller("owner", 1, Via::Page));
    let subject = about(&tablet, "lock.front", false);
    let asked = desk.ask(&subject).unwrap();
    desk.answer(&page, &asked.id, false, false).unwrap();
    for _ in 0..2 {
        assert_eq!(word(&desk.said(&subject, Some(&asked.code))), "no");
    }
    let (short, events) = super::tests::desk(0);
    let mut told = events.read();
    let asked = short.ask(&subject).unwrap();
    assert_eq!(word(&short.said(&subject, Some(&asked.code))), "nothing");
    assert!(short.list().is_empty());
    let e = short.answer(&page, &asked.id, true, false).err().unwrap();
    assert_eq!(e.kind(), Kind::NotFound);
    let mut states = Vec::new();
    for _ in 0..2 {
        let Next::Event(event) = told.next().await else { panic!("no event") };
        let Event::Approval(approval) = &event.event else { panic!("another event") };
        states.push(approval.state);
    }
    assert_eq!(states, ["pending", "expired"]);
}

#[tokio::test]
async fn nobody_answers_for_itself_with_the_token_that_asks() {
    let (desk, _) = desk(60);
    let owner = caller("owner", 1, Via::Http);
    let asked = desk.ask(&about(&owner, "x", true)).unwrap();
    let e = desk.answer(&owner, &asked.id, true, false).err().unwrap();
    assert_eq!(e.kind(), Kind::Refused);
    let page = caller("owner", 1, Via::Page);
    assert!(is_answered_by(&page) && !is_answered_by(&owner));
    assert!(desk.answer(&page, &asked.id, true, true).is_ok());
}

#[tokio::test]
async fn whoever_asks_most_loses_its_oldest_question_first() {
    let (desk, _) = desk(60);
    let (quiet, loud) = (caller("quiet", 7, Via::Http), caller("loud", 8, Via::Http));
    let first = desk.ask(&about(&quiet, "x", true)).unwrap();
    for n in 0..300 {
        desk.ask(&about(&loud, &n.to_string(), true)).unwrap();
    }
    let list = desk.list();
    assert_eq!(list.len(), 256);
    assert!(list.iter().any(|approval| approval.id == first.id));
    assert_eq!((list[0].target.as_str(), list[254].target.as_str()), ("299", "45"));
}

#[tokio::test]
async fn what_is_shown_to_a_person_is_plain_and_bounded() {
    let (desk, _) = desk(60);
    let tablet = caller("tablet", 7, Via::Http);
    let target = format!("a\u{202e}b\n{}", "x".repeat(9000));
    desk.ask(&about(&tablet, &target, true)).unwrap();
    let shown = desk.list().remove(0).target;
    assert!(shown.starts_with("a\\u{202e}b\\nxxx") && shown.ends_with('…'), "{shown}");
    assert!(shown.chars().count() < 2020);
}

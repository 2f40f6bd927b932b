use super::*;
use crate::error::Kind;

async fn policy(config: Config) -> (Policy, Store) {
    let (events, store) = (Events::new(), Store::memory());
    let tasks = Tasks::new(events.clone());
    let policy = Policy::start(&config, &store, &events, &tasks, None).await.unwrap();
    (policy, store)
}

#[tokio::test]
async fn a_token_works_until_it_is_revoked_and_survives_a_restart() {
    let (policy, store) = policy(Config::default()).await;
    assert!(!policy.has_tokens());
    let made = policy.new_token("kitchen tablet", Grant::default()).await.unwrap();
    let caller = policy.caller_of_token(&made.secret, Via::Http).unwrap();
    assert_eq!((&*caller.name, policy.is_live(&caller)), ("kitchen tablet", true));
    assert!(policy.caller_of_token(&made.secret[1..], Via::Http).is_none());

    let (events, config) = (Events::new(), Config::default());
    let tasks = Tasks::new(events.clone());
    let again = Policy::start(&config, &store, &events, &tasks, None).await.unwrap();
    assert_eq!(again.caller_of_token(&made.secret, Via::Http).unwrap().token, caller.token);
    let stored = store.get("tokens", "kitchen tablet").await.unwrap().unwrap();
    assert!(!String::from_utf8_lossy(&stored).contains(&made.secret[7..]));

    let mut revoked = policy.revoked();
    policy.revoke_token("kitchen tablet").await.unwrap();
    assert!(revoked.has_changed().unwrap());
    revoked.mark_unchanged();
    assert!(!policy.is_live(&caller));
    assert!(policy.caller_of_token(&made.secret, Via::Http).is_none());
    let e = policy.check(&caller, "home", Level::Read).unwrap_err();
    assert_eq!(e.kind(), Kind::Unauthenticated);
}

#[tokio::test]
async fn bad_names_and_doubles_are_refused() {
    let (policy, _) = policy(Config::default()).await;
    let check = async |name: &str, want: Option<Kind>| {
        let got = policy.new_token(name, Grant::default()).await;
        assert_eq!(got.err().map(|e| e.kind()), want, "{name:?}");
    };
    check("", Some(Kind::Invalid)).await;
    check(" a", Some(Kind::Invalid)).await;
    check("a\nb", Some(Kind::Invalid)).await;
    check("configured", Some(Kind::Invalid)).await;
    check("a", None).await;
    check("a", Some(Kind::Conflict)).await;
    assert_eq!(policy.revoke_token("b").await.unwrap_err().kind(), Kind::NotFound);
}

#[tokio::test]
async fn the_configured_token_is_admin_and_stays() {
    let config = Config { auth_token: Secret::new("long-enough"), ..Config::default() };
    let (policy, _) = policy(config).await;
    let caller = policy.caller_of_token("long-enough", Via::Http).unwrap();
    assert!(policy.check(&caller, "home", Level::Admin).is_ok());
    assert_eq!(policy.revoke_token("configured").await.unwrap_err().kind(), Kind::Refused);
    let short = Config { auth_token: Secret::new("short"), ..Config::default() };
    let (events, store) = (Events::new(), Store::memory());
    let tasks = Tasks::new(events.clone());
    assert!(Policy::start(&short, &store, &events, &tasks, None).await.is_err());
}

#[tokio::test]
async fn page_sessions_follow_their_token() {
    let (policy, _) = policy(Config::default()).await;
    let made = policy.new_token("page", Grant::admin()).await.unwrap();
    let caller = policy.caller_of_token(&made.secret, Via::Http).unwrap();
    let (one, two) = (policy.open_page(&caller), policy.open_page(&caller));
    assert_eq!(policy.caller_of_page(&one).unwrap().via, Via::Page);
    policy.close_page(&one);
    assert!(policy.caller_of_page(&one).is_none() && policy.caller_of_page("").is_none());
    policy.revoke_token("page").await.unwrap();
    assert!(policy.caller_of_page(&two).is_none());
}

#[tokio::test]
async fn read_only_and_levels_are_enforced_and_audited() {
    let (policy, _) = policy(Config { read_only: true, ..Config::default() }).await;
    let local = policy.local(Via::Stdio);
    assert!(policy.check(&local, "home", Level::Read).is_ok());
    let e = policy.check(&local, "home", Level::Control).unwrap_err();
    assert!(e.kind() == Kind::Refused && e.what().contains("read-only"), "{e}");
    let audit = policy.audit();
    assert_eq!((audit.len(), audit[0].outcome, audit[0].via), (1, "denied", "stdio"));
}

#[tokio::test]
async fn a_confirmation_is_for_one_caller_one_action_and_once() {
    let (policy, _) = policy(Config::default()).await;
    let local = policy.local(Via::Stdio);
    let ask = |action: &str, target: &str, given: Option<&str>| {
        policy.confirm(&local, action, target, given).err().map(|e| {
            let text = e.to_string();
            text.split('"').nth(1).map(str::to_owned).unwrap()
        })
    };
    let token = ask("lock.unlock", "lock.front", None).unwrap();
    assert!(ask("lock.unlock", "lock.back", Some(&token)).is_some());
    assert!(ask("lock.open", "lock.front", Some(&token)).is_some());
    let other = Caller { token: 7, ..local.clone() };
    assert!(policy.confirm(&other, "lock.unlock", "lock.front", Some(&token)).is_err());
    assert!(ask("lock.unlock", "lock.front", Some(&token)).is_none());
    assert!(ask("lock.unlock", "lock.front", Some(&token)).is_some());
}

#[tokio::test]
async fn house_rules_narrow_every_caller() {
    let config = Config { deny: vec!["lock.*".into()], ..Config::default() };
    let (policy, _) = policy(config).await;
    let facts = EntityFacts { entity_id: "lock.front", area: None, labels: &[], exposed: true };
    assert!(!policy.local(Via::Stdio).grant.entities.permits(facts));
}

#[tokio::test]
async fn the_audit_log_is_written_without_control_characters() {
    let dir = std::env::temp_dir().join(format!("hearth-audit-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    let (events, store) = (Events::new(), Store::memory());
    let tasks = Tasks::new(events.clone());
    let config = Config::default();
    let policy = Policy::start(&config, &store, &events, &tasks, Some(&dir)).await.unwrap();
    let target = format!("light.x\n\u{1b}[31m{}", "x".repeat(400));
    policy.record(&policy.local(Via::Control), "home_call", &target, Outcome::Allowed, None);
    let text = std::fs::read_to_string(dir.join("audit.jsonl")).unwrap();
    assert_eq!(text.lines().count(), 1);
    let entry: serde_json::Value = serde_json::from_str(&text).unwrap();
    let target = entry["target"].as_str().unwrap();
    assert!(!target.contains(char::is_control) && target.chars().count() <= 200, "{target}");
    std::fs::remove_dir_all(&dir).unwrap();
    assert_eq!((entry["who"].as_str(), policy.audit().len()), (Some("local"), 1));
}

#[tokio::test]
async fn a_call_is_one_line_whatever_its_steps_record() {
    let (policy, _) = policy(Config::default()).await;
    let local = policy.local(Via::Stdio);
    let run = |level: Level, steps: &dyn Fn(&Caller) -> Result<(), Error>| {
        let before = policy.audit().len();
        let call = policy.begin(&local, "home_call", "{}", level);
        let done = steps(&call.caller());
        assert_eq!(policy.audit().len(), before, "the line is written at the end");
        call.end(done.as_ref().err());
        let lines = policy.audit().split_off(before);
        assert!(lines.iter().all(|line| line.ms.is_some()));
        let words = |line: &events::Audit| (line.action.clone(), line.outcome, line.reason.clone());
        lines.iter().map(words).collect::<Vec<_>>()
    };
    let call = "home_call".to_owned();
    assert_eq!(run(Level::Control, &|_| Ok(())), [(call.clone(), "allowed", None)]);
    assert_eq!(run(Level::Read, &|_| Ok(())), []);
    let tried = |caller: &Caller| {
        policy.record(caller, "light.turn_on", "light.x", Outcome::DryRun, None);
        Ok(())
    };
    assert_eq!(run(Level::Control, &tried), [("light.turn_on".into(), "dry_run", None)]);
    let asked = |caller: &Caller| policy.confirm(caller, "lock.unlock", "lock.front", None);
    // The answer to the question is not in the log.
    assert_eq!(run(Level::Control, &asked), [("lock.unlock".into(), "asked", None)]);
    let refused = |caller: &Caller| policy.check(caller, "home", Level::Admin);
    for level in [Level::Read, Level::Control] {
        let lines = run(level, &refused);
        assert_eq!((lines.len(), &lines[0].0, lines[0].1), (1, &call, "denied"));
        assert!(lines[0].2.as_ref().unwrap().contains("may not"), "{lines:?}");
    }
    let failed = |caller: &Caller| {
        policy.record(caller, "light.turn_on", "light.x", Outcome::Failed, Some("no current"));
        Err(Error::broken("no current"))
    };
    let want = ("light.turn_on".to_owned(), "failed", Some("no current".to_owned()));
    assert_eq!(run(Level::Control, &failed), [want]);
    // What comes after the end is a line of its own.
    let call = policy.begin(&local, "home_call", "{}", Level::Control);
    let caller = call.caller();
    call.end(None);
    policy.record(&caller, "light.turn_on", "light.x", Outcome::Failed, Some("too late"));
    let last = policy.audit().pop().unwrap();
    assert_eq!((last.outcome, last.ms), ("failed", None));
}

use super::*;
use crate::error::Kind;
use crate::events::Events;
use crate::tasks::Tasks;

fn rule(text: &str, made: f64) -> Rule {
    let mut words = text.split(' ');
    let mut next = || words.next().unwrap().to_owned();
    let verdict = match next().as_str() {
        "allow" => Verdict::Allow,
        "ask" => Verdict::Ask,
        _ => Verdict::Deny,
    };
    let (tool, token) = (next(), next());
    let target = words.next().map(str::to_owned);
    let (id, by) = (format!("{made}"), "ann".into());
    Rule { id, tool, token, target, verdict, until: None, made, by }
}

#[test]
fn the_most_precise_rule_holds_and_of_equals_the_newest() {
    let check = |rules: &[&str], want: &str| {
        let rules: Vec<Rule> =
            rules.iter().enumerate().map(|(n, text)| rule(text, n as f64)).collect();
        for turned in [false, true] {
            let mut rules = rules.clone();
            if turned {
                rules.reverse();
            }
            let target = || "args:1".to_owned();
            let got = pick(&rules, "tablet", "home_restart", &target, 50.0);
            assert_eq!(got.map_or("none", |rule| rule.verdict.word()), want, "{rules:?}");
        }
    };
    check(&[], "none");
    check(&["deny * *"], "deny");
    check(&["deny home_call *", "deny home_restart phone"], "none");
    check(&["deny home_* *", "allow home_restart *"], "allow");
    check(&["allow home_restart *", "deny home_* tablet"], "allow");
    check(&["deny home_restart *", "allow home_* tablet"], "deny");
    check(&["ask home_* *", "allow home_re* *"], "allow");
    check(&["ask home_restart *", "allow home_restart tablet"], "allow");
    check(&["ask home_restart tab*", "deny home_restart *"], "ask");
    check(&["ask home_restart *", "allow home_restart *"], "allow");
    check(&["allow home_restart *", "ask home_restart *"], "ask");
    check(&["deny home_restart tablet", "allow home_restart * args:1"], "allow");
    check(&["ask home_restart *", "allow home_restart * args:2"], "ask");
}

#[test]
fn a_rule_that_has_ended_gives_way() {
    let ask = rule("ask home_restart *", 1.0);
    let allow = Rule { until: Some(60.0), ..rule("allow home_restart *", 2.0) };
    let rules = [ask, allow];
    let at = |now: f64| {
        let target = || unreachable!("no rule has a target");
        pick(&rules, "x", "home_restart", &target, now).unwrap().verdict
    };
    assert_eq!((at(59.0), at(60.0)), (Verdict::Allow, Verdict::Ask));
}

#[tokio::test]
async fn rules_are_kept_replaced_and_removed() {
    let dir = std::env::temp_dir().join(format!("hearth-rules-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    let tasks = Tasks::new(Events::new());
    let book = Book::read(Some(&dir)).unwrap();
    let wanted = |verdict, seconds| NewRule {
        tool: "home_restart".into(),
        token: "*".into(),
        target: None,
        verdict,
        seconds,
    };
    book.add(&tasks, wanted(Verdict::Deny, None), "ann").await.unwrap();
    let ask = book.add(&tasks, wanted(Verdict::Ask, None), "ann").await.unwrap();
    // For a time beside the one that stands, so that this comes back.
    let allow = book.add(&tasks, wanted(Verdict::Allow, Some(60)), "ann").await.unwrap();
    let again = Book::read(Some(&dir)).unwrap();
    assert_eq!(again.all()[..], [ask.clone(), allow.clone()]);
    assert_eq!(allow.until, Some(allow.made + 60.0));
    again.remove(&tasks, &ask.id).await.unwrap();
    assert_eq!(again.remove(&tasks, &ask.id).await.unwrap_err().kind(), Kind::NotFound);
    assert_eq!(Book::read(Some(&dir)).unwrap().all()[..], [allow]);
    // A file that cannot be read is not taken for no rules, and what was there before it stays.
    std::fs::write(dir.join("rules.json"), "{").unwrap();
    assert!(Book::read(Some(&dir)).err().unwrap().to_string().contains("more would be allowed"));
    std::fs::remove_dir_all(&dir).unwrap();
}

#[tokio::test]
async fn what_can_be_no_rule_is_refused() {
    let (tasks, book) = (Tasks::new(Events::new()), Book::read(None).unwrap());
    let good = NewRule {
        tool: "home_*".into(),
        token: "*".into(),
        target: None,
        verdict: Verdict::Deny,
        seconds: None,
    };
    for bad in [
        NewRule { tool: String::new(), ..good.clone() },
        NewRule { tool: "a*b".into(), ..good.clone() },
        NewRule { tool: "a\nb".into(), ..good.clone() },
        NewRule { token: "x".repeat(81), ..good.clone() },
        NewRule { target: Some("lock.front".into()), ..good.clone() },
        NewRule { seconds: Some(0), ..good.clone() },
    ] {
        let e = book.add(&tasks, bad.clone(), "ann").await.unwrap_err();
        assert_eq!(e.kind(), Kind::Invalid, "{bad:?}");
    }
    for n in 0..256 {
        book.add(&tasks, NewRule { tool: format!("t{n}"), ..good.clone() }, "ann").await.unwrap();
    }
    assert_eq!(book.add(&tasks, good, "ann").await.unwrap_err().kind(), Kind::Limit);
}

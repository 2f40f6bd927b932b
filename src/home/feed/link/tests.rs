use super::*;
use serde_json::json;

const SOON: Duration = Duration::from_secs(5);

fn link() -> Arc<Link> {
    Link::new("home".into(), "not yet")
}

fn hand(link: &Link, message: &Value) {
    let text = message.to_string();
    link.hand(&serde_json::from_str(&text).unwrap());
}

#[tokio::test]
async fn answers_find_who_asked() {
    let link = link();
    let mut sent = link.open();
    let one = link.send(&json!({"type": "a"})).unwrap();
    let two = link.send(&json!({"type": "b"})).unwrap();
    assert_eq!(sent.recv().await.unwrap(), r#"{"id":1,"type":"a"}"#);
    assert_eq!(sent.recv().await.unwrap(), r#"{"id":2,"type":"b"}"#);
    let fault = json!({"code": "not_found", "message": "no\nsuch"});
    hand(&link, &json!({"id": 2, "type": "result", "success": false, "error": fault}));
    hand(&link, &json!({"id": 1, "type": "result", "success": true, "result": [1]}));
    assert_eq!(one.answer(SOON).await.unwrap(), "[1]");
    let e = two.answer(SOON).await.unwrap_err();
    assert_eq!((e.kind(), e.what()), (Kind::NotFound, "Home Assistant says: 'no\\nsuch'"));
}

#[tokio::test]
async fn a_house_that_is_away_says_why() {
    let link = link();
    let e = link.ask(&json!({"type": "a"}), SOON).await.unwrap_err();
    assert_eq!(e.to_string(), "the house 'home' cannot be reached: not yet");
    let _sent = link.open();
    let asked = link.send(&json!({"type": "a"})).unwrap();
    link.close("the socket broke");
    let e = asked.answer(SOON).await.unwrap_err();
    assert_eq!(e.to_string(), "the house 'home' cannot be reached: the socket broke");
}

#[tokio::test]
async fn too_many_questions_are_refused_and_forgotten_ones_make_room() {
    let link = link();
    let mut sent = link.open();
    let mut asked = Vec::new();
    for _ in 0..MOST_WAITING {
        asked.push(link.send(&json!({"type": "a"})).unwrap());
        sent.recv().await.unwrap();
    }
    let e = link.send(&json!({"type": "a"})).err().unwrap();
    assert_eq!(e.kind(), Kind::Limit);
    asked.pop();
    assert!(link.send(&json!({"type": "a"})).is_ok());
}

#[tokio::test]
async fn a_dropped_subscription_is_ended() {
    let link = link();
    let mut sent = link.open();
    let answer = async {
        assert_eq!(sent.recv().await.unwrap(), r#"{"id":1,"type":"s"}"#);
        hand(&link, &json!({"id": 1, "type": "result", "success": true, "result": null}));
        hand(&link, &json!({"id": 1, "type": "event", "event": {"x": 1}}));
    };
    let command = json!({"type": "s"});
    let (subscription, ()) = tokio::join!(link.subscribe(&command, SOON), answer);
    let mut subscription = subscription.unwrap();
    assert_eq!(subscription.next().await.unwrap(), r#"{"x":1}"#);
    drop(subscription);
    let end = r#"{"id":2,"type":"unsubscribe_events","subscription":1}"#;
    assert_eq!(sent.recv().await.unwrap(), end);
}

#[tokio::test]
async fn a_question_of_an_earlier_connection_forgets_no_later_one() {
    let link = link();
    let _first = link.open();
    let old = link.send(&json!({"type": "a"})).unwrap();
    link.close("the socket broke");
    let mut sent = link.open();
    let new = link.send(&json!({"type": "b"})).unwrap();
    assert_eq!(sent.recv().await.unwrap(), r#"{"id":2,"type":"b"}"#);
    drop(old);
    hand(&link, &json!({"id": 2, "type": "result", "success": true, "result": 7}));
    assert_eq!(new.answer(SOON).await.unwrap(), "7");
}

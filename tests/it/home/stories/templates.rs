//! "What does this come to?": templates, beside the same template rendered by Home Assistant itself.

use super::{Story, until};
use serde_json::{Value, json};

/// What Home Assistant's REST interface renders, which is text.
async fn rendered(template: &str) -> String {
    let (url, token) = crate::home::rig::real();
    let body = json!({ "template": template }).to_string();
    let asked = tokio::task::spawn_blocking(move || {
        let request = ureq::post(format!("{url}/api/template"))
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json");
        request.send(body).unwrap().body_mut().read_to_string().unwrap()
    });
    asked.await.unwrap()
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        // As Jinja writes it.
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        other => other.to_string(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn templates_come_to_what_home_assistant_says() {
    let mut story = Story::begin().await;
    let number = |initial: u32| json!({"min": 0, "max": 100, "initial": initial});
    let low = story.helper("input_number", "Story low", number(20)).await;
    let high = story.helper("input_number", "Story high", number(24)).await;
    for (name, on) in [("Story count a", true), ("Story count b", true), ("Story count c", false)] {
        story.helper("input_boolean", name, json!({ "initial": on })).await;
    }
    for (template, want) in [
        // an average
        (format!("{{{{ (states('{low}') | float + states('{high}') | float) / 2 }}}}"), "22.0"),
        // a comparison
        (format!("{{{{ states('{high}') | float > states('{low}') | float }}}}"), "True"),
        // how many are on
        (
            "{{ states.input_boolean | selectattr('entity_id', 'match', 'input_boolean.story_count') \
             | selectattr('state', 'eq', 'on') | list | count }}"
                .to_owned(),
            "2",
        ),
        // the text of a notification, outside of the automation that will send it
        (
            format!(
                "Level {{{{ (trigger | default({{}})).entity_id | default('{low}') }}}} is \
                 {{{{ states('{low}') | int }}}}"
            ),
            "Level input_number.story_low is 20",
        ),
    ] {
        let ours = story.ask("home_template", json!({ "template": template }));
        assert_eq!(text(&ours["result"]), want, "{template}: {ours}");
        assert_eq!(rendered(&template).await, want, "{template}");
    }
    // A condition before it goes into an automation: whatever the sun does.
    let template = "{{ states('sun.sun') == 'below_horizon' }}";
    until("both say the same of the sun", async || {
        let ours = story.ask("home_template", json!({ "template": template }));
        text(&ours["result"]) == rendered(template).await
    })
    .await;
    // A state alone needs no template.
    let got = story.ask("home_get", json!({"entity_ids": [low]}));
    assert_eq!(got["entities"][0]["state"], rendered(&format!("{{{{ states('{low}') }}}}")).await);
    story.end().await;
}

//! Tools that ask the person, the client's model or the client's folders.

use crate::tools::Nothing;
use hearth::config::JsonSchema;
use hearth::error::Error;
use hearth::mcp::{Ability, Answer, Ask, Call, Questions, Tool};
use hearth::policy::Level;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize, JsonSchema)]
struct Prompted {
    /// What the client's model is asked
    prompt: String,
}

#[derive(Deserialize, JsonSchema)]
struct Message {
    /// What the person is told
    message: String,
}

/// A form with the given fields, of which the first `needed` must be filled in.
pub(crate) fn form(message: &str, fields: Value) -> Ask {
    let names: Vec<&String> = fields.as_object().into_iter().flat_map(|f| f.keys()).collect();
    let required = json!(names);
    Ask::Form(
        message.to_owned(),
        json!({ "type": "object", "properties": fields, "required": required }),
    )
}

/// A form whose fields may all be left out.
fn optional_form(message: &str, fields: Value) -> Ask {
    Ask::Form(message.to_owned(), json!({ "type": "object", "properties": fields }))
}

fn name_form() -> Ask {
    form("What is your name?", json!({ "name": { "type": "string" } }))
}

/// A tool without arguments that asks.
fn asks(name: &'static str, about: &'static str, run: fn(&Call) -> Result<Answer, Error>) -> Tool {
    Tool::rich(
        name,
        about,
        about,
        Level::Read,
        move |call: Call, _: Nothing| async move { run(&call) },
    )
}

pub(crate) fn all() -> Vec<Tool> {
    let mut tools = sessions();
    tools.extend(single());
    tools.extend(several());
    tools
}

fn sessions() -> Vec<Tool> {
    vec![
        Tool::rich(
            "test_sampling",
            "Ask the model",
            "Asks the client's model",
            Level::Read,
            |call: Call, args: Prompted| async move {
                match call.client.answers().field("reply", "text") {
                    Some(text) => {
                        let text = text.as_str().unwrap_or_default();
                        Ok(Answer::from(format!("LLM response: {text}")))
                    }
                    None => Ok(Questions::one("reply", Ask::Sampling(args.prompt, 100)).into()),
                }
            },
        ),
        Tool::rich(
            "test_elicitation",
            "Ask the person",
            "Asks the person for a name and an address",
            Level::Read,
            |call: Call, args: Message| async move {
                let fields = json!({
                    "username": { "type": "string", "description": "User's response" },
                    "email": { "type": "string", "description": "User's email address" },
                });
                outcome(&call, "User response", || form(&args.message, fields))
            },
        ),
        asks("test_elicitation_sep1034_defaults", "Form with defaults", |call| {
            outcome(call, "Elicitation completed", || {
                optional_form(
                    "Please look over these values",
                    json!({
                        "name": { "type": "string", "default": "John Doe" },
                        "age": { "type": "integer", "default": 30 },
                        "score": { "type": "number", "default": 95.5 },
                        "status": {
                            "type": "string",
                            "enum": ["active", "inactive", "pending"],
                            "default": "active",
                        },
                        "verified": { "type": "boolean", "default": true },
                    }),
                )
            })
        }),
        asks("test_elicitation_sep1330_enums", "Form with choices", |call| {
            outcome(call, "Elicitation completed", || optional_form("Please choose", choices()))
        }),
    ]
}

fn choices() -> Value {
    let titled = |names: [&str; 3]| {
        json!([
            { "const": "value1", "title": names[0] },
            { "const": "value2", "title": names[1] },
            { "const": "value3", "title": names[2] },
        ])
    };
    let plain = json!(["option1", "option2", "option3"]);
    json!({
        "untitledSingle": { "type": "string", "enum": plain },
        "titledSingle": {
            "type": "string",
            "oneOf": titled(["First Option", "Second Option", "Third Option"]),
        },
        "legacyEnum": {
            "type": "string",
            "enum": ["opt1", "opt2", "opt3"],
            "enumNames": ["Option One", "Option Two", "Option Three"],
        },
        "untitledMulti": { "type": "array", "items": { "type": "string", "enum": plain } },
        "titledMulti": {
            "type": "array",
            "items": { "anyOf": titled(["First Choice", "Second Choice", "Third Choice"]) },
        },
    })
}

/// Asks once and tells what the person did.
fn outcome(call: &Call, word: &str, ask: impl FnOnce() -> Ask) -> Result<Answer, Error> {
    let Some(answer) = call.client.answers().get("form") else {
        return Ok(Questions::one("form", ask()).into());
    };
    let action = answer.get("action").and_then(Value::as_str).unwrap_or("none");
    let content = answer.get("content").cloned().unwrap_or_default();
    Ok(Answer::from(format!("{word}: action={action}, content={content}")))
}

fn single() -> Vec<Tool> {
    vec![
        asks("test_input_required_result_elicitation", "Asks for a name", |call| {
            match call.client.answers().field("user_name", "name").and_then(Value::as_str) {
                Some(name) => Ok(Answer::from(format!("Hello, {name}!"))),
                None => Ok(Questions::one("user_name", name_form()).into()),
            }
        }),
        asks("test_input_required_result_sampling", "Asks the model", |call| {
            match call.client.answers().field("capital_question", "text") {
                Some(text) => Ok(Answer::from(text.as_str().unwrap_or_default())),
                None => {
                    let ask = Ask::Sampling("What is the capital of France?".into(), 100);
                    Ok(Questions::one("capital_question", ask).into())
                }
            }
        }),
        asks("test_input_required_result_list_roots", "Asks for folders", |call| {
            match call.client.answers().get("client_roots") {
                Some(answer) => {
                    let roots = answer.get("roots").cloned().unwrap_or_default();
                    Ok(Answer::from(format!("Folders: {roots}")))
                }
                None => Ok(Questions::one("client_roots", Ask::Roots).into()),
            }
        }),
        asks("test_missing_capability", "Needs the client's model", |call| {
            match call.client.answers().get("any") {
                Some(_) => Ok(Answer::from("asked")),
                None => Ok(Questions::one("any", Ask::Sampling("Say a word".into(), 10)).into()),
            }
        }),
        asks("test_streaming_elicitation", "Asks for a value", |call| {
            outcome(call, "Value", || {
                form("Which value?", json!({ "value": { "type": "string" } }))
            })
        }),
    ]
}

/// Asks for a yes and remembers that it did.
fn confirmed(call: &Call) -> Result<Answer, Error> {
    let answers = call.client.answers();
    if answers.state() == Some(&json!("asked")) && answers.get("confirm").is_some() {
        return Ok(Answer::from("Confirmed: state-ok"));
    }
    let ask = form("Please confirm", json!({ "ok": { "type": "boolean" } }));
    Ok(Questions::one("confirm", ask).remember(json!("asked")).into())
}

fn several() -> Vec<Tool> {
    vec![
        asks("test_input_required_result_request_state", "Remembers that it asked", confirmed),
        asks("test_input_required_result_tampered_state", "Notices a changed memory", confirmed),
        asks("test_input_required_result_multiple_inputs", "Asks three things", |call| {
            let answers = call.client.answers();
            let all = ["user_name", "greeting", "client_roots"];
            if all.iter().all(|name| answers.get(name).is_some()) && answers.state().is_some() {
                return Ok(Answer::from("All three are here"));
            }
            Ok(Questions::one("user_name", name_form())
                .and("greeting", Ask::Sampling("Generate a greeting".into(), 50))
                .and("client_roots", Ask::Roots)
                .remember(json!("asked"))
                .into())
        }),
        asks("test_input_required_result_multi_round", "Asks twice", |call| {
            let answers = call.client.answers();
            let round = answers.state().and_then(Value::as_u64).unwrap_or(0);
            let (name, ask) = match round {
                1 if answers.get("step1").is_some() => {
                    let fields = json!({ "color": { "type": "string" } });
                    ("step2", form("Step 2: What is your favorite color?", fields))
                }
                2 if answers.get("step2").is_some() => {
                    return Ok(Answer::from("Both steps are done"));
                }
                _ => {
                    let fields = json!({ "name": { "type": "string" } });
                    ("step1", form("Step 1: What is your name?", fields))
                }
            };
            let next = if name == "step1" { 1 } else { 2 };
            Ok(Questions::one(name, ask).remember(json!(next)).into())
        }),
        asks("test_input_required_result_capabilities", "Asks what can be asked", |call| {
            if !call.client.answers().is_empty() {
                return Ok(Answer::from("answered"));
            }
            let asks = [
                ("user_name", Ability::Form, name_form()),
                ("greeting", Ability::Sampling, Ask::Sampling("Generate a greeting".into(), 50)),
                ("client_roots", Ability::Roots, Ask::Roots),
            ];
            let mut questions = Questions::default();
            for (name, ability, ask) in asks {
                if call.client.can(ability) {
                    questions = questions.and(name, ask);
                }
            }
            match questions.asks.is_empty() {
                true => Ok(Answer::from("nothing can be asked")),
                false => Ok(questions.into()),
            }
        }),
    ]
}

//! Prompts of every sort.

use crate::PIXEL;
use crate::ask::form;
use crate::tools::prompt;
use hearth::mcp::{Answer, Block, Contents, Prompt, PromptArg, Questions};
use serde_json::{Map, Value, json};
use std::sync::Arc;

pub(crate) fn simple() -> Prompt {
    prompt("test_simple_prompt", "A prompt without arguments", || {
        vec![Block::Text("This is a simple prompt for testing.".into())]
    })
}

fn argument(args: &Map<String, Value>, name: &str) -> String {
    args.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn needed(name: &'static str, about: &'static str) -> PromptArg {
    PromptArg { name, about, required: true }
}

pub(crate) fn all() -> Vec<Prompt> {
    let mut with_arguments = prompt("test_prompt_with_arguments", "Two arguments", Vec::new);
    with_arguments.args = vec![needed("arg1", "the first"), needed("arg2", "the second")];
    with_arguments.values = Arc::new(|_, _| ["paris", "park", "party"].map(str::to_owned).into());
    with_arguments.write = Arc::new(|_, args| {
        Box::pin(async move {
            let (one, two) = (argument(&args, "arg1"), argument(&args, "arg2"));
            Ok(Answer::from(format!("Prompt with arguments: arg1='{one}', arg2='{two}'")))
        })
    });
    let mut embedded = prompt("test_prompt_with_embedded_resource", "Carries a resource", Vec::new);
    embedded.args = vec![needed("resourceUri", "which resource")];
    embedded.write = Arc::new(|_, args| {
        Box::pin(async move {
            let text = "Embedded resource content for testing.".to_owned();
            let resource = Contents::Text("text/plain", text);
            Ok(Answer::from(vec![
                Block::Resource(argument(&args, "resourceUri"), resource),
                Block::Text("Please process the embedded resource above.".into()),
            ]))
        })
    });
    let image = prompt("test_prompt_with_image", "Carries a picture", || {
        vec![
            Block::Image("image/png", PIXEL.to_vec()),
            Block::Text("Please analyze the image above.".into()),
        ]
    });
    let mut asking = prompt("test_input_required_result_prompt", "Asks first", Vec::new);
    asking.write = Arc::new(|call, _| {
        Box::pin(async move {
            match call.client.answers().field("user_context", "context") {
                Some(context) => Ok(Answer::from(format!("With context: {context}"))),
                None => {
                    let fields = json!({ "context": { "type": "string" } });
                    let ask = form("What context should the prompt use?", fields);
                    Ok(Questions::one("user_context", ask).into())
                }
            }
        })
    });
    vec![simple(), with_arguments, embedded, image, asking]
}

//! Tools whose answers are put together field by field: what they hold depends on what is there.

use crate::config::JsonSchema;
use crate::error::Error;
use crate::mcp::tool::Run;
use crate::mcp::{Answer, Call, Reply, Tool, arguments, schema};
use crate::policy::Level;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::Arc;

/// What a client is told of a tool.
#[derive(Clone, Copy, Debug)]
pub struct Words {
    /// `<service>_<verb>_<object>`, at most 48 characters.
    pub name: &'static str,
    /// For people.
    pub title: &'static str,
    /// For models.
    pub about: &'static str,
}

impl Tool {
    /// Makes a tool that takes `A` and answers an object of the shape `S`, with `note` as a field of
    /// its own: what there is to know about the origin of all the others.
    pub fn of_fields<A, S, F, Fut>(words: Words, note: &'static str, level: Level, run: F) -> Tool
    where
        A: DeserializeOwned + JsonSchema + Send + 'static,
        S: JsonSchema,
        F: Fn(Call, A) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Value, Error>> + Send + 'static,
    {
        let Words { name, title, about } = words;
        let run: Run = Arc::new(move |call, args| {
            let future = arguments::read::<A>(name, &args).map(|args| run(call, args));
            Box::pin(async move { noted(future?.await?, note) })
        });
        let output = Some(schema::open_to_errors(schema::of::<S>()));
        Tool::bare(name, title, about, level, schema::of::<A>(), output, run)
    }
}

fn noted(answer: Value, note: &str) -> Result<Answer, Error> {
    let Value::Object(mut fields) = answer else {
        return Err(Error::broken("an answer that is no object"));
    };
    fields.insert("note".into(), note.into());
    Ok(Answer::Value(Reply::from(Value::Object(fields))))
}

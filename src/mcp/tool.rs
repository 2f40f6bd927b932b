//! A tool: its name, its schemas and what it does.

use crate::config::JsonSchema;
use crate::error::Error;
use crate::mcp::Boxed;
use crate::policy::{Caller, Level};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What a tool's function gets besides its arguments.
#[derive(Clone)]
pub struct Call {
    /// On whose behalf.
    pub caller: Caller,
    /// Cancelled when the client gave up; long waits must select on it.
    pub cancelled: CancellationToken,
    /// Where progress goes; silent when the client did not ask for it.
    pub progress: Progress,
    /// The `confirm` token that the client sent along, if any.
    pub confirm: Option<String>,
}

/// Done, total, text.
type SendStep = dyn Fn(f64, Option<f64>, Option<String>) -> Boxed<'static, ()> + Send + Sync;

/// Tells a client how far a call has come.
#[derive(Clone, Default)]
pub struct Progress {
    send: Option<Arc<SendStep>>,
}

impl Progress {
    /// Makes one that hands each step to `send`.
    pub fn new<F>(send: F) -> Progress
    where
        F: Fn(f64, Option<f64>, Option<String>) -> Boxed<'static, ()> + Send + Sync + 'static,
    {
        Progress { send: Some(Arc::new(send)) }
    }

    /// Says that `done` of `total` is reached.
    pub async fn report(&self, done: f64, total: Option<f64>, text: Option<&str>) {
        if let Some(send) = &self.send {
            send(done, total, text.map(str::to_owned)).await;
        }
    }
}

/// What a tool answers: a value of its output schema, and a short text for models that read text.
#[derive(Clone, Debug)]
pub struct Reply<R> {
    /// The structured answer.
    pub value: R,
    /// The text; without one the value is sent as compact JSON text.
    pub text: Option<String>,
}

impl<R> From<R> for Reply<R> {
    fn from(value: R) -> Reply<R> {
        Reply { value, text: None }
    }
}

pub(crate) type Run =
    Arc<dyn Fn(Call, Value) -> Boxed<'static, Result<Reply<Value>, Error>> + Send + Sync>;

/// A tool that a service offers.
#[derive(Clone)]
pub struct Tool {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) about: &'static str,
    pub(crate) level: Level,
    pub(crate) destructive: bool,
    pub(crate) idempotent: bool,
    pub(crate) open_world: bool,
    pub(crate) in_profile: bool,
    pub(crate) input: Arc<Map<String, Value>>,
    pub(crate) output: Arc<Map<String, Value>>,
    pub(crate) run: Run,
}

impl Tool {
    /// Makes a tool named `<service>_<verb>_<object>`, at most 48 characters.
    ///
    /// `level` is the least that a caller needs; a tool of level read is announced as read-only.
    /// The input schema comes from `A`, the output schema from `R` (both must be objects).
    pub fn new<A, R, F, Fut>(
        name: &'static str,
        title: &'static str,
        about: &'static str,
        level: Level,
        run: F,
    ) -> Tool
    where
        A: DeserializeOwned + JsonSchema + Send + 'static,
        R: Serialize + JsonSchema + 'static,
        F: Fn(Call, A) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Reply<R>, Error>> + Send + 'static,
    {
        let run: Run = Arc::new(move |call, args| {
            let parsed = serde_json::from_value::<A>(args);
            let future = parsed.map(|args| run(call, args));
            Box::pin(async move {
                let reply = match future {
                    Ok(future) => future.await?,
                    Err(e) => return Err(Error::invalid(format!("{name}: bad arguments: {e}"))),
                };
                let value = serde_json::to_value(reply.value)
                    .map_err(|e| Error::broken(format!("{name}: answer is no JSON")).because(e))?;
                Ok(Reply { value, text: reply.text })
            })
        });
        Tool {
            name,
            title,
            about,
            level,
            destructive: false,
            idempotent: level == Level::Read,
            open_world: false,
            in_profile: true,
            input: Arc::new(schema::<A>()),
            output: Arc::new(schema::<R>()),
            run,
        }
    }

    /// Says that it may undo or overwrite something.
    pub fn destructive(mut self) -> Tool {
        self.destructive = true;
        self
    }

    /// Says that calling it twice with the same arguments is the same as once.
    pub fn idempotent(mut self) -> Tool {
        self.idempotent = true;
        self
    }

    /// Leaves it out of the default profile: it is reached by find and call, and at `/mcp/<service>`.
    pub fn on_demand(mut self) -> Tool {
        self.in_profile = false;
        self
    }

    /// Returns its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the service it belongs to: its name up to the first underscore.
    pub fn service(&self) -> &'static str {
        self.name.split_once('_').map_or(self.name, |(service, _)| service)
    }
}

/// The JSON schema of `T` without what costs a model tokens and says nothing: the title and the
/// dialect.
fn schema<T: JsonSchema>() -> Map<String, Value> {
    let generator = schemars::generate::SchemaSettings::draft2020_12()
        .with(|s| {
            s.inline_subschemas = true;
            s.meta_schema = None;
        })
        .into_generator();
    let Value::Object(mut map) = generator.into_root_schema_for::<T>().to_value() else {
        return Map::new();
    };
    map.remove("title");
    map.remove("description");
    map
}

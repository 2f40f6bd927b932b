//! A tool: its name, its schemas and what it does.

use crate::config::JsonSchema;
use crate::error::Error;
use crate::mcp::schema::{self, Schema};
use crate::mcp::{Answer, Boxed, Client, Place, arguments};
use crate::policy::{Caller, Level};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Duration;
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
    /// The client at the other end.
    pub client: Client,
}

impl Call {
    /// Makes a call on behalf of `caller` that nobody watches: no progress, no client to ask.
    pub fn new(caller: Caller) -> Call {
        Call {
            caller,
            cancelled: CancellationToken::new(),
            progress: Progress::default(),
            confirm: None,
            client: Client::default(),
        }
    }
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
    Arc<dyn Fn(Call, Value) -> Boxed<'static, Result<Answer, Error>> + Send + Sync>;

/// Says from its arguments which level a call needs.
pub(crate) type LevelOf = fn(&Map<String, Value>) -> Level;

/// A tool that a service offers.
#[derive(Clone)]
pub struct Tool {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) about: &'static str,
    pub(crate) level: Level,
    pub(crate) acting: Option<LevelOf>,
    pub(crate) destructive: bool,
    pub(crate) idempotent: bool,
    pub(crate) open_world: bool,
    pub(crate) in_profile: bool,
    pub(crate) within: Option<Duration>,
    pub(crate) budget: Option<usize>,
    pub(crate) place: Option<Place>,
    pub(crate) also: Option<&'static str>,
    pub(crate) whole: bool,
    pub(crate) input: Schema,
    pub(crate) output: Option<Schema>,
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
            let future = arguments::read::<A>(name, &args).map(|args| run(call, args));
            Box::pin(async move {
                let reply = future?.await?;
                let value = serde_json::to_value(reply.value)
                    .map_err(|e| Error::broken(format!("{name}: answer is no JSON")).because(e))?;
                Ok(Answer::Value(Reply { value, text: reply.text }))
            })
        });
        let output = Some(schema::open_to_errors(schema::of::<R>()));
        Tool::bare(name, title, about, level, schema::of::<A>(), output, run)
    }

    /// Makes a tool that answers content blocks or asks the person, and so has no output schema.
    pub fn rich<A, F, Fut>(
        name: &'static str,
        title: &'static str,
        about: &'static str,
        level: Level,
        run: F,
    ) -> Tool
    where
        A: DeserializeOwned + JsonSchema + Send + 'static,
        F: Fn(Call, A) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Answer, Error>> + Send + 'static,
    {
        let run: Run = Arc::new(move |call, args| {
            let future = arguments::read::<A>(name, &args).map(|args| run(call, args));
            Box::pin(async move { future?.await })
        });
        Tool::bare(name, title, about, level, schema::of::<A>(), None, run)
    }

    /// Makes a tool whose input schema is only known while the program runs: of what a person wrote.
    /// `input` is the schema of an object; `run` checks the arguments itself.
    pub fn of_schema<F>(
        name: &'static str,
        title: &'static str,
        about: &'static str,
        level: Level,
        input: Map<String, Value>,
        run: F,
    ) -> Tool
    where
        F: Fn(Call, Map<String, Value>) -> Boxed<'static, Result<Answer, Error>>
            + Send
            + Sync
            + 'static,
    {
        let run: Run = Arc::new(move |call, args| match args {
            Value::Object(args) => run(call, args),
            _ => Box::pin(async move {
                Err(Error::invalid(format!("{name}: the arguments must be an object")))
            }),
        });
        Tool::bare(name, title, about, level, Arc::new(input), None, run)
    }

    pub(super) fn bare(
        name: &'static str,
        title: &'static str,
        about: &'static str,
        level: Level,
        input: Schema,
        output: Option<Schema>,
        run: Run,
    ) -> Tool {
        debug_assert!(name.len() <= 48, "{name} has more than 48 characters");
        debug_assert!(input.get("type").is_some_and(|t| t == "object"), "{name} takes no object");
        Tool {
            name,
            title,
            about,
            level,
            acting: None,
            destructive: false,
            idempotent: level == Level::Read,
            open_world: false,
            in_profile: true,
            within: None,
            budget: None,
            place: None,
            also: None,
            whole: false,
            input,
            output,
            run,
        }
    }

    /// Says that it may undo or overwrite something.
    pub fn destructive(mut self) -> Tool {
        self.destructive = true;
        self
    }

    /// Says that some calls need more than its own level, and which. Such a tool is listed for
    /// everybody who may make the least of its calls, takes `confirm`, and is not announced as
    /// read-only; policy checks and writes down each call at its own level.
    pub fn acting(mut self, level: fn(&Map<String, Value>) -> Level) -> Tool {
        self.acting = Some(level);
        self.idempotent = false;
        self
    }

    /// Says that calling it twice with the same arguments is the same as once.
    pub fn idempotent(mut self) -> Tool {
        self.idempotent = true;
        self
    }

    /// Says that it reaches beyond the house: the internet, other people's services.
    pub fn open_world(mut self) -> Tool {
        self.open_world = true;
        self
    }

    /// Leaves it out of the default profile: it is reached by find and call, and at `/mcp/<service>`.
    pub fn on_demand(mut self) -> Tool {
        self.in_profile = false;
        self
    }

    /// Gives each call so much time in place of `mcp.call_seconds`.
    pub fn within(mut self, time: Duration) -> Tool {
        self.within = Some(time);
        self
    }

    /// Lets its answer have so many bytes in place of `mcp.answer_bytes`; for pictures and the like.
    pub fn budget(mut self, bytes: usize) -> Tool {
        self.budget = Some(bytes);
        self
    }

    /// Returns its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the least level that a caller needs.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Says that it refuses whoever may use chosen entities only: it is not listed for them.
    pub fn for_whole_house(mut self) -> Tool {
        self.whole = true;
        self
    }

    /// Lists it at `/mcp/<profile>` too, beside its service's own.
    pub fn also_in(mut self, profile: &'static str) -> Tool {
        self.also = Some(profile);
        self
    }

    /// Gives it a place of its own, for one whose name does not begin with its service.
    pub fn placed(mut self, place: Place) -> Tool {
        self.place = Some(place);
        self
    }

    /// Returns the service it belongs to: its name up to the first underscore, unless it is placed.
    pub fn service(&self) -> &'static str {
        let named = || self.name.split_once('_').map_or(self.name, |(service, _)| service);
        self.place.map_or_else(named, |place| place.service)
    }

    /// Returns the profile besides the default one that lists it.
    pub(crate) fn profile(&self) -> &'static str {
        self.place.map_or_else(|| self.service(), |place| place.profile)
    }

    /// Returns the level that a call with these arguments needs, never less than the tool's own.
    pub(crate) fn level_of(&self, args: &Map<String, Value>) -> Level {
        self.acting.map_or(self.level, |acting| acting(args).max(self.level))
    }

    /// Whether none of its calls changes anything.
    pub(crate) fn only_reads(&self) -> bool {
        self.level == Level::Read && self.acting.is_none() && !self.destructive
    }

    /// Whether it takes the optional argument `confirm`: everything that changes something does.
    pub(crate) fn takes_confirm(&self) -> bool {
        !self.only_reads()
    }
}

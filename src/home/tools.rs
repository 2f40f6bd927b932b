//! The six tools with which an assistant controls a house.
//!
//! Their words are few: the catalogue of this part stays below 6 KB, because every client carries it
//! in each conversation.

use crate::config::JsonSchema;
use crate::error::Error;
use crate::home::call::{self, Done, Order, Plan, Verdict};
use crate::home::find::Query;
use crate::home::house::{House, now};
use crate::home::select::{Filter, Target, Wanted};
use crate::home::text::{self, NOTE, clean};
use crate::home::view::{self, Row};
use crate::home::{Home, overview, template, watch};
use crate::mcp::{Call, Reply, Tool, page};
use crate::policy::Level;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;

/// What the entities in an answer may take, in bytes.
pub(crate) const BUDGET: usize = 7 * 1024;
/// Longest wait of `home_watch`, in seconds.
const LONGEST_WATCH: u64 = 60;
/// Longest rendering of `home_template`, in seconds.
const LONGEST_RENDER: u64 = 10;

/// Returns the tools.
pub fn tools(home: &Home) -> Vec<Tool> {
    vec![
        tool(
            home,
            "home_overview",
            "House overview",
            "Rooms, counts by domain, what is on, problems.",
            Level::Read,
            overview,
        ),
        tool(
            home,
            "home_find",
            "Find entities",
            "Find entities by text and filters; areas, floors and labels by name or id. Give `next` \
             back as `cursor` for more.",
            Level::Read,
            find,
        ),
        tool(
            home,
            "home_get",
            "Read entities",
            "States, attributes and places of entities.",
            Level::Read,
            get,
        ),
        tool(
            home,
            "home_call",
            "Call a service",
            "Call any Home Assistant service. Says per entity: verified (the state shows it), \
             pending, or unchanged.",
            Level::Control,
            call,
        )
        .destructive()
        .within(Duration::from_secs(home.config().timeout_seconds + 5)),
        tool(
            home,
            "home_watch",
            "Wait for a change",
            "Wait until an entity changes or an event fires.",
            Level::Read,
            watch,
        )
        .within(Duration::from_secs(LONGEST_WATCH + 5)),
        tool(
            home,
            "home_template",
            "Render a template",
            "Render a Jinja template in Home Assistant.",
            Level::Read,
            template,
        ),
    ]
}

fn tool<A, F, Fut>(
    home: &Home,
    name: &'static str,
    title: &'static str,
    about: &'static str,
    level: Level,
    run: F,
) -> Tool
where
    A: serde::de::DeserializeOwned + JsonSchema + Send + 'static,
    F: Fn(Home, Call, A) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Value, Error>> + Send + 'static,
{
    let (home, run) = (home.clone(), Arc::new(run));
    Tool::new::<A, Answered, _, _>(name, title, about, level, move |call, args| {
        let (home, run) = (home.clone(), run.clone());
        async move {
            home.met().await;
            let Value::Object(mut fields) = run(home, call, args).await? else {
                return Err(Error::broken("an answer that is no object"));
            };
            fields.insert("note".into(), NOTE.into());
            Ok(Reply::from(Answered { fields }))
        }
    })
}

/// What every tool of a house answers.
#[derive(Serialize, JsonSchema)]
struct Answered {
    #[serde(flatten)]
    fields: Row,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OverviewArgs {
    #[serde(default)]
    house: String,
}

async fn overview(home: Home, call: Call, args: OverviewArgs) -> Result<Value, Error> {
    let house = home.house(Some(&args.house))?;
    let cache = house.known()?;
    let mut answer = Value::Object(overview::overview(house, &cache, home.sight(&call.caller)));
    drop(cache);
    text::shrink(&mut answer, BUDGET);
    Ok(stamped(house, answer))
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct FindArgs {
    /// Words, id or name, also misspelt
    pub(crate) query: String,
    /// One or more, by comma
    pub(crate) domain: String,
    pub(crate) area: String,
    pub(crate) floor: String,
    pub(crate) label: String,
    /// on | on,open | !off | >20
    pub(crate) state: String,
    /// 90s, 30m, 2h, 1d
    pub(crate) changed_within: String,
    /// name state unit area floor labels device last_changed, or attributes
    pub(crate) fields: Vec<String>,
    pub(crate) cursor: String,
    pub(crate) house: String,
}

pub(crate) async fn find(home: Home, call: Call, args: FindArgs) -> Result<Value, Error> {
    let house = home.house(Some(&args.house))?;
    let cache = house.known()?;
    let some = |text: &'_ String| (!text.trim().is_empty()).then(|| text.clone());
    let wanted = [
        some(&args.domain),
        some(&args.area),
        some(&args.floor),
        some(&args.label),
        some(&args.state),
        some(&args.changed_within),
    ];
    let [domain, area, floor, label, state, changed_within] =
        wanted.each_ref().map(Option::as_deref);
    let wanted = Wanted { domain, area, floor, label, state, changed_within };
    let filter = Filter::read(&cache, wanted, now())?;
    let query = Query::read(&args.query);
    let sight = home.sight(&call.caller);
    let mut hits: Vec<(String, &Arc<str>)> = sight
        .iter(&cache)
        .filter(|(id, entity)| filter.fits(id, entity))
        .filter_map(|(id, entity)| {
            let rank = match &query {
                None => String::new(),
                // Better ones sort first, and equal ones by id: a cursor names a place in that.
                Some(query) => format!("{:04}", 1000 - query.score(&cache, id, entity)?),
            };
            Some((format!("{rank}{id}"), id))
        })
        .collect();
    hits.sort_unstable();
    let total = hits.len();
    let usual: Vec<String> = view::USUAL.iter().map(|field| (*field).to_owned()).collect();
    let fields = if args.fields.is_empty() { &usual } else { &args.fields };
    let rows = hits.into_iter().filter_map(|(key, id)| {
        Some(Hit { key, row: view::row(house, &cache, id, cache.get(id)?, fields) })
    });
    let cursor = some(&args.cursor);
    let page = page(rows, |hit| hit.key.clone(), cursor.as_deref(), BUDGET)?;
    let items: Vec<Row> = page.items.into_iter().map(|hit| hit.row).collect();
    drop(cache);
    let mut answer = json!({ "entities": items, "total": total });
    if let Some(next) = page.next {
        answer["next"] = next.into();
    }
    Ok(stamped(house, answer))
}

struct Hit {
    key: String,
    row: Row,
}

impl Serialize for Hit {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.row.serialize(serializer)
    }
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct GetArgs {
    #[serde(deserialize_with = "ids", alias = "entity_id", alias = "entities")]
    entity_ids: Vec<String>,
    /// Only these; [] for none
    attributes: Option<Vec<String>>,
    cursor: String,
    house: String,
}

async fn get(home: Home, call: Call, args: GetArgs) -> Result<Value, Error> {
    let house = home.house(Some(&args.house))?;
    let cache = house.known()?;
    let sight = home.sight(&call.caller);
    let mut wanted = args.entity_ids;
    wanted.sort_unstable();
    wanted.dedup();
    let (known, missing): (Vec<_>, Vec<_>) =
        wanted.iter().partition(|id| sight.get(&cache, id).is_some());
    if known.is_empty() {
        let ids = missing.iter().take(5).map(|id| clean(id, 80)).collect::<Vec<_>>().join("', '");
        return Err(Error::not_found(format!("there is no entity '{ids}'; home_find lists them")));
    }
    let attributes = args.attributes.as_deref();
    let rows = known.into_iter().filter_map(|id| {
        let mut row = view::whole(house, &cache, id, sight.get(&cache, id)?, attributes);
        if let Some(attributes) = row.get_mut("attributes") {
            text::shrink(attributes, BUDGET - 1024);
        }
        Some(Hit { key: id.clone(), row })
    });
    let cursor = (!args.cursor.is_empty()).then_some(args.cursor.as_str());
    let page = page(rows, |hit| hit.key.clone(), cursor, BUDGET)?;
    let items: Vec<Row> = page.items.into_iter().map(|hit| hit.row).collect();
    drop(cache);
    let mut answer = json!({ "entities": items });
    if !missing.is_empty() {
        answer["missing"] = missing.iter().take(50).map(|id| clean(id, 80)).collect();
    }
    if let Some(next) = page.next {
        answer["next"] = next.into();
    }
    Ok(stamped(house, answer))
}

/// What a call is aimed at, in Home Assistant's own words.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct TargetArgs {
    #[serde(deserialize_with = "ids")]
    entity_id: Vec<String>,
    #[serde(deserialize_with = "ids")]
    device_id: Vec<String>,
    #[serde(deserialize_with = "ids")]
    area_id: Vec<String>,
    #[serde(deserialize_with = "ids")]
    floor_id: Vec<String>,
    #[serde(deserialize_with = "ids")]
    label_id: Vec<String>,
}

/// A call, as tools and routes take it.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct CallArgs {
    /// Like light.turn_on
    service: String,
    /// Unless it stands in service
    domain: String,
    /// Areas, floors and labels by name or id
    target: TargetArgs,
    /// Like {"brightness_pct": 40}
    data: Map<String, Value>,
    /// For services that answer with data
    return_response: bool,
    /// Only list what it would touch
    dry_run: bool,
    house: String,
}

/// Takes one text, texts separated by commas, or a list of them: assistants write all three.
fn ids<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Ids {
        One(String),
        Many(Vec<String>),
    }
    Ok(match Ids::deserialize(from)? {
        Ids::One(text) => text.split(',').map(|id| id.trim().to_owned()).collect(),
        Ids::Many(ids) => ids,
    })
}

pub(crate) async fn call(home: Home, call: Call, args: CallArgs) -> Result<Value, Error> {
    let house = home.house(Some(&args.house))?;
    let target = Target {
        entities: args.target.entity_id,
        devices: args.target.device_id,
        areas: args.target.area_id,
        floors: args.target.floor_id,
        labels: args.target.label_id,
    };
    let service = match args.domain.as_str() {
        "" => args.service,
        domain if args.service.starts_with(&format!("{domain}.")) => args.service,
        domain => format!("{domain}.{}", args.service),
    };
    let return_response = args.return_response;
    let order = Order { service, target, data: args.data, return_response };
    let plan = call::plan(&home, house, &call.caller, order)?;
    let answer = match args.dry_run {
        true => dry(house, &plan),
        false => {
            let done = call::run(&home, house, &call.caller, plan, call.confirm.as_deref()).await?;
            told(house, done)
        }
    };
    Ok(stamped(house, answer))
}

fn dry(house: &House, plan: &Plan) -> Value {
    let cache = house.cache();
    let rows = plan
        .touched
        .iter()
        .filter_map(|id| Some(view::row(house, &cache, id, cache.get(id)?, &["name", "state"])));
    let mut answer = limited(rows.map(Value::from));
    answer["dry_run"] = true.into();
    if !plan.risky.is_empty() {
        answer["needs_confirmation"] = json!(plan.risky);
    }
    answer
}

fn told(house: &House, done: Done) -> Value {
    let cache = house.cache();
    let count = |wanted: Verdict| done.entities.iter().filter(|(_, v)| *v == wanted).count();
    let counts = [Verdict::Verified, Verdict::Pending, Verdict::Unchanged]
        .map(|verdict| (verdict.word().to_owned(), json!(count(verdict))));
    let rows = done.entities.iter().map(|(id, verdict)| {
        let state = cache.get(id).map(|entity| clean(&entity.state, 255));
        json!({ "id": **id, "result": verdict.word(), "state": state })
    });
    let mut answer = limited(rows);
    answer["counts"] = Value::Object(counts.into_iter().filter(|(_, n)| *n != 0).collect());
    if done.unanswered {
        answer["unanswered"] = "Home Assistant is still at it".into();
    }
    if let Some(mut response) = done.response {
        if text::shrink(&mut response, BUDGET - 1024) {
            answer["response_cut"] = true.into();
        }
        answer["response"] = text::clean_value(response);
    }
    answer
}

/// The rows that fit beside a response, and how many more there are.
fn limited(rows: impl Iterator<Item = Value>) -> Value {
    let (mut shown, mut used, mut more) = (Vec::new(), 0, 0);
    for row in rows {
        used += row.to_string().len() + 1;
        match used < BUDGET / 2 {
            true => shown.push(row),
            false => more += 1,
        }
    }
    let mut answer = json!({ "entities": shown });
    if more > 0 {
        answer["more"] = more.into();
    }
    answer
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct WatchArgs {
    /// Else any that fits
    #[serde(deserialize_with = "ids", alias = "entity_id", alias = "entities")]
    entity_ids: Vec<String>,
    domain: String,
    area: String,
    label: String,
    /// The state to wait for
    state: String,
    /// Attribute changes too
    attributes: bool,
    /// An event instead
    event_type: String,
    /// At most 60, else 30
    seconds: Option<u64>,
    house: String,
}

async fn watch(home: Home, call: Call, args: WatchArgs) -> Result<Value, Error> {
    let house = home.house(Some(&args.house))?;
    let within = Duration::from_secs(args.seconds.unwrap_or(30).clamp(1, LONGEST_WATCH));
    let happened = if args.event_type.is_empty() {
        let filter = {
            let cache = house.known()?;
            let set = |text: &'_ str| (!text.trim().is_empty()).then(|| text.to_owned());
            let wanted = [set(&args.domain), set(&args.area), set(&args.label), set(&args.state)];
            let [domain, area, label, state] = wanted.each_ref().map(Option::as_deref);
            let wanted = Wanted { domain, area, label, state, ..Wanted::default() };
            Filter::read(&cache, wanted, now())?
        };
        let (entities, attributes) = (args.entity_ids, args.attributes);
        let watch = watch::Watch { entities, filter, attributes, within };
        watch::state(&home, house, &call, &watch).await?
    } else {
        needs_open_scope(&home, &call, "an event can tell of every entity")?;
        watch::event(house, &call, &args.event_type, within).await?
    };
    let answer = match happened {
        Some(what) => json!({ "happened": what }),
        None => json!({ "happened": null, "nothing_within_seconds": within.as_secs() }),
    };
    Ok(stamped(house, answer))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TemplateArgs {
    template: String,
    /// At most 10, else 3
    seconds: Option<u64>,
    #[serde(default)]
    house: String,
}

async fn template(home: Home, call: Call, args: TemplateArgs) -> Result<Value, Error> {
    needs_open_scope(&home, &call, "a template can read every entity")?;
    let house = home.house(Some(&args.house))?;
    let seconds = args.seconds.unwrap_or(3).clamp(1, LONGEST_RENDER);
    let rendered = template::render(house, &args.template, seconds).await?;
    let mut answer = json!({ "result": rendered.result });
    if !rendered.warnings.is_empty() {
        answer["warnings"] = rendered.warnings.into();
    }
    if rendered.cut {
        answer["cut"] = true.into();
    }
    Ok(answer)
}

fn needs_open_scope(home: &Home, call: &Call, why: &str) -> Result<(), Error> {
    if home.sight(&call.caller).is_open() {
        return Ok(());
    }
    let name = &call.caller.name;
    Err(Error::refused(format!("{why}, and '{name}' may see chosen ones only")))
}

/// Adds what is to be known of the house's state to an answer.
fn stamped(house: &House, mut answer: Value) -> Value {
    if let Some(since) = house.stale_since() {
        answer["stale_since"] = since.into();
    }
    answer
}

//! One script: its thread, from reading the file until it is stopped.
//!
//! Handlers of a script run one after the other on its thread; what they wait for holds up nobody
//! else. Nothing it does gets out before the whole file was read without an error.

use crate::error::Error;
use crate::events::{Event, Events, Next, Stamped};
use crate::mcp::Toolbox;
use crate::plugins::desk::{Desk, Work};
use crate::plugins::meter::{Meter, said};
use crate::plugins::offer::{Job, Offer, Offered};
use crate::plugins::reach::Reach;
use crate::plugins::report::Report;
use crate::plugins::value::{to_json, to_lua};
use crate::plugins::{Config, sandbox, words};
use crate::policy::{Caller, Level};
use crate::store::Store;
use jiff::tz::TimeZone;
use mlua::{Function, Lua, Value};
use serde_json::{Value as Json, json};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// What a script is started with.
pub(super) struct Start {
    pub(super) name: String,
    pub(super) file: String,
    pub(super) code: Vec<u8>,
    pub(super) config: Config,
    pub(super) zone: TimeZone,
    pub(super) caller: Caller,
    pub(super) toolbox: Toolbox,
    pub(super) store: Store,
    pub(super) events: Events,
    pub(super) runtime: tokio::runtime::Handle,
    pub(super) stop: CancellationToken,
    pub(super) report: Report,
    pub(super) jobs: mpsc::Receiver<Job>,
    /// Gets the tools that it offers, once it is read.
    pub(super) read: oneshot::Sender<Result<Vec<Offered>, String>>,
}

/// The Lua of a script and what belongs to it. The order is that in which it is taken down.
struct Script {
    desk: Rc<RefCell<Desk>>,
    reach: Rc<Reach>,
    meter: Rc<Meter>,
    report: Report,
    lua: Lua,
}

/// Reads the script and runs it until it is stopped. Holds its thread.
pub(super) fn run(start: Start) {
    let Start { events, runtime, stop, mut jobs, read, .. } = start;
    let script = Script::read(
        &start.file,
        &start.code,
        &start.config,
        start.report,
        start.zone,
        Reach {
            name: start.name,
            runtime: runtime.clone(),
            toolbox: start.toolbox,
            store: start.store,
            caller: start.caller,
            stop: stop.clone(),
            meter: Rc::new(Meter::new(
                start.config.steps,
                Duration::from_secs(start.config.seconds),
                stop.clone(),
            )),
            ceiling: Cell::new(Level::Admin),
        },
    );
    let script = match script {
        Ok(script) => script,
        Err(why) => return drop(read.send(Err(why))),
    };
    // From here on it hears; nothing falls between being read and the first wait.
    let mut bus = events.read();
    let offered = script.desk.borrow().offers.iter().map(Offer::offered).collect();
    if read.send(Ok(offered)).is_err() {
        return;
    }
    enum Wake {
        Stop,
        Due,
        Job(Option<Job>),
        Bus(Next),
    }
    loop {
        let due = script.desk.borrow().next_due();
        let listens = script.desk.borrow().listens();
        let wake = runtime.block_on(async {
            let due = due.map(tokio::time::Instant::from_std);
            tokio::select! {
                biased;
                () = stop.cancelled() => Wake::Stop,
                () = at(due) => Wake::Due,
                job = jobs.recv() => Wake::Job(job),
                next = bus.next(), if listens => Wake::Bus(next),
            }
        });
        match wake {
            Wake::Stop | Wake::Job(None) | Wake::Bus(Next::Closed) => return,
            Wake::Due => script.do_due(),
            Wake::Job(Some(job)) => script.answer(job),
            Wake::Bus(Next::Event(event)) => script.hear(&event),
            Wake::Bus(Next::Lost(count)) => {
                script.desk.borrow_mut().doubt();
                script.report.change(|facts| facts.lost += count);
            }
        }
    }
}

/// Waits for a moment; for ever when there is none.
pub(super) async fn at(due: Option<tokio::time::Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

impl Script {
    fn read(
        file: &str,
        code: &[u8],
        config: &Config,
        report: Report,
        zone: TimeZone,
        reach: Reach,
    ) -> Result<Script, String> {
        let meter = reach.meter.clone();
        let begin = || -> mlua::Result<(Lua, Rc<RefCell<Desk>>, Rc<Reach>)> {
            let lua = sandbox::make(config.memory_mb << 20, &meter, &zone)?;
            let desk = Rc::new(RefCell::new(Desk::new(zone)));
            let reach = Rc::new(reach);
            words::add(&lua, &desk, &reach)?;
            Ok((lua, desk, reach))
        };
        let (lua, desk, reach) = begin().map_err(|e| said(&e))?;
        meter.begin();
        let chunk =
            lua.load(code).set_name(format!("@{file}")).set_mode(mlua::chunk::ChunkMode::Text);
        chunk.exec().map_err(|e| said(&e))?;
        desk.borrow_mut().loading = false;
        let script = Script { desk, reach, meter, report, lua };
        script.count();
        Ok(script)
    }

    fn do_due(&self) {
        loop {
            let work = self.desk.borrow_mut().due();
            let Some(work) = work else { return };
            self.work(work);
            if self.reach.stop.is_cancelled() {
                return;
            }
        }
    }

    fn hear(&self, event: &Arc<Stamped>) {
        if !self.reach.hears(&event.event) {
            return;
        }
        let (work, lost) = self.desk.borrow_mut().take(event);
        self.report.change(|facts| facts.lost += lost);
        work.into_iter().for_each(|work| self.work(work));
    }

    fn work(&self, work: Work) {
        match work {
            Work::Timer(run) => drop(self.run(&run, &Json::Null)),
            Work::Event(run, event) => drop(self.run(&run, &told(&event.event))),
            Work::IfStill(run, event, id) => {
                let Event::Entity(e) = &event.event else { return };
                self.meter.begin();
                let state = match self.reach.entity(&e.entity_id) {
                    Ok(entity) => entity.and_then(|e| e["state"].as_str().map(str::to_owned)),
                    Err(e) => return self.report.ran(Duration::ZERO, Some(&e.to_string())),
                };
                if state.is_some_and(|state| self.desk.borrow().wants(id, &state)) {
                    drop(self.run(&run, &told(&event.event)));
                }
            }
        }
    }

    fn answer(&self, job: Job) {
        let run = {
            let desk = self.desk.borrow();
            desk.offers.iter().find(|offer| offer.name == job.tool).map(|offer| offer.run.clone())
        };
        // Whoever asked may have given up while it waited for its turn.
        let Some(run) = run.filter(|_| !job.reply.is_closed()) else { return };
        self.reach.ceiling.set(job.level);
        let done = self.run(&run, &job.args);
        self.reach.ceiling.set(Level::Admin);
        let done = done.and_then(|value| to_json(&value));
        let done = done.map_err(|why| Error::broken(format!("{}: {why}", job.tool)));
        // As above.
        let _ = job.reply.send(done);
    }

    /// Runs a function of the script with one argument.
    fn run(&self, run: &Function, given: &Json) -> Result<Value, String> {
        let began = Instant::now();
        self.meter.begin();
        let done = to_lua(&self.lua, given).and_then(|given| run.call::<Value>(given));
        let done = done.map_err(|e| said(&e));
        if !self.reach.stop.is_cancelled() {
            self.report.ran(began.elapsed(), done.as_ref().err().map(String::as_str));
        }
        self.count();
        done
    }

    fn count(&self) {
        let ((handlers, timers), memory) = (self.desk.borrow().counts(), self.lua.used_memory());
        self.report.change(|facts| {
            (facts.handlers, facts.timers, facts.memory) = (handlers, timers, memory);
        });
    }
}

/// An event as scripts see it.
fn told(event: &Event) -> Json {
    match event {
        Event::Entity(e) => json!({
            "event": "entity", "house": *e.house, "entity_id": *e.entity_id,
            "from": e.old_state.as_deref(), "to": e.state.as_deref(),
            "name": e.name.as_deref(), "area": e.area.as_deref(), "changed": e.changed,
        }),
        Event::House(h) => json!({ "event": "house", "house": *h.house, "change": h.change }),
        Event::Service(s) => json!({
            "event": "service", "service": s.service, "state": s.state, "reason": s.reason,
        }),
        Event::Audit(_) | Event::Approval(_) => Json::Null,
    }
}

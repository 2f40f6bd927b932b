//! Supervision: every long-lived task and thread of Hearth is started here.
//!
//! A supervised task that fails or panics is logged, backed off and started again; its [`State`] is
//! what `/health` and `/ready` show. Shutdown goes through one token; tasks end in the reverse of
//! their start order. Nothing else in the program calls `tokio::spawn` or `thread::spawn`.

use crate::error::Error;
use crate::events::{Event, Events, Service};
use futures_util::FutureExt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Time from the first token's cancellation until what still runs is abandoned.
pub const SHUTDOWN: Duration = Duration::from_secs(10);
/// So many quick failures in a row make a task count as down (it is still tried again).
const GIVE_UP: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A run this long clears the count of failures.
const STEADY: Duration = Duration::from_secs(60);

/// How a part of Hearth, or a counterpart of it, is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Not there yet.
    Starting,
    /// Doing its work.
    Up,
    /// Works in part, or waits for its counterpart; the reason is for people.
    Degraded(String),
    /// Failed again and again; the reason is for people.
    Down(String),
}

impl State {
    /// Returns the word used in `/health`.
    pub fn word(&self) -> &'static str {
        match self {
            State::Starting => "starting",
            State::Up => "up",
            State::Degraded(_) => "degraded",
            State::Down(_) => "down",
        }
    }

    /// Returns the reason, when there is one.
    pub fn reason(&self) -> Option<&str> {
        match self {
            State::Degraded(why) | State::Down(why) => Some(why),
            State::Starting | State::Up => None,
        }
    }
}

/// Whose state it is: only our own parts can make `/health` fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// A part of Hearth.
    Own,
    /// A configured counterpart: Home Assistant, a broker, Redis, an engine.
    Peer,
}

/// One line of `/health` and `/ready`.
#[derive(Clone, Debug)]
pub struct Health {
    /// Name of the part.
    pub name: &'static str,
    /// Whose it is.
    pub whose: Whose,
    /// How it does.
    pub state: State,
    /// How often it was started again after a failure.
    pub restarts: u64,
}

/// Starts and supervises. Cloning it is cheap.
#[derive(Clone)]
pub struct Tasks {
    shared: Arc<Shared>,
}

struct Shared {
    runtime: tokio::runtime::Handle,
    events: Events,
    health: Mutex<Vec<Health>>,
    running: Mutex<Vec<Running>>,
    stop: CancellationToken,
}

// The runtime makes its own copy of the code that drives a task for every type of future, twenty
// functions each. All of ours are given to it as one type.
type Job = Pin<Box<dyn Future<Output = ()> + Send>>;
type Run = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;
type Make = Box<dyn Fn(CancellationToken) -> Run + Send + Sync>;

struct Running {
    name: &'static str,
    stop: CancellationToken,
    join: JoinHandle<()>,
}

/// A part's own line in `/health`; whoever holds it says how the part does.
#[derive(Clone)]
pub struct Status {
    name: &'static str,
    shared: Arc<Shared>,
}

impl Status {
    /// Sets the state; a change is published and logged, a repetition is not.
    pub fn set(&self, state: State) {
        let mut all = lock(&self.shared.health);
        let Some(mine) = all.iter_mut().find(|h| h.name == self.name) else { return };
        if mine.state == state {
            return;
        }
        mine.state = state.clone();
        drop(all);
        match &state {
            State::Starting | State::Up => log::info!("{} is {}", self.name, state.word()),
            State::Degraded(why) => log::warn!("{} is degraded: {why}", self.name),
            State::Down(why) => log::error!("{} is down: {why}", self.name),
        }
        self.shared.events.publish(Event::Service(Service {
            service: self.name.to_owned(),
            state: state.word(),
            reason: state.reason().map(str::to_owned),
        }));
    }

    /// Says that it works.
    pub fn up(&self) {
        self.set(State::Up);
    }

    /// Says that it works in part, and why.
    pub fn degraded(&self, why: impl Into<String>) {
        self.set(State::Degraded(why.into()));
    }

    /// Returns the present state.
    pub fn state(&self) -> State {
        let all = lock(&self.shared.health);
        all.iter().find(|h| h.name == self.name).map_or(State::Starting, |h| h.state.clone())
    }
}

impl Tasks {
    /// Makes a supervisor that runs on the current runtime. Must be called inside one.
    pub fn new(events: Events) -> Tasks {
        Tasks {
            shared: Arc::new(Shared {
                runtime: tokio::runtime::Handle::current(),
                events,
                health: Mutex::new(Vec::new()),
                running: Mutex::new(Vec::new()),
                stop: CancellationToken::new(),
            }),
        }
    }

    /// Adds a line to `/health` (and `/ready`) and returns the handle that sets it.
    pub fn status(&self, name: &'static str, whose: Whose) -> Status {
        let mut all = lock(&self.shared.health);
        if !all.iter().any(|h| h.name == name) {
            all.push(Health { name, whose, state: State::Starting, restarts: 0 });
        }
        Status { name, shared: self.shared.clone() }
    }

    /// Runs `make()` until shutdown and starts it again when it fails or panics.
    ///
    /// The future gets a token that is cancelled at shutdown and must end soon after. One that ends
    /// with `Ok` before that is done for good.
    pub fn spawn<M, F>(&self, name: &'static str, make: M)
    where
        M: Fn(CancellationToken) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        self.supervise(name, Box::new(move |stop| Box::pin(make(stop))));
    }

    fn supervise(&self, name: &'static str, make: Make) {
        let status = self.status(name, Whose::Own);
        let stop = self.shared.stop.child_token();
        let token = stop.clone();
        let join = self.start(Box::pin(async move {
            let mut again = Again::default();
            loop {
                let began = Instant::now();
                // What panics while it is made is caught with what panics while it runs.
                let run = async { make(token.clone()).await };
                let why = match AssertUnwindSafe(run).catch_unwind().await {
                    Ok(Ok(())) => return,
                    Ok(Err(e)) => e.to_string(),
                    Err(panic) => format!("panicked: {}", panic_text(&*panic)),
                };
                if token.is_cancelled() {
                    return;
                }
                let pause = again.after(began.elapsed(), &why, &status);
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = token.cancelled() => return,
                }
            }
        }));
        lock(&self.shared.running).push(Running { name, stop, join });
    }

    fn start(&self, job: Job) -> JoinHandle<()> {
        self.shared.runtime.spawn(job)
    }

    /// Runs `body` on an OS thread of its own, with the same rules as [`Tasks::spawn`].
    pub fn thread<B>(&self, name: &'static str, body: B) -> Result<(), Error>
    where
        B: Fn(CancellationToken) -> Result<(), Error> + Send + Sync + 'static,
    {
        let status = self.status(name, Whose::Own);
        let stop = self.shared.stop.child_token();
        let token = stop.clone();
        let (ended, end) = tokio::sync::oneshot::channel::<()>();
        let run = move || {
            let _ended = ended;
            let mut again = Again::default();
            loop {
                let began = Instant::now();
                let end = std::panic::catch_unwind(AssertUnwindSafe(|| body(token.clone())));
                let why = match end {
                    Ok(Ok(())) => return,
                    Ok(Err(e)) => e.to_string(),
                    Err(panic) => format!("panicked: {}", panic_text(&*panic)),
                };
                if token.is_cancelled() {
                    return;
                }
                let until = Instant::now() + again.after(began.elapsed(), &why, &status);
                while Instant::now() < until && !token.is_cancelled() {
                    std::thread::park_timeout(Duration::from_millis(100));
                }
            }
        };
        #[allow(clippy::disallowed_methods, reason = "the one place that starts threads")]
        std::thread::Builder::new()
            .name(name.to_owned())
            .stack_size(512 * 1024)
            .spawn(run)
            .map_err(|e| Error::broken(format!("cannot start the thread '{name}'")).because(e))?;
        let join = self.start(Box::pin(async move {
            let _ = end.await;
        }));
        lock(&self.shared.running).push(Running { name, stop, join });
        Ok(())
    }

    /// Runs `body` on an OS thread of its own that nobody supervises, for code that may hold its thread
    /// for long. It must end by itself; a panic in it is logged and costs nothing else.
    ///
    /// # Errors
    /// Broken when the system gives no thread.
    pub fn aside<B>(&self, name: &str, stack: usize, body: B) -> Result<(), Error>
    where
        B: FnOnce() + Send + 'static,
    {
        let run = move || {
            if let Err(panic) = std::panic::catch_unwind(AssertUnwindSafe(body)) {
                log::error!("a thread panicked: {}", panic_text(&*panic));
            }
        };
        #[allow(clippy::disallowed_methods, reason = "the one place that starts threads")]
        std::thread::Builder::new()
            .name(name.to_owned())
            .stack_size(stack)
            .spawn(run)
            .map(drop)
            .map_err(|e| Error::broken(format!("cannot start the thread '{name}'")).because(e))
    }

    /// Returns the handle by which such a thread waits for what is asynchronous.
    pub fn runtime(&self) -> tokio::runtime::Handle {
        self.shared.runtime.clone()
    }

    /// Runs a short-lived future (one connection, one request) that nobody supervises. It is
    /// dropped when the runtime ends; a panic in it is logged and costs nothing else.
    pub fn job<F>(&self, future: F) -> JoinHandle<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.start(unharmed(Box::pin(future)))
    }

    /// Runs blocking code on the runtime's bounded pool of threads.
    pub async fn blocking<T, B>(&self, body: B) -> Result<T, Error>
    where
        T: Send + 'static,
        B: FnOnce() -> T + Send + 'static,
    {
        let (answer, answered) = tokio::sync::oneshot::channel();
        let run: Box<dyn FnOnce() + Send> = Box::new(move || {
            // Whoever asked may be gone by now.
            let _ = answer.send(body());
        });
        let failed = |e: &str| Error::broken(format!("a blocking call did not end: {e}"));
        self.shared.runtime.spawn_blocking(run).await.map_err(|e| failed(&e.to_string()))?;
        answered.await.map_err(|_| failed("it gave no answer"))
    }

    /// Returns the token that is cancelled when the program is to end.
    pub fn stopping(&self) -> CancellationToken {
        self.shared.stop.clone()
    }

    /// Returns every line of `/health`, in start order.
    pub fn health(&self) -> Vec<Health> {
        lock(&self.shared.health).clone()
    }

    /// Whether every part of Hearth's own works (degraded counts as working).
    pub fn is_healthy(&self) -> bool {
        let down = |h: &Health| h.whose == Whose::Own && matches!(h.state, State::Down(_));
        !lock(&self.shared.health).iter().any(down)
    }

    /// Whether everything that is configured is there.
    pub fn is_ready(&self) -> bool {
        lock(&self.shared.health).iter().all(|h| h.state == State::Up)
    }

    /// Ends the tasks in reverse start order, each as soon as the one started after it is gone;
    /// abandons what is left after [`SHUTDOWN`].
    pub async fn stop(&self) {
        let mut running = std::mem::take(&mut *lock(&self.shared.running));
        let all = async {
            while let Some(mut task) = running.pop() {
                task.stop.cancel();
                let mut slow = false;
                while tokio::time::timeout(Duration::from_secs(2), &mut task.join).await.is_err() {
                    if !slow {
                        log::warn!("'{}' is slow to end", task.name);
                        slow = true;
                    }
                }
            }
        };
        if tokio::time::timeout(SHUTDOWN, all).await.is_err() {
            log::warn!("not everything ended within {} s", SHUTDOWN.as_secs());
        }
        self.shared.stop.cancel();
    }
}

/// Counts failures and says how long to wait.
#[derive(Default)]
struct Again {
    failures: u32,
}

impl Again {
    fn after(&mut self, ran: Duration, why: &str, status: &Status) -> Duration {
        self.failures = if ran >= STEADY { 1 } else { self.failures + 1 };
        if let Some(mine) = lock(&status.shared.health).iter_mut().find(|h| h.name == status.name) {
            mine.restarts += 1;
        }
        let state = if self.failures >= GIVE_UP { State::Down } else { State::Degraded };
        status.set(state(why.to_owned()));
        LONGEST_PAUSE.min(FIRST_PAUSE * 2u32.saturating_pow(self.failures.min(16) - 1))
    }
}

/// Logs a panic of `job` in place of passing it on.
fn unharmed(job: Job) -> Job {
    Box::pin(async move {
        if let Err(panic) = AssertUnwindSafe(job).catch_unwind().await {
            log::error!("a job panicked: {}", panic_text(&*panic));
        }
    })
}

/// Returns what a panic said.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no text".into())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // A panic while one of these short sections is held leaves nothing half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[tokio::test(start_paused = true)]
    async fn failing_task_is_restarted_and_shown_down() {
        let tasks = Tasks::new(Events::new());
        let runs = Arc::new(AtomicU32::new(0));
        let counted = runs.clone();
        tasks.spawn("frail", move |_| {
            let n = counted.fetch_add(1, Ordering::SeqCst);
            async move {
                if n.is_multiple_of(2) { panic!("odd one") } else { Err(Error::broken("even one")) }
            }
        });
        let mut bus = tasks.shared.events.read();
        while tasks.is_healthy() {
            bus.next().await;
        }
        assert!(runs.load(Ordering::SeqCst) >= GIVE_UP);
        assert_eq!(tasks.health()[0].state, State::Down("panicked: odd one".into()));
        tasks.stop().await;
    }

    #[tokio::test]
    async fn tasks_end_in_reverse_order() {
        let tasks = Tasks::new(Events::new());
        let order = Arc::new(Mutex::new(Vec::new()));
        for name in ["first", "second", "third"] {
            let order = order.clone();
            tasks.spawn(name, move |stop| {
                let order = order.clone();
                async move {
                    stop.cancelled().await;
                    lock(&order).push(name);
                    Ok(())
                }
            });
        }
        tasks.stop().await;
        assert_eq!(*lock(&order), ["third", "second", "first"]);
    }
}

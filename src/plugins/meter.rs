//! What one run of a script may cost, and how it is ended when it costs more.
//!
//! Lua's hook pays for instructions, our own functions for what they do in one go. What is overdrawn
//! stays so until the next run: a script that catches the error meets it again at once.

use mlua::Lua;
use mlua::debug::Debug;
use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// The hook pays for so many instructions at once.
pub(super) const STRIDE: u32 = 1000;

/// The account of one script. It never leaves the script's thread.
pub(super) struct Meter {
    steps: u64,
    time: Duration,
    left: Cell<u64>,
    until: Cell<Instant>,
    over: RefCell<Option<String>>,
    stop: CancellationToken,
}

impl Meter {
    /// Makes one that gives each run `steps` instructions and `time`; `stop` ends any run.
    pub(super) fn new(steps: u64, time: Duration, stop: CancellationToken) -> Meter {
        let until = Cell::new(Instant::now() + time);
        Meter { steps, time, left: Cell::new(steps), until, over: RefCell::new(None), stop }
    }

    /// Begins a run.
    pub(super) fn begin(&self) {
        self.left.set(self.steps);
        self.until.set(Instant::now() + self.time);
        self.over.replace(None);
    }

    /// Returns when this run must have ended.
    pub(super) fn until(&self) -> Instant {
        self.until.get()
    }

    /// Returns how many steps this run still has.
    pub(super) fn left(&self) -> u64 {
        self.left.get()
    }

    /// Whether this run was ended because of what it cost; the text says of what.
    pub(super) fn overdrawn(&self) -> Option<String> {
        self.over.borrow().clone()
    }

    /// Pays for `steps`.
    pub(super) fn pay(&self, steps: u64) -> mlua::Result<()> {
        self.left.set(self.left.get().saturating_sub(steps));
        self.check()
    }

    /// Fails when nothing is left.
    pub(super) fn check(&self) -> mlua::Result<()> {
        let why = if let Some(why) = self.overdrawn() {
            why
        } else if self.stop.is_cancelled() {
            "the script was stopped".to_owned()
        } else if self.left.get() == 0 {
            format!(
                "this run took more than {} steps and was ended (plugins.steps); is there a loop \
                 without an end?",
                self.steps
            )
        } else if Instant::now() >= self.until.get() {
            format!(
                "this run took more than {} s and was ended (plugins.seconds)",
                self.time.as_secs_f64()
            )
        } else {
            return Ok(());
        };
        self.over.replace(Some(why.clone()));
        Err(mlua::Error::runtime(why))
    }
}

/// Returns a failure of one of our functions, with the place in the script that called it.
pub(super) fn fail(lua: &Lua, text: impl std::fmt::Display) -> mlua::Error {
    let place = lua.inspect_stack(1, place).unwrap_or_default();
    mlua::Error::runtime(format!("{place}{text}"))
}

/// Returns file and line of where a script is, as Lua writes them before a text.
pub(super) fn place(at: &Debug) -> String {
    let (source, line) = (at.source().short_src, at.current_line());
    match (source, line) {
        (Some(source), Some(line)) => format!("{source}:{line}: "),
        _ => String::new(),
    }
}

/// Returns what a failure says to a person: one line, with file and line where Lua knows them.
pub(super) fn said(e: &mlua::Error) -> String {
    use mlua::Error::{CallbackError, MemoryError, RuntimeError, SyntaxError, WithContext};
    let text = match e {
        CallbackError { cause, .. } | WithContext { cause, .. } => return said(cause),
        SyntaxError { message, .. } | RuntimeError(message) => message.clone(),
        MemoryError(_) => "not enough memory for this script (plugins.memory_mb)".to_owned(),
        other => other.to_string(),
    };
    let first = text.split("\nstack traceback:").next().unwrap_or_default();
    super::plain(first.trim(), 500)
}

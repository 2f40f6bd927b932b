//! Counts what was answered and what was refused, and writes a log line now and then.
//!
//! Fed by `serve`, `guard` and `control`; read by the metrics page. Never logs more than one line
//! per reason and [`QUIET`], however many refusals there are.

use std::fmt::Display;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// One log line per reason in this time.
const QUIET: Duration = Duration::from_secs(10);

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident => $word:literal, $text:literal;)*) => {
        /// Why a request or connection was refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Reason { $($(#[$doc])* $name,)* }

        impl Reason {
            /// All reasons.
            pub const ALL: &[Reason] = &[$(Reason::$name,)*];

            /// Returns the word used as a metrics label.
            pub fn word(self) -> &'static str {
                match self { $(Reason::$name => $word,)* }
            }

            fn text(self) -> &'static str {
                match self { $(Reason::$name => $text,)* }
            }
        }
    };
}

reasons! {
    /// The bytes are not a request.
    BadRequest => "bad_request", "a request could not be understood";
    /// The head is too long or has too many lines.
    HeadTooLarge => "head_too_large", "the head of a request was too large";
    /// The head did not come in time.
    SlowHead => "slow_head", "the head of a request did not come in time";
    /// The body is larger than the route allows.
    BodyTooLarge => "body_too_large", "the body of a request was too large";
    /// The body did not come in time.
    SlowBody => "slow_body", "the body of a request did not come in time";
    /// The client stopped reading its answer.
    SlowReader => "slow_reader", "a client did not read its answer";
    /// An idle connection was closed for a new one.
    Evicted => "evicted", "an idle connection was closed to make room";
    /// No room, and no connection was idle.
    Full => "full", "a connection was refused, all others are busy";
    /// The system gave no connection.
    Accept => "accept", "the system gave no new connection";
    /// A route panicked.
    Panic => "panic", "a route failed";
    /// The Host header names somebody else.
    WrongHost => "wrong_host", "a request was for another host name";
    /// The Origin header is not ours.
    WrongOrigin => "wrong_origin", "a page of another origin asked";
    /// A token in the address.
    TokenInUrl => "token_in_url", "a token stood in the address of a request";
    /// A token or cookie that nobody knows.
    WrongToken => "wrong_token", "a wrong token was used";
    /// No token at all.
    NoToken => "no_token", "a request came without a token";
    /// Too many requests, or too many wrong tokens.
    RateLimit => "rate_limit", "a client asked too often";
    /// A peer of the control socket that is somebody else.
    WrongPeer => "wrong_peer", "another user or a sandbox tried the control socket";
}

/// The counts. Cloning it is cheap; all clones are the same counts.
#[derive(Clone, Default)]
pub struct Counters {
    shared: Arc<Shared>,
}

struct Shared {
    refused: Vec<AtomicU64>,
    quiet: Mutex<Vec<Quiet>>,
    accepted: AtomicU64,
    open: AtomicI64,
    answers: [AtomicU64; 6],
}

#[derive(Clone, Default)]
struct Quiet {
    said: Option<Instant>,
    unsaid: u64,
}

impl Default for Shared {
    fn default() -> Shared {
        Shared {
            refused: Reason::ALL.iter().map(|_| AtomicU64::new(0)).collect(),
            quiet: Mutex::new(vec![Quiet::default(); Reason::ALL.len()]),
            accepted: AtomicU64::new(0),
            open: AtomicI64::new(0),
            answers: Default::default(),
        }
    }
}

impl Counters {
    /// Returns every reason's word and count.
    pub fn refused(&self) -> Vec<(&'static str, u64)> {
        Reason::ALL.iter().map(|reason| (reason.word(), self.count(*reason))).collect()
    }

    /// Returns how often something was refused for `reason`.
    pub fn count(&self, reason: Reason) -> u64 {
        self.shared.refused[reason as usize].load(Ordering::Relaxed)
    }

    /// Returns how many connections were accepted since the start.
    pub fn accepted(&self) -> u64 {
        self.shared.accepted.load(Ordering::Relaxed)
    }

    /// Returns how many connections are open.
    pub fn open(&self) -> i64 {
        self.shared.open.load(Ordering::Relaxed)
    }

    /// Returns how many answers went out, by class of status: index 2 counts 200 to 299.
    pub fn answers(&self) -> [u64; 6] {
        std::array::from_fn(|class| self.shared.answers[class].load(Ordering::Relaxed))
    }

    pub(crate) fn opened(&self) {
        self.shared.accepted.fetch_add(1, Ordering::Relaxed);
        self.shared.open.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn closed(&self) {
        self.shared.open.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn answered(&self, status: u16) {
        self.shared.answers[usize::from(status / 100).min(5)].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a refusal and logs it, unless one for the same reason was logged just now.
    pub(crate) fn refuse(&self, reason: Reason, who: impl Display) {
        self.shared.refused[reason as usize].fetch_add(1, Ordering::Relaxed);
        let mut all = self.shared.quiet.lock().unwrap_or_else(PoisonError::into_inner);
        let quiet = &mut all[reason as usize];
        quiet.unsaid += 1;
        if quiet.said.is_some_and(|at| at.elapsed() < QUIET) {
            return;
        }
        let times = std::mem::take(&mut quiet.unsaid);
        quiet.said = Some(Instant::now());
        drop(all);
        // Anyone on the network can cause these, so they are no warnings: the user need not act.
        let level = if reason == Reason::Panic { log::Level::Error } else { log::Level::Info };
        log::log!(level, "{} ({times} since the last such line, now {who})", reason.text());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_counted_by_reason() {
        let counters = Counters::default();
        counters.refuse(Reason::SlowHead, "192.0.2.1");
        counters.refuse(Reason::SlowHead, "192.0.2.1");
        assert_eq!(counters.count(Reason::SlowHead), 2);
        assert_eq!(counters.refused().iter().map(|(_, n)| n).sum::<u64>(), 2);
    }

    #[test]
    fn every_reason_has_its_own_word() {
        let mut words: Vec<&str> = Reason::ALL.iter().map(|r| r.word()).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), Reason::ALL.len());
    }
}

//! The services that were called lately: Home Assistant tells of each once, and keeps none.

use crate::home::Home;
use crate::home::things::ServiceCall;
use crate::tasks::Tasks;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// So many are remembered.
const MOST: usize = 500;

/// What is remembered. Cloning it is cheap; all clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Calls {
    kept: Arc<Mutex<Kept>>,
}

#[derive(Default)]
struct Kept {
    calls: VecDeque<ServiceCall>,
    /// Since when calls are heard without a gap, in microseconds since 1970; `None` while they are not.
    since: Option<i64>,
    /// Why they are not.
    why: String,
}

impl Calls {
    /// Returns the calls from `since` on, oldest first.
    pub(crate) fn after(&self, since: i64) -> Vec<ServiceCall> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.calls.iter().filter(|call| call.at >= since).cloned().collect()
    }

    /// Says what of the time from `since` on was not heard, if anything.
    pub(crate) fn gap(&self, since: i64) -> Option<String> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        match kept.since {
            None => Some(format!("service calls are not heard: {}", kept.why)),
            Some(from) if from > since => {
                let from = crate::mqtt::words::time(from);
                Some(format!("service calls are heard since {from} only"))
            }
            Some(_) => None,
        }
    }

    fn take(&self, call: ServiceCall) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.calls.len() >= MOST {
            let gone = kept.calls.pop_front();
            // What came before the oldest that is left is forgotten.
            kept.since = kept.since.max(gone.map(|call| call.at + 1));
        }
        kept.calls.push_back(call);
    }

    fn heard_since(&self, since: Option<i64>, why: &str) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        (kept.since, kept.why) = (since, why.to_owned());
    }
}

/// Listens until the program ends, over every connection to the first house.
pub(crate) fn listen(home: &Home, calls: &Calls, tasks: &Tasks) {
    let (home, calls, stop) = (home.clone(), calls.clone(), tasks.stopping());
    calls.heard_since(None, "Home Assistant has not been reached yet");
    tasks.job(async move {
        let hear = async {
            let mut was_away = true;
            loop {
                home.connected_anew(was_away).await;
                match home.calls().await {
                    Ok(mut heard) => {
                        calls.heard_since(Some(crate::mqtt::now()), "");
                        while let Some(call) = heard.next().await {
                            calls.take(call);
                        }
                        calls.heard_since(None, "the connection to Home Assistant is lost");
                        was_away = true;
                    }
                    Err(e) => {
                        // Refused stays refused for as long as this connection lasts.
                        calls.heard_since(None, e.what());
                        was_away = false;
                    }
                }
            }
        };
        tokio::select! {
            () = hear => {}
            () = stop.cancelled() => {}
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_calls_are_forgotten_and_it_is_said_since_when_they_are_known() {
        let calls = Calls::default();
        assert!(calls.gap(0).is_some());
        calls.heard_since(Some(10), "");
        for at in 0..MOST as i64 + 5 {
            calls.take(ServiceCall { at: at + 20, ..ServiceCall::default() });
        }
        assert_eq!(calls.after(0).len(), MOST);
        assert_eq!((calls.after(0)[0].at, calls.after(30).len()), (25, MOST - 5));
        assert!(calls.gap(26).is_none() && calls.gap(24).is_some());
    }
}

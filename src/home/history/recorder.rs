//! Questions to a house's recorder, so many at once and so large at most.
//!
//! The recorder is a database on a small machine, and the house itself writes to it: a wide question
//! keeps it from that. Whoever asks what is being asked already gets the same answer.

use crate::error::Error;
use crate::home::ask;
use crate::home::house::House;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::{OnceCell, Semaphore};

/// So many questions reach a house's recorder at the same time.
const AT_ONCE: usize = 2;
/// Others wait so long for their turn.
const TURN: Duration = Duration::from_secs(10);
/// Entities times hours that one question for states or the logbook may cover.
const ENTITY_HOURS: f64 = 2_000.0;
/// Hours that a question for the logbook of the whole house may cover.
const HOUSE_HOURS: f64 = 72.0;
/// Rows that one question for statistics may cover.
const ROWS: f64 = 20_000.0;

type Running = OnceCell<Arc<str>>;

/// The way to a house's recorder.
pub(crate) struct Recorder {
    turns: Semaphore,
    /// What is being asked, by the command; whoever waits for it keeps it alive.
    running: Mutex<HashMap<String, Weak<Running>>>,
}

impl Default for Recorder {
    fn default() -> Recorder {
        Recorder { turns: Semaphore::new(AT_ONCE), running: Mutex::default() }
    }
}

impl Recorder {
    /// Asks the recorder of `house` and returns its answer as JSON text.
    ///
    /// # Errors
    /// Limit when it is busy for too long, and as [`ask::text`].
    pub(crate) async fn ask(&self, house: &House, command: &Value) -> Result<Arc<str>, Error> {
        self.guard(&house.name, command.to_string(), || ask::text(house, command)).await
    }

    /// Runs `asking` when it is its turn, unless the same `key` is being asked.
    async fn guard<F, Fut>(&self, house: &str, key: String, asking: F) -> Result<Arc<str>, Error>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<String, Error>>,
    {
        // Whoever was first may be cancelled, or fail: the next one then asks for itself.
        let in_turn = || async {
            let turn = tokio::time::timeout(TURN, self.turns.acquire()).await;
            let _turn = turn.map_err(|_| busy(house))?;
            asking().await.map(Arc::from)
        };
        self.join(key).get_or_try_init(in_turn).await.cloned()
    }

    fn join(&self, key: String) -> Arc<Running> {
        let mut all = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = all.get(&key).and_then(Weak::upgrade) {
            return running;
        }
        // Calls are bounded, and so is what they leave here.
        all.retain(|_, running| running.strong_count() > 0);
        let running = Arc::new(Running::new());
        all.insert(key, Arc::downgrade(&running));
        running
    }
}

fn busy(house: &str) -> Error {
    Error::limit(format!(
        "the recorder of the house '{house}' is busy with {AT_ONCE} other questions; try again shortly"
    ))
}

/// Checks that states or the logbook of so many entities over so many hours may be asked for.
///
/// # Errors
/// Limit: says how to narrow it.
pub(crate) fn check_states(entities: usize, hours: f64) -> Result<(), Error> {
    if entities as f64 * hours <= ENTITY_HOURS {
        return Ok(());
    }
    let fits = match (ENTITY_HOURS / hours).floor() {
        one if one < 1.0 => format!("at most {ENTITY_HOURS} hours of one entity"),
        most => format!("{most} entities over this time, or {:.0} hours of these", {
            (ENTITY_HOURS / entities as f64).floor()
        }),
    };
    Err(Error::limit(format!(
        "{entities} entities over {hours:.0} hours is more than the recorder should read at once; ask \
         for {fits}, or for kind=statistics, which is kept for years and small"
    )))
}

/// Checks that the logbook of the whole house over so many hours may be asked for.
///
/// # Errors
/// Limit: says how to narrow it.
pub(crate) fn check_house(hours: f64) -> Result<(), Error> {
    if hours <= HOUSE_HOURS {
        return Ok(());
    }
    Err(Error::limit(format!(
        "the logbook of the whole house over {hours:.0} hours is more than the recorder should read at \
         once; name entities or an area, or ask for at most {HOUSE_HOURS:.0} hours"
    )))
}

/// Checks that so many rows of statistics may be asked for.
///
/// # Errors
/// Limit: says how to narrow it.
pub(crate) fn check_rows(ids: usize, seconds: f64, period: &str, step: f64) -> Result<(), Error> {
    let rows = ids as f64 * seconds / step;
    if rows <= ROWS {
        return Ok(());
    }
    Err(Error::limit(format!(
        "{ids} statistics by {period} are {rows:.0} rows, more than {ROWS}; take a longer period, a \
         shorter time or fewer ids"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_wide_is_refused_with_a_way_to_narrow_it() {
        assert!(check_states(80, 24.0).is_ok() && check_states(1, 2000.0).is_ok());
        let e = check_states(100, 24.0 * 7.0).unwrap_err().to_string();
        assert!(
            e.contains("11 entities") && e.contains("20 hours") && e.contains("statistics"),
            "{e}"
        );
        let e = check_states(1, 9000.0).unwrap_err().to_string();
        assert!(e.contains("at most 2000 hours of one entity"), "{e}");
        assert!(check_house(72.0).is_ok() && check_house(73.0).is_err());
        assert!(check_rows(10, 86_400.0 * 30.0, "hour", 3600.0).is_ok());
        let e = check_rows(10, 86_400.0 * 30.0, "5minute", 300.0).unwrap_err().to_string();
        assert!(e.contains("86400 rows"), "{e}");
    }

    /// Two questions run, a third waits, and whoever asks what runs already gets that answer.
    #[tokio::test(start_paused = true)]
    async fn few_questions_run_at_once_and_the_same_one_runs_once() {
        use std::sync::atomic::{AtomicUsize, Ordering};
        let (recorder, asked) = (Recorder::default(), AtomicUsize::new(0));
        let open = Semaphore::new(0);
        let ask = |key: &str| {
            let (key, answer) = (key.to_owned(), format!("answer to {key}"));
            recorder.guard("home", key, || async {
                asked.fetch_add(1, Ordering::SeqCst);
                let _go = open.acquire().await;
                Ok(answer)
            })
        };
        let all = async { tokio::join!(ask("a"), ask("a"), ask("b")) };
        tokio::pin!(all);
        tokio::select! {
            biased;
            _ = &mut all => panic!("nothing was answered yet"),
            late = ask("c") => {
                let e = late.unwrap_err();
                assert!(e.what().contains("busy with 2 other questions"), "{e}");
            }
        }
        assert_eq!(asked.load(Ordering::SeqCst), 2);
        open.add_permits(1);
        let (first, second, other) = all.await;
        assert_eq!(&*first.unwrap(), "answer to a");
        assert_eq!((&*second.unwrap(), &*other.unwrap()), ("answer to a", "answer to b"));
        assert_eq!((asked.load(Ordering::SeqCst), &*ask("a").await.unwrap()), (2, "answer to a"));
        assert_eq!(asked.load(Ordering::SeqCst), 3);
    }

    #[test]
    fn what_runs_is_joined_and_nothing_is_kept() {
        let recorder = Recorder::default();
        let first = recorder.join("a".into());
        assert!(Arc::ptr_eq(&first, &recorder.join("a".into())));
        assert!(!Arc::ptr_eq(&first, &recorder.join("b".into())));
        // Nobody waits for it any more: the next one asks anew, and nothing is kept.
        drop(first);
        let again = recorder.join("a".into());
        assert!(again.get().is_none());
        assert_eq!(recorder.running.lock().unwrap().len(), 1);
    }
}

//! The table of latencies: how long each lamp takes from sending to light, and who says so.
//!
//! What a person set wins over what a person tapped, that over what acknowledgements show, that over what
//! is usual for such lamps. Taps and acknowledgements are kept in the store by the lamp's name.

use super::config::{Kind, Lamp};
use super::line::Delay;
use crate::error::Error;
use crate::store::Store;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

const TABLE: &str = "aurora-latency";
/// Lamps whose measurements are kept; those of lamps that are gone from the configuration count, too.
const KEPT_MAX: usize = 256;

/// Who says how long a lamp takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// `latency_ms` of the configuration.
    Set,
    /// Somebody tapped when the lamp flashed.
    Tapped,
    /// Answers of the lamp were timed.
    Acknowledged,
    /// Nobody: it is what such lamps usually take.
    Usual,
}

/// What was measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Milliseconds from sending to light: the median.
    pub ms: f64,
    /// Half of the measurements are within so many milliseconds around it (interquartile range).
    pub spread_ms: f64,
    /// How many measurements there were.
    pub samples: u32,
    /// When, in microseconds since 1970.
    pub at: i64,
}

impl Measured {
    /// What was measured just now.
    pub fn now(ms: f64, spread_ms: f64, samples: u32) -> Measured {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let at = i64::try_from(since.as_micros()).unwrap_or(i64::MAX);
        Measured { ms, spread_ms, samples, at }
    }
}

/// A lamp's row.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Milliseconds from sending to light.
    pub ms: f64,
    /// Who says so.
    pub source: Source,
    /// What was measured, when it was.
    pub measured: Option<Measured>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Entry {
    tapped: Option<Measured>,
    acknowledged: Option<Measured>,
}

/// The table. Cloning it is cheap.
#[derive(Clone)]
pub struct Table {
    store: Store,
    entries: Arc<Mutex<BTreeMap<String, Entry>>>,
}

impl Table {
    /// Reads what was measured before.
    ///
    /// # Errors
    /// As [`Store::list`]. An entry that cannot be read is as if it was not there.
    pub async fn open(store: &Store) -> Result<Table, Error> {
        let rows = store.list(TABLE, "", None, KEPT_MAX).await?;
        let entry = |(key, value): (String, Vec<u8>)| {
            Some((crate::text::unpercent(&key)?, serde_json::from_slice(&value).ok()?))
        };
        let entries = rows.into_iter().filter_map(entry).collect();
        Ok(Table { store: store.clone(), entries: Arc::new(Mutex::new(entries)) })
    }

    /// Returns how long a lamp takes.
    pub fn row(&self, lamp: &Lamp) -> Row {
        let entry = self.lock().get(&lamp.name).copied().unwrap_or_default();
        row(lamp, entry)
    }

    /// Notes what a tap test found; `None` forgets it.
    ///
    /// # Errors
    /// As [`Store::put`]; the table has it all the same, until the next start.
    pub async fn tapped(&self, lamp: &str, found: Option<Measured>) -> Result<(), Error> {
        self.change(lamp, |entry| entry.tapped = found).await
    }

    /// Notes what the answers of a lamp show.
    ///
    /// # Errors
    /// As [`Table::tapped`].
    pub async fn acknowledged(&self, lamp: &str, found: Measured) -> Result<(), Error> {
        self.change(lamp, |entry| entry.acknowledged = Some(found)).await
    }

    /// Tells the show thread what holds for a lamp.
    pub(crate) fn apply(&self, lamp: &Lamp, delay: &Delay) {
        delay.set(self.row(lamp).ms);
    }

    async fn change(&self, lamp: &str, change: impl FnOnce(&mut Entry)) -> Result<(), Error> {
        let entry = {
            let mut entries = self.lock();
            if !entries.contains_key(lamp) && entries.len() >= KEPT_MAX {
                return Err(Error::limit(format!(
                    "latencies of {KEPT_MAX} lamps are kept; there is no room for another"
                )));
            }
            let entry = entries.entry(lamp.to_owned()).or_default();
            change(entry);
            *entry
        };
        let bytes = serde_json::to_vec(&entry)
            .map_err(|e| Error::broken("a latency cannot be written").because(e))?;
        self.store.put(TABLE, &crate::text::percent(lamp), &bytes, None).await
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Entry>> {
        // A panic while one of these short sections is held leaves nothing half done.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn row(lamp: &Lamp, entry: Entry) -> Row {
    let measured = entry.tapped.or(entry.acknowledged);
    let (ms, source) = match (lamp.latency_ms, entry) {
        (Some(ms), _) => (f64::from(ms), Source::Set),
        (_, Entry { tapped: Some(tapped), .. }) => (tapped.ms, Source::Tapped),
        (_, Entry { acknowledged: Some(answers), .. }) => (answers.ms, Source::Acknowledged),
        _ => (lamp.kind.usual_latency(), Source::Usual),
    };
    Row { ms, source, measured }
}

/// Makes a measurement of round trips (ms) to a lamp: half of one is the way there, and to that comes what
/// lamps of this kind take by themselves. `None` when there are fewer than three.
pub(crate) fn of_round_trips(kind: Kind, trips: &mut [f64]) -> Option<Measured> {
    if trips.len() < 3 {
        return None;
    }
    let (median, spread) = quartiles(trips);
    let ms = kind.own_latency() + median / 2.0;
    Some(Measured::now(ms, spread / 2.0, trips.len() as u32))
}

/// The median and the distance between the quartiles; sorts what it is given.
pub(crate) fn quartiles(values: &mut [f64]) -> (f64, f64) {
    values.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let place = share * values.len().saturating_sub(1) as f64;
        let (low, part) = (place.floor() as usize, place.fract());
        let low_value = values.get(low).copied().unwrap_or_default();
        let high_value = values.get(low + 1).copied().unwrap_or(low_value);
        low_value + (high_value - low_value) * part
    };
    (at(0.5), at(0.75) - at(0.25))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lamp(name: &str) -> Lamp {
        Lamp { name: name.into(), ..Lamp::default() }
    }

    #[test]
    fn quartiles_are_those_of_the_values() {
        assert_eq!(quartiles(&mut [5.0, 1.0, 3.0, 2.0, 4.0]), (3.0, 2.0));
        assert_eq!(quartiles(&mut [1.0, 2.0]), (1.5, 0.5));
        assert_eq!(quartiles(&mut [7.0]), (7.0, 0.0));
        assert_eq!(quartiles(&mut []), (0.0, 0.0));
    }

    #[test]
    fn half_a_round_trip_comes_to_what_the_lamp_takes() {
        let found = of_round_trips(Kind::Wled, &mut [10.0, 8.0, 400.0, 12.0, 9.0]).unwrap();
        assert_eq!((found.ms, found.samples), (Kind::Wled.own_latency() + 5.0, 5));
        assert_eq!(of_round_trips(Kind::Wled, &mut [10.0, 8.0]), None);
    }

    #[tokio::test]
    async fn whoever_knows_better_wins_and_it_is_kept() {
        let store = Store::memory();
        let table = Table::open(&store).await.unwrap();
        let shelf = lamp("Shelf, left/1");
        let says = |table: &Table, lamp: &Lamp| {
            let row = table.row(lamp);
            (row.ms, row.source)
        };
        assert_eq!(says(&table, &shelf), (25.0, Source::Usual));
        table.acknowledged(&shelf.name, Measured::now(33.0, 4.0, 10)).await.unwrap();
        assert_eq!(says(&table, &shelf), (33.0, Source::Acknowledged));
        table.tapped(&shelf.name, Some(Measured::now(61.0, 9.0, 12))).await.unwrap();
        assert_eq!(says(&table, &shelf), (61.0, Source::Tapped));
        let set = Lamp { latency_ms: Some(5), ..shelf.clone() };
        assert_eq!(says(&table, &set), (5.0, Source::Set));
        // The next start reads the same, and forgetting a tap gives way to the answers.
        let again = Table::open(&store).await.unwrap();
        assert_eq!(again.row(&shelf), table.row(&shelf));
        again.tapped(&shelf.name, None).await.unwrap();
        assert_eq!(says(&again, &shelf), (33.0, Source::Acknowledged));
        assert_eq!(says(&again, &lamp("other")), (25.0, Source::Usual));
    }

    #[tokio::test]
    async fn the_table_has_an_end() {
        let table = Table::open(&Store::memory()).await.unwrap();
        for n in 0..KEPT_MAX {
            table.tapped(&n.to_string(), None).await.unwrap();
        }
        let full = table.tapped("one more", None).await.unwrap_err();
        assert_eq!(full.kind(), crate::error::Kind::Limit);
        table.tapped("0", Some(Measured::now(1.0, 1.0, 9))).await.unwrap();
    }
}

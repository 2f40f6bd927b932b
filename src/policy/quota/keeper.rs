//! Keeps the counts of days in the store, behind the calls.

use crate::error::Error;
use crate::policy::quota::{Count, Key, Meter, Quota, day_of, margin};
use crate::policy::{now, sha256};
use crate::store::{BATCH_MAX, Op, PAGE_MAX, Store};
use crate::tasks::{Tasks, Whose};
use crate::text::hex;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

const TABLE: &str = "quotas";
/// A count is of no use the day after.
const LASTS: Duration = Duration::from_secs(2 * 24 * 3600);
/// After a write that failed.
const AGAIN: Duration = Duration::from_secs(5);

#[derive(Serialize, Deserialize)]
struct Kept {
    day: u64,
    used: u32,
}

/// Reads what was counted, and writes it from now on while the program runs.
///
/// # Errors
/// What the store says.
pub(in crate::policy) async fn keep(
    meter: &Arc<Meter>,
    store: &Store,
    tasks: &Tasks,
) -> Result<(), Error> {
    if meter.rows.iter().all(|row| row.per_day == 0) {
        return Ok(());
    }
    read(meter, store).await?;
    let (meter, store) = (meter.clone(), store.clone());
    let status = tasks.status("quotas", Whose::Own);
    tasks.spawn("quotas", move |stop| {
        let (meter, store, status) = (meter.clone(), store.clone(), status.clone());
        async move {
            status.up();
            loop {
                tokio::select! {
                    () = meter.wake.notified() => {}
                    () = stop.cancelled() => break,
                }
                if let Err(e) = write(&meter, &store, margin).await {
                    status.degraded(format!("the counts of quotas are not stored: {e}"));
                    tokio::select! {
                        () = tokio::time::sleep(AGAIN) => meter.wake.notify_one(),
                        () = stop.cancelled() => break,
                    }
                } else {
                    status.up();
                }
            }
            // Nothing is counted any more: what is written now is exact.
            write(&meter, &store, |_| 0).await
        }
    });
    Ok(())
}

async fn read(meter: &Meter, store: &Store) -> Result<(), Error> {
    let today = day_of(now());
    let mut after: Option<String> = None;
    loop {
        let page = store.list(TABLE, "", after.as_deref(), PAGE_MAX).await?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        after = Some(last.clone());
        for (name, value) in &page {
            let Some((row, who)) = name.split_once('.') else { continue };
            let kept = serde_json::from_slice::<Kept>(value).ok();
            let place = meter.rows.iter().position(|own| name_of(own) == row);
            let (Some(n), Some(kept)) = (place, kept.filter(|kept| kept.day == today)) else {
                continue;
            };
            let count = Count::fresh(&meter.rows[n], now());
            let count = Count { used: kept.used, kept: kept.used, ..count };
            meter.lock().insert((n, who.into()), count);
        }
    }
}

/// Writes the counts of which the store has too little, `ahead` of what was used.
async fn write(meter: &Meter, store: &Store, ahead: fn(&Quota) -> u32) -> Result<(), Error> {
    let exact = meter.rows.iter().all(|row| ahead(row) == 0);
    let due: Vec<(Key, Kept)> = {
        let mut counts = meter.lock();
        let due = counts.iter_mut().filter_map(|(key, count)| {
            let row = &meter.rows[key.0];
            let is_due = if exact { count.used != count.kept } else { count.is_behind(row) };
            if row.per_day == 0 || !is_due {
                return None;
            }
            let used = count.used.saturating_add(ahead(row));
            Some((key.clone(), Kept { day: count.day, used }))
        });
        due.collect()
    };
    for part in due.chunks(BATCH_MAX) {
        let op = |(key, kept): &(Key, Kept)| {
            let name = format!("{}.{}", name_of(&meter.rows[key.0]), key.1);
            let value = serde_json::to_vec(kept).unwrap_or_default();
            Op::Put { table: TABLE.into(), key: name, value, ttl: Some(LASTS) }
        };
        store.batch(part.iter().map(op).collect()).await?;
        let mut counts = meter.lock();
        for (key, kept) in part {
            if let Some(count) = counts.get_mut(key).filter(|count| count.day == kept.day) {
                count.kept = kept.used;
            }
        }
    }
    Ok(())
}

/// The name of a quota in the store: whom and what it counts, so that a new limit keeps the count.
fn name_of(row: &Quota) -> String {
    let text = format!("{}\n{}\n{}", row.tool, row.token, row.together);
    hex(&sha256(&text)[..6])
}

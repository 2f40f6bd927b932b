//! What WLEDs showed before a show, kept in the store until it is put back: also by the next start, when
//! Hearth was killed in between.

use super::config::Lamp;
use super::wled;
use crate::error::Error;
use crate::http::ask::Ask;
use crate::store::Store;
use crate::text::{percent, unpercent};
use futures_util::future::join_all;
use serde_json::{Map, Value};
use std::time::Duration;

const TABLE: &str = "aurora-before";
/// After a day nobody wants back what there was.
const LIFE: Duration = Duration::from_secs(24 * 3600);
const ID_TABLE: &str = "aurora";
const ID_KEY: &str = "id";

/// What one WLED showed.
#[derive(Clone, Debug)]
pub(crate) struct Before {
    web: String,
    state: Map<String, Value>,
}

/// Reads and keeps what the WLEDs among these lamps show. One that does not answer is left as it is.
pub(crate) async fn save(ask: &Ask, store: &Store, lamps: &[Lamp]) -> Vec<Before> {
    let mut webs: Vec<String> = lamps.iter().filter_map(wled::web).collect();
    webs.sort_unstable();
    webs.dedup();
    let saved = webs.into_iter().map(|web| async move {
        match save_one(ask, store, &web).await {
            Ok(state) => Some(Before { web, state }),
            Err(e) => {
                log::info!("what the WLED at {web} shows is not kept for after the show: {e}");
                None
            }
        }
    });
    join_all(saved).await.into_iter().flatten().collect()
}

async fn save_one(ask: &Ask, store: &Store, web: &str) -> Result<Map<String, Value>, Error> {
    // What a killed Hearth left is what there was before, not what there is now.
    if let Some(kept) = store.get(TABLE, &percent(web)).await?
        && let Ok(state) = serde_json::from_slice(&kept)
    {
        return Ok(state);
    }
    let state = wled::state(ask, web).await?;
    let bytes = serde_json::to_vec(&state)
        .map_err(|e| Error::broken("the state of a WLED cannot be written").because(e))?;
    store.put(TABLE, &percent(web), &bytes, Some(LIFE)).await?;
    Ok(state)
}

/// Puts it back, and forgets it where that worked.
pub(crate) async fn restore(ask: &Ask, store: &Store, all: &[Before]) {
    let restored = all.iter().map(|before| async move {
        if let Err(e) = wled::restore(ask, &before.web, &before.state).await {
            log::warn!("the WLED at {} may not show what it did before: {e}", before.web);
            return;
        }
        if let Err(e) = store.delete(TABLE, &percent(&before.web)).await {
            log::warn!("what the WLED at {} showed is still kept: {e}", before.web);
        }
    });
    join_all(restored).await;
}

/// Puts back what a Hearth that was killed left behind.
pub(crate) async fn mend(ask: &Ask, store: &Store) {
    let kept = match store.list(TABLE, "", None, super::LAMPS_MAX).await {
        Ok(kept) => kept,
        Err(e) => return log::warn!("what WLEDs showed before cannot be read: {e}"),
    };
    let before = |(key, value): (String, Vec<u8>)| {
        Some(Before { web: unpercent(&key)?, state: serde_json::from_slice(&value).ok()? })
    };
    let all: Vec<Before> = kept.into_iter().filter_map(before).collect();
    restore(ask, store, &all).await;
}

/// Returns the id by which receivers of E1.31 know this Hearth, made at the first call (ANSI E1.31, section
/// 5.6: a UUID that stays the same).
///
/// # Errors
/// As the store; Broken when the system gives no random bytes.
pub(crate) async fn id(store: &Store) -> Result<[u8; 16], Error> {
    if let Some(kept) = store.get(ID_TABLE, ID_KEY).await?
        && let Ok(id) = kept.try_into()
    {
        return Ok(id);
    }
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|e| Error::broken("no random bytes").because(e))?;
    // Version 4, variant 1 (RFC 9562, section 5.4).
    id[6] = id[6] & 0x0f | 0x40;
    id[8] = id[8] & 0x3f | 0x80;
    store.put(ID_TABLE, ID_KEY, &id, None).await?;
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_id_is_a_uuid_and_stays() {
        let store = Store::memory();
        let first = id(&store).await.unwrap();
        assert_eq!((first[6] >> 4, first[8] >> 6), (4, 2));
        assert_eq!(id(&store).await.unwrap(), first);
        assert_ne!(id(&Store::memory()).await.unwrap(), first);
    }
}

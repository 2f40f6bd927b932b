//! Which requests of a session are not answered yet: JSON-RPC tells answers apart by their ids alone,
//! so that a second request with an id that is in use could never be answered. Pure but for its lock.

use serde_json::Value;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// What is said to a request whose id is in use.
pub(crate) fn taken(id: &Value) -> String {
    format!("Invalid Request: the id {id} belongs to a request that is not answered yet")
}

/// Requests under way, by session and id. Cloning it is cheap.
#[derive(Clone, Default)]
pub(crate) struct InFlight {
    ids: Arc<Mutex<HashSet<(String, String)>>>,
}

impl InFlight {
    /// Notes a request; `None` when its id is in use in that session.
    pub(crate) fn enter(&self, session: &str, id: &Value) -> Option<Flight> {
        let key = (session.to_owned(), id.to_string());
        let is_new = self.ids.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone());
        is_new.then(|| Flight { all: self.clone(), key })
    }
}

/// A request under way, until it is dropped.
pub(crate) struct Flight {
    all: InFlight,
    key: (String, String),
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.all.ids.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

/// Whether a part of a stream holds the answer to its request: nothing else in it has one of these
/// fields, and in a text their quotes are escaped.
pub(crate) fn holds_answer(part: &[u8]) -> bool {
    let has = |field: &[u8]| part.windows(field.len()).any(|window| window == field);
    has(b"\"result\":") || has(b"\"error\":")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_id_is_in_use_until_its_request_is_answered() {
        let all = InFlight::default();
        let first = all.enter("a", &json!(1));
        assert!(first.is_some() && all.enter("a", &json!(1)).is_none());
        // A text is another id than a number, and another session has ids of its own.
        assert!(all.enter("a", &json!("1")).is_some() && all.enter("b", &json!(1)).is_some());
        drop(first);
        assert!(all.enter("a", &json!(1)).is_some());
        assert!(all.ids.lock().unwrap().is_empty());
    }

    #[test]
    fn an_answer_is_told_from_a_notice() {
        assert!(holds_answer(br#"data: {"jsonrpc":"2.0","id":1,"result":{}}"#));
        assert!(holds_answer(br#"data: {"jsonrpc":"2.0","id":1,"error":{"code":1}}"#));
        let notice =
            json!({"method": "notifications/progress", "params": {"message": "{\"result\":1}"}});
        assert!(!holds_answer(notice.to_string().as_bytes()));
    }
}

//! What a tool remembers between its question and the answer travels through the client. It is
//! signed, so that a client can neither change it nor use it for another tool or person.

use crate::error::Error;
use crate::policy::Caller;
use rmcp::ErrorData;
use rmcp::model::{RequestStateCodec, SealOptions};
use serde_json::Value;
use std::time::Duration;

/// So long may a person think about a question.
const LASTS: Duration = Duration::from_secs(600);

/// Signs and checks, with a key that lives as long as the program.
pub(crate) struct Seal {
    codec: RequestStateCodec,
}

impl Seal {
    pub(crate) fn new() -> Result<Seal, Error> {
        let mut key = vec![0u8; RequestStateCodec::MIN_KEY_LENGTH];
        getrandom::fill(&mut key)
            .map_err(|e| Error::broken(format!("the system gives no random numbers: {e}")))?;
        let codec = RequestStateCodec::try_new(key)
            .map_err(|e| Error::broken("cannot make a signing key").because(e))?;
        Ok(Seal { codec })
    }

    /// Signs `state` for the next call of `name` by `caller`.
    pub(crate) fn close(&self, caller: &Caller, name: &str, state: &Value) -> String {
        let bound = bound(caller, name);
        let options = SealOptions::new().associated_data(&bound).ttl(LASTS);
        self.codec.seal_with(state.to_string().as_bytes(), &options)
    }

    /// Returns what was signed; anything else is a fault of the request itself.
    pub(crate) fn open(&self, caller: &Caller, name: &str, text: &str) -> Result<Value, ErrorData> {
        // One answer for every reason, so that nobody learns from trying.
        let fault = || ErrorData::invalid_params("requestState is not valid for this call", None);
        self.codec.open_json_with(text, &bound(caller, name)).map_err(|_| fault())
    }
}

fn bound(caller: &Caller, name: &str) -> Vec<u8> {
    format!("{}\n{}\n{name}", caller.via.word(), caller.token).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Grant, Via};
    use serde_json::json;

    fn caller(token: u64) -> Caller {
        let grant = Grant::default().into();
        Caller { name: "a".into(), via: Via::Http, grant, token, underway: None }
    }

    #[test]
    fn only_the_same_caller_and_tool_get_the_state_back() {
        let seal = Seal::new().unwrap();
        let text = seal.close(&caller(1), "home_call", &json!({ "round": 1 }));
        let open = |who: u64, tool: &str, text: &str| seal.open(&caller(who), tool, text);
        assert_eq!(open(1, "home_call", &text).unwrap(), json!({ "round": 1 }));
        assert!(open(2, "home_call", &text).is_err());
        assert!(open(1, "home_get", &text).is_err());
        assert!(open(1, "home_call", &format!("{text}A")).is_err());
        assert!(open(1, "home_call", "").is_err());
    }
}

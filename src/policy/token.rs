//! Tokens: random, named, stored as SHA-256, shown once.
//!
//! A generated token has 192 random bits, so a fast hash is enough: nobody can try them all.

use crate::config::Fault;
use crate::error::Error;
use crate::policy::{Config, Grant, now, random_hex, sha256};
use crate::store::Store;
use crate::text::hex;
use serde::{Deserialize, Serialize};
use std::sync::{Arc, PoisonError, RwLock};
use subtle::ConstantTimeEq as _;

const TABLE: &str = "tokens";
/// So many tokens at most; each request compares with all of them.
const MOST: usize = 64;
/// A configured token must be this long, in bytes.
const SHORTEST: usize = 8;
/// The name of the token that the configuration sets.
const CONFIGURED: &str = "configured";

/// A fresh token. The secret cannot be shown again.
#[derive(Clone, Debug, Serialize)]
pub struct NewToken {
    /// Its name.
    pub name: String,
    /// What the client sends.
    pub secret: String,
}

/// A token in a list.
#[derive(Clone, Debug, Serialize)]
pub struct TokenInfo {
    /// Its name.
    pub name: String,
    /// What it may do.
    pub grant: Grant,
    /// When it was made, seconds since 1970; 0 for the configured one.
    pub created: f64,
    /// Whether the configuration sets it; then it is revoked there.
    pub configured: bool,
}

#[derive(Clone)]
pub(super) struct Known {
    pub(super) id: u64,
    pub(super) name: Arc<str>,
    pub(super) grant: Grant,
    hash: [u8; 32],
    created: f64,
}

impl Known {
    fn is_configured(&self) -> bool {
        &*self.name == CONFIGURED
    }
}

#[derive(Serialize, Deserialize)]
struct Record {
    hash: String,
    grant: Grant,
    created: f64,
}

pub(super) struct Tokens {
    known: RwLock<Vec<Known>>,
}

/// Returns what is wrong with the configured token.
pub(super) fn faults(config: &Config) -> Vec<Fault> {
    let secret = config.auth_token.reveal();
    if secret.is_empty() || secret.len() >= SHORTEST {
        return Vec::new();
    }
    let text = format!(
        "it is shorter than {SHORTEST} characters; use a long random one, for example from \
         'openssl rand -hex 24'"
    );
    vec![Fault::new("policy.auth_token", text)]
}

impl Tokens {
    pub(super) async fn read(config: &Config, store: &Store) -> Result<Tokens, Error> {
        let mut known = Vec::new();
        let secret = config.auth_token.reveal();
        if !secret.is_empty() {
            Fault::refuse(faults(config))?;
            let (name, grant) = (CONFIGURED.into(), Grant::admin());
            let hash = sha256(secret);
            known.push(Known { id: id_of(&hash), name, grant, hash, created: 0.0 });
        }
        for (name, value) in store.list(TABLE, "", None, MOST).await? {
            match read_record(&name, &value) {
                Some(token) => known.push(token),
                None => log::error!("the stored token '{name}' cannot be read and is not accepted"),
            }
        }
        Ok(Tokens { known: RwLock::new(known) })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    pub(super) fn find(&self, secret: &str) -> Option<Known> {
        let hash = sha256(secret);
        let known = self.lock();
        // No early end: the time must not tell which token came close.
        let mut found = None;
        for token in known.iter() {
            if bool::from(token.hash.ct_eq(&hash)) {
                found = Some(token);
            }
        }
        found.cloned()
    }

    pub(super) fn by_id(&self, id: u64) -> Option<Known> {
        self.lock().iter().find(|token| token.id == id).cloned()
    }

    pub(super) fn list(&self) -> Vec<TokenInfo> {
        let info = |token: &Known| TokenInfo {
            name: token.name.to_string(),
            grant: token.grant.clone(),
            created: token.created,
            configured: token.is_configured(),
        };
        self.lock().iter().map(info).collect()
    }

    pub(super) async fn make(
        &self,
        store: &Store,
        name: &str,
        grant: Grant,
    ) -> Result<NewToken, Error> {
        let fits = |c: char| c.is_ascii_alphanumeric() || "-_. ".contains(c);
        if name.trim() != name || name.is_empty() || name.len() > 40 || !name.chars().all(fits) {
            return Err(Error::invalid(format!(
                "'{}' is no name for a token: use 1 to 40 letters, digits, '-', '_', '.' or spaces",
                name.escape_debug()
            )));
        }
        if name == CONFIGURED || name == "local" {
            return Err(Error::invalid(format!("the name '{name}' is reserved; choose another")));
        }
        if self.lock().len() >= MOST {
            return Err(Error::limit(format!("there are {MOST} tokens already; revoke one first")));
        }
        let secret = format!("hearth_{}", random_hex(24)?);
        let hash = sha256(&secret);
        let record = Record { hash: hex(&hash), grant: grant.clone(), created: now() };
        let value = serde_json::to_vec(&record)
            .map_err(|e| Error::broken("cannot write a token").because(e))?;
        // Swapping from "nothing" makes the name unique even between two daemons on one Redis.
        if !store.swap(TABLE, name, None, Some(&value)).await? {
            return Err(Error::conflict(format!("there is a token named '{name}' already")));
        }
        let created = record.created;
        let token = Known { id: id_of(&hash), name: name.into(), grant, hash, created };
        self.known.write().unwrap_or_else(PoisonError::into_inner).push(token);
        Ok(NewToken { name: name.to_owned(), secret })
    }

    pub(super) async fn revoke(&self, store: &Store, name: &str) -> Result<(), Error> {
        // Nobody can make a token of that name, so without a configured one there is none.
        if self.lock().iter().any(|token| token.is_configured() && *token.name == *name) {
            return Err(Error::refused(
                "this token comes from the configuration; remove AUTH_TOKEN (policy.auth_token) \
                 there and start Hearth again (the demo's is in the file demo-token)",
            ));
        }
        if !store.delete(TABLE, name).await? {
            return Err(Error::not_found(format!(
                "there is no token named '{}'; 'hearth token list' shows them",
                name.escape_debug()
            )));
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.retain(|token| &*token.name != name);
        Ok(())
    }

    fn lock(&self) -> std::sync::RwLockReadGuard<'_, Vec<Known>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read_record(name: &str, value: &[u8]) -> Option<Known> {
    let record: Record = serde_json::from_slice(value).ok()?;
    let mut hash = [0u8; 32];
    if record.hash.len() != 64 {
        return None;
    }
    for (byte, pair) in hash.iter_mut().zip(record.hash.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    let (id, name) = (id_of(&hash), name.into());
    Some(Known { id, name, grant: record.grant, hash, created: record.created })
}

/// The id that sessions are bound to: part of the hash, so it is the same after a restart.
fn id_of(hash: &[u8; 32]) -> u64 {
    let mut first = [0u8; 8];
    first.copy_from_slice(&hash[..8]);
    u64::from_le_bytes(first).max(1)
}

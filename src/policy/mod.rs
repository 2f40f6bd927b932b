//! Who is calling, and what they may do.
//!
//! Every tool call, page action and control command passes here: a token or page session becomes a
//! [`Caller`], a caller has a [`Grant`], and each action is allowed, asked about or denied, and
//! written to the audit log. `http` and `mcp` hand in secrets and actions and get answers; this
//! module knows neither, and no service.

mod approval;
mod audit;
mod caller;
mod codes;
mod grant;
mod page;
mod password;
mod quota;
mod rule;
mod seal;
mod token;
mod underway;
mod weigh;
mod whole_file;

pub(crate) use approval::Waiting;
pub use audit::{Outcome, Verified, verify as verify_audit};
pub use caller::{Caller, Via};
pub(crate) use codes::{may_be_a_code, names_a_code};
pub use grant::{EntityFacts, EntityScope, Grant, Level};
pub use password::{PasswordHash, is_same_secret};
pub use quota::{Quota, Usage};
pub use rule::{NewRule, Rule, Verdict};
pub use seal::{NewSecret, SecretInfo};
pub use token::{NewToken, TokenInfo};
pub(crate) use underway::Question;
pub use underway::Underway;
pub use weigh::Answer;

use crate::config::{Env, Fault, Form, JsonSchema, Range, Secret};
use crate::error::Error;
use crate::events::{self, Events};
use crate::store::Store;
use crate::tasks::Tasks;
use crate::text::hex;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;

/// Environment variables of section `[policy]`.
pub const ENV: &[Env] = &[
    Env::new("AUTH_TOKEN", "policy.auth_token", Form::Secret),
    Env::new("HEARTH_SEAL_KEY", "policy.seal_key", Form::Secret),
];

/// The numbers that make sense.
pub const RANGES: &[Range] = &[
    Range::new("policy.confirm_seconds", 1, 86_400),
    Range::new("policy.approval_seconds", 1, 86_400),
    Range::new("policy.approval_wait_seconds", 0, 3_600),
    Range::new("policy.audit_bytes", 4 << 10, 1 << 30),
];

/// Who may do what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The first token, of level admin. Without one, `hearth serve` makes a token at its first start
    /// and shows it once.
    pub auth_token: Secret,
    /// Nothing is changed by anyone: every call above level read is refused.
    pub read_only: bool,
    /// What assistants on this machine (`hearth mcp`) may do: read, control or admin.
    pub local_level: Level,
    /// Nobody sees entities that the house does not expose to assistants.
    pub exposed_only: bool,
    /// Nobody sees these entities: entity ids, or `lock.*` for a whole domain.
    pub deny: Vec<String>,
    /// Ask for a confirmation before locks, alarms, garage doors and the like are used.
    pub confirm: bool,
    /// How long a confirmation may be given, in seconds.
    pub confirm_seconds: u64,
    /// How long a call that a rule asks about stands for a person's answer, in seconds.
    pub approval_seconds: u64,
    /// How long such a call itself waits for the answer, in seconds; answered later, it is repeated.
    pub approval_wait_seconds: u64,
    /// The question of a rule is put to the person at an assistant's client, where that can ask. Without
    /// this only the page and the command line answer.
    pub approve_by_client: bool,
    /// How many calls there may be: tables with `tool`, `token` (both `*` for any), `together`,
    /// `per_minute`, `at_once` and `per_day`.
    pub quotas: Vec<Quota>,
    /// The key of the sealed secrets, 64 hexadecimal digits. Empty: the one in `secrets.key` of the data
    /// folder, which is made when the first secret is sealed.
    pub seal_key: Secret,
    /// The audit log is rotated at this size, in bytes; three older files are kept.
    pub audit_bytes: u64,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            auth_token: Secret::default(),
            read_only: false,
            local_level: Level::Control,
            exposed_only: false,
            deny: Vec::new(),
            confirm: true,
            confirm_seconds: 120,
            approval_seconds: 900,
            approval_wait_seconds: 45,
            approve_by_client: true,
            quotas: Vec::new(),
            seal_key: Secret::default(),
            audit_bytes: 4 << 20,
        }
    }
}

impl Config {
    /// Returns what would be refused at the start, all of it.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = token::faults(self);
        faults.extend(quota::faults(&self.quotas));
        faults.extend(seal::faults(&self.seal_key));
        faults
    }
}

/// The gatekeeper. Cloning it is cheap.
#[derive(Clone)]
pub struct Policy {
    shared: Arc<Shared>,
}

struct Shared {
    config: Config,
    store: Store,
    tasks: Tasks,
    tokens: token::Tokens,
    pages: page::Pages,
    desk: approval::Desk,
    rules: rule::Book,
    quotas: Arc<quota::Meter>,
    vault: seal::Vault,
    audit: audit::Log,
    revoked: watch::Sender<u64>,
}

impl Policy {
    /// Reads the known tokens, page sessions and rules, and opens the audit log below `data_dir`.
    ///
    /// # Errors
    /// Invalid when the configured token is too short; Broken when there are rules that cannot be read;
    /// what the store says otherwise.
    pub async fn start(
        config: &Config,
        store: &Store,
        events: &Events,
        tasks: &Tasks,
        data_dir: Option<&Path>,
    ) -> Result<Policy, Error> {
        let tokens = token::Tokens::read(config, store).await?;
        let pages = page::Pages::read(store).await?;
        let audit = audit::Log::open(data_dir, config.audit_bytes, events.clone());
        let quotas = Arc::new(quota::Meter::new(&config.quotas));
        quota::keep(&quotas, store, tasks).await?;
        let shared = Shared {
            config: config.clone(),
            store: store.clone(),
            tasks: tasks.clone(),
            tokens,
            pages,
            desk: approval::Desk::new(
                events,
                Duration::from_secs(config.confirm_seconds),
                Duration::from_secs(config.approval_seconds),
            ),
            rules: rule::Book::read(data_dir)?,
            quotas,
            vault: seal::Vault::open(data_dir, &config.seal_key, tasks),
            audit,
            revoked: watch::Sender::new(0),
        };
        Ok(Policy { shared: Arc::new(shared) })
    }

    /// Returns whose token this is, or `None`. Every known token is compared, each in constant time.
    pub fn caller_of_token(&self, secret: &str, via: Via) -> Option<Caller> {
        let token = self.shared.tokens.find(secret)?;
        let grant = self.narrowed(&token.grant);
        Some(Caller { name: token.name, via, grant, token: token.id, underway: None })
    }

    /// Returns the identity of whoever is on this machine as the daemon's own user: an assistant by
    /// `hearth mcp` has the configured level, the person at the command line is admin.
    pub fn local(&self, via: Via) -> Caller {
        let level = match via {
            Via::Control => Level::Admin,
            Via::Http | Via::Stdio | Via::Page => self.shared.config.local_level,
            Via::Script => Level::Read,
        };
        let grant = self.narrowed(&Grant { level, ..Grant::default() });
        Caller { name: "local".into(), via, grant, token: 0, underway: None }
    }

    /// Returns the identity of a part of the house that acts by itself, like a script. The house rules
    /// hold for it too; what needs a confirmation it may not do, since nobody is there to give one.
    pub fn acting(&self, name: &str, grant: &Grant) -> Caller {
        let grant = self.narrowed(grant);
        Caller { name: name.into(), via: Via::Script, grant, token: 0, underway: None }
    }

    /// Opens a page session for `caller` and returns the cookie's value.
    pub fn open_page(&self, caller: &Caller) -> String {
        let (cookie, write) = self.shared.pages.open(caller.token);
        self.write_behind(write);
        cookie
    }

    /// Returns whose page session this is, or `None`.
    pub fn caller_of_page(&self, cookie: &str) -> Option<Caller> {
        let id = self.shared.pages.find(cookie)?;
        let token = self.shared.tokens.by_id(id)?;
        let grant = self.narrowed(&token.grant);
        let (name, token) = (token.name, token.id);
        Some(Caller { name, via: Via::Page, grant, token, underway: None })
    }

    /// Ends a page session.
    pub fn close_page(&self, cookie: &str) {
        if let Some(write) = self.shared.pages.close(cookie) {
            self.write_behind(write);
        }
    }

    /// Whether the caller's token is still known. `local` always is.
    pub fn is_live(&self, caller: &Caller) -> bool {
        caller.token == 0 || self.shared.tokens.by_id(caller.token).is_some()
    }

    /// Returns a value that changes whenever a token is revoked.
    pub fn revoked(&self) -> watch::Receiver<u64> {
        self.shared.revoked.subscribe()
    }

    /// Whether anybody but `local` can get in.
    pub fn has_tokens(&self) -> bool {
        !self.shared.tokens.is_empty()
    }

    /// Makes a token and returns it; it cannot be shown again.
    ///
    /// # Errors
    /// Invalid for a bad name, Conflict when the name is taken, Limit at 64 tokens.
    pub async fn new_token(&self, name: &str, grant: Grant) -> Result<NewToken, Error> {
        self.shared.tokens.make(&self.shared.store, name, grant).await
    }

    /// Lists the tokens, without their secrets.
    pub fn tokens(&self) -> Vec<TokenInfo> {
        self.shared.tokens.list()
    }

    /// Revokes a token by name: its sessions end at once.
    ///
    /// # Errors
    /// NotFound for an unknown name, Refused for the one that the configuration sets.
    pub async fn revoke_token(&self, name: &str) -> Result<(), Error> {
        self.shared.tokens.revoke(&self.shared.store, name).await?;
        self.shared.revoked.send_modify(|n| *n += 1);
        Ok(())
    }

    /// Checks that `caller` reaches `level` in `service`; a refusal is written to the audit log.
    ///
    /// # Errors
    /// Unauthenticated when the token is revoked, Refused otherwise.
    pub fn check(&self, caller: &Caller, service: &str, level: Level) -> Result<(), Error> {
        let why = if !self.is_live(caller) {
            return Err(Error::unauthenticated(format!("the token '{}' is revoked", caller.name)));
        } else if self.shared.config.read_only && level > Level::Read {
            "Hearth is set to read-only (policy.read_only)".to_owned()
        } else if !caller.grant.covers(service, level) {
            let word = level.word();
            format!("'{}' may not {word} {service}; use a token that may", caller.name)
        } else {
            return Ok(());
        };
        // The line of a call under way says better what was refused.
        if !caller.underway.as_ref().is_some_and(|draft| draft.is_open()) {
            self.record(caller, service, level.word(), Outcome::Denied, Some(&why));
        }
        Err(Error::refused(why))
    }

    /// Whether [`Policy::check`] would let this pass; nothing is written to the audit log. For lists.
    pub fn may(&self, caller: &Caller, service: &str, level: Level) -> bool {
        let closed = self.shared.config.read_only && level > Level::Read;
        self.is_live(caller) && !closed && caller.grant.covers(service, level)
    }

    /// Writes to the audit log, the bus and the ring that the page shows; what is a step of a call
    /// under way goes into that call's line.
    pub fn record(
        &self,
        caller: &Caller,
        action: &str,
        target: &str,
        outcome: Outcome,
        reason: Option<&str>,
    ) {
        let draft = caller.underway.as_ref();
        if !draft.is_some_and(|draft| draft.note(action, target, outcome, reason)) {
            self.shared.audit.write(caller, action, target, outcome, reason, None);
        }
    }

    /// Returns the newest audit entries, oldest first, at most 500.
    pub fn audit(&self) -> Vec<events::Audit> {
        self.shared.audit.recent()
    }

    /// The grant with the house rules on top.
    fn narrowed(&self, grant: &Grant) -> Arc<Grant> {
        let mut grant = grant.clone();
        grant.entities.exposed_only |= self.shared.config.exposed_only;
        grant.entities.deny.extend(self.shared.config.deny.iter().cloned());
        Arc::new(grant)
    }

    fn write_behind(&self, write: page::Write) {
        let store = self.shared.store.clone();
        self.shared.tasks.job(async move {
            if let Err(e) = write.run(&store).await {
                log::warn!("a page session could not be stored: {e}");
            }
        });
    }
}

/// Returns a fresh random token of 192 bits, without a name.
///
/// # Errors
/// Broken when the system gives no random numbers.
pub fn random_token() -> Result<String, Error> {
    random_hex(24)
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64())
}

/// `bytes` random bytes in hex.
fn random_hex(bytes: usize) -> Result<String, Error> {
    let mut raw = vec![0u8; bytes];
    getrandom::fill(&mut raw)
        .map_err(|e| Error::broken(format!("the system gives no random numbers: {e}")))?;
    Ok(hex(&raw))
}

fn sha256(text: &str) -> [u8; 32] {
    use sha2::Digest as _;
    sha2::Sha256::digest(text.as_bytes()).into()
}

#[cfg(test)]
mod tests;

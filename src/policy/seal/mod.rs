//! Sealed secrets: values for programs that Hearth starts, in one encrypted file, and the watch that
//! none of them goes through a call.
//!
//! `secrets.sealed` in the data folder is AES-256-GCM under a key from the configuration, or from
//! `secrets.key` beside it. The second keeps the values out of backups of one file and out of a glance;
//! whoever can read the whole folder can open it, which only a key kept elsewhere prevents. Nobody gets
//! a value back but the part of Hearth that hands it on ([`Policy::secret`]).
//!
//! # Why not age
//! The format `age` has recipients, passphrases and streams. Here one process writes and reads one small
//! file with one key, and `ring` with this cipher is in the program for TLS. The package `age` 0.12
//! would bring twenty direct dependencies that it does not switch off (HPKE, ML-KEM, P-256, X25519,
//! scrypt, a parser, translations), none of which is used here.

mod cipher;
mod scan;
#[cfg(test)]
mod tests;
mod vault;

pub(super) use scan::Scan;
pub(super) use vault::Vault;

use crate::config::{Fault, Secret};
use crate::error::Error;
use crate::policy::{Caller, Level, Outcome, Policy};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What is wrong with the configured key.
pub(super) fn faults(key: &Secret) -> Option<Fault> {
    let wrong = Some(key.reveal()).filter(|key| !key.is_empty()).map(cipher::Key::read)?.err()?;
    Some(Fault::new("policy.seal_key", wrong.to_string()))
}

/// A secret in a list.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SecretInfo {
    /// Its name.
    pub name: String,
    /// When it was sealed, seconds since 1970.
    pub made: f64,
    /// Whether calls are searched for it; short ones would be found everywhere.
    pub watched: bool,
}

/// A secret that is to be sealed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewSecret {
    /// What it is called.
    pub name: String,
    /// Its value.
    pub value: Secret,
}

impl Policy {
    /// Returns the value of a sealed secret, for a program that is started with it.
    pub fn secret(&self, name: &str) -> Option<Secret> {
        self.shared.vault.value(name)
    }

    /// Lists the sealed secrets, without their values. For admins.
    ///
    /// # Errors
    /// Refused.
    pub fn secrets(&self, caller: &Caller) -> Result<Vec<SecretInfo>, Error> {
        self.check(caller, "web", Level::Admin)?;
        Ok(self.shared.vault.list())
    }

    /// Seals a secret; one of the same name is replaced. For admins.
    ///
    /// # Errors
    /// Refused; Invalid for a bad name or value; Limit at 128 secrets; Broken when the file cannot be
    /// written, or could not be opened.
    pub async fn set_secret(&self, caller: &Caller, new: NewSecret) -> Result<SecretInfo, Error> {
        self.check(caller, "web", Level::Admin)?;
        let info = self.shared.vault.set(&self.shared.tasks, &new.name, new.value).await?;
        self.record(caller, "secret set", &info.name, Outcome::Allowed, None);
        Ok(info)
    }

    /// Removes a secret. For admins.
    ///
    /// # Errors
    /// Refused; NotFound; Broken when the file cannot be written, or could not be opened.
    pub async fn remove_secret(&self, caller: &Caller, name: &str) -> Result<(), Error> {
        self.check(caller, "web", Level::Admin)?;
        self.shared.vault.remove(&self.shared.tasks, name).await?;
        self.record(caller, "secret remove", name, Outcome::Allowed, None);
        Ok(())
    }

    /// Whether there is a secret that calls are searched for.
    pub(crate) fn watches(&self) -> bool {
        !self.shared.vault.scan().is_empty()
    }

    /// Returns the name of a secret that stands in these bytes, if one does.
    pub(crate) fn find_secret_in(&self, bytes: &[u8]) -> Option<String> {
        self.shared.vault.scan().find(bytes)
    }

    /// Puts `[sealed: NAME]` in the place of each secret in a value, and returns their names.
    pub(crate) fn mask_value(&self, value: &mut Value) -> Vec<String> {
        let mut names = Vec::new();
        self.shared.vault.scan().mask_in(value, &mut names);
        names
    }

    /// The same for a text.
    pub(crate) fn mask_text(&self, text: &mut String) -> Vec<String> {
        let mut names = Vec::new();
        self.shared.vault.scan().mask(text, &mut names);
        names
    }

    /// Writes down that secrets were taken out of what `action` answered: a line of its own, beside
    /// that of the call.
    pub(crate) fn record_masked(&self, caller: &Caller, action: &str, names: &[String]) {
        let (names, why) = (names.join(", "), "its answer held sealed secrets, which were masked");
        log::warn!("{action} answered with the sealed secrets {names}, which were masked");
        let target = format!("{action}: {names}");
        let audit = &self.shared.audit;
        audit.write(caller, "secret masked", &target, Outcome::Denied, Some(why), None);
    }
}

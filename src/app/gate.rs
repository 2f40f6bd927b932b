//! Subcommands about what is allowed: the audit log.

use crate::app::cli::Options;
use crate::app::{config, say};
use crate::error::Error;
use crate::policy::{self, Verified};

/// What to do.
#[derive(Debug, PartialEq)]
pub(super) enum Gate {
    /// Check the chain of the audit log; one of its entries must have this hash.
    AuditVerify { hash: Option<String> },
}

/// Runs one of them.
pub(super) fn run(options: &Options, command: &Gate) -> Result<(), Error> {
    let config = config::find(options).for_client()?;
    match command {
        Gate::AuditVerify { hash } => {
            say(&told(&policy::verify_audit(&config.data_dir, hash.as_deref())?));
        }
    }
    Ok(())
}

/// A chain that holds, in words.
fn told(seen: &Verified) -> String {
    let Verified { entries, first, newest, hash, files, unchained, torn, open, found } = seen;
    if *entries == 0 {
        return "the audit log has no entry of a chain yet".into();
    }
    let mut text = format!("the chain holds: {entries} entries in {files} files\n");
    text += &format!("newest: entry {newest}, hash {hash}\n");
    if let Some(found) = found {
        text += &format!("the hash that was asked for is that of entry {found}\n");
    }
    if *first > 1 {
        text +=
            &format!("it begins with entry {first}: older ones were rotated away, or removed\n");
    }
    if *unchained > 0 {
        text += &format!("before it stand {unchained} lines of a time without hashes\n");
    }
    if *torn > 0 {
        text += &format!("{torn} lines were cut short by a crash, and the next entry says so\n");
    }
    if *open {
        text += "the newest line is being written, or was cut short by a crash\n";
    }
    text
}

//! The one error type of Hearth.
//!
//! Every fallible public function returns [`Error`]. Its [`Kind`] is a closed set, and one table
//! ([`Kind::row`]) says which HTTP status, which word for machines and which log level belongs to
//! each. Nothing else in the program maps errors to statuses.

use std::fmt;

/// What sort of failure happened; it decides the HTTP status, the MCP answer and the log level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The caller sent something that can never work as it is.
    Invalid,
    /// No identity, or one that is not known (any more).
    Unauthenticated,
    /// The identity is known and may not do this.
    Refused,
    /// The thing named does not exist, or the caller may not know that it does.
    NotFound,
    /// The request does not fit the present state (already there, changed meanwhile).
    Conflict,
    /// A quota, a size or a count is used up.
    Limit,
    /// Hearth itself is at fault.
    Broken,
    /// A counterpart (Home Assistant, broker, engine) cannot be reached or is not configured.
    Offline,
    /// A counterpart did not answer in time.
    Timeout,
}

/// One row of the table that every face (HTTP, MCP, log) reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// HTTP status code.
    pub status: u16,
    /// The word that machines match on; part of the public interface.
    pub code: &'static str,
    /// Level at which an unexpected occurrence is logged.
    pub level: log::Level,
    /// Whether trying the same call again later can succeed.
    pub retryable: bool,
}

impl Kind {
    /// All kinds, in the order of their HTTP status.
    pub const ALL: [Kind; 9] = [
        Kind::Invalid,
        Kind::Unauthenticated,
        Kind::Refused,
        Kind::NotFound,
        Kind::Conflict,
        Kind::Limit,
        Kind::Broken,
        Kind::Offline,
        Kind::Timeout,
    ];

    /// Returns the kind whose HTTP status this is; [`Kind::Broken`] for any other.
    pub fn of_status(status: u16) -> Kind {
        Kind::ALL.into_iter().find(|kind| kind.row().status == status).unwrap_or(Kind::Broken)
    }

    /// Returns the row of the table for this kind.
    pub const fn row(self) -> Row {
        use log::Level::{Debug, Error, Warn};
        let (status, code, level, retryable) = match self {
            Kind::Invalid => (400, "invalid", Debug, false),
            Kind::Unauthenticated => (401, "unauthenticated", Debug, false),
            Kind::Refused => (403, "refused", Debug, false),
            Kind::NotFound => (404, "not_found", Debug, false),
            Kind::Conflict => (409, "conflict", Debug, false),
            Kind::Limit => (429, "limit", Debug, true),
            Kind::Broken => (500, "broken", Error, false),
            Kind::Offline => (503, "offline", Warn, true),
            Kind::Timeout => (504, "timeout", Warn, true),
        };
        Row { status, code, level, retryable }
    }
}

/// A failure: what failed, where, and what the user can do, in one plain sentence or two.
pub struct Error {
    kind: Kind,
    what: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

macro_rules! shorthand {
    ($($(#[$doc:meta])* $name:ident => $kind:ident),* $(,)?) => {
        impl Error {
            $($(#[$doc])* pub fn $name(what: impl Into<String>) -> Error {
                Error::new(Kind::$kind, what)
            })*
        }
    };
}

shorthand! {
    /// Makes an error of kind [`Kind::Invalid`].
    invalid => Invalid,
    /// Makes an error of kind [`Kind::Unauthenticated`].
    unauthenticated => Unauthenticated,
    /// Makes an error of kind [`Kind::Refused`].
    refused => Refused,
    /// Makes an error of kind [`Kind::NotFound`].
    not_found => NotFound,
    /// Makes an error of kind [`Kind::Conflict`].
    conflict => Conflict,
    /// Makes an error of kind [`Kind::Limit`].
    limit => Limit,
    /// Makes an error of kind [`Kind::Broken`].
    broken => Broken,
    /// Makes an error of kind [`Kind::Offline`].
    offline => Offline,
    /// Makes an error of kind [`Kind::Timeout`].
    timeout => Timeout,
}

impl Error {
    /// Makes an error of `kind`; `what` says what failed, where, and what to do.
    pub fn new(kind: Kind, what: impl Into<String>) -> Error {
        Error { kind, what: what.into(), source: None }
    }

    /// Adds the cause; its text is printed behind ours.
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        self.source = Some(source.into());
        self
    }

    /// Puts `place` in front of the text, for a caller that knows more of the surroundings.
    pub fn at(mut self, place: impl fmt::Display) -> Error {
        self.what = format!("{place}: {}", self.what);
        self
    }

    /// Returns the kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the sentence without its cause.
    pub fn what(&self) -> &str {
        &self.what
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.kind)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|s| s as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_own_status_and_code() {
        let mut statuses: Vec<u16> = Kind::ALL.iter().map(|k| k.row().status).collect();
        let mut codes: Vec<&str> = Kind::ALL.iter().map(|k| k.row().code).collect();
        assert!(statuses.is_sorted());
        statuses.dedup();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!((statuses.len(), codes.len()), (Kind::ALL.len(), Kind::ALL.len()));
    }

    #[test]
    fn text_carries_place_and_cause() {
        let e = Error::offline("cannot reach the broker")
            .because(std::io::Error::other("refused"))
            .at("mqtt");
        assert_eq!(e.to_string(), "mqtt: cannot reach the broker: refused");
        assert_eq!(e.what(), "mqtt: cannot reach the broker");
    }
}

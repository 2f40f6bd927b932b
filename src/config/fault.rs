//! What is wrong with a setting, and the ranges of the numbers.

use crate::error::Error;

/// A setting that cannot be used, as the service that owns it sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which setting: `section.field`.
    pub path: String,
    /// What is wrong with it and what to write in its place.
    pub text: String,
}

impl Fault {
    /// Makes one.
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Fault {
        Fault { path: path.into(), text: text.into() }
    }

    /// Fails with the first of `faults`, for a service that is handed settings nobody looked at.
    ///
    /// # Errors
    /// Invalid, naming the setting.
    pub fn refuse(faults: Vec<Fault>) -> Result<(), Error> {
        match faults.into_iter().next() {
            None => Ok(()),
            Some(fault) => Err(Error::invalid(format!("{}: {}", fault.path, fault.text))),
        }
    }
}

/// A fault and the place that a person has to mend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Which setting: `section.field`; empty when it is the whole file.
    pub path: String,
    /// Where it was set: a variable, an option, or a line of the file.
    pub place: String,
    /// What is wrong and what to write in its place.
    pub text: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.place, self.text)
    }
}

/// The numbers that make sense for a setting.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    /// Which setting: `section.field`.
    pub path: &'static str,
    /// The smallest.
    pub low: i64,
    /// The largest.
    pub high: i64,
}

impl Range {
    /// Makes a row.
    pub const fn new(path: &'static str, low: i64, high: i64) -> Range {
        Range { path, low, high }
    }
}

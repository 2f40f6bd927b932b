//! The files that the worker offers: one interface, on a folder or in memory.

use crate::error::Error;
use serde::Serialize;

/// Part of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) bytes: Vec<u8>,
    /// Size of the whole file.
    pub(super) size: u64,
}

/// One line of a listing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Item {
    /// Its name; bytes that are no text are shown as U+FFFD.
    pub(super) name: String,
    /// `file`, `folder`, `link` or `other`.
    pub(super) kind: &'static str,
    /// Bytes; of a file only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) size: Option<u64>,
}

/// Part of a listing, by name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Listing {
    pub(super) items: Vec<Item>,
    /// Whether there are names after these.
    pub(super) more: bool,
}

/// Files below one place. Paths are relative to it; none leads out.
pub(super) trait Files {
    /// Reads at most `most` bytes from `offset` on.
    ///
    /// # Errors
    /// NotFound; Refused for a way out, a link, or what is no file.
    fn read(&self, path: &str, offset: u64, most: usize) -> Result<Part, Error>;

    /// Writes a whole file, or at its end, and makes the folders above it; returns its new size.
    ///
    /// # Errors
    /// Refused as for reading; Limit when there is no room: the file is as it was.
    fn write(&mut self, path: &str, bytes: &[u8], at_end: bool) -> Result<u64, Error>;

    /// Lists the names of a folder that come after `after`, at most `most`.
    ///
    /// # Errors
    /// NotFound; Refused as for reading; Limit for a folder of too many names.
    fn list(&self, path: &str, after: &str, most: usize) -> Result<Listing, Error>;
}

//! The library: timelines as files in a folder, one `<name>.json` each.

use super::Timeline;
use super::format::{LARGEST, word};
use crate::aurora::show::{checked, replace};
use crate::error::Error;
use crate::text::clean;
use serde::Serialize;
use std::io::ErrorKind;
use std::path::PathBuf;

/// Most timelines in a library.
const MOST: usize = 1000;

/// A folder of timelines.
#[derive(Clone, Debug)]
pub struct Library {
    folder: PathBuf,
}

/// What can be said about a timeline in a few words.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct About {
    /// Its name.
    pub name: String,
    /// How long it is (s).
    pub seconds: f64,
    /// Beats in a minute, when there are any.
    pub tempo: Option<f64>,
    /// How many beats.
    pub beats: usize,
    /// The key, as `A minor`, when one is clear.
    pub key: Option<String>,
    /// The letters of its parts, in order.
    pub sections: String,
}

impl Timeline {
    /// A timeline in a few words.
    pub fn about(&self) -> About {
        About {
            name: self.name.clone(),
            seconds: self.seconds,
            tempo: self.tempo().map(|tempo| (tempo * 10.0).round() / 10.0),
            beats: self.beats.len(),
            key: self.key.map(word),
            sections: self.sections.iter().map(|section| section.label).collect(),
        }
    }
}

impl Library {
    /// The library in `folder`, which is made when something is first kept.
    pub fn new(folder: impl Into<PathBuf>) -> Library {
        Library { folder: folder.into() }
    }

    /// Names and sizes in bytes, in order of the names.
    ///
    /// # Errors
    /// Broken: the folder cannot be read.
    pub fn list(&self) -> Result<Vec<(String, u64)>, Error> {
        let fault = |e| {
            Error::broken(format!("cannot read the timelines in {}", self.folder.display()))
                .because(e)
        };
        let entries = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(fault(e)),
        };
        let mut list = Vec::new();
        for entry in entries.take(2 * MOST) {
            let entry = entry.map_err(fault)?;
            let file = entry.file_name();
            let Some(name) = file.to_str().and_then(|name| name.strip_suffix(".json")) else {
                continue;
            };
            // One that goes away meanwhile is not there.
            if let (Ok(()), Ok(about)) = (checked(name), entry.metadata()) {
                list.push((name.to_owned(), about.len()));
            }
        }
        list.sort();
        Ok(list)
    }

    /// Reads one.
    ///
    /// # Errors
    /// NotFound; Invalid and Limit as [`Timeline::parse`], with its name.
    pub fn load(&self, name: &str) -> Result<Timeline, Error> {
        let text = self.export(name)?;
        let told = |e: Error| Error::new(e.kind(), format!("'{}': {}", clean(name, 60), e.what()));
        Timeline::parse(&text).map_err(told)
    }

    /// The document of one as it is.
    ///
    /// # Errors
    /// NotFound; Invalid: it is no text; Limit: it is too large.
    pub fn export(&self, name: &str) -> Result<String, Error> {
        let path = self.path(name)?;
        let name = clean(name, 60);
        match std::fs::metadata(&path) {
            Ok(about) if about.len() > LARGEST as u64 => {
                return Err(Error::limit(format!(
                    "'{name}' is too large for a timeline; delete it"
                )));
            }
            Ok(_) => {}
            Err(e) if e.kind() == ErrorKind::NotFound => {
                return Err(Error::not_found(format!(
                    "there is no timeline '{name}'; list them, or render one from a sound file"
                )));
            }
            Err(e) => return Err(Error::broken(format!("cannot read '{name}'")).because(e)),
        }
        std::fs::read_to_string(&path)
            .map_err(|e| Error::invalid(format!("'{name}' is no text")).because(e))
    }

    /// Keeps one under its own name; an older one of that name is replaced.
    ///
    /// # Errors
    /// Invalid: its name is no file name. Limit: the library is full. Broken: it cannot be written.
    pub fn keep(&self, timeline: &Timeline) -> Result<(), Error> {
        let path = self.path(&timeline.name)?;
        if !path.exists() && self.list()?.len() >= MOST {
            return Err(Error::limit(format!("there are {MOST} timelines already; delete some")));
        }
        replace(&path, timeline.text()?.as_bytes())
    }

    /// Reads a document, keeps it under `name` (or the name it has), and returns it.
    ///
    /// # Errors
    /// As [`Timeline::parse`] and [`Library::keep`].
    pub fn import(&self, text: &str, name: Option<&str>) -> Result<Timeline, Error> {
        let mut timeline = Timeline::parse(text)?;
        if let Some(name) = name {
            timeline.name = name.to_owned();
        }
        self.keep(&timeline)?;
        Ok(timeline)
    }

    /// Deletes one.
    ///
    /// # Errors
    /// NotFound; Broken: it cannot be deleted.
    pub fn delete(&self, name: &str) -> Result<(), Error> {
        let path = self.path(name)?;
        std::fs::remove_file(&path).map_err(|e| match e.kind() {
            ErrorKind::NotFound => {
                Error::not_found(format!("there is no timeline '{}'", clean(name, 60)))
            }
            _ => Error::broken(format!("cannot delete {}", path.display())).because(e),
        })
    }

    fn path(&self, name: &str) -> Result<PathBuf, Error> {
        checked(name)?;
        Ok(self.folder.join(format!("{name}.json")))
    }
}

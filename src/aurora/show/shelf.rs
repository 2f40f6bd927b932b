//! The shelf: profiles as files in a folder, one `<name>.json` each.

use super::profile::{LARGEST, Profile};
use crate::error::Error;
use crate::text::clean;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Most files that are looked at.
const MOST: usize = 500;

/// A folder of profiles.
#[derive(Clone, Debug)]
pub struct Shelf {
    folder: PathBuf,
}

impl Shelf {
    /// The shelf in `folder`, which is made when something is first saved.
    pub fn new(folder: impl Into<PathBuf>) -> Shelf {
        Shelf { folder: folder.into() }
    }

    /// The names of all profiles, in order.
    ///
    /// # Errors
    /// Broken: the folder cannot be read. Limit: more than 500 files.
    pub fn names(&self) -> Result<Vec<String>, Error> {
        let fault = |e| {
            Error::broken(format!("cannot read the profiles in {}", self.folder.display()))
                .because(e)
        };
        let entries = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(fault(e)),
        };
        let mut names = Vec::new();
        for entry in entries.take(2 * MOST) {
            let name = entry.map_err(fault)?.file_name();
            let Some(name) = name.to_str().and_then(|name| name.strip_suffix(".json")) else {
                continue;
            };
            if checked(name).is_ok() {
                names.push(name.to_owned());
            }
        }
        if names.len() > MOST {
            return Err(Error::limit(format!("more than {MOST} profiles; delete some")));
        }
        names.sort();
        Ok(names)
    }

    /// Reads one.
    ///
    /// # Errors
    /// NotFound; Invalid and Limit as [`Profile::parse`], with the file's name.
    pub fn load(&self, name: &str) -> Result<Profile, Error> {
        let path = self.path(name)?;
        let told = |what: &str| format!("profile '{}': {what}", clean(name, 60));
        let size = match std::fs::metadata(&path) {
            Ok(about) => about.len(),
            Err(e) if e.kind() == ErrorKind::NotFound => {
                let known = self.names()?.join(", ");
                return Err(Error::not_found(told(&format!("there is none; there are: {known}"))));
            }
            Err(e) => return Err(Error::broken(told("cannot be read")).because(e)),
        };
        if size > LARGEST as u64 {
            return Err(Error::limit(told(&format!("is larger than {} KB", LARGEST / 1024))));
        }
        let text = std::fs::read_to_string(&path)
            .map_err(|e| Error::invalid(told("is no text")).because(e))?;
        Profile::parse(&text).map_err(|e| Error::new(e.kind(), told(e.what())))
    }

    /// Writes one under its own name; an older one of that name is replaced.
    ///
    /// # Errors
    /// Invalid: as [`Profile::check`], or a name that is no file name. Limit: the shelf is full.
    /// Broken: it cannot be written.
    pub fn save(&self, profile: &Profile) -> Result<(), Error> {
        profile.check()?;
        let path = self.path(&profile.name)?;
        if !path.exists() && self.names()?.len() >= MOST {
            return Err(Error::limit(format!("there are {MOST} profiles already; delete some")));
        }
        replace(&path, profile.text()?.as_bytes())
    }

    /// Deletes one.
    ///
    /// # Errors
    /// NotFound; Broken: it cannot be deleted.
    pub fn delete(&self, name: &str) -> Result<(), Error> {
        let path = self.path(name)?;
        std::fs::remove_file(&path).map_err(|e| match e.kind() {
            ErrorKind::NotFound => {
                Error::not_found(format!("there is no profile '{}'", clean(name, 60)))
            }
            _ => Error::broken(format!("cannot delete {}", path.display())).because(e),
        })
    }

    fn path(&self, name: &str) -> Result<PathBuf, Error> {
        checked(name)?;
        Ok(self.folder.join(format!("{name}.json")))
    }
}

/// Whether a name can be a file's name everywhere and leads nowhere else.
pub(in crate::aurora) fn checked(name: &str) -> Result<(), Error> {
    let fine = |c: char| c.is_alphanumeric() || " -_.,()'&+".contains(c);
    let whole = !name.starts_with(['.', ' ']) && !name.ends_with(['.', ' ']);
    if (1..=60).contains(&name.chars().count()) && name.chars().all(fine) && whole {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "'{}' cannot be a name here; use up to 60 letters, digits, spaces and -_.,()'&+, with neither a \
         dot nor a space at either end",
        clean(name, 80)
    )))
}

/// Writes a file whole or not at all: beside it first, then in its place.
pub(in crate::aurora) fn replace(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let fault = |e| Error::broken(format!("cannot write {}", path.display())).because(e);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(fault)?;
    }
    let beside = path.with_extension("new");
    let written = std::fs::File::create(&beside).and_then(|mut file| {
        std::io::Write::write_all(&mut file, bytes)?;
        file.sync_all()
    });
    written.and_then(|()| std::fs::rename(&beside, path)).map_err(|e| {
        let _ = std::fs::remove_file(&beside);
        fault(e)
    })
}

//! The images that sessions may name besides our own worker: a file that the house's owner writes.
//!
//! It is read at each use, so that an edit counts at once; one with a mistake allows nothing and says
//! where the mistake is. It is the only way to an image: what is not in it is refused.

use crate::config::Secret;
use crate::error::Error;
use crate::orchestrator::sandbox::{Destination, Limits};
use crate::text::clean;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A larger file is none of ours.
const LARGEST: u64 = 1 << 20;
/// At most so many images.
const ENTRIES: usize = 200;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    image: Vec<Entry>,
}

/// An image that sessions may name.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    /// What sessions call it: a-z, 0-9 and -.
    pub(super) name: String,
    /// The image with its digest, like `ghcr.io/x/y@sha256:…`, or with a tag when the owner wants that.
    pub(super) image: String,
    /// For people and models.
    #[serde(default)]
    pub(super) about: String,
    /// Command in place of the image's own.
    pub(super) command: Option<Vec<String>>,
    /// Names of the environment that a session may set.
    #[serde(default)]
    pub(super) env: Vec<String>,
    /// Environment that every session gets.
    #[serde(default)]
    pub(super) set: BTreeMap<String, Secret>,
    /// Hosts that it may connect to: `api.example.org:443`, `*.example.org:443`.
    #[serde(default)]
    pub(super) egress: Vec<String>,
    #[serde(default)]
    limits: Wanted,
}

/// Limits in place of the usual ones.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Wanted {
    memory_mb: Option<u64>,
    processes: Option<u32>,
    cpu_percent: Option<u32>,
    scratch_mb: Option<u64>,
    open_files: Option<u32>,
}

impl Entry {
    /// Its limits, where it says some, and the usual ones elsewhere.
    pub(super) fn limits(&self, usual: Limits) -> Limits {
        let wanted = self.limits;
        Limits {
            memory_bytes: wanted.memory_mb.map_or(usual.memory_bytes, |mb| mb << 20),
            processes: wanted.processes.unwrap_or(usual.processes),
            cpu_thousandths: wanted.cpu_percent.map_or(usual.cpu_thousandths, |p| p * 10),
            scratch_bytes: wanted.scratch_mb.map_or(usual.scratch_bytes, |mb| mb << 20),
            open_files: wanted.open_files.unwrap_or(usual.open_files),
        }
    }

    /// Where it may connect to.
    pub(super) fn destinations(&self) -> Result<Vec<Destination>, Error> {
        self.egress.iter().map(|text| destination(text)).collect()
    }

    fn check(&self) -> Result<(), Error> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if self.name.is_empty() || self.name.len() > 64 || !self.name.bytes().all(plain) {
            let shown = clean(&self.name, 64);
            return Err(Error::invalid(format!("the name '{shown}' must be a-z, 0-9 and -")));
        }
        let image = &self.image;
        let odd = |c: char| c.is_whitespace() || c.is_control();
        if image.is_empty() || image.len() > 300 || image.contains(odd) || image.starts_with('-') {
            return Err(Error::invalid(format!("'{}' has no image", self.name)));
        }
        self.destinations().map(drop).map_err(|e| e.at(format!("'{}'", self.name)))
    }
}

/// Reads `host:port`.
pub(super) fn destination(text: &str) -> Result<Destination, Error> {
    let wrong = || {
        let shown = clean(text, 100);
        Error::invalid(format!("'{shown}' is no destination: write it like api.example.org:443"))
    };
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let port: u16 = port.parse().map_err(|_| wrong())?;
    let host = host.to_ascii_lowercase();
    let name = host.strip_prefix("*.").unwrap_or(&host);
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
    let named = !name.is_empty() && host.len() <= 253 && name.bytes().all(plain);
    if !named || port == 0 || name.starts_with('.') || !name.contains('.') {
        return Err(wrong());
    }
    Ok(Destination { host, port })
}

/// The file.
#[derive(Clone, Debug)]
pub(super) struct Catalogue {
    path: PathBuf,
}

impl Catalogue {
    pub(super) fn new(given: &str, data_dir: &Path) -> Catalogue {
        let path = match given {
            "" => data_dir.join("catalogue.toml"),
            given => PathBuf::from(given),
        };
        Catalogue { path }
    }

    /// Returns every image, in the order of the file; none when there is no file.
    pub(super) fn entries(&self) -> Result<Vec<Entry>, Error> {
        let place = self.path.display();
        let text = match std::fs::metadata(&self.path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Ok(meta) if meta.len() > LARGEST => {
                return Err(Error::refused(format!("{place} is larger than {LARGEST} bytes")));
            }
            _ => std::fs::read_to_string(&self.path)
                .map_err(|e| Error::refused(format!("cannot read {place}: {e}")))?,
        };
        read(&text).map_err(|e| Error::refused(format!("{place} has a mistake: {}", e.what())))
    }

    /// Returns the image of that name.
    pub(super) fn find(&self, name: &str) -> Result<Entry, Error> {
        let all = self.entries()?;
        if let Some(entry) = all.iter().find(|entry| entry.name == name) {
            return Ok(entry.clone());
        }
        let known: Vec<&str> = all.iter().map(|entry| entry.name.as_str()).collect();
        let known = match known.as_slice() {
            [] => "it names none yet".to_owned(),
            known => format!("it names {}", known.join(", ")),
        };
        let shown = clean(name, 100);
        Err(Error::refused(format!(
            "the image '{shown}' is not in the catalogue ({}); {known}",
            self.path.display()
        )))
    }
}

fn read(text: &str) -> Result<Vec<Entry>, Error> {
    let file: File = toml::from_str(text).map_err(|e| {
        let line = e.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
        Error::invalid(format!("line {line}: {}", clean(e.message(), 300)))
    })?;
    if file.image.len() > ENTRIES {
        return Err(Error::invalid(format!("more than {ENTRIES} images")));
    }
    for (n, entry) in file.image.iter().enumerate() {
        entry.check()?;
        if file.image[..n].iter().any(|before| before.name == entry.name) {
            return Err(Error::invalid(format!("'{}' stands there twice", entry.name)));
        }
    }
    Ok(file.image)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_read_with_what_it_leaves_out() {
        let text = "[[image]]\nname = \"search\"\nimage = \"x/y@sha256:00\"\nenv = [\"KEY\"]\n\
                    egress = [\"API.example.org:443\", \"*.example.net:8443\"]\n\
                    [image.limits]\nmemory_mb = 64\n[image.set]\nMODE = \"quiet\"\n";
        let all = read(text).unwrap();
        let limits = all[0].limits(Limits::default());
        assert_eq!((limits.memory_bytes, limits.processes), (64 << 20, 64));
        let egress = all[0].destinations().unwrap();
        assert_eq!((egress[0].host.as_str(), egress[0].port), ("api.example.org", 443));
        assert_eq!(egress[1].host, "*.example.net");
        assert_eq!(all[0].set["MODE"].reveal(), "quiet");
    }

    #[test]
    fn mistakes_are_named() {
        let entry = |more: &str| format!("[[image]]\nname = \"a\"\nimage = \"x\"\n{more}\n");
        for (text, want) in [
            ("[[image]]\nname = \"A b\"\nimage = \"x\"\n".to_owned(), "the name 'A b'"),
            ("[[image]]\nname = \"a\"\nimage = \"--x\"\n".to_owned(), "'a' has no image"),
            (entry("port = 1"), "port"),
            (entry("egress = [\"example.org\"]"), "'example.org' is no destination"),
            (entry("egress = [\"localhost:80\"]"), "'localhost:80' is no destination"),
            (entry("egress = [\"a b.c:80\"]"), "is no destination"),
            (entry("") + &entry(""), "'a' stands there twice"),
        ] {
            let e = read(&text).unwrap_err().to_string();
            assert!(e.contains(want), "{text}: {e}");
        }
    }
}

//! Append-only files of whole lines that rotate by size.
//!
//! The log files are written with it. Several processes may append to one file: each line is one
//! write. It never reads what it wrote.

use crate::error::Error;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// So many rotated files are kept beside the one being written.
const OLDER: usize = 3;

/// A file of lines.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    most: u64,
}

impl Journal {
    /// Opens or makes the file at `path` (mode 0600), to be rotated at `most` bytes.
    ///
    /// # Errors
    /// Broken: the file cannot be written.
    pub fn open(path: &Path, most: u64) -> Result<Journal, Error> {
        Ok(Journal { path: path.to_owned(), file: append(path)?, most })
    }

    /// Adds one line; a line break is put behind it.
    ///
    /// # Errors
    /// Broken: the file cannot be written or rotated.
    pub fn add(&mut self, line: &str) -> Result<(), Error> {
        let bad = |e| Error::broken(format!("cannot write {}", self.path.display())).because(e);
        self.file.write_all(format!("{line}\n").as_bytes()).map_err(bad)?;
        if self.file.metadata().map_err(bad)?.len() >= self.most {
            self.rotate()?;
        }
        Ok(())
    }

    fn rotate(&mut self) -> Result<(), Error> {
        let ending = self.path.extension().map_or("log", |e| e.to_str().unwrap_or("log"));
        let name = |n: usize| self.path.with_extension(format!("{n}.{ending}"));
        for n in (1..OLDER).rev() {
            // A gap in the row of files is no fault.
            let _ = std::fs::rename(name(n), name(n + 1));
        }
        std::fs::rename(&self.path, name(1)).map_err(|e| {
            Error::broken(format!("cannot rotate {}", self.path.display())).because(e)
        })?;
        self.file = append(&self.path)?;
        Ok(())
    }
}

fn append(path: &Path) -> Result<File, Error> {
    let open = OpenOptions::new().create(true).append(true).mode(0o600).open(path);
    open.map_err(|e| Error::broken(format!("cannot write {}", path.display())).because(e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_lines_are_in_the_first_file_and_three_older_stay() {
        let dir = std::env::temp_dir().join(format!("hearth-journal-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join("audit.jsonl");
        let mut journal = Journal::open(&path, 100).unwrap();
        for n in 0..60 {
            journal.add(&format!("line {n:03} {}", "x".repeat(40))).unwrap();
        }
        let mut names: Vec<String> = std::fs::read_dir(&dir)
            .unwrap()
            .map(|f| f.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["audit.1.jsonl", "audit.2.jsonl", "audit.3.jsonl", "audit.jsonl"]);
        let newest = std::fs::read_to_string(dir.join("audit.1.jsonl")).unwrap();
        assert!(newest.lines().last().unwrap().starts_with("line 059"), "{newest}");
        let e = Journal::open(&dir.join("no/such/place"), 100).unwrap_err();
        assert!(e.to_string().starts_with("cannot write "), "{e}");
        std::fs::remove_dir_all(&dir).unwrap();
    }
}

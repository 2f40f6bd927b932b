//! What Hearth is made of: every package has a licence that may be shipped and no open advisory.
//!
//! The lists that people edit are `scripts/licences.toml` and `scripts/advisories.toml`. The
//! advisory data is the RustSec database in the folder that `ADVISORY_DB` names.

mod advisories;
mod licences;

use std::path::{Path, PathBuf};

/// The repository's folder.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Reads a file that must be there.
fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The files in a folder and all below it whose name ends in `ending`; build output is left out.
fn files_below(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = std::fs::read_dir(folder) else { return found };
    for entry in entries.flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if path.is_dir() {
            if !["target", "dist", "node_modules"].contains(&&*name) && !name.starts_with('.') {
                found.extend(files_below(&path, ending));
            }
        } else if name.ends_with(ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

//! Golden files: what others rely on, kept as text and compared.

use std::path::PathBuf;

/// Compares `text` with `tests/golden/<name>`; with `UPDATE=1` in the environment it rewrites it.
pub fn golden(name: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        return;
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    if kept == text {
        return;
    }
    let first = kept.lines().zip(text.lines()).position(|(old, new)| old != new);
    let line = first.unwrap_or(kept.lines().count().min(text.lines().count()));
    panic!(
        "tests/golden/{name} differs from line {} on:\n  kept: {}\n  now:  {}\n\
         If the change is meant, run the tests with UPDATE=1 and commit the file.",
        line + 1,
        kept.lines().nth(line).unwrap_or("(end)"),
        text.lines().nth(line).unwrap_or("(end)")
    );
}

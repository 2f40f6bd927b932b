//! What the probe runs in a sandbox: it says one byte behind all guards and waits for the end of stdin.

use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::process::ExitCode;

/// `--wait --sealed`: with the filter of level 1, which our worker puts up itself.
pub(super) fn run(arguments: &[OsString]) -> Result<ExitCode, String> {
    if arguments.iter().any(|word| word == "--sealed") {
        super::seal().map_err(|e| e.to_string())?;
    }
    let said = std::io::stdout().write_all(b"!").and_then(|()| std::io::stdout().flush());
    said.map_err(|e| format!("cannot write to stdout: {e}"))?;
    let mut rest = Vec::new();
    // Nothing is ever sent; this is how long it runs.
    let _ = std::io::stdin().lock().take(1).read_to_end(&mut rest);
    Ok(ExitCode::SUCCESS)
}

//! What the probe runs in a sandbox: it says one byte behind all guards and waits for the end of stdin.

use std::io::{Read as _, Write as _};
use std::process::ExitCode;

/// As `hearth sandbox-first --wait`, or in the inner stage itself where nothing can be started.
pub(super) fn run() -> Result<ExitCode, String> {
    let said = std::io::stdout().write_all(b"!").and_then(|()| std::io::stdout().flush());
    said.map_err(|e| format!("cannot write to stdout: {e}"))?;
    let mut rest = Vec::new();
    // Nothing is ever sent; this is how long it runs.
    let _ = std::io::stdin().lock().take(1).read_to_end(&mut rest);
    Ok(ExitCode::SUCCESS)
}

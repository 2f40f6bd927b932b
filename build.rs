//! Builds the web UI before the program: runs `src/web/ui/bundle.mjs` with Node into `OUT_DIR`,
//! from where `src/web/assets.rs` embeds it. Changes of Rust files alone do not run it again.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const UI: &str = "src/web/ui";
const ADVICE: &str = "install Node 18 or newer and run ./scripts/ui install, then build again";

fn main() -> ExitCode {
    watch();
    match bundle() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("The web page cannot be built: {why}.");
            ExitCode::FAILURE
        }
    }
}

fn bundle() -> Result<(), String> {
    if !Path::new(UI).join("node_modules/esbuild").is_dir() {
        return Err(format!("its packages are missing; {ADVICE}"));
    }
    let out = std::env::var_os("OUT_DIR").ok_or("cargo names no OUT_DIR")?;
    let out = PathBuf::from(out).join("ui");
    let run = Command::new("node").arg(Path::new(UI).join("bundle.mjs")).arg(&out).status();
    match run {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("bundling ended with {status}; its own message stands above")),
        Err(e) => Err(format!("'node' cannot be started ({e}); {ADVICE}")),
    }
}

/// Names what the bundle is made of. A service's first page is noticed because a new service
/// stands in `src/lib.rs`; folders are read with all that is in them.
fn watch() {
    let again = |path: &Path| println!("cargo::rerun-if-changed={}", path.display());
    again(Path::new("src/lib.rs"));
    let ui = Path::new(UI);
    for part in ["bundle.mjs", "icon.svg", "package-lock.json", "login", "shared", "shell", "style"]
    {
        again(&ui.join(part));
    }
    // npm writes this one at the end of each installation.
    again(&ui.join("node_modules/.package-lock.json"));
    println!("cargo::rerun-if-env-changed=HEARTH_UI_DEV");
    let services = std::fs::read_dir("src").into_iter().flatten().flatten();
    let mut pages: Vec<PathBuf> = services.map(|s| s.path().join("page")).collect();
    pages.retain(|page| page.is_dir());
    pages.sort();
    pages.iter().for_each(|page| again(page));
}

//! Examples that ship: written to `examples` in the folder of scripts, to be copied beside it. There
//! they do not run.

use std::path::Path;

/// File name and text of each example.
pub const EXAMPLES: [(&str, &str); 2] = [
    ("left_open.lua", include_str!("examples/left_open.lua")),
    ("lights_off.lua", include_str!("examples/lights_off.lua")),
];

/// Writes the examples that are missing, when there is a folder of scripts.
pub(super) fn write(folder: &Path) {
    let place = folder.join("examples");
    if !folder.is_dir() || place.exists() {
        return;
    }
    let write = || -> std::io::Result<()> {
        std::fs::create_dir(&place)?;
        EXAMPLES.iter().try_for_each(|(file, text)| std::fs::write(place.join(file), text))
    };
    // A folder that cannot be written still holds scripts that can be run.
    if let Err(e) = write() {
        log::debug!("{} has no examples: {e}", place.display());
    }
}

//! What `hearth sandbox probe` prints.

use crate::orchestrator::kernel::Probed;
use std::fmt::Write as _;

/// The level reached here, each level that was tried, and each limit as it was read back.
pub fn report(probed: &Probed) -> String {
    let mut out = match probed.level() {
        Ok(level) => format!("level reached here: {}\n", level.number()),
        Err(e) => format!("level reached here: none ({e})\n"),
    };
    for rung in &probed.rungs {
        let number = rung.level.number();
        match &rung.found {
            Err(why) => {
                let _ = writeln!(out, "\nlevel {number}: no: {why}");
            }
            Ok(guards) => {
                let _ = writeln!(out, "\nlevel {number}: yes");
                for guard in guards {
                    let found = match &guard.in_force {
                        Some(found) => found,
                        None if guard.asked == "none" => "none",
                        None => "not in force",
                    };
                    let _ = writeln!(out, "  {:<18} {found}", guard.name);
                    let _ = write!(out, "  {:<18}   asked: {}", "", guard.asked);
                    let _ = match guard.read_at {
                        "" => writeln!(out),
                        place => writeln!(out, "; read from {place}"),
                    };
                }
            }
        }
    }
    if let Some(why) = &probed.groups {
        let _ = writeln!(out, "\ncontrol groups: not everything can be limited by them: {why}");
    }
    out
}

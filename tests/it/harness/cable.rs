//! Two machines that exist only as network namespaces with a cable between them: nothing leaves them.
//!
//! A test starts itself again inside a fresh namespace (the near side), which starts itself once more
//! in another (the far side) and lays the cable between the two.

use crate::harness::wait_for;
use std::process::{Command, Stdio};

/// Printed by the near side when all was well.
pub const DONE: &str = "the near side is done";
/// Printed by a side that cannot have a cable on this kernel.
pub const NONE: &str = "skipped: no cable";

/// A test and its two sides.
pub struct Cable {
    /// The test's whole name.
    pub name: &'static str,
    /// The variable of the environment that says which side is to run.
    pub variable: &'static str,
    pub near: fn(),
    pub far: fn(),
}

impl Cable {
    /// Runs the side that this process is, or both.
    pub fn run(&self) {
        match std::env::var(self.variable).as_deref() {
            Ok("near") => return (self.near)(),
            Ok("far") => return (self.far)(),
            _ => {}
        }
        let possible = Command::new("unshare").args(["--net", "ip", "link"]).output();
        if !possible.is_ok_and(|run| run.status.success()) {
            println!("skipped: {}: needs root, unshare and ip", self.name);
            return;
        }
        let run = self.side("near").stdin(Stdio::null()).output().unwrap();
        let (out, err) =
            (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
        if out.contains(NONE) {
            println!("skipped: {}: no virtual cables on this kernel", self.name);
            return;
        }
        assert!(run.status.success(), "{out}{err}");
        assert!(out.contains(DONE), "the near side did not run: {out}{err}");
    }

    /// This test in a namespace of its own, as that side.
    pub fn side(&self, side: &str) -> Command {
        let mut command = Command::new("unshare");
        command.arg("--net").arg(std::env::current_exe().unwrap());
        command.args(["--exact", self.name, "--nocapture"]).env(self.variable, side);
        command
    }
}

/// Runs `ip` with these arguments; whether it did so.
pub fn ip(args: &str) -> bool {
    Command::new("ip").args(args.split(' ')).status().unwrap().success()
}

/// Brings up this end of the cable.
pub fn plug_in(end: &str) {
    assert!(ip("link set lo up") && ip(&format!("link set {end} up")));
}

/// Waits until the kernel says that the cable carries: it does so a little after both ends are up.
pub fn carries(end: &str) {
    wait_for("the cable", || {
        let shown = Command::new("ip").args(["-o", "link", "show", end]).output().unwrap();
        String::from_utf8_lossy(&shown.stdout).contains(" state UP ").then_some(())
    });
}

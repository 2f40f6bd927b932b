//! The first process of a container: takes the server's environment from stdin, then becomes the server.
//!
//! `hearth sandbox-first --stdin-env [--egress SOCKET] -- COMMAND ARGUMENTS…`. The first frame on stdin
//! is a JSON object of names and values; what follows it belongs to the server.

use crate::http::peer;
use crate::orchestrator::egress::inside;
use crate::orchestrator::first::frame;
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

#[derive(Debug, Default, PartialEq)]
struct Asked {
    reads_environment: bool,
    /// The socket of the way out.
    egress: Option<PathBuf>,
    command: Vec<OsString>,
}

/// Becomes the server.
pub(super) fn run(arguments: Vec<OsString>) -> Result<ExitCode, String> {
    let asked = read(arguments)?;
    let environment: BTreeMap<String, String> = match asked.reads_environment {
        true => frame::read(std::io::stdin())?,
        false => BTreeMap::new(),
    };
    check(&environment)?;
    prctl::set_no_new_privs().map_err(|e| format!("cannot give up new privileges: {e}"))?;
    // What Hearth's sockets refuse. The node's part stays empty: the engine's labels say whose it is.
    setrlimit(Resource::RLIMIT_RTTIME, (peer::MARK - 1) << 48, peer::MARK << 48)
        .map_err(|e| format!("cannot set the mark: {e}"))?;
    if let Some(socket) = &asked.egress {
        inside::start(socket)?;
    }
    let (name, arguments) = asked.command.split_first().ok_or("no command follows '--'")?;
    // The image's own settings (PATH, LANG) stay; what was handed over comes on top.
    let fault = Command::new(name).args(arguments).envs(&environment).exec();
    Err(format!("cannot start {}: {fault}", name.to_string_lossy().escape_debug()))
}

fn read(arguments: Vec<OsString>) -> Result<Asked, String> {
    let mut asked = Asked::default();
    let mut rest = arguments.into_iter();
    while let Some(word) = rest.next() {
        match word.to_str() {
            Some("--stdin-env") => asked.reads_environment = true,
            Some("--egress") => {
                asked.egress = Some(rest.next().ok_or("no socket follows '--egress'")?.into());
            }
            Some("--") => {
                asked.command = rest.collect();
                return Ok(asked);
            }
            _ => return Err(format!("'{}' is unknown", word.to_string_lossy().escape_debug())),
        }
    }
    Err("no command follows '--'".into())
}

/// Names that no environment can have would end this process in the middle of its work.
fn check(environment: &BTreeMap<String, String>) -> Result<(), String> {
    let bad = |(name, value): &(&String, &String)| {
        name.is_empty() || name.contains(['=', '\0']) || value.contains('\0')
    };
    match environment.iter().find(bad) {
        None => Ok(()),
        Some((name, _)) => Err(format!("'{}' cannot be in an environment", name.escape_debug())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn everything_after_the_dashes_is_the_servers() {
        let asked = read(words("--stdin-env -- node --stdin-env -- x")).unwrap();
        assert!(asked.reads_environment);
        assert_eq!(asked.command, words("node --stdin-env -- x"));
        let out = read(words("--egress /run/x --stdin-env -- node")).unwrap();
        assert_eq!(out.egress, Some("/run/x".into()));
        for wrong in ["--stdin-env", "node x", "--egress", "--frob -- node"] {
            assert!(read(words(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_name_that_cannot_be_is_refused() {
        let with = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
        assert!(check(&with("KEY", "a=b")).is_ok());
        for (name, value) in [("", "x"), ("A=B", "x"), ("A", "x\0y")] {
            assert!(check(&with(name, value)).is_err(), "{name:?} {value:?}");
        }
    }
}

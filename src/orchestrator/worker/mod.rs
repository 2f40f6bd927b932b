//! `hearth worker`: a small MCP server for files and commands, which runs inside a sandbox.
//!
//! One thread, one loop: it waits for standard input, for its commands and for signals at once. It
//! keeps nothing, opens no socket and writes no log; what it may reach is the sandbox's matter, but
//! of its folder it guards the way out itself ([`folder`]). As the first process of a container it
//! also reaps orphans.

mod command;
mod files;
mod folder;
mod memory;
mod path;
mod tools;
mod wire;

use crate::error::Error;
use command::{Asked, Commands, held};
use files::Files;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use serde_json::{Map, Value};
use std::io::Write as _;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;
use wire::Said;

/// What the worker offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offer {
    /// The files below a folder, and commands that run in it.
    Commands(PathBuf),
    /// The files below a folder.
    Files(PathBuf),
    /// Files in memory, at most so many bytes. Opens nothing and starts nothing: for level 1.
    Memory(usize),
}

/// Serves on standard input and output until the client closes them or SIGTERM comes.
///
/// # Errors
/// NotFound when the folder cannot be opened; Broken when standard input or output fails.
pub fn run(offer: &Offer) -> Result<(), Error> {
    match offer {
        Offer::Memory(room) => Worker::new(memory::Memory::new(*room), None).serve(),
        Offer::Files(root) => Worker::new(folder::Folder::open(root)?, None).serve(),
        Offer::Commands(root) => {
            let files = folder::Folder::open(root)?;
            let signals = held()
                .thread_block()
                .and_then(|()| SignalFd::with_flags(&held(), SfdFlags::SFD_NONBLOCK))
                .map_err(|e| broken("cannot wait for signals", e))?;
            Worker::new(files, Some(Shell { signals, commands: Commands::default(), enter }))
                .serve()
        }
    }
}

fn enter(files: &folder::Folder, path: &str) -> Result<OwnedFd, Error> {
    files.enter(path)
}

/// What is needed to run commands.
struct Shell<F> {
    signals: SignalFd,
    commands: Commands,
    enter: fn(&F, &str) -> Result<OwnedFd, Error>,
}

struct Worker<F> {
    files: F,
    shell: Option<Shell<F>>,
    lines: wire::Lines,
}

impl<F: Files> Worker<F> {
    fn new(files: F, shell: Option<Shell<F>>) -> Worker<F> {
        Worker { files, shell, lines: wire::Lines::default() }
    }

    fn serve(mut self) -> Result<(), Error> {
        let stdin = std::io::stdin();
        let mut part = vec![0u8; 64 << 10];
        loop {
            let next = self.shell.as_mut().and_then(|shell| shell.commands.late());
            let mut waits = vec![PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
            if let Some(shell) = &self.shell {
                waits.push(PollFd::new(shell.signals.as_fd(), PollFlags::POLLIN));
                waits.extend(shell.commands.streams().map(|s| PollFd::new(s, PollFlags::POLLIN)));
            }
            match poll(&mut waits, timeout(next)) {
                Ok(_) => {}
                Err(Errno::EINTR) => continue,
                Err(e) => return Err(broken("cannot wait", e)),
            }
            let heard = waits[0].any().unwrap_or(true);
            drop(waits);
            if self.look_after_commands()? {
                return Ok(());
            }
            if heard {
                match nix::unistd::read(&stdin, &mut part) {
                    Ok(0) => {
                        self.shell.iter_mut().for_each(|shell| shell.commands.end());
                        return Ok(());
                    }
                    Ok(n) => self.hear(&part[..n])?,
                    Err(Errno::EINTR) => {}
                    Err(e) => return Err(broken("cannot read standard input", e)),
                }
            }
        }
    }

    /// Answers for commands that have ended. True when we are to end.
    fn look_after_commands(&mut self) -> Result<bool, Error> {
        let Some(shell) = &mut self.shell else { return Ok(false) };
        let mut stop = false;
        while let Ok(Some(signal)) = shell.signals.read_signal() {
            stop |= signal.ssi_signo != nix::sys::signal::Signal::SIGCHLD as u32;
        }
        shell.commands.hear();
        // Not only after SIGCHLD: while a command is started the signal is let through.
        for ended in shell.commands.reap() {
            if let Some(asked) = &ended.asked {
                say(&wire::result(asked.id.clone(), &asked.params, tools::ended(&ended)))?;
            }
        }
        if stop {
            shell.commands.end();
        }
        Ok(stop)
    }

    fn hear(&mut self, bytes: &[u8]) -> Result<(), Error> {
        for line in self.lines.push(bytes) {
            let said = match &line {
                Some(line) => wire::read(line),
                None => {
                    let what = format!("a message has at most {} bytes", wire::LONGEST);
                    Err(wire::error(Value::Null, -32600, &what))
                }
            };
            match said {
                Ok(Said::Request { id, method, params }) => {
                    if let Some(answer) = self.answer(id, &method, params) {
                        say(&answer)?;
                    }
                }
                Ok(Said::Cancel(id)) => {
                    self.shell.iter_mut().for_each(|shell| shell.commands.cancel(&id));
                }
                Ok(Said::Nothing) => {}
                Err(answer) => say(&answer)?,
            }
        }
        Ok(())
    }

    /// Answers a request; `None` when that comes later.
    fn answer(&mut self, id: Value, method: &str, params: Map<String, Value>) -> Option<Value> {
        let name = match method {
            "initialize" => return Some(wire::welcome(id, &params)),
            "server/discover" => return Some(wire::discover(id)),
            "ping" => return Some(wire::result(id, &params, Value::Object(Map::new()))),
            "tools/list" => {
                return Some(wire::result(id, &params, tools::list(self.shell.is_some())));
            }
            "tools/call" => {
                params.get("name").and_then(Value::as_str).unwrap_or_default().to_owned()
            }
            other => {
                let what = format!("there is no method '{}' here", other.escape_debug());
                return Some(wire::error(id, -32601, &what));
            }
        };
        let done = match (&mut self.shell, name.as_str()) {
            (Some(shell), "execute_command") => match execute(shell, &self.files, &params) {
                Ok(at) => {
                    shell.commands.belongs(at, Asked { id, params });
                    return None;
                }
                Err(e) => Err(e),
            },
            (_, name) => match tools::about_files(&mut self.files, name, &params) {
                Some(done) => done,
                None => {
                    let what = format!("there is no tool '{}' here", name.escape_debug());
                    return Some(wire::error(id, -32602, &what));
                }
            },
        };
        Some(wire::result(id, &params, done.unwrap_or_else(|e| tools::failed(&e))))
    }
}

fn execute<F>(
    shell: &mut Shell<F>,
    files: &F,
    params: &Map<String, Value>,
) -> Result<usize, Error> {
    let args: tools::Execute = tools::arguments("execute_command", params)?;
    let folder = (shell.enter)(files, &args.folder)?;
    shell.commands.start(&args.command, &folder, args.within())
}

fn timeout(next: Option<Duration>) -> PollTimeout {
    // One more, so that it does not wake just before the time and wait again for nothing.
    next.map_or(PollTimeout::NONE, |time| {
        PollTimeout::try_from(time.as_millis() + 1).unwrap_or(PollTimeout::MAX)
    })
}

fn say(message: &Value) -> Result<(), Error> {
    let mut line = message.to_string();
    line.push('\n');
    let mut out = std::io::stdout().lock();
    out.write_all(line.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|e| Error::broken("cannot write to standard output").because(e))
}

fn broken(what: &str, e: Errno) -> Error {
    Error::broken(format!("worker: {what}")).because(e)
}

//! The program: subcommands, the sum of all configuration, and the order in which things start.

mod check;
mod cli;
mod client;
mod config;
mod demo_house;
mod help;
mod logs;
mod place;
mod sandbox;
mod start;
mod stdio;
mod welcome;

use crate::aurora;
use crate::error::{Error, Kind};
use crate::orchestrator;
use cli::Command;
use std::process::ExitCode;

/// Name and version, as `--version` prints it.
pub const VERSION: &str = concat!("hearth ", env!("CARGO_PKG_VERSION"));

/// Runs the program with the process' arguments and returns its exit code: 0 done, 1 failed, 2 for
/// a command line or configuration that cannot be understood, 69 (EX_UNAVAILABLE) when the daemon
/// or a counterpart is not there.
pub fn main() -> ExitCode {
    // The first process of a sandbox is this program, too, and nothing else of it may run there.
    if let Some(code) = orchestrator::first::run(std::env::args_os().skip(1)) {
        return code;
    }
    let own = orchestrator::engine::look::run(std::env::args_os().skip(1))
        .or_else(|| orchestrator::egress::inside::run(std::env::args_os().skip(1)));
    if let Some(code) = own {
        return code;
    }
    let done = aurora::prepare()
        .and_then(|()| cli::parse(std::env::args_os().skip(1)))
        .and_then(|(command, options)| run(command, &options));
    match done {
        Ok(code) => code,
        Err(e) => {
            complain(&e);
            ExitCode::from(match e.kind() {
                Kind::Invalid => 2,
                Kind::Offline => 69,
                _ => 1,
            })
        }
    }
}

fn run(command: Command, options: &cli::Options) -> Result<ExitCode, Error> {
    match command {
        Command::Help { of } if of.is_empty() => say(&help::whole()),
        Command::Help { of } => say(&help::of(&help::under(&of))),
        Command::Version => say(VERSION),
        Command::Serve { demo } => return start::run(options, demo),
        Command::Mcp { service, demo } => return stdio::run(options, service.as_deref(), demo),
        Command::Health { service } => return client::health(options, service.as_deref()),
        Command::Token(command) => client::token(options, &command)?,
        Command::Config => {
            config::check_file(options)?;
            say(&config::reference());
        }
        Command::Check { find } => return check::run(options, find),
        Command::McpConfig { form } => say(&welcome::client_json(options, form)?),
        Command::SandboxList => client::sandbox_list(options)?,
        Command::SandboxLogs { id } => client::sandbox_logs(options, &id)?,
        Command::SandboxProbe => return sandbox::probe(options),
        Command::Worker(offer) => orchestrator::worker::run(&offer)?,
        Command::AudioList => client::audio_list()?,
        Command::AudioTest { input, seconds, save } => {
            return client::audio_test(options, input.as_deref(), seconds, save.as_deref());
        }
        Command::AudioBeats { file, offline } => {
            aurora::print_beats(&file, offline, std::io::stdout().lock())?;
        }
        Command::AudioLevels { file } => aurora::print_levels(&file, std::io::stdout().lock())?,
        Command::AudioRender { file } => aurora::print_timeline(&file, std::io::stdout().lock())?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints to standard output what the user asked to see.
pub(crate) fn say(text: &str) {
    use std::io::Write as _;
    // Whoever reads may have seen enough: `hearth config | head`.
    let _ = writeln!(std::io::stdout(), "{}", text.trim_end());
}

/// Prints to standard error.
pub(crate) fn complain(error: &Error) {
    eprintln!("hearth: {error}");
}

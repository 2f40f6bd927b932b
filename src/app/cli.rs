//! The command line.

use crate::app::gate::{Gate, Remember};
use crate::app::help::{self, Sub};
use crate::error::Error;
use crate::orchestrator::worker::Offer;
use crate::policy::{EntityScope, Grant, Level, Verdict};
use lexopt::prelude::{Long, Short, Value, ValueExt as _};
use std::ffi::OsString;
use std::path::PathBuf;

/// A subcommand.
#[derive(Debug, PartialEq)]
pub(super) enum Command {
    /// Of the commands that begin with these words; of all when there are none.
    Help {
        of: String,
    },
    Version,
    Serve {
        demo: bool,
    },
    Mcp {
        service: Option<String>,
        demo: bool,
    },
    Health {
        service: Option<String>,
    },
    Check {
        find: bool,
    },
    Config,
    McpConfig {
        form: Form,
    },
    Token(Token),
    SandboxList,
    SandboxLogs {
        id: String,
    },
    SandboxProbe,
    Worker(Offer),
    Gate(Gate),
    AudioList,
    AudioTest {
        /// The configured one when there is none.
        input: Option<String>,
        seconds: u32,
        save: Option<PathBuf>,
    },
    AudioBeats {
        file: PathBuf,
        offline: bool,
    },
    AudioLevels {
        file: PathBuf,
    },
    AudioRender {
        file: PathBuf,
    },
}

/// What to do with tokens.
#[derive(Debug, PartialEq)]
pub(super) enum Token {
    New { name: String, grant: Grant },
    List,
    Revoke { name: String, force: bool },
}

/// For which kind of client the JSON is printed.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Form {
    #[default]
    Http,
    Stdio,
    Ssh(String),
}

/// Options that any command takes.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Options {
    pub(super) config: Option<PathBuf>,
    pub(super) data_dir: Option<String>,
    pub(super) host: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) only: Vec<String>,
    pub(super) verbose: bool,
}

/// Everything that was given, before the command decides what of it makes sense.
#[derive(Default)]
struct Given {
    words: Vec<String>,
    /// The options that only some commands take.
    used: Vec<&'static str>,
    services: Vec<String>,
    areas: Vec<String>,
    labels: Vec<String>,
    level: Option<Level>,
    form: Option<Form>,
    seconds: Option<u32>,
    save: Option<PathBuf>,
    root: Option<PathBuf>,
    memory: Option<usize>,
    hash: Option<String>,
    token: Option<String>,
    target: Option<String>,
    minutes: Option<u32>,
    help: bool,
    version: bool,
}

/// Reads the arguments.
///
/// # Errors
/// Invalid: what is wrong, and how the command is written.
pub(super) fn parse(args: impl Iterator<Item = OsString>) -> Result<(Command, Options), Error> {
    let (mut given, mut options) = (Given::default(), Options::default());
    let read = read(args, &mut given, &mut options);
    if given.words.first().map(String::as_str) == Some("help") {
        given.help = true;
        given.words.remove(0);
    }
    read.map_err(|e| {
        // The words before the mistake say which command it was.
        Error::invalid(format!("{e}; {}", hint(&given.words)))
    })?;
    Ok((choose(given)?, options))
}

fn read(
    args: impl Iterator<Item = OsString>,
    given: &mut Given,
    options: &mut Options,
) -> Result<(), lexopt::Error> {
    let mut parser = lexopt::Parser::from_args(args);
    while let Some(arg) = parser.next()? {
        match arg {
            Short('h') | Long("help") => given.help = true,
            Short('V') | Long("version") => given.version = true,
            Short('v') | Long("verbose") => options.verbose = true,
            Short('c') | Long("config") => options.config = Some(parser.value()?.into()),
            Long("data-dir") => options.data_dir = Some(parser.value()?.string()?),
            Long("host") => options.host = Some(parser.value()?.string()?),
            Short('p') | Long("port") => {
                let text = parser.value()?.string()?;
                let wrong =
                    || format!("--port: '{text}' is no port; give a number from 0 to 65535");
                options.port = Some(text.parse().map_err(|_| wrong())?);
            }
            Long("only") => options.only = list(&parser.value()?.string()?),
            Long(name) => match OWN.iter().find(|own| **own == name) {
                Some(own) => read_own(own, &mut parser, given)?,
                None => return Err(arg.unexpected()),
            },
            Value(word) => given.words.push(word.string()?),
            other => return Err(other.unexpected()),
        }
    }
    Ok(())
}

/// Options that only some commands take; [`help::SUBS`] says which.
const OWN: &[&str] = &[
    "service",
    "area",
    "label",
    "level",
    "http",
    "stdio",
    "ssh",
    "demo",
    "exposed",
    "find",
    "force",
    "offline",
    "seconds",
    "save",
    "root",
    "memory",
    "no-execute",
    "hash",
    "token",
    "target",
    "minutes",
    "remember",
    "whole",
];

fn read_own(
    own: &'static str,
    parser: &mut lexopt::Parser,
    given: &mut Given,
) -> Result<(), lexopt::Error> {
    given.used.push(own);
    match own {
        "service" => given.services.push(parser.value()?.string()?),
        "area" => given.areas.push(parser.value()?.string()?),
        "label" => given.labels.push(parser.value()?.string()?),
        "level" => given.level = Some(level(&parser.value()?.string()?)?),
        "http" => given.form = Some(Form::Http),
        "stdio" => given.form = Some(Form::Stdio),
        "seconds" => given.seconds = Some(seconds(&parser.value()?.string()?)?),
        "token" => given.token = Some(parser.value()?.string()?),
        "target" => given.target = Some(parser.value()?.string()?),
        "minutes" => given.minutes = Some(minutes(&parser.value()?.string()?)?),
        "hash" => given.hash = Some(parser.value()?.string()?),
        "save" => given.save = Some(parser.value()?.into()),
        "root" => given.root = Some(parser.value()?.into()),
        "memory" => given.memory = Some(mebibytes(&parser.value()?.string()?)?),
        "ssh" => given.form = Some(Form::Ssh(parser.value()?.string()?)),
        _ => {}
    }
    Ok(())
}

/// The command that the words begin with, and what follows it.
fn named(words: &[String]) -> Option<(&'static Sub, &[String])> {
    let line = words.join(" ");
    let begins = |name: &str| {
        line.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    };
    let sub = help::SUBS.iter().find(|sub| begins(sub.name))?;
    Some((sub, words.get(sub.name.split(' ').count()..).unwrap_or_default()))
}

/// How the command is written that was meant.
fn hint(words: &[String]) -> String {
    match named(words) {
        Some((sub, _)) => format!("it is written: {}", sub.usage()),
        None => match help::under(&words.join(" ")).as_slice() {
            [] => "'hearth --help' shows what there is".into(),
            several => {
                let all: Vec<String> = several.iter().map(|sub| sub.usage()).collect();
                format!("there are: {}", all.join("; "))
            }
        },
    }
}

fn choose(mut given: Given) -> Result<Command, Error> {
    if given.version {
        return Ok(Command::Version);
    }
    if given.words.first().map(String::as_str) == Some("doctor") {
        given.words[0] = "check".into();
    }
    let line = given.words.join(" ");
    let unknown = || {
        let shown = line.escape_debug();
        Error::invalid(format!("there is no command '{shown}'; {}", hint(&given.words)))
    };
    if given.help {
        let of = named(&given.words).map_or(line.clone(), |(sub, _)| sub.name.to_owned());
        return match of.is_empty() || !help::under(&of).is_empty() {
            true => Ok(Command::Help { of }),
            false => Err(unknown()),
        };
    }
    let serve = ["serve".to_owned()];
    let words = if given.words.is_empty() { &serve[..] } else { &given.words[..] };
    let (sub, rest) = named(words).ok_or_else(unknown)?;
    let wrong = |what: String| {
        Error::invalid(format!("hearth {}: {what}; it is written: {}", sub.name, sub.usage()))
    };
    if let Some(option) = given.used.iter().find(|option| !sub.takes_option(option)) {
        return Err(wrong(format!("there is no option '--{option}'")));
    }
    let name = match (sub.takes, rest) {
        ("", []) => String::new(),
        ("", [extra, ..]) => return Err(wrong(format!("'{}' is too much", extra.escape_debug()))),
        (takes, []) if takes.starts_with('[') => String::new(),
        (takes, []) => return Err(wrong(format!("{takes} is missing"))),
        (_, [name]) => name.clone(),
        (_, [_, extra, ..]) => {
            return Err(wrong(format!("'{}' is too much", extra.escape_debug())));
        }
    };
    Ok(command(sub.name, name, given))
}

/// `name` is the word that the command takes, if it takes one.
fn command(sub: &str, name: String, given: Given) -> Command {
    let is = |option: &str| given.used.contains(&option);
    let (demo, find, exposed_only) = (is("demo"), is("find"), is("exposed"));
    let service = given.services.first().cloned();
    match sub {
        "demo" => Command::Serve { demo: true },
        "mcp" => Command::Mcp { service, demo },
        "health" => Command::Health { service },
        "check" => Command::Check { find },
        "config" => Command::Config,
        "mcp-config" => Command::McpConfig { form: given.form.unwrap_or_default() },
        "token new" => {
            let (areas, labels) = (given.areas, given.labels);
            let entities = EntityScope { exposed_only, areas, labels, deny: Vec::new() };
            let level = given.level.unwrap_or(Level::Control);
            let grant = Grant { level, services: given.services, entities };
            Command::Token(Token::New { name, grant })
        }
        "token list" => Command::Token(Token::List),
        "token revoke" => Command::Token(Token::Revoke { name, force: is("force") }),
        "sandbox list" => Command::SandboxList,
        "sandbox logs" => Command::SandboxLogs { id: name },
        "sandbox probe" => Command::SandboxProbe,
        "worker" => Command::Worker(match (given.memory, given.root.unwrap_or(".".into())) {
            (Some(bytes), _) => Offer::Memory(bytes),
            (None, root) if is("no-execute") => Offer::Files(root),
            (None, root) => Offer::Commands(root),
        }),
        "audit verify" => Command::Gate(Gate::AuditVerify { hash: given.hash }),
        "rule list" => Command::Gate(Gate::Rules),
        "rule allow" => rule(name, Verdict::Allow, given),
        "rule ask" => rule(name, Verdict::Ask, given),
        "rule deny" => rule(name, Verdict::Deny, given),
        "rule remove" => Command::Gate(Gate::RuleRemove { id: name }),
        "secret list" => Command::Gate(Gate::Secrets),
        "secret set" => Command::Gate(Gate::SecretSet { name }),
        "secret remove" => Command::Gate(Gate::SecretRemove { name }),
        "approval list" => Command::Gate(Gate::Approvals),
        "approval allow" => answer(name, true, &given),
        "approval deny" => answer(name, false, &given),
        "audio list" => Command::AudioList,
        "audio test" => Command::AudioTest {
            input: Some(name).filter(|name| !name.is_empty()),
            seconds: given.seconds.unwrap_or(5),
            save: given.save,
        },
        "audio beats" => Command::AudioBeats { file: name.into(), offline: is("offline") },
        "audio levels" => Command::AudioLevels { file: name.into() },
        "audio render" => Command::AudioRender { file: name.into() },
        _ => Command::Serve { demo: false },
    }
}

fn rule(tool: String, verdict: Verdict, given: Given) -> Command {
    let seconds = given.minutes.map(|minutes| minutes * 60);
    let more = Remember { target: given.target, seconds, whole: false };
    Command::Gate(Gate::RuleAdd { tool, verdict, token: given.token, more })
}

fn answer(id: String, allow: bool, given: &Given) -> Command {
    let is = |option: &str| given.used.contains(&option);
    let seconds = given.minutes.map(|minutes| minutes * 60);
    let more = Remember { target: None, seconds, whole: is("whole") };
    // Whoever says for how long, or for what, wants it remembered.
    let remember = is("remember") || seconds.is_some() || is("whole");
    Command::Gate(Gate::Answer { id, allow, remember, more })
}

fn minutes(text: &str) -> Result<u32, lexopt::Error> {
    let number = text.parse().ok().filter(|minutes| (1..=5_000_000).contains(minutes));
    number.ok_or_else(|| format!("--minutes is '{text}', but must be from 1 to 5000000").into())
}

fn level(text: &str) -> Result<Level, lexopt::Error> {
    [Level::Read, Level::Control, Level::Admin]
        .into_iter()
        .find(|level| level.word() == text)
        .ok_or_else(|| format!("--level is '{text}', but must be read, control or admin").into())
}

fn seconds(text: &str) -> Result<u32, lexopt::Error> {
    let number = text.parse().ok().filter(|seconds| (1..=86_400).contains(seconds));
    number.ok_or_else(|| format!("--seconds is '{text}', but must be from 1 to 86400").into())
}

fn mebibytes(text: &str) -> Result<usize, lexopt::Error> {
    let number = text.parse::<usize>().ok().filter(|mebibytes| (1..=1024).contains(mebibytes));
    let wrong = || format!("--memory is '{text}', but must be from 1 to 1024");
    number.map(|mebibytes| mebibytes << 20).ok_or_else(|| wrong().into())
}

fn list(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|s| !s.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<(Command, Options), Error> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn each_line_is_its_command() {
        let check = |line: &str, want: Command| assert_eq!(read(line).unwrap().0, want, "{line}");
        check("", Command::Serve { demo: false });
        check("serve --port 0", Command::Serve { demo: false });
        check("demo", Command::Serve { demo: true });
        check("mcp --service home", Command::Mcp { service: Some("home".into()), demo: false });
        check("mcp --demo", Command::Mcp { service: None, demo: true });
        let beats = |offline| Command::AudioBeats { file: "a.wav".into(), offline };
        check("audio beats a.wav", beats(false));
        check("audio beats --offline a.wav", beats(true));
        check("audio levels -", Command::AudioLevels { file: "-".into() });
        let test = |input: Option<&str>, seconds| {
            let input = input.map(str::to_owned);
            Command::AudioTest { input, seconds, save: None }
        };
        check("audio test", test(None, 5));
        check("sandbox list", Command::SandboxList);
        check("sandbox logs chat-1", Command::SandboxLogs { id: "chat-1".into() });
        check("audio test hw:CARD=A,DEV=0 --seconds 60", test(Some("hw:CARD=A,DEV=0"), 60));
        check("audio render a.wav", Command::AudioRender { file: "a.wav".into() });
        check("worker", Command::Worker(Offer::Commands(".".into())));
        check("worker --root /w --no-execute", Command::Worker(Offer::Files("/w".into())));
        check("worker --memory 2", Command::Worker(Offer::Memory(2 << 20)));
        check("doctor", Command::Check { find: false });
        check("check --find", Command::Check { find: true });
        check("mcp-config --ssh pi", Command::McpConfig { form: Form::Ssh("pi".into()) });
        let help = |of: &str| Command::Help { of: of.into() };
        check("--help", help(""));
        check("help", help(""));
        check("serve --help", help("serve"));
        check("token -h", help("token"));
        check("help token new", help("token new"));
        check("token new tablet --help", help("token new"));
        for (line, force) in [("token revoke tablet", false), ("token revoke tablet --force", true)]
        {
            check(line, Command::Token(Token::Revoke { name: "tablet".into(), force }));
        }
        let gate = |line: &str, want: Gate| check(line, Command::Gate(want));
        gate("audit verify --hash 00", Gate::AuditVerify { hash: Some("00".into()) });
        gate("rule ask home_* --token tab* --minutes 5", {
            let more = Remember { target: None, seconds: Some(300), whole: false };
            let (tool, token) = ("home_*".into(), Some("tab*".into()));
            Gate::RuleAdd { tool, verdict: Verdict::Ask, token, more }
        });
        for (line, remember, whole) in [
            ("approval deny 0a", false, false),
            ("approval deny 0a --remember", true, false),
            ("approval deny 0a --whole", true, true),
        ] {
            let more = Remember { whole, ..Remember::default() };
            gate(line, Gate::Answer { id: "0a".into(), allow: false, remember, more });
        }
        gate("secret set key", Gate::SecretSet { name: "key".into() });
        let entities = EntityScope { areas: vec!["kitchen".into()], ..EntityScope::default() };
        let grant = Grant { level: Level::Read, services: vec!["home".into()], entities };
        let made = Token::New { name: "tablet".into(), grant };
        check("token new tablet --level read --service home --area kitchen", Command::Token(made));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let check = |line: &str, want: &str| {
            let e = read(line).unwrap_err().to_string();
            assert!(e.contains(want), "{line}: {e}");
        };
        check("frobnicate", "no command 'frobnicate'");
        check("serve --port 70000", "70000");
        check("serve --colour", "'--colour'; it is written: hearth serve [OPTIONS]");
        check(
            "health --level read",
            "no option '--level'; it is written: hearth health [--service",
        );
        check("token new", "NAME is missing; it is written: hearth token new NAME [--level L]");
        check("token list all", "hearth token list: 'all' is too much");
        check("audio test a b", "'b' is too much");
        check("audio test --seconds 0", "must be from 1 to 86400");
        check("token frob", "no command 'token frob'");
        check("token", "no command 'token'; there are: hearth token new NAME");
        check("rule allow x --minutes 0", "must be from 1 to 5000000");
        check("secret set", "NAME is missing");
        check("help frob", "no command 'frob'");
        check("token new x --level owner", "must be read, control or admin");
    }
}

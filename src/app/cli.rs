//! The command line.

use crate::error::Error;
use crate::policy::{EntityScope, Grant, Level};
use lexopt::prelude::{Long, Short, Value, ValueExt as _};
use std::ffi::OsString;
use std::path::PathBuf;

/// What `hearth --help` prints.
pub(super) const HELP: &str = "\
Hearth: the home's AI and light hub in one binary.

Usage: hearth [COMMAND] [OPTIONS]

Commands:
  serve             Run with what is configured (the default)
  demo              Run a demo house on loopback; no keys, nothing real
  mcp               Speak MCP on stdin and stdout (relays to a running hearth)
      --service S   Only the tools of service S
      --demo        The demo house, without a running hearth
  health            Ask the running hearth how it is; exit code 0 when well
      --service S   Only service S
  check             Read the configuration, try every counterpart, say what to mend
      --find        Look for Home Assistant on the local network (mDNS)
  config            Print every setting with its default and environment variables
  mcp-config        Print the JSON that MCP clients want
      --http        For clients that connect over HTTP (the default)
      --ssh HOST    For clients that run `docker exec` over ssh
      --stdio       For clients on this machine
  token new NAME    Make a token; it is shown once
      --level L     read, control (the default) or admin
      --service S   Only service S (may be repeated)
      --area A      Only entities in area A, by its id (may be repeated)
      --label L     Only entities with label L, by its id (may be repeated)
      --exposed     Only entities that the house exposes to assistants
  token list        List the tokens
  token revoke NAME Revoke a token; its sessions end at once
  audio list        List the sound inputs

Options:
  -c, --config FILE     Configuration file (default: hearth.toml in the data folder)
      --data-dir DIR    Data folder (DATA_DIR)
      --host ADDRESS    Address to listen on (HOST)
  -p, --port PORT       Port to listen on, 0 picks a free one (PORT)
      --only A,B        Run only these services
  -v, --verbose         Say more (LOG_LEVEL=debug)
  -h, --help            Print this
  -V, --version         Print the version";

/// A subcommand.
#[derive(Debug, PartialEq)]
pub(super) enum Command {
    Help,
    Version,
    Serve { demo: bool },
    Mcp { service: Option<String>, demo: bool },
    Health { service: Option<String> },
    Check { find: bool },
    Config,
    McpConfig { form: Form },
    Token(Token),
    AudioList,
}

/// What to do with tokens.
#[derive(Debug, PartialEq)]
pub(super) enum Token {
    New { name: String, grant: Grant },
    List,
    Revoke { name: String },
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
    services: Vec<String>,
    areas: Vec<String>,
    labels: Vec<String>,
    level: Option<Level>,
    form: Option<Form>,
    demo: bool,
    exposed: bool,
    find: bool,
    help: bool,
    version: bool,
}

/// Reads the arguments.
///
/// # Errors
/// Invalid: what is wrong, and that `hearth --help` shows what there is.
pub(super) fn parse(args: impl Iterator<Item = OsString>) -> Result<(Command, Options), Error> {
    let bad =
        |e: lexopt::Error| Error::invalid(format!("{e}; 'hearth --help' shows what there is"));
    let (given, options) = read(args).map_err(bad)?;
    Ok((choose(given)?, options))
}

fn read(args: impl Iterator<Item = OsString>) -> Result<(Given, Options), lexopt::Error> {
    let mut parser = lexopt::Parser::from_args(args);
    let (mut given, mut options) = (Given::default(), Options::default());
    while let Some(arg) = parser.next()? {
        match arg {
            Short('h') | Long("help") => given.help = true,
            Short('V') | Long("version") => given.version = true,
            Short('v') | Long("verbose") => options.verbose = true,
            Short('c') | Long("config") => options.config = Some(parser.value()?.into()),
            Long("data-dir") => options.data_dir = Some(parser.value()?.string()?),
            Long("host") => options.host = Some(parser.value()?.string()?),
            Short('p') | Long("port") => options.port = Some(parser.value()?.parse()?),
            Long("only") => options.only = list(&parser.value()?.string()?),
            Long("service") => given.services.push(parser.value()?.string()?),
            Long("area") => given.areas.push(parser.value()?.string()?),
            Long("label") => given.labels.push(parser.value()?.string()?),
            Long("level") => given.level = Some(level(&parser.value()?.string()?)?),
            Long("http") => given.form = Some(Form::Http),
            Long("stdio") => given.form = Some(Form::Stdio),
            Long("ssh") => given.form = Some(Form::Ssh(parser.value()?.string()?)),
            Long("demo") => given.demo = true,
            Long("exposed") => given.exposed = true,
            Long("find") => given.find = true,
            Value(word) => given.words.push(word.string()?),
            other => return Err(other.unexpected()),
        }
    }
    Ok((given, options))
}

fn choose(given: Given) -> Result<Command, Error> {
    if given.help {
        return Ok(Command::Help);
    }
    if given.version {
        return Ok(Command::Version);
    }
    let words: Vec<&str> = given.words.iter().map(String::as_str).collect();
    let service = given.services.first().cloned();
    let command = match words.as_slice() {
        [] | ["serve"] => Command::Serve { demo: given.demo },
        ["demo"] => Command::Serve { demo: true },
        ["mcp"] => Command::Mcp { service, demo: given.demo },
        ["health"] => Command::Health { service },
        ["check" | "doctor"] => Command::Check { find: given.find },
        ["config"] => Command::Config,
        ["mcp-config"] => Command::McpConfig { form: given.form.unwrap_or_default() },
        ["token", "new", name] => Command::Token(Token::New {
            name: (*name).to_owned(),
            grant: Grant {
                level: given.level.unwrap_or(Level::Control),
                services: given.services,
                entities: EntityScope {
                    exposed_only: given.exposed,
                    areas: given.areas,
                    labels: given.labels,
                    deny: Vec::new(),
                },
            },
        }),
        ["token", "new"] => return Err(Error::invalid("say a name: hearth token new NAME")),
        ["token", "list"] => Command::Token(Token::List),
        ["token", "revoke", name] => Command::Token(Token::Revoke { name: (*name).to_owned() }),
        ["audio", "list"] => Command::AudioList,
        _ => {
            return Err(Error::invalid(format!(
                "there is no command '{}'; 'hearth --help' shows what there is",
                words.join(" ").escape_debug()
            )));
        }
    };
    Ok(command)
}

fn level(text: &str) -> Result<Level, lexopt::Error> {
    [Level::Read, Level::Control, Level::Admin]
        .into_iter()
        .find(|level| level.word() == text)
        .ok_or_else(|| format!("--level is '{text}', but must be read, control or admin").into())
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
        check("doctor", Command::Check { find: false });
        check("check --find", Command::Check { find: true });
        check("mcp-config --ssh pi", Command::McpConfig { form: Form::Ssh("pi".into()) });
        check("serve --help", Command::Help);
        check("token revoke tablet", Command::Token(Token::Revoke { name: "tablet".into() }));
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
        check("serve --colour", "--colour");
        check("token new x --level owner", "must be read, control or admin");
    }
}

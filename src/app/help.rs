//! What each subcommand is, takes and prints as its help: one table, for people and for the parser.

use std::fmt::Write as _;

/// A subcommand as the help shows it.
pub(super) struct Sub {
    /// Its words.
    pub(super) name: &'static str,
    /// What follows them.
    pub(super) takes: &'static str,
    about: &'static str,
    /// Its own options: name, what follows it, and what it does.
    options: &'static [(&'static str, &'static str, &'static str)],
}

const fn sub(
    name: &'static str,
    takes: &'static str,
    about: &'static str,
    options: &'static [(&'static str, &'static str, &'static str)],
) -> Sub {
    Sub { name, takes, about, options }
}

/// Options of the commands that make rules.
const RULE: &[(&str, &str, &str)] = &[
    ("token", "NAME", "Only for this token ('*' at the end: any rest)"),
    ("target", "T", "Only on this target"),
    ("minutes", "N", "For so long; else until it is removed"),
];

/// Options of the commands that answer approvals.
const REMEMBER: &[(&str, &str, &str)] = &[
    ("remember", "", "Make a rule of it for the same again"),
    ("minutes", "N", "Remember it for so long"),
    ("whole", "", "Remember it for all that this tool or action can do"),
];

/// All of them, in the order of the help.
pub(super) const SUBS: &[Sub] = &[
    sub("serve", "", "Run with what is configured (the default)", &[]),
    sub("demo", "", "Run a demo house on loopback; no keys, nothing real", &[]),
    sub(
        "mcp",
        "",
        "Speak MCP on stdin and stdout (relays to a running hearth)",
        &[
            ("service", "S", "Only the tools of service S"),
            ("demo", "", "The demo house, without a running hearth"),
        ],
    ),
    sub(
        "health",
        "",
        "Ask the running hearth how it is; exit code 0 when well",
        &[("service", "S", "Only service S")],
    ),
    sub(
        "check",
        "",
        "Read the configuration, try every counterpart, say what to mend",
        &[("find", "", "Look for Home Assistant on the local network (mDNS)")],
    ),
    sub("config", "", "Print every setting with its default and environment variables", &[]),
    sub(
        "mcp-config",
        "",
        "Print the JSON that MCP clients want",
        &[
            ("http", "", "For clients that connect over HTTP (the default)"),
            ("ssh", "HOST", "For clients that run `docker exec` over ssh"),
            ("stdio", "", "For clients on this machine"),
        ],
    ),
    sub(
        "token new",
        "NAME",
        "Make a token; it is shown once",
        &[
            ("level", "L", "read, control (the default) or admin"),
            ("service", "S", "Only service S (may be repeated)"),
            ("area", "A", "Only entities in area A, by its id (may be repeated)"),
            ("label", "L", "Only entities with label L, by its id (may be repeated)"),
            ("exposed", "", "Only entities that the house exposes to assistants"),
        ],
    ),
    sub("token list", "", "List the tokens", &[]),
    sub(
        "token revoke",
        "NAME",
        "Revoke a token; its sessions end at once",
        &[("force", "", "Also the last one that may change everything")],
    ),
    sub("sandbox list", "", "List the sessions of MCP servers and their sandboxes", &[]),
    sub("sandbox logs", "ID", "Print the last that a session's server wrote to stderr", &[]),
    sub("sandbox probe", "", "Try how well this machine can shut in MCP servers", &[]),
    sub(
        "worker",
        "",
        "Serve files and commands over MCP on stdio; runs inside a sandbox",
        &[
            ("root", "DIR", "The folder that it does not leave (.)"),
            ("no-execute", "", "Files only"),
            ("memory", "MIB", "Keep files in memory and open nothing"),
        ],
    ),
    sub("rule list", "", "List the rules for tools and risky actions", &[]),
    sub("rule allow", "TOOL", "Allow a tool or action ('home_*': all that begin so)", RULE),
    sub("rule ask", "TOOL", "Ask a person each time, on the page or at the client", RULE),
    sub("rule deny", "TOOL", "Deny it", RULE),
    sub("rule remove", "ID", "Remove a rule", &[]),
    sub("approval list", "", "List what waits for a person's answer", &[]),
    sub("approval allow", "ID", "Allow it, once unless it is remembered", REMEMBER),
    sub("approval deny", "ID", "Deny it", REMEMBER),
    sub("secret list", "", "List the sealed secrets, without their values", &[]),
    sub("secret set", "NAME", "Seal the value that comes on standard input", &[]),
    sub("secret remove", "NAME", "Remove a sealed secret", &[]),
    sub(
        "audit verify",
        "",
        "Check by its chain of hashes that nobody changed the audit log",
        &[("hash", "H", "An entry must have this hash, noted at an earlier check")],
    ),
    sub("audio list", "", "List the sound inputs, by the names to configure", &[]),
    sub(
        "audio test",
        "[INPUT]",
        "Listen to an input (default: the configured one) and show its level",
        &[("seconds", "N", "For so long (5)"), ("save", "FILE", "Keep what was heard as WAV")],
    ),
    sub(
        "audio beats",
        "FILE",
        "Print beats, downbeats and onsets of a sound file ('-': stdin)",
        &[("offline", "", "Look ahead: place beats by what comes after them too")],
    ),
    sub("audio levels", "FILE", "Print levels and bands of a sound file, each 10 ms", &[]),
    sub("audio render", "FILE", "Print the timeline of a sound file, a JSON document", &[]),
    sub("help", "[COMMAND]", "Print this, or what a command takes", &[]),
];

/// Options that every command takes.
const COMMON: &str = "\
Options:
  -c, --config FILE     Configuration file (default: hearth.toml in the data folder)
      --data-dir DIR    Data folder (DATA_DIR)
      --host ADDRESS    Address to listen on (HOST)
  -p, --port PORT       Port to listen on, 0 picks a free one (PORT)
      --only A,B        Run only these services
  -v, --verbose         Say more (LOG_LEVEL=debug)
  -h, --help            Print this
  -V, --version         Print the version

Exit code: 0 done, 1 failed, 2 a command line or setting that cannot be understood,
69 when no Hearth is running or a counterpart is away.";

impl Sub {
    /// Whether it takes this option besides the common ones.
    pub(super) fn takes_option(&self, option: &str) -> bool {
        self.options.iter().any(|(name, ..)| *name == option)
    }

    /// How it is written, in one line.
    pub(super) fn usage(&self) -> String {
        let mut line = format!("hearth {}", self.name);
        if !self.takes.is_empty() {
            let _ = write!(line, " {}", self.takes);
        }
        for (name, value, _) in self.options {
            let _ = match *value {
                "" => write!(line, " [--{name}]"),
                value => write!(line, " [--{name} {value}]"),
            };
        }
        line + " [OPTIONS]"
    }

    fn lines(&self, out: &mut String) {
        let words = format!("{} {}", self.name, self.takes);
        let _ = writeln!(out, "  {:<17} {}", words.trim_end(), self.about);
        for (name, value, about) in self.options {
            let option = format!("--{name} {value}");
            let _ = writeln!(out, "      {:<13} {about}", option.trim_end());
        }
    }
}

/// The commands that begin with these words; `token` is three of them.
pub(super) fn under(words: &str) -> Vec<&'static Sub> {
    let begins = |sub: &&Sub| {
        sub.name.strip_prefix(words).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    };
    SUBS.iter().filter(begins).collect()
}

/// What `hearth --help` prints.
pub(super) fn whole() -> String {
    let mut out = "Hearth: the home's AI and light hub in one binary.\n\n\
                   Usage: hearth [COMMAND] [OPTIONS]\n\nCommands:\n"
        .to_owned();
    SUBS.iter().for_each(|sub| sub.lines(&mut out));
    out + "\n" + COMMON
}

/// What `hearth help SUB` prints.
pub(super) fn of(subs: &[&Sub]) -> String {
    let mut out = String::new();
    for sub in subs {
        let _ = writeln!(out, "Usage: {}", sub.usage());
    }
    out += "\n";
    subs.iter().for_each(|sub| sub.lines(&mut out));
    out + "\n" + COMMON
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_fits_a_terminal_and_has_every_command() {
        let text = whole();
        assert!(text.lines().all(|line| line.chars().count() <= 90), "{text}");
        for sub in SUBS {
            assert!(text.contains(&format!("\n  {}", sub.name)), "{}", sub.name);
        }
        assert_eq!(under("token").len(), 3);
        assert!(of(&under("token new")).starts_with("Usage: hearth token new NAME [--level L]"));
        assert!(under("tok").is_empty());
    }
}

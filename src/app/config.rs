//! The whole configuration: the sum of the services' sections and the program's own.

use crate::app::cli::Options;
use crate::aurora;
use crate::config::{
    Env, Fault, Form, JsonSchema, Problem, Range, Settings, Sources, reference as section,
};
use crate::demo;
use crate::error::Error;
use crate::home;
use crate::http;
use crate::mcp;
use crate::mqtt;
use crate::orchestrator;
use crate::plugins;
use crate::policy;
use crate::store;
use crate::talk;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toml::Value;

const LEVELS: &[&str] = &["error", "warn", "warning", "info", "debug", "trace"];
const ENVIRONMENTS: &[&str] = &["production", "development", "test"];

/// The services that `--only` takes.
const SERVICES: &[&str] = &["home", "mqtt", "talk", "aurora", "orchestrator", "plugins"];

/// The sections of the file.
const SECTIONS: &[&str] = &[
    "general",
    "http",
    "policy",
    "mcp",
    "home",
    "mqtt",
    "talk",
    "aurora",
    "orchestrator",
    "store",
    "plugins",
    "demo",
];

/// Environment variables of section `[general]`.
const ENV: &[Env] = &[
    Env::new("DATA_DIR", "general.data_dir", Form::Text),
    Env::new("LOG_LEVEL", "general.log_level", Form::OneOf(LEVELS)),
    Env::new("DEBUG", "general.debug", Form::Flag),
    Env::new("LOG_FILE", "general.log_file", Form::Text),
    Env::new("LOGS_DIR", "general.logs_dir", Form::Text),
    Env::new("ENVIRONMENT", "general.environment", Form::OneOf(ENVIRONMENTS)),
    Env::new("APP_ENV", "general.environment", Form::OneOf(ENVIRONMENTS)),
    Env::new("NODE_ENV", "general.environment", Form::OneOf(ENVIRONMENTS)),
];

/// A variable of [`LATER`] that nothing will ever use: where the monitor asks the server, which are one.
pub(super) const NEEDLESS: &str = "WEB_API_URL";

/// Variables of the documents whose services this version does not have yet. They are checked, so
/// that a mistake is found now, and `hearth check` says that nothing uses them.
const LATER: &[Env] = &[
    Env::new("WEB_API_URL", "later.web_api_url", Form::Text),
    Env::new("RELOAD", "later.reload", Form::Flag),
    Env::new("DEBUG_MODE", "later.debug_mode", Form::Flag),
    Env::new("KIMI_API_KEY", "later.kimi_api_key", Form::Secret),
    Env::new("GLM_API_KEY", "later.glm_api_key", Form::Secret),
    Env::new("GOOGLE_API_KEY", "later.google_api_key", Form::Secret),
    Env::new("SUPABASE_URL", "later.supabase_url", Form::Text),
    Env::new("SUPABASE_KEY", "later.supabase_key", Form::Secret),
    Env::new("SUPABASE_SERVICE_ROLE_KEY", "later.supabase_service_role_key", Form::Secret),
    Env::new("ENABLE_CONVERSATION_COMPRESSION", "later.compression", Form::Flag),
    Env::new("WS_HOST", "later.ws_host", Form::Text),
    Env::new("WS_PORT", "later.ws_port", Form::Number(0, 65535)),
];

/// What concerns the whole program.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct General {
    /// Where everything that must be remembered is kept. Empty: `$XDG_DATA_HOME/hearth`, else
    /// `~/.local/share/hearth`.
    pub(super) data_dir: String,
    /// error, warn, info, debug or trace.
    pub(super) log_level: String,
    /// Raises the log level to debug.
    pub(super) debug: bool,
    /// Write the log to this file too; it is rotated at 4 MiB, three older ones are kept.
    pub(super) log_file: String,
    /// Write one log file per service into this folder too.
    pub(super) logs_dir: String,
    /// production, development or test; development logs at debug.
    pub(super) environment: String,
}

impl Default for General {
    fn default() -> General {
        General {
            data_dir: String::new(),
            log_level: "info".into(),
            debug: false,
            log_file: String::new(),
            logs_dir: String::new(),
            environment: "production".into(),
        }
    }
}

impl General {
    fn faults(&self) -> Vec<Fault> {
        let words = [
            ("general.log_level", &self.log_level, LEVELS),
            ("general.environment", &self.environment, ENVIRONMENTS),
        ];
        let wrong = words.into_iter().filter(|(_, word, known)| !known.contains(&&***word));
        wrong
            .map(|(path, word, known)| {
                let must = format!("must be one of {}", known.join(", "));
                Fault::new(path, format!("'{}' {must}", word.escape_debug()))
            })
            .collect()
    }
}

/// Everything that is configured.
#[derive(Clone, Debug)]
pub(super) struct Config {
    pub(super) general: General,
    pub(super) store: store::Config,
    pub(super) policy: policy::Config,
    pub(super) http: http::Config,
    pub(super) mcp: mcp::Config,
    pub(super) home: home::Config,
    pub(super) mqtt: mqtt::Config,
    pub(super) talk: talk::Config,
    pub(super) aurora: aurora::Config,
    pub(super) orchestrator: orchestrator::Config,
    pub(super) demo: demo::Config,
    pub(super) plugins: plugins::Config,
    /// Services to run; empty means all.
    pub(super) only: Vec<String>,
    /// Where data is kept.
    pub(super) data_dir: PathBuf,
    /// Names of variables that are set and that nothing uses yet.
    pub(super) unused: Vec<&'static str>,
    /// Where the address of a house was set, when its token was not.
    pub(super) without_token: Option<String>,
    /// Where the settings were made that only trying can find wrong.
    pub(super) places: BTreeMap<&'static str, String>,
}

impl Config {
    /// Whether a service is to run.
    pub(super) fn runs(&self, service: &str) -> bool {
        let same = |s: &String| s == service || (service == "home" && s == "ha");
        self.only.is_empty() || self.only.iter().any(same)
    }
}

/// What the sources hold, and everything that is wrong with it.
pub(super) struct Found {
    config: Config,
    problems: Vec<Problem>,
}

impl Found {
    /// Returns every problem: what [`Found::whole`] refuses.
    pub(super) fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Returns the configuration as it would be without its problems.
    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    /// Leaves out the problems of sections that nobody is going to use.
    pub(super) fn without(mut self, sections: &[&str]) -> Found {
        let of = |p: &Problem, name: &str| p.path.split('.').next() == Some(name);
        self.problems.retain(|p| !sections.iter().any(|name| of(p, name)));
        self
    }

    /// Returns the configuration when all of it can be used.
    ///
    /// # Errors
    /// Invalid: every problem, each with its place and what to write there.
    pub(super) fn whole(self) -> Result<Config, Error> {
        refuse(&self.problems)?;
        Ok(self.config)
    }

    /// Returns the configuration for a command that only has to find the running Hearth: that one
    /// has read its settings, and a mistake made since then must not make it look unwell.
    ///
    /// # Errors
    /// Invalid when the data folder may be another one than the settings say.
    pub(super) fn for_client(self) -> Result<Config, Error> {
        let decides = |p: &&Problem| ["", "general", "general.data_dir"].contains(&&*p.path);
        let deciding: Vec<Problem> = self.problems.iter().filter(decides).cloned().collect();
        refuse(&deciding)?;
        Ok(self.config)
    }
}

fn refuse(problems: &[Problem]) -> Result<(), Error> {
    let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
    match lines.as_slice() {
        [] => Ok(()),
        [one] => Err(Error::invalid(one.clone())),
        many => {
            let count = many.len();
            Err(Error::invalid(format!("{count} settings are wrong:\n  {}", many.join("\n  "))))
        }
    }
}

/// Reads every source and asks every service about its section: the one way in, for the services
/// that start as for `hearth check`.
pub(super) fn find(options: &Options) -> Found {
    let env = environment();
    let all = all_rows();
    let rows: Vec<Env> = all.iter().flat_map(|(_, rows, _)| rows.iter().copied()).collect();
    let ranges: Vec<Range> = all.iter().flat_map(|(_, _, held)| held.iter().copied()).collect();
    let data_dir = options.data_dir.clone().or_else(|| env.get("DATA_DIR").cloned());
    let file = match &options.config {
        Some(path) => path.clone(),
        None => data_folder(data_dir.as_deref().unwrap_or("")).join("hearth.toml"),
    };
    let mut settings = Settings::read(&Sources {
        file: Some(file),
        file_must_exist: options.config.is_some(),
        rows: &rows,
        ranges: &ranges,
        env,
        flags: flags(options),
    });
    let unused = LATER.iter().filter(|row| settings.has(row.path)).map(|row| row.name).collect();
    settings.drop_section("later");
    settings.only(SECTIONS);
    let general: General = settings.section("general");
    let mut config = Config {
        store: settings.section("store"),
        policy: settings.section("policy"),
        http: settings.section("http"),
        mcp: settings.section("mcp"),
        home: settings.section("home"),
        mqtt: settings.section("mqtt"),
        talk: settings.section("talk"),
        aurora: settings.section("aurora"),
        orchestrator: settings.section("orchestrator"),
        demo: settings.section("demo"),
        plugins: settings.section("plugins"),
        only: options.only.clone(),
        data_dir: data_folder(&general.data_dir),
        unused,
        without_token: None,
        places: BTreeMap::new(),
        general,
    };
    for faults in [
        config.general.faults(),
        config.http.faults(),
        config.policy.faults(),
        config.home.faults(),
        config.mqtt.faults(),
        config.aurora.faults(),
        config.orchestrator.faults(),
        config.store.faults(),
        config.plugins.faults(),
    ] {
        settings.blame(faults);
    }
    let mut problems = settings.problems().to_vec();
    if let Some(name) =
        config.only.iter().find(|name| *name != "ha" && !SERVICES.contains(&name.as_str()))
    {
        let (name, all) = (name.escape_debug(), SERVICES.join(", "));
        let text = format!("there is no service '{name}'; there is {all}");
        problems.push(Problem { path: "only".into(), place: "--only".into(), text });
    }
    let address = ["home.url", "home.socket_url"].into_iter().find(|path| settings.has(path));
    config.without_token = address
        .filter(|_| config.home.token.is_empty() && !settings.has("home.token"))
        .map(|path| settings.place(path));
    for path in ["http.host", "http.port", "general.data_dir", "aurora.input"] {
        config.places.insert(path, settings.place(path));
    }
    Found { config, problems }
}

/// Checks that a file that was named is there, for a command that needs nothing from it.
///
/// # Errors
/// Invalid when it cannot be read.
pub(super) fn check_file(options: &Options) -> Result<(), Error> {
    let Some(path) = &options.config else { return Ok(()) };
    let read = std::fs::File::open(path).and_then(|file| file.metadata());
    match read {
        Ok(file) if file.is_file() => Ok(()),
        Ok(_) => Err(Error::invalid(format!("--config: {} is no file", path.display()))),
        Err(e) => Err(Error::invalid(format!("--config: cannot read {}: {e}", path.display()))),
    }
}

/// Returns every setting, commented, with its default and its environment variables.
pub(super) fn reference() -> String {
    let rows = all_rows();
    let of = |name: &str| {
        let found = rows.iter().find(|(section, ..)| *section == name);
        found.map_or((&[] as &[Env], &[] as &[Range]), |(_, rows, ranges)| (rows, ranges))
    };
    let parts = [
        "# Hearth's settings. The command line is over the environment, the environment over this\n\
         # file (hearth.toml in the data folder, or --config), this file over the defaults.\n\
         # For each secret NAME, NAME_FILE may name a file that holds it.\n"
            .to_owned(),
        section::<General>("general", of("general")),
        section::<http::Config>("http", of("http")),
        section::<policy::Config>("policy", of("policy")),
        section::<mcp::Config>("mcp", of("mcp")),
        section::<home::Config>("home", of("home")),
        section::<mqtt::Config>("mqtt", of("mqtt")),
        section::<talk::Config>("talk", of("talk")),
        section::<aurora::Config>("aurora", of("aurora")),
        section::<orchestrator::Config>("orchestrator", of("orchestrator")),
        section::<store::Config>("store", of("store")),
        section::<plugins::Config>("plugins", of("plugins")),
        section::<demo::Config>("demo", of("demo")),
        format!(
            "# Understood and checked, but not used by this version:\n# {}\n",
            LATER.iter().map(|row| row.name).collect::<Vec<_>>().join(", ")
        ),
    ];
    parts.join("\n")
}

/// Name of each section, its environment variables and the ranges of its numbers.
type Rows = (&'static str, &'static [Env], &'static [Range]);

fn all_rows() -> [Rows; 13] {
    [
        ("general", ENV, &[]),
        ("http", http::ENV, http::RANGES),
        ("policy", policy::ENV, policy::RANGES),
        ("mcp", mcp::ENV, mcp::RANGES),
        ("home", home::ENV, home::RANGES),
        ("mqtt", mqtt::ENV, mqtt::RANGES),
        ("talk", talk::ENV, talk::RANGES),
        ("aurora", aurora::ENV, aurora::RANGES),
        ("orchestrator", orchestrator::ENV, orchestrator::RANGES),
        ("store", store::ENV, store::RANGES),
        ("plugins", plugins::ENV, plugins::RANGES),
        ("demo", demo::ENV, demo::RANGES),
        ("later", LATER, &[]),
    ]
}

/// The environment over the `.env` file of the working folder.
fn environment() -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    if let Ok(lines) = dotenvy::from_path_iter(Path::new(".env")) {
        all.extend(lines.flatten());
    }
    all.extend(
        std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        }),
    );
    all
}

fn flags(options: &Options) -> Vec<(&'static str, &'static str, Value)> {
    let mut flags = Vec::new();
    if let Some(dir) = &options.data_dir {
        flags.push(("--data-dir", "general.data_dir", dir.as_str().into()));
    }
    if let Some(host) = &options.host {
        flags.push(("--host", "http.host", host.as_str().into()));
    }
    if let Some(port) = options.port {
        flags.push(("--port", "http.port", Value::Integer(port.into())));
    }
    if options.verbose {
        flags.push(("--verbose", "general.log_level", "debug".into()));
    }
    flags
}

/// Whether this is the folder that Hearth takes for a user who has set nothing at all.
pub(super) fn is_usual_folder(folder: &Path) -> bool {
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty());
    home.is_some_and(|home| folder == Path::new(&home).join(".local/share/hearth"))
}

fn data_folder(given: &str) -> PathBuf {
    if !given.is_empty() {
        return PathBuf::from(given);
    }
    let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    set("XDG_DATA_HOME")
        .or_else(|| set("HOME").map(|home| home.join(".local/share")))
        .unwrap_or_else(|| PathBuf::from("/var/lib"))
        .join("hearth")
}

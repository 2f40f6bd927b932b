//! The whole configuration: the sum of the services' sections and the program's own.

use crate::app::cli::Options;
use crate::config::{Env, Form, JsonSchema, Settings, Sources, reference as section};
use crate::demo;
use crate::error::Error;
use crate::home;
use crate::http;
use crate::mcp;
use crate::policy;
use crate::store;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toml::Value;

const LEVELS: &[&str] = &["error", "warn", "info", "debug", "trace"];

/// Environment variables of section `[general]`.
const ENV: &[Env] = &[
    Env::new("DATA_DIR", "general.data_dir", Form::Text),
    Env::new(
        "LOG_LEVEL",
        "general.log_level",
        Form::OneOf(&["error", "warn", "warning", "info", "debug", "trace"]),
    ),
    Env::new("DEBUG", "general.debug", Form::Flag),
    Env::new("LOG_FILE", "general.log_file", Form::Text),
    Env::new("LOGS_DIR", "general.logs_dir", Form::Text),
    Env::new("ENVIRONMENT", "general.environment", ENVIRONMENTS),
    Env::new("APP_ENV", "general.environment", ENVIRONMENTS),
    Env::new("NODE_ENV", "general.environment", ENVIRONMENTS),
];

const ENVIRONMENTS: Form = Form::OneOf(&["production", "development", "test"]);

/// Variables of the documents whose services this version does not have yet. They are checked, so
/// that a mistake is found now, and `hearth check` says that nothing uses them.
const LATER: &[Env] = &[
    Env::new("AURORA_PORT", "later.aurora_port", Form::Number(0, 65535)),
    Env::new("SESSION_TTL", "later.session_ttl", Form::Number(1, 31_536_000)),
    Env::new("DEFAULT_MQTT_BROKER", "later.mqtt_broker", Form::Text),
    Env::new("MQTT_TIMEOUT", "later.mqtt_timeout", Form::Number(1, 3600)),
    Env::new("WEB_API_URL", "later.web_api_url", Form::Text),
    Env::new("WEB_HOST", "later.web_host", Form::Text),
    Env::new("WEB_PORT", "later.web_port", Form::Number(0, 65535)),
    Env::new("RELOAD", "later.reload", Form::Flag),
    Env::new("DEBUG_MODE", "later.debug_mode", Form::Flag),
    Env::new("KIMI_API_KEY", "later.kimi_api_key", Form::Secret),
    Env::new("GLM_API_KEY", "later.glm_api_key", Form::Secret),
    Env::new("GOOGLE_API_KEY", "later.google_api_key", Form::Secret),
    Env::new("SUPABASE_URL", "later.supabase_url", Form::Text),
    Env::new("SUPABASE_KEY", "later.supabase_key", Form::Secret),
    Env::new("SUPABASE_SERVICE_ROLE_KEY", "later.supabase_service_role_key", Form::Secret),
    Env::new("WS_HOST", "later.ws_host", Form::Text),
    Env::new("WS_PORT", "later.ws_port", Form::Number(0, 65535)),
    Env::new("ORCHESTRATOR_PORT", "later.orchestrator_port", Form::Number(0, 65535)),
    Env::new("SANDBOX_IMAGE", "later.sandbox_image", Form::Text),
    Env::new("DOCKER_HOST", "later.docker_host", Form::Text),
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

/// Everything that is configured.
#[derive(Clone, Debug)]
pub(super) struct Config {
    pub(super) general: General,
    pub(super) store: store::Config,
    pub(super) policy: policy::Config,
    pub(super) http: http::Config,
    pub(super) mcp: mcp::Config,
    pub(super) home: home::Config,
    pub(super) demo: demo::Config,
    /// Services to run; empty means all.
    pub(super) only: Vec<String>,
    /// Where data is kept.
    pub(super) data_dir: PathBuf,
    /// Names of variables that are set and that nothing uses yet.
    pub(super) unused: Vec<&'static str>,
}

impl Config {
    /// Whether a service is to run.
    pub(super) fn runs(&self, service: &str) -> bool {
        let same = |s: &String| s == service || (service == "home" && s == "ha");
        self.only.is_empty() || self.only.iter().any(same)
    }
}

/// Reads every source.
///
/// # Errors
/// Invalid: which source, where in it, and what it must be.
pub(super) fn load(options: &Options) -> Result<Config, Error> {
    let env = environment();
    let rows: Vec<Env> =
        all_rows().into_iter().flat_map(|(_, rows)| rows.iter().copied()).collect();
    let data_dir = options.data_dir.clone().or_else(|| env.get("DATA_DIR").cloned());
    let file = match &options.config {
        Some(path) => path.clone(),
        None => data_folder(data_dir.as_deref().unwrap_or("")).join("hearth.toml"),
    };
    let mut settings = Settings::read(&Sources {
        file: Some(file),
        file_must_exist: options.config.is_some(),
        rows: &rows,
        env: env.clone(),
        flags: flags(options),
    })?;
    let unused = LATER.iter().filter(|row| settings.has(row.path)).map(|row| row.name).collect();
    settings.drop_section("later");
    settings.only(&["general", "store", "policy", "http", "mcp", "home", "demo"])?;
    let general: General = settings.section("general")?;
    let known = LEVELS.contains(&&*general.log_level) || general.log_level == "warning";
    if !known {
        return Err(Error::invalid(format!(
            "general.log_level is '{}', but must be one of {}",
            general.log_level,
            LEVELS.join(", ")
        )));
    }
    let config = Config {
        store: settings.section("store")?,
        policy: settings.section("policy")?,
        http: settings.section("http")?,
        mcp: settings.section("mcp")?,
        home: settings.section("home")?,
        demo: settings.section("demo")?,
        only: options.only.clone(),
        data_dir: data_folder(&general.data_dir),
        unused,
        general,
    };
    if let Some(name) = config.only.iter().find(|name| !["home", "ha"].contains(&name.as_str())) {
        return Err(Error::invalid(format!("--only: there is no service '{name}'; there is home")));
    }
    Ok(config)
}

/// Returns every setting, commented, with its default and its environment variables.
pub(super) fn reference() -> String {
    let rows = all_rows();
    let of = |name: &str| rows.iter().find(|(n, _)| *n == name).map_or(&[] as &[Env], |(_, r)| r);
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
        section::<store::Config>("store", of("store")),
        section::<demo::Config>("demo", of("demo")),
        format!(
            "# Understood and checked, but not used by this version:\n# {}\n",
            LATER.iter().map(|row| row.name).collect::<Vec<_>>().join(", ")
        ),
    ];
    parts.join("\n")
}

fn all_rows() -> Vec<(&'static str, &'static [Env])> {
    vec![
        ("general", ENV),
        ("http", http::ENV),
        ("policy", policy::ENV),
        ("mcp", mcp::ENV),
        ("home", home::ENV),
        ("store", store::ENV),
        ("demo", demo::ENV),
        ("later", LATER),
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

fn flags(options: &Options) -> Vec<(String, Value)> {
    let mut flags = Vec::new();
    let mut add = |path: &str, value: Value| flags.push((path.to_owned(), value));
    if let Some(dir) = &options.data_dir {
        add("general.data_dir", dir.as_str().into());
    }
    if let Some(host) = &options.host {
        add("http.host", host.as_str().into());
    }
    if let Some(port) = options.port {
        add("http.port", Value::Integer(port.into()));
    }
    if options.verbose {
        add("general.log_level", "debug".into());
    }
    flags
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

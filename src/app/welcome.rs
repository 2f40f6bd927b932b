//! What a person is told when Hearth starts, and the JSON that MCP clients want.

use crate::app::cli::{Form, Options};
use crate::app::config::{self, Config};
use crate::app::place;
use crate::error::Error;
use serde_json::json;
use std::path::Path;

/// Stands where the reader puts their token.
const TOKEN_HERE: &str = "YOUR-TOKEN";

/// Returns the JSON to paste into an MCP client's configuration.
///
/// # Errors
/// Invalid when the host for ssh is no host name, and for settings that hide the data folder.
pub(super) fn client_json(options: &Options, form: Form) -> Result<String, Error> {
    let config = config::find(options).for_client()?;
    let server = match form {
        Form::Http => {
            let (url, note) = place::address(&config);
            if let (Some(note), 0) = (&note, config.http.port) {
                return Err(Error::offline(format!(
                    "the port is chosen when Hearth starts, because PORT (http.port) is 0, and it \
                     cannot be asked: {note}; start it and ask again, or read the line 'listening on' \
                     that it prints"
                )));
            }
            if let Some(note) = note {
                eprintln!("hearth: the address is the one of the settings, because {note}");
            }
            return Ok(http_json(&url, TOKEN_HERE));
        }
        Form::Stdio => {
            let own = std::env::current_exe().ok();
            let own = own.and_then(|p| p.to_str().map(str::to_owned));
            let args = stdio_args(&config, options);
            json!({"command": own.unwrap_or_else(|| "hearth".into()), "args": args})
        }
        Form::Ssh(host) => {
            let fits = |c: char| c.is_ascii_alphanumeric() || "-_.@:[]".contains(c);
            if host.is_empty() || host.starts_with('-') || !host.chars().all(fits) {
                return Err(Error::invalid(format!(
                    "--ssh is '{}', but must be a host as ssh takes it, for example umbrel@umbrel.local",
                    host.escape_debug()
                )));
            }
            let run = "docker exec -i hearth /hearth mcp";
            json!({"command": "ssh", "args": [host, run]})
        }
    };
    Ok(pretty(&json!({"mcpServers": {"hearth": server}})))
}

/// What `hearth mcp` needs to find the same Hearth when a client starts it: without this shell's
/// folder and variables.
pub(super) fn stdio_args(config: &Config, options: &Options) -> Vec<String> {
    let whole = |path: &Path| {
        let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        whole.display().to_string()
    };
    let mut args = vec!["mcp".to_owned()];
    if let Some(file) = &options.config {
        args.extend(["--config".to_owned(), whole(file)]);
    }
    if !config::is_usual_folder(&config.data_dir) {
        args.extend(["--data-dir".to_owned(), whole(&config.data_dir)]);
    }
    args
}

/// The same for a client that connects to `url` with `token`.
pub(super) fn http_json(url: &str, token: &str) -> String {
    pretty(&json!({"mcpServers": {"hearth": {
        "type": "http",
        "url": format!("{url}/mcp"),
        "headers": {"Authorization": format!("Bearer {token}")},
    }}}))
}

/// What `hearth demo` says when it listens.
pub(super) fn demo(url: &str, token: &str, broker: &str, folder: &Path) -> String {
    format!(
        "\nHearth demo: a made-up house on this machine. Nothing in it is real.\n\n\
         \x20 Page    {url}\n  Token   {token}\n  MCP     {url}/mcp\n  MQTT    {broker}\n  Data    {}\n\n\
         Commands like 'hearth token list' reach it with --data-dir and that folder. Paste this into an MCP client:\n\n{}\n\nCtrl-C ends it.\n",
        folder.display(),
        http_json(url, token)
    )
}

/// What the first start of `hearth serve` says about the token it made.
pub(super) fn first_token(url: &str, token: &str) -> String {
    format!(
        "\nThis is the first start, so here is your token. It is shown only now:\n\n\
         \x20 {token}\n\nOpen {url} and log in with it, or paste this into an MCP client:\n\n{}\n",
        http_json(url, token)
    )
}

/// What `hearth serve` says for as long as there is no house to connect to.
pub(super) fn no_house(url: &str) -> String {
    format!(
        "\nHome Assistant is not set up yet: open {url}, which shows how, or set HASS_HOST and \
         HASS_TOKEN and start Hearth again.\n"
    )
}

fn pretty(value: &serde_json::Value) -> String {
    format!("{value:#}")
}

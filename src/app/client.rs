//! Subcommands that ask the running daemon, or this machine.

use crate::app::cli::{Options, Token};
use crate::app::config::{self, Config};
use crate::app::say;
use crate::aurora;
use crate::error::{Error, Kind};
use crate::http::control;
use serde_json::{Value, json};
use std::path::Path;
use std::process::ExitCode;

/// `hearth health`: 0 when well, 1 when not, 69 when nobody answers.
pub(super) fn health(options: &Options, service: Option<&str>) -> Result<ExitCode, Error> {
    let config = config::find(options).for_client()?;
    let (status, answer) = ask(&config, "GET", "/health", None)?;
    let Some(service) = service else {
        say(&format!("{answer:#}"));
        return Ok(if status == 200 { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    };
    let services = answer["services"].as_object().cloned().unwrap_or_default();
    let Some(state) = services.get(service).and_then(Value::as_str) else {
        let known: Vec<&str> = services.keys().map(String::as_str).collect();
        return Err(Error::not_found(format!(
            "there is no service '{}'; there are {}",
            service.escape_debug(),
            known.join(", ")
        )));
    };
    say(&format!("{service} is {state}"));
    Ok(if state == "up" { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// `hearth token …`, through the daemon, which holds the store.
pub(super) fn token(options: &Options, command: &Token) -> Result<(), Error> {
    let config = config::find(options).for_client()?;
    match command {
        Token::New { name, grant } => {
            let body = json!({"name": name, "grant": grant});
            let made = done(ask(&config, "POST", "/api/web/tokens", Some(&body))?)?;
            say(made["secret"].as_str().unwrap_or_default());
            for warning in made["warnings"].as_array().into_iter().flatten() {
                crate::app::complain(&Error::not_found(warning.as_str().unwrap_or_default()));
            }
        }
        Token::List => {
            let list = done(ask(&config, "GET", "/api/web/tokens", None)?)?;
            for token in list["tokens"].as_array().into_iter().flatten() {
                say(&described(token));
            }
        }
        Token::Revoke { name, force } => {
            let body = json!({"name": name, "force": force});
            done(ask(&config, "DELETE", "/api/web/tokens", Some(&body))?)?;
            say(&format!("'{name}' is revoked"));
        }
    }
    Ok(())
}

/// A token in one line: its name, its level, and what narrows it.
fn described(token: &Value) -> String {
    let word = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let grant = &token["grant"];
    let mut line = format!("{:<40} {:<8}", word(&token["name"]), word(&grant["level"]));
    let entities = &grant["entities"];
    for (what, list) in [
        ("services", &grant["services"]),
        ("areas", &entities["areas"]),
        ("labels", &entities["labels"]),
        ("never", &entities["deny"]),
    ] {
        let items: Vec<&str> =
            list.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if !items.is_empty() {
            line += &format!(" {what}: {}", items.join(", "));
        }
    }
    if entities["exposed_only"] == true {
        line += " exposed only";
    }
    line.trim_end().to_owned()
}

/// `hearth sandbox list`: every session of the running daemon, one line each.
pub(super) fn sandbox_list(options: &Options) -> Result<(), Error> {
    let config = config::find(options).for_client()?;
    let answer = done(ask(&config, "GET", "/api/orchestrator/sessions?all=true", None)?)?;
    let all = answer["sessions"].as_array().cloned().unwrap_or_default();
    if all.is_empty() {
        say("no sessions");
    }
    for session in &all {
        let word = |name: &str| session[name].as_str().unwrap_or("-").to_owned();
        let level = session["level"].as_u64().map_or("-".into(), |n| n.to_string());
        say(&format!(
            "{:<24} {:<9} level {level} {:<12} {:<16} of {}, {} s left",
            word("id"),
            word("state"),
            word("image"),
            word("sandbox").chars().take(16).collect::<String>(),
            word("owner"),
            session["left"],
        ));
    }
    Ok(())
}

/// `hearth sandbox logs ID`: the last of a session's stderr.
pub(super) fn sandbox_logs(options: &Options, id: &str) -> Result<(), Error> {
    let config = config::find(options).for_client()?;
    let id = crate::text::percent(id);
    let path = format!("/api/orchestrator/sessions/{id}/stderr");
    let answer = done(ask(&config, "GET", &path, None)?)?;
    if let Some(dropped) = answer["dropped"].as_u64().filter(|dropped| *dropped > 0) {
        say(&format!("({dropped} lines before these are gone)"));
    }
    for line in answer["lines"].as_array().into_iter().flatten() {
        say(line.as_str().unwrap_or_default());
    }
    Ok(())
}

/// `hearth audio list`.
pub(super) fn audio_list() -> Result<(), Error> {
    let inputs = aurora::inputs()?;
    if inputs.is_empty() {
        say("no sound input found; plug in a microphone or line-in, or check /dev/snd");
    }
    for input in inputs {
        say(&format!("{:<32} {}: {}", input.name, input.card, input.device));
        if let Some(can) = input.can {
            let rates: Vec<String> = can.rates.iter().map(u32::to_string).collect();
            let [least, most] = can.channels;
            let channels =
                if least == most { format!("{most}") } else { format!("{least} to {most}") };
            let (formats, rates) = (can.formats.join(" "), rates.join(" "));
            let usable = !formats.is_empty() && !rates.is_empty();
            let word = if usable { "" } else { " (nothing that Hearth reads)" };
            say(&format!("    {formats}; {rates} Hz; {channels} channels{word}"));
        }
        if let Some(why) = input.why {
            say(&format!("    {why}"));
        }
    }
    say(&format!("{:<32} music of Hearth's own, to try lamps with", "sample"));
    Ok(())
}

/// `hearth audio test`: 0 when there is sound, 1 when there is none.
pub(super) fn audio_test(
    options: &Options,
    input: Option<&str>,
    seconds: u32,
    save: Option<&Path>,
) -> Result<ExitCode, Error> {
    const OTHERS: &[&str] = &[
        "general",
        "http",
        "policy",
        "mcp",
        "home",
        "mqtt",
        "talk",
        "orchestrator",
        "store",
        "plugins",
        "demo",
    ];
    let config = config::find(options).without(OTHERS).whole()?;
    let test = aurora::listen::Test { config: &config.aurora, input, seconds, save };
    match aurora::test_input(&test, &mut std::io::stdout().lock()) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(e) if e.kind() == Kind::Invalid => Err(e),
        Err(e) => {
            crate::app::complain(&e);
            Ok(ExitCode::FAILURE)
        }
    }
}

pub(super) fn ask(
    config: &Config,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> Result<(u16, Value), Error> {
    let body = body.map(|body| body.to_string().into_bytes());
    let answer = control::ask(&config.data_dir, method, path, body.as_deref())?;
    Ok((answer.status, serde_json::from_slice(&answer.body).unwrap_or(Value::Null)))
}

/// The answer, or the daemon's error as ours.
pub(super) fn done((status, answer): (u16, Value)) -> Result<Value, Error> {
    if (200..300).contains(&status) {
        return Ok(answer);
    }
    let text = answer["error"]["message"].as_str().unwrap_or("the daemon refused without a reason");
    Err(Error::new(crate::error::Kind::of_status(status), text))
}

//! The program as a person meets it: the command line, the first start, what it says when it is
//! used wrongly.

use crate::harness::{Folder, Hearth, TOKEN, golden, hearth, wait_for};
use serde_json::Value;
use std::io::Write;
use std::process::{Output, Stdio};

fn run(folder: &Folder, args: &[&str]) -> Output {
    hearth(folder.path()).args(args).stdin(Stdio::null()).output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn version_and_help_answer_without_touching_anything() {
    let folder = Folder::new();
    let version = run(&folder, &["--version"]);
    assert_eq!(out(&version), format!("hearth {}\n", env!("CARGO_PKG_VERSION")));
    let help = run(&folder, &["serve", "--help"]);
    assert!(out(&help).contains("Usage: hearth") && help.status.success());
    let subs = ["serve", "demo", "mcp", "health", "check", "config", "mcp-config", "token"];
    for sub in subs.into_iter().chain([
        "token new",
        "token list",
        "token revoke",
        "audio list",
        "audio beats",
    ]) {
        let words: Vec<&str> = sub.split(' ').collect();
        let said = run(&folder, &[&["help"], &words[..]].concat());
        assert!(out(&said).starts_with(&format!("Usage: hearth {sub}")), "{sub}: {}", out(&said));
        for flag in ["--help", "-h"] {
            let same = run(&folder, &[&words[..], &[flag]].concat());
            assert_eq!((out(&same), same.status.code()), (out(&said), Some(0)), "{sub} {flag}");
        }
    }
    let wrong = run(&folder, &["health", "--colour"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(err(&wrong).contains("it is written: hearth health [--service S]"), "{}", err(&wrong));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn the_json_for_clients_names_the_running_one() {
    let hearth = Hearth::serve("");
    let json = |args: &[&str]| {
        let output = run(&hearth.folder, args);
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        (json["mcpServers"]["hearth"].clone(), err(&output))
    };
    let (http, said) = json(&["mcp-config"]);
    assert_eq!((http["url"].as_str().unwrap(), &*said), (&*format!("{}/mcp", hearth.url), ""));
    let (stdio, _) = json(&["mcp-config", "--stdio"]);
    let folder = hearth.folder.path().to_str().unwrap();
    assert_eq!(stdio["args"], serde_json::json!(["mcp", "--data-dir", folder]));
    // Only whoever has the folder is told.
    assert_eq!(hearth.get("/control/address").0, 404);

    let none = Folder::new();
    let settings = run(&none, &["mcp-config", "--port", "7999"]);
    assert!(out(&settings).contains("http://hearth.local:7999/mcp"), "{}", out(&settings));
    assert!(err(&settings).contains("the one of the settings, because no Hearth is running"));
    let usual = none.path().join(".local/share/hearth");
    let usual = usual.to_str().unwrap();
    let stdio = run(&none, &["mcp-config", "--stdio", "--data-dir", usual]);
    assert!(!out(&stdio).contains("--data-dir"), "{}", out(&stdio));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_fault() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let folder = Folder::new();
    let said = hearth(folder.path()).arg("config").stdout(writer).output().unwrap();
    assert_eq!((said.status.code(), &*err(&said)), (Some(0), ""));
}

#[test]
fn the_reference_of_all_settings_is_kept() {
    let output = run(&Folder::new(), &["config"]);
    golden("config.toml", &out(&output));
    let parsed: toml::Table = out(&output).parse().unwrap();
    assert!(parsed.contains_key("home") && parsed.contains_key("http"), "{parsed}");
}

#[test]
fn mistakes_are_named_with_exit_code_2() {
    let check = |file: &str, env: (&str, &str), args: &[&str], want: &str| {
        let folder = Folder::new();
        std::fs::write(folder.path().join("hearth.toml"), file).unwrap();
        let output = hearth(folder.path())
            .args(args)
            .env(env.0, env.1)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?} {}", err(&output));
        assert!(err(&output).contains(want), "{args:?}: {}", err(&output));
        assert_eq!(out(&output), "", "{args:?}");
    };
    check("", ("X", ""), &["frob"], "no command 'frob'");
    check(
        "",
        ("PORT", "http"),
        &["serve"],
        "PORT (http.port): 'http' must be a whole number from 0 to 65535",
    );
    check("[htpt]\nport = 1", ("X", ""), &["serve"], "no section [htpt]");
    check("[http]\nprot = 1", ("X", ""), &["serve"], "prot");
    check("[http", ("X", ""), &["serve"], "not valid TOML");
    check(
        "",
        ("LOG_LEVEL", "loud"),
        &["serve"],
        "LOG_LEVEL (general.log_level): 'loud' must be one of",
    );
    check(
        "",
        ("HASS_TOKEN_FILE", "/nowhere"),
        &["serve"],
        "HASS_TOKEN_FILE (home.token): cannot read '/nowhere'",
    );
    check("", ("AUTH_TOKEN", "short"), &["serve"], "AUTH_TOKEN (policy.auth_token): it is shorter");
    check("", ("X", ""), &["serve", "--only", "hme"], "there is no service 'hme'");
    check("", ("X", ""), &["--config", "/nowhere.toml"], "cannot read /nowhere.toml");
}

#[test]
fn every_variable_of_the_documents_is_understood_and_checked() {
    let folder = Folder::new();
    let output = hearth(folder.path())
        .args(["config"])
        .envs([("SESSION_TTL", "3600"), ("WS_PORT", "8079"), ("KIMI_API_KEY", "k")])
        .output()
        .unwrap();
    assert!(output.status.success());
    let wrong = hearth(folder.path()).arg("check").env("WS_PORT", "many").output().unwrap();
    assert_eq!(wrong.status.code(), Some(1));
    let line = "FAIL  WS_PORT (later.ws_port): 'many' must be a whole number from 0 to 65535\n";
    assert!(out(&wrong).contains(line), "{}", out(&wrong));
}

/// What `check` and `serve` say about these settings.
fn both(file: &str, env: &[(&str, &str)]) -> (Output, Output) {
    let folder = Folder::new();
    std::fs::write(folder.path().join("hearth.toml"), file).unwrap();
    let ask = |word: &str| {
        let mut command = hearth(folder.path());
        command.arg(word).env("PORT", "0").envs(env.iter().copied()).stdin(Stdio::null());
        command.output().unwrap()
    };
    (ask("check"), ask("serve"))
}

#[test]
fn check_fails_for_every_setting_that_serve_refuses() {
    let refused = |file: &str, env: &[(&str, &str)], wants: &[&str]| {
        let (check, serve) = both(file, env);
        assert_eq!(check.status.code(), Some(1), "{}", out(&check));
        assert_eq!(serve.status.code(), Some(2), "{env:?} {file:?} {}", err(&serve));
        for want in wants {
            let fails = out(&check);
            let line = fails.lines().find(|line| line.starts_with("FAIL") && line.contains(want));
            assert!(line.is_some(), "{want} is not in\n{fails}");
            assert!(err(&serve).contains(want), "{want} is not in\n{}", err(&serve));
        }
        let fails = out(&check).lines().filter(|line| line.starts_with("FAIL")).count();
        assert_eq!(fails, wants.len(), "{}", out(&check));
    };
    refused(
        "[http]\nhosts = [\"a b\"]\n",
        &[
            ("CORS_ORIGINS", "https://good.example,foo"),
            ("TRUSTED_PROXIES", "proxy"),
            ("REDIS_URL", "redis"),
            ("CA_FILE", "/nowhere.pem"),
            ("AUTH_TOKEN", "short"),
            ("HASS_HOST", "ftp://x"),
            ("HASS_TOKEN", "t"),
            ("MDNS_NAME", "hearth.local"),
        ],
        &[
            "hearth.toml:2: http.hosts: 'a b' is no host name; write one like panel.example",
            "CORS_ORIGINS (http.origins): 'foo' must be an origin such as https://panel.example",
            "TRUSTED_PROXIES (http.trusted_proxies): 'proxy' is no address (192.168.1.2) or",
            "REDIS_URL (store.redis_url): not an address of Redis: it must look like redis://",
            "CA_FILE (http.ca_file): /nowhere.pem cannot be read",
            "AUTH_TOKEN (policy.auth_token): it is shorter than 8 characters; use a long",
            "HASS_HOST (home.url): 'ftp://x' has a scheme other than http",
            "MDNS_NAME (http.mdns_name): 'hearth.local' must be 1 to 63 letters",
        ],
    );
    refused("", &[("ALLOWED_HOSTS", "http://x/")], &["ALLOWED_HOSTS (http.hosts): 'http://x/' is"]);
    refused(
        "[mcp]\ncalls = 0\n[http]\nconnections = 0\naddress_per_second = -1\nprt = 1\n",
        &[],
        &[
            "hearth.toml:2: mcp.calls: 0 must be a whole number from 1 to",
            "hearth.toml:4: http.connections: 0 must be a whole number from 1 to",
            "hearth.toml:5: http.address_per_second: -1 must be a whole number from 1 to",
            "hearth.toml:6: http.prt: there is no setting `prt`",
        ],
    );
    refused("[http\n", &[], &["hearth.toml:1: is not valid TOML"]);
    refused("[home]\ntoken = 12345678\n", &[], &["hearth.toml:2: home.token: must be text in"]);
    let houses = "[home]\ntoken = \"t\"\n[[home.houses]]\nname = \"cabin\"\nurl = \"ftp://x\"\n";
    refused(houses, &[], &["hearth.toml:5: home.houses.0.url: 'ftp://x' has a scheme"]);
}

#[test]
fn check_fails_where_serve_could_not_listen() {
    let (check, serve) = both("", &[("HOST", "192.0.2.1")]);
    assert_eq!(check.status.code(), Some(1), "{}", out(&check));
    let want = "FAIL  HOST (http.host): this machine does not have the address 192.0.2.1";
    assert!(out(&check).contains(want), "{}", out(&check));
    assert!(!serve.status.success() && err(&serve).contains("does not have the address"));

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let (check, _) = both("", &[("HOST", "127.0.0.1"), ("PORT", &port)]);
    let want = format!("FAIL  PORT (http.port): port {port} is taken by another program");
    assert!(out(&check).contains(&want), "{}", out(&check));
}

#[test]
fn a_house_without_its_token_fails_and_names_the_token() {
    let folder = Folder::new();
    let mut check = hearth(folder.path());
    let check = check.arg("check").envs([("HASS_HOST", "127.0.0.1"), ("PORT", "0")]).output();
    let check = check.unwrap();
    assert_eq!(check.status.code(), Some(1), "{}", out(&check));
    let want = "FAIL  HASS_TOKEN (home.token): not set, but HASS_HOST (home.url) is";
    assert!(out(&check).contains(want), "{}", out(&check));
    let nothing = hearth(folder.path()).arg("check").env("PORT", "0").output().unwrap();
    assert_eq!(nothing.status.code(), Some(0), "{}", out(&nothing));
}

#[test]
fn a_mistake_in_the_settings_of_later_leaves_the_running_one_well() {
    let hearth = Hearth::serve("");
    let file = hearth.folder.path().join("hearth.toml");
    std::fs::write(file, "[http]\norigins = [\"foo\"]\n").unwrap();
    assert_eq!(run(&hearth.folder, &["health"]).status.code(), Some(0));
    assert!(run(&hearth.folder, &["token", "list"]).status.success());
}

#[test]
fn without_a_daemon_health_says_so_with_exit_code_69() {
    let output = run(&Folder::new(), &["health"]);
    assert_eq!(output.status.code(), Some(69), "{}", err(&output));
    assert!(err(&output).contains("hearth serve"), "{}", err(&output));
}

#[test]
fn the_first_start_makes_a_token_and_shows_it_once() {
    let folder = Folder::new();
    let mut command = hearth(folder.path());
    command.args(["serve", "--host", "127.0.0.1", "--port", "0"]);
    let mut first = Hearth::start(command, folder);
    let token = wait_for("the token", || {
        let log = first.log();
        log.split_whitespace().find(|word| word.starts_with("hearth_")).map(str::to_owned)
    });
    first.token = token.clone();
    let hint = format!("Home Assistant is not set up yet: open {}, which shows how", first.url);
    wait_for("the hint", || first.log().contains(&hint).then_some(()));
    assert_eq!(first.get("/api/web/state").0, 200);
    assert_eq!(first.status("/ready"), 503, "an unconfigured house is not ready");
    let (_, ready) = first.get("/ready");
    assert!(ready.to_string().contains("not configured"), "{ready}");
    assert_eq!(first.stop(), Some(0));

    let folder = std::mem::replace(&mut first.folder, Folder::new());
    let mut command = hearth(folder.path());
    command.args(["serve", "--host", "127.0.0.1", "--port", "0"]);
    let mut second = Hearth::start(command, folder);
    second.token = token;
    assert!(!second.log().contains("hearth_"), "{}", second.log());
    assert_eq!(second.get("/api/web/state").0, 200, "the token did not survive the restart");
}

#[test]
fn tokens_are_made_listed_and_revoked_from_the_command_line() {
    let hearth = Hearth::serve("");
    let made = run(&hearth.folder, &["token", "new", "tablet", "--level", "read"]);
    assert!(made.status.success(), "{}", err(&made));
    let secret = out(&made).trim().to_owned();
    let list = out(&run(&hearth.folder, &["token", "list"]));
    assert!(list.contains("tablet") && list.contains("read") && !list.contains(&secret), "{list}");

    let as_tablet = |path: &str| {
        ureq::get(format!("{}{path}", hearth.url))
            .config()
            .http_status_as_error(false)
            .build()
            .header("authorization", format!("Bearer {secret}"))
            .call()
            .unwrap()
            .status()
            .as_u16()
    };
    assert_eq!(as_tablet("/api/web/state"), 200);
    assert_eq!(as_tablet("/api/web/tokens"), 403);
    let again = run(&hearth.folder, &["token", "new", "tablet"]);
    assert!(err(&again).contains("a token named 'tablet' already"), "{}", err(&again));
    assert!(run(&hearth.folder, &["token", "revoke", "tablet"]).status.success());
    assert_eq!(as_tablet("/api/web/state"), 401);
    let gone = run(&hearth.folder, &["token", "revoke", "tablet"]);
    assert!(err(&gone).contains("no token named 'tablet'"), "{}", err(&gone));
}

#[test]
fn a_second_daemon_on_the_same_folder_is_told_what_to_do() {
    let hearth = Hearth::serve("");
    let output = run(&hearth.folder, &["serve", "--host", "127.0.0.1", "--port", "0"]);
    assert!(!output.status.success());
    let text = err(&output);
    assert!(text.contains("in use") && text.contains("hearth.redb"), "{text}");
    assert_eq!(hearth.status("/health"), 200);
}

#[test]
fn a_taken_port_is_said_in_words() {
    let hearth = Hearth::serve("");
    let port = hearth.url.rsplit(':').next().unwrap();
    let folder = Folder::new();
    let output = run(&folder, &["serve", "--host", "127.0.0.1", "--port", port]);
    assert!(!output.status.success());
    assert!(err(&output).contains(port) && err(&output).contains("taken"), "{}", err(&output));
}

#[test]
fn health_by_command_is_the_daemons_own_word() {
    let hearth = Hearth::demo();
    let output = run(&hearth.folder, &["health"]);
    let health: Value = serde_json::from_str(&out(&output)).unwrap();
    assert_eq!(health["status"], "ok");
    let home = run(&hearth.folder, &["health", "--service", "home"]);
    assert!(home.status.success() && out(&home).contains("home is up"), "{}", out(&home));
    let none = run(&hearth.folder, &["health", "--service", "hoem"]);
    assert!(err(&none).contains("there is no service 'hoem'"), "{}", err(&none));
}

#[test]
fn stdout_has_one_line_and_sigterm_ends_it_well() {
    let mut hearth = Hearth::demo();
    let began = std::time::Instant::now();
    assert_eq!(hearth.stop(), Some(0));
    assert!(began.elapsed() < std::time::Duration::from_secs(10));
    assert!(hearth.url.starts_with("http://127.0.0.1:"), "{}", hearth.url);
    let log = hearth.log();
    assert!(log.contains("Nothing in it is real") && log.contains("SIGTERM: ending"), "{log}");
    assert!(!log.contains("WARN") && !log.contains("ERROR"), "{log}");
    let left = std::fs::read_dir(hearth.folder.path()).unwrap();
    let left: Vec<_> = left.map(|file| file.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().ends_with(".sock")), "{left:?}");
}

#[test]
fn a_token_is_for_services_that_there_are() {
    let hearth = Hearth::demo();
    let none = run(&hearth.folder, &["token", "new", "x", "--service", "nope"]);
    assert!(err(&none).contains("no service 'nope'; there are home, mqtt, "), "{}", err(&none));
    assert!(run(&hearth.folder, &["token", "new", "x", "--service", "home"]).status.success());
    let kept = run(&hearth.folder, &["token", "revoke", "configured"]);
    assert!(err(&kept).contains("remove AUTH_TOKEN"), "{}", err(&kept));
}

#[test]
fn without_a_configured_token_there_is_none_to_revoke() {
    let folder = Folder::new();
    let mut command = hearth(folder.path());
    command.args(["serve", "--host", "127.0.0.1", "--port", "0"]);
    let hearth = Hearth::start(command, folder);
    let none = run(&hearth.folder, &["token", "revoke", "configured"]);
    assert!(err(&none).contains("no token named 'configured'"), "{}", err(&none));
}

#[test]
fn secrets_never_reach_the_log() {
    let toml = "[general]\nlog_level = \"trace\"\n[home]\nurl = \"http://127.0.0.1:9\"\n\
                token = \"house-secret-4711\"\n";
    let hearth = Hearth::serve(toml);
    hearth.get("/api/web/state");
    let mut mcp = hearth.mcp("/mcp");
    mcp.call("home_overview", serde_json::json!({}));
    std::io::stdout().flush().unwrap();
    let log = hearth.log();
    assert!(!log.contains("house-secret-4711") && !log.contains(TOKEN), "{log}");
}

#[test]
fn a_data_folder_that_cannot_be_is_said_by_every_command_that_needs_it() {
    let folder = Folder::new();
    let file = folder.path().join("file");
    std::fs::write(&file, "mine").unwrap();
    for place in [file.clone(), file.join("below")] {
        let place = place.to_str().unwrap();
        let want = format!("cannot write to DATA_DIR {place}: a file is in the way");
        for word in ["serve", "demo"] {
            let said = run(&folder, &[word, "--port", "0", "--data-dir", place]);
            assert_eq!(said.status.code(), Some(1), "{word}: {}", err(&said));
            assert!(err(&said).contains(&want), "{word}: {}", err(&said));
        }
        let check = run(&folder, &["check", "--port", "0", "--data-dir", place]);
        let want = format!("FAIL  --data-dir (general.data_dir): {want}");
        assert!(out(&check).contains(&want), "{}", out(&check));
        assert_eq!(check.status.code(), Some(1));
        let health = run(&folder, &["health", "--data-dir", place]);
        assert_eq!(health.status.code(), Some(69), "{}", err(&health));
    }
    assert_eq!(std::fs::read(&file).unwrap(), b"mine");
}

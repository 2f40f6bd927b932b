//! Engines that `scripts/engine` started, and what the tests do with them.

use crate::harness::SOON;
use hearth::events::Events;
use hearth::orchestrator::engine::{Asked, Engine, Settings};
use hearth::orchestrator::sandbox::{Limits, Order, Program, Sandbox};
use hearth::tasks::Tasks;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};

/// Our own worker's image as the tests build it: on a base with a shell.
pub const IMAGE: &str = "mcp-server:test";

#[derive(Clone, Copy)]
pub enum Which {
    Docker,
    Podman,
}

impl Which {
    pub fn name(self) -> &'static str {
        match self {
            Which::Docker => "docker",
            Which::Podman => "podman",
        }
    }
}

/// Makes each function two tests: one with each engine.
macro_rules! suite {
    ($($name:ident),* $(,)?) => {
        mod docker {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(crate::engine::rig::Which::Docker).await;
            })*
        }
        mod podman {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(crate::engine::rig::Which::Podman).await;
            })*
        }
    };
}
pub(super) use suite;

pub struct Place {
    pub engine: Engine,
    pub tasks: Tasks,
    pub host: String,
    pub folder: PathBuf,
    node: String,
}

/// An engine as node `node`; none when none was started for the tests.
pub async fn engine(which: Which, node: &str) -> Option<Place> {
    let Some(all) = std::env::var_os("HEARTH_TEST_ENGINES").map(PathBuf::from) else {
        println!(
            "skipped: container engines: HEARTH_TEST_ENGINES is not set (scripts/engine start)"
        );
        return None;
    };
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join(all);
    prepare(&all);
    let folder = all.join(which.name());
    let host = value(&folder, "ENGINE_HOST");
    let tasks = Tasks::new(Events::new());
    let engine = Engine::new(settings(&host, node), &tasks).unwrap();
    Some(Place { engine, tasks, host, folder, node: node.into() })
}

/// Builds the worker's image on both engines, once.
fn prepare(all: &Path) {
    // What failed once would fail in each test, slowly.
    static DONE: OnceLock<()> = OnceLock::new();
    static TRIED: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);
    DONE.get_or_init(|| {
        let again = TRIED.swap(true, std::sync::atomic::Ordering::SeqCst);
        assert!(!again, "the images could not be made; the first test says why");
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let script = |args: &[&str]| {
            let mut command = Command::new(root.join("scripts/engine"));
            command.args(args).env("ENGINE_STATE", all);
            assert!(command.status().unwrap().success(), "scripts/engine {args:?}");
        };
        let own = format!("{}=/probe", binary().display());
        let names =
            ["sh", "cat", "id", "dd", "sleep", "seq", "head", "ls", "env", "curl", "cp", "chmod"];
        let programs: Vec<String> = names
            .iter()
            .filter_map(|name| program(name))
            .map(|at| at.display().to_string())
            .collect();
        let mut image = vec!["image", "hearth-test-base:latest", "/bin/sh=/bin/sh", &own];
        image.extend(programs.iter().map(String::as_str));
        script(&image);
        let context = all.join("context");
        let arch = if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" };
        std::fs::create_dir_all(context.join("dist").join(arch)).unwrap();
        std::fs::copy(binary(), context.join("dist").join(arch).join("hearth")).unwrap();
        for name in ["Dockerfile.mcp", "Dockerfile.mcp.dockerignore"] {
            std::fs::copy(root.join(name), context.join(name)).unwrap();
        }
        script(&["build", IMAGE, context.to_str().unwrap(), "hearth-test-base:latest"]);
    });
}

/// Puts the published servers of other people onto both engines, once.
pub fn servers() {
    static DONE: OnceLock<()> = OnceLock::new();
    DONE.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let all = std::env::var_os("HEARTH_TEST_ENGINES").map(|all| root.join(all)).unwrap();
        let mut command = Command::new(root.join("scripts/engine"));
        // The program under test is not static: its libraries come along.
        let own = format!("{}=/probe", binary().display());
        let done = command.args(["servers", &own]).env("ENGINE_STATE", all).status().unwrap();
        assert!(done.success(), "scripts/engine servers");
    });
}

/// Where Debian puts a program; a version manager's shim is none.
fn program(name: &str) -> Option<PathBuf> {
    ["/usr/bin", "/bin"].map(|folder| Path::new(folder).join(name)).into_iter().find(|p| p.exists())
}

/// The program under test without what debuggers want, which would be most of it.
pub fn binary() -> PathBuf {
    static STRIPPED: OnceLock<PathBuf> = OnceLock::new();
    STRIPPED
        .get_or_init(|| {
            let built = Path::new(env!("CARGO_BIN_EXE_hearth"));
            let stripped = built.with_file_name("hearth-for-engines");
            let mut strip = Command::new("strip");
            assert!(strip.arg("-o").arg(&stripped).arg(built).status().unwrap().success());
            stripped
        })
        .clone()
}

pub fn settings(host: &str, node: &str) -> Settings {
    Settings {
        asked: Asked { host: Some(host.into()), certificates: None },
        node: format!("test-{node}"),
        image: IMAGE.into(),
        binary: binary(),
        runtime: None,
        ways_out: None,
    }
}

pub fn order(node: &str, name: &str) -> Order {
    Order {
        name: name.into(),
        node: format!("test-{node}"),
        epoch: 3,
        program: Program::Worker,
        environment: BTreeMap::new(),
        limits: Limits::default(),
        egress: Vec::new(),
    }
}

fn value(folder: &Path, name: &str) -> String {
    let path = folder.join("env");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    line.unwrap_or_else(|| panic!("{} has no {name}", path.display())).to_owned()
}

impl Place {
    /// Docker's own client, which speaks to both engines.
    pub fn client(&self, args: &[&str]) -> (bool, String) {
        let mut command = Command::new("/usr/bin/docker");
        let out = command.env_remove("DOCKER_CONFIG").args(["-H", &self.host]).args(args).output();
        let out = out.unwrap();
        let all = [out.stdout, out.stderr].concat();
        (out.status.success(), String::from_utf8_lossy(&all).into_owned())
    }

    /// The lines of this node's containers, running or not.
    pub fn containers(&self) -> Vec<String> {
        let filter = format!("label=hearth.node=test-{}", self.node);
        let format = "{{.ID}} {{.Names}} {{.Status}}";
        let (_, out) =
            self.client(&["ps", "--all", "--no-trunc", "--filter", &filter, "--format", format]);
        out.lines().map(str::to_owned).collect()
    }

    pub fn volumes(&self) -> Vec<String> {
        let (_, out) = self.client(&["volume", "ls", "--quiet"]);
        out.lines().map(str::to_owned).collect()
    }

    /// Where a volume stands on this machine.
    pub fn volume(&self, name: &str) -> PathBuf {
        self.folder.join("data/volumes").join(name).join("_data")
    }

    pub fn remove_volume(&self, name: &str) {
        let (done, said) = self.client(&["volume", "rm", name]);
        assert!(done, "{said}");
    }

    /// The address of the same engine over TCP, and the folder of the certificates for it.
    pub fn tls(&self) -> (String, PathBuf) {
        let folder = value(&self.folder, "ENGINE_CERTIFICATES");
        (value(&self.folder, "ENGINE_TLS"), folder.into())
    }
}

/// An authority of its own and a certificate of it, as `DOCKER_CERT_PATH` wants them.
pub fn certificates(folder: &Path) {
    let line = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 \
                -subj /CN=other -keyout key.pem -out cert.pem 2>/dev/null && cp cert.pem ca.pem";
    let done = Command::new("sh").args(["-c", line]).current_dir(folder).status().unwrap();
    assert!(done.success());
}

/// The other end of a sandbox's streams: a plain MCP client.
pub struct Peer {
    stdin: Box<dyn AsyncWrite + Send + Unpin>,
    lines: tokio::io::Lines<BufReader<Box<dyn AsyncRead + Send + Unpin>>>,
    hold: std::sync::Arc<dyn hearth::orchestrator::sandbox::Hold>,
    next: u64,
}

impl Peer {
    pub fn of(sandbox: Sandbox) -> Peer {
        let lines = BufReader::new(sandbox.stdout).lines();
        Peer { stdin: sandbox.stdin, lines, hold: sandbox.hold, next: 0 }
    }

    pub async fn ask(&mut self, method: &str, params: Value) -> Value {
        self.next += 1;
        let message =
            json!({ "jsonrpc": "2.0", "id": self.next, "method": method, "params": params });
        self.stdin.write_all(format!("{message}\n").as_bytes()).await.unwrap();
        let line = tokio::time::timeout(SOON, self.lines.next_line()).await.expect("an answer");
        let line = line.unwrap().unwrap_or_else(|| {
            panic!("the server has ended; it complained: {:?}", self.hold.stderr().lines())
        });
        let answer: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(answer["id"], self.next, "{answer}");
        answer
    }

    pub async fn hello(&mut self) {
        let hello = json!({ "protocolVersion": "2025-11-25", "capabilities": {},
                            "clientInfo": { "name": "t", "version": "1" } });
        let welcome = self.ask("initialize", hello).await;
        assert!(welcome["result"]["serverInfo"]["name"].is_string(), "{welcome}");
        let done = "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n";
        self.stdin.write_all(done.as_bytes()).await.unwrap();
    }

    /// Calls a tool; its result.
    pub async fn call(&mut self, name: &str, arguments: Value) -> Value {
        let answer = self.ask("tools/call", json!({ "name": name, "arguments": arguments })).await;
        answer["result"].clone()
    }

    /// Calls a tool that must succeed; its text.
    pub async fn text(&mut self, name: &str, arguments: Value) -> String {
        let result = self.call(name, arguments).await;
        assert_eq!(result["isError"], false, "{result}");
        result["content"][0]["text"].as_str().unwrap().to_owned()
    }

    /// Runs a line of shell; what it said, and its exit code.
    pub async fn shell(&mut self, line: &str) -> (String, i64) {
        let result = self.call("execute_command", json!({ "command": line })).await;
        let text = result["content"][0]["text"].as_str().unwrap().to_owned();
        (text, result["_meta"]["hearth/exit_code"].as_i64().unwrap_or(-1))
    }

    /// Ends the server's input.
    pub async fn close(mut self) {
        self.stdin.shutdown().await.unwrap();
    }
}

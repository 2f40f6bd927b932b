//! Servers of other people, as npm and PyPI have them, behind the way out: they know of no sandbox, and
//! find the proxy as they would find any.

use crate::engine::rig::{Peer, Place, Which, engine, order, settings, suite};
use crate::harness::Folder;
use crate::harness::authority::{Authority, SELF};
use hearth::config::Secret;
use hearth::orchestrator::engine::{Engine, Settings};
use hearth::orchestrator::sandbox::{Destination, Limits, Order, Place as _, Program};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};

suite!(a_server_of_npm_and_one_of_pypi_reach_what_they_may_and_nothing_else);

/// Python's own web server over TLS on loopback; it says each request's host and path.
const WEB: &str = r#"
import http.server, json, ssl, sys
class Web(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        print(self.path, flush=True)
        body = json.dumps({"results": [{"id": "/found/here", "title": "Found Here",
            "description": "a library", "totalSnippets": 7, "versions": []}]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): pass
web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Web)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
web.socket = context.wrap_socket(web.socket, server_side=True)
print(web.server_address[1], flush=True)
web.serve_forever()
"#;

struct Web {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    port: u16,
}

impl Web {
    fn start(authority: &Authority) -> Web {
        let mut child = Command::new("python3")
            .args(["-c", WEB])
            .args([authority.file("web.pem"), authority.file("web.key")])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines.next().unwrap().unwrap().parse().unwrap();
        Web { child, lines, port }
    }

    /// The path of the next request that is about `words`.
    fn asked(&mut self, words: &str) -> String {
        self.lines.by_ref().map_while(Result::ok).find(|path| path.contains(words)).unwrap()
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The published image and the authority that its program is to trust; nothing else is changed.
fn image(place: &Place, which: Which, kind: &str, authority: &Authority) -> String {
    let context = Folder::new();
    std::fs::copy(authority.file("ca.pem"), context.path().join("ca.pem")).unwrap();
    let lines = format!("FROM hearth-test-{kind}:latest\nCOPY ca.pem /ca.pem\n");
    std::fs::write(context.path().join("Dockerfile"), lines).unwrap();
    let name = format!("hearth-test-{kind}-{}:{}", which.name(), std::process::id());
    let folder = context.path().to_str().unwrap();
    let (done, said) = place.client(&["build", "-q", "-t", &name, folder]);
    assert!(done, "{said}");
    name
}

async fn a_server_of_npm_and_one_of_pypi_reach_what_they_may_and_nothing_else(which: Which) {
    let Some(place) = engine(which, "servers").await else { return };
    crate::engine::rig::servers();
    let authority = Authority::new();
    authority.sign("web", SELF, 2);
    let (mut named, other) = (Web::start(&authority), Web::start(&authority));
    let folder = Folder::new();
    let ways_out = Some(folder.path().join("out"));
    let settings = Settings { ways_out, ..settings(&place.host, "servers") };
    let own = Engine::new(settings, &place.tasks).unwrap();

    let module = "/srv/npm/node_modules/@upstash/context7-mcp/dist/index.js";
    let npm = image(&place, which, "npm", &authority);
    let pypi = image(&place, which, "pypi", &authority);
    let start = |name: &'static str, image: &str, command: &[&str], port: u16| {
        let command = Some(command.iter().map(|word| (*word).to_owned()).collect());
        let api = format!("https://localhost:{port}/api");
        let environment = [
            ("NODE_EXTRA_CA_CERTS", "/ca.pem"),
            ("SSL_CERT_FILE", "/ca.pem"),
            ("CONTEXT7_API_URL", &api),
        ];
        let order = Order {
            program: Program::Image { reference: image.to_owned(), command },
            environment: environment
                .map(|(name, value)| (name.to_owned(), Secret::new(value)))
                .into(),
            limits: Limits { memory_bytes: 512 << 20, cpu_thousandths: 2000, ..Limits::default() },
            egress: vec![Destination { host: "localhost".into(), port: named.port }],
            ..order("servers", name)
        };
        let engine = own.clone();
        async move { Peer::of(engine.start(&order).await.unwrap()) }
    };
    let find = json!({ "query": "how to be found", "libraryName": "here" });
    let node = ["/usr/bin/node", module];
    let mut inside = start("npm", &npm, &node, named.port).await;
    let mut shut = start("npm-shut", &npm, &node, other.port).await;
    // Else it refuses loopback itself, before it asks its proxy.
    let private = "--allow-private-ips";
    let python = ["/srv/venv/bin/python", "-m", "mcp_server_fetch", private];
    let mut fetch = start("pypi", &pypi, &python, named.port).await;
    for peer in [&mut inside, &mut shut, &mut fetch] {
        peer.hello().await;
    }
    let found = text(&inside.call("resolve-library-id", find.clone()).await);
    assert!(found.contains("/found/here"), "{found}");
    assert!(named.asked("/v2/libs/search").contains("libraryName=here"));
    let found = text(&shut.call("resolve-library-id", find).await);
    assert!(!found.contains("/found/here"), "{found}");

    let page = |port: u16| json!({ "url": format!("https://localhost:{port}/page"), "raw": true });
    let found = text(&fetch.call("fetch", page(named.port)).await);
    assert!(found.contains("/found/here"), "{found}");
    assert_eq!(named.asked("/page"), "/page");
    let found = text(&fetch.call("fetch", page(other.port)).await);
    assert!(!found.contains("/found/here"), "{found}");
    place.client(&["rmi", &npm, &pypi]);
}

fn text(result: &Value) -> String {
    result["content"][0]["text"].as_str().unwrap_or_default().to_owned() + &result.to_string()
}

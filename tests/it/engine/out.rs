//! The way out of a sandbox: what the order names is reached by a program that knows nothing of us,
//! and nothing else is.

use crate::engine::rig::{Peer, Place, Which, engine, order, settings, suite};
use crate::harness::authority::{Authority, SELF};
use crate::harness::{Folder, SOON};
use hearth::error::Kind;
use hearth::orchestrator::engine::{Engine, Settings};
use hearth::orchestrator::sandbox::{Destination, Order, Place as _};
use serde_json::json;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

suite!(
    a_program_reaches_what_the_order_names_and_nothing_else,
    without_a_shared_folder_a_way_out_is_refused,
);

/// A web server over TLS on loopback: OpenSSL's own.
pub struct Server {
    child: Child,
    pub port: u16,
}

impl Server {
    pub fn start(authority: &Authority) -> Server {
        let mut child = Command::new("openssl")
            .args(["s_server", "-www", "-accept", "127.0.0.1:0", "-cert"])
            .args([authority.file("web.pem").as_os_str(), "-key".as_ref()])
            .arg(authority.file("web.key"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let line = lines.find(|line| line.starts_with("ACCEPT")).unwrap();
        let port = line.rsplit(':').next().unwrap().trim().parse().unwrap();
        std::thread::spawn(move || lines.for_each(drop));
        Server { child, port }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn with_ways_out(place: &Place, node: &str, folder: &Folder) -> Engine {
    let ways_out = Some(folder.path().join("out"));
    Engine::new(Settings { ways_out, ..settings(&place.host, node) }, &place.tasks).unwrap()
}

async fn a_program_reaches_what_the_order_names_and_nothing_else(which: Which) {
    let Some(place) = engine(which, "out").await else { return };
    let authority = Authority::new();
    authority.sign("web", SELF, 2);
    let (named, other) = (Server::start(&authority), Server::start(&authority));
    let folder = Folder::new();
    let own = with_ways_out(&place, "out", &folder);
    let egress = vec![Destination { host: "localhost".into(), port: named.port }];
    let sandbox = own.start(&Order { egress, ..order("out", "one") }).await.unwrap();
    let hold = sandbox.hold.clone();
    let mut peer = Peer::of(sandbox);
    peer.hello().await;
    let ca = std::fs::read_to_string(authority.file("ca.pem")).unwrap();
    peer.text("write_file", json!({ "path": "ca.pem", "content": ca })).await;
    let get = |port: u16, more: &str| {
        format!(
            "curl -sS --max-time 10 --cacert /tmp/ca.pem {more} -o /tmp/page https://localhost:{port}/ 2>&1 \
             && head -c 900 /tmp/page"
        )
    };
    let (said, code) = peer.shell(&get(named.port, "")).await;
    assert!(code == 0 && said.contains("s_server"), "{said}");
    // Another port of the same host, and the same port by another name of it.
    let (said, code) = peer.shell(&get(other.port, "")).await;
    assert!(code != 0 && said.contains("403"), "{said}");
    let by_address = format!("curl -sS --max-time 10 -k https://127.0.0.1:{}/ 2>&1", named.port);
    let (said, code) = peer.shell(&by_address).await;
    assert!(code != 0 && said.contains("403"), "{said}");
    // There is no way but this one.
    let (said, code) = peer.shell(&get(named.port, "--noproxy '*'")).await;
    assert!(code != 0 && !said.contains("s_server"), "{said}");
    let (said, code) = peer.shell("curl -sS --max-time 10 http://localhost:1/ 2>&1").await;
    assert!(said.contains("CONNECT only") || code != 0, "{said}");
    // Both servers answer to whoever is not shut in.
    for server in [&named, &other] {
        assert!(TcpStream::connect(("127.0.0.1", server.port)).is_ok());
    }
    // Guards hold beside it: there is still nothing but loopback.
    let guards = hold.in_force().await.unwrap();
    let network = guards.iter().find(|guard| guard.name == "network").unwrap();
    assert_eq!(network.in_force.as_deref(), Some("none"));

    let ways = || std::fs::read_dir(folder.path().join("out")).unwrap().count();
    assert_eq!(ways(), 1);
    hold.end().await.unwrap();
    drop((hold, peer));
    let began = std::time::Instant::now();
    while ways() > 0 {
        assert!(began.elapsed() < SOON, "its socket is there still");
        tokio::task::yield_now().await;
    }
}

async fn without_a_shared_folder_a_way_out_is_refused(which: Which) {
    let Some(place) = engine(which, "no-way").await else { return };
    let egress = vec![Destination { host: "localhost".into(), port: 1 }];
    let refused = place.engine.start(&Order { egress, ..order("no-way", "one") }).await;
    assert_eq!(refused.err().unwrap().kind(), Kind::Refused);
    assert!(place.containers().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_proxy_answers_strangers_and_floods_and_closes_with_its_door() {
    let folder = Folder::new();
    let socket = folder.path().join("socket");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let tasks = hearth::tasks::Tasks::new(hearth::events::Events::new());
    let allowed = vec![Destination { host: "127.0.0.1".into(), port }];
    let open = hearth::orchestrator::egress::Door::open(&socket, "one", allowed, &tasks).unwrap();
    let ask = |bytes: &[u8]| {
        let mut stream = std::os::unix::net::UnixStream::connect(&socket).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        stream.write_all(bytes).unwrap();
        stream
    };
    for (bytes, status) in [
        (&b"GET http://127.0.0.1/ HTTP/1.1\r\n\r\n"[..], "405"),
        (b"CONNECT nowhere:1 HTTP/1.1\r\n\r\n", "403"),
        (b"nonsense\r\n\r\n", "400"),
        (&[b'x'; 9000], "431"),
    ] {
        let mut said = String::new();
        let _ = ask(bytes).read_to_string(&mut said);
        assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{said}");
    }
    let request = format!("CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\nearly");
    let mut inside = ask(request.as_bytes());
    let (mut outside, _) = listener.accept().unwrap();
    let mut early = [0; 5];
    outside.read_exact(&mut early).unwrap();
    assert_eq!(&early, b"early");
    outside.write_all(b"answer").unwrap();
    let mut said = vec![0; "HTTP/1.1 200 Connection established\r\n\r\nanswer".len()];
    inside.read_exact(&mut said).unwrap();
    assert!(said.ends_with(b"\r\n\r\nanswer"));
    drop(open);
    assert_eq!(inside.read(&mut [0; 8]).unwrap(), 0, "the connection outlived its door");
    assert!(!socket.exists());
}

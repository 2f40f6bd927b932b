//! A real house behind a real TLS server with certificates of an authority of its own.

use super::rig::{config, real, result_of, start_trusting, until};
use crate::harness::authority::{Authority, SELF};
use serde_json::json;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Decrypts and passes on; prints its port.
const PROXY: &str = r"
import asyncio, ssl, sys
host, port, chain, key = sys.argv[1:]
async def pump(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    writer.close()
async def meet(reader, writer):
    there, back = await asyncio.open_connection(host, int(port))
    await asyncio.gather(pump(reader, back), pump(there, writer))
async def main():
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(chain, key)
    server = await asyncio.start_server(meet, '127.0.0.1', 0, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
";

/// An authority, and the servers that show its certificates.
struct Tls {
    authority: Authority,
    servers: Vec<Child>,
}

impl Tls {
    fn new() -> Tls {
        Tls { authority: Authority::new(), servers: Vec::new() }
    }

    fn ca(&self) -> PathBuf {
        self.authority.file("ca.pem")
    }

    /// Starts a server in front of the house whose certificate is for `names`, valid for `days`, and
    /// returns its port.
    fn serve(&mut self, names: &str, days: i32) -> u16 {
        let own = format!("server{}", self.servers.len());
        self.authority.sign(&own, names, days);
        let (url, _) = real();
        let (host, port) = url.trim_start_matches("http://").split_once(':').unwrap();
        let files = [format!("{own}.pem"), format!("{own}.key")];
        let mut server = Command::new("python3")
            .args(["-c", PROXY, host, port, &files[0], &files[1]])
            .current_dir(self.authority.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut port = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut port).unwrap();
        self.servers.push(server);
        port.trim().parse().unwrap()
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        for server in &mut self.servers {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_house_behind_tls_is_reached_when_its_authority_is_trusted() {
    let mut tls = Tls::new();
    let port = tls.serve(SELF, 2);
    let (_, token) = real();
    for url in [format!("wss://localhost:{port}"), format!("https://127.0.0.1:{port}/")] {
        let rig = start_trusting(&config(&url, &token), Some(&tls.ca())).await;
        rig.connected().await;
        let id = "input_boolean.guest_mode";
        let done = json!({"service": "homeassistant.update_entity", "target": {"entity_id": id}});
        let done = rig.tool("home_call", done).await;
        assert_eq!(result_of(&done, id), "unchanged", "{done}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_is_not_right_is_named() {
    let mut tls = Tls::new();
    let (_, token) = real();
    let check = async |port: u16, ca: Option<&Path>, words: &[&str]| {
        let rig = start_trusting(&config(&format!("https://127.0.0.1:{port}"), &token), ca).await;
        until("the certificate is refused", async || rig.why().contains("certificate")).await;
        for word in words {
            assert!(rig.why().contains(word), "no '{word}' in: {}", rig.why());
        }
        assert!(!rig.home.is_connected());
    };
    let right = tls.serve(SELF, 2);
    check(right, None, &["nobody that is trusted", "CA_FILE"]).await;
    let other = tls.serve("DNS:other.lan", 2);
    check(other, Some(&tls.ca()), &["for another name than '127.0.0.1'", "other.lan"]).await;
    let expired = tls.serve(SELF, -1);
    check(expired, Some(&tls.ca()), &["has run out", "clock"]).await;
    // No TLS at all where it was asked for.
    let (url, _) = real();
    let plain = url.replacen("http", "https", 1);
    let rig = start_trusting(&config(&plain, &token), None).await;
    until("no TLS", async || rig.why().contains("does not speak TLS")).await;
}

//! The outgoing client, against our own listener and against OpenSSL's.

use crate::http::house::{House, wait};
use hearth::config::Secret;
use hearth::error::{Error, Kind};
use hearth::http::ask::{Answer, Ask, Question};
use hearth::http::mdns::Mdns;
use hearth::http::tls;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

fn client(house: &House, ca_file: Option<&Path>) -> Ask {
    Ask::new(tls::client(ca_file).unwrap(), &Mdns::new(&house.tasks), &house.tasks)
}

fn ask(house: &House, question: Question) -> Result<Answer, Error> {
    house.runtime.block_on(client(house, None).ask(question))
}

#[test]
fn a_question_is_answered_whatever_the_status() {
    let house = House::open();
    let at = format!("http://{}", house.at);
    let answer = ask(&house, Question::get(format!("{at}/"))).unwrap();
    assert_eq!((answer.status, answer.text().as_str()), (200, "house"));
    assert_eq!(answer.content_type, "text/plain; charset=utf-8");
    let counted = ask(&house, Question::post(format!("{at}/count")).json(&[1, 2]).unwrap());
    assert_eq!(counted.unwrap().json::<u32>().unwrap(), 5);
    assert_eq!(ask(&house, Question::get(format!("{at}/nowhere"))).unwrap().status, 404);
    let failed = ask(&house, Question::get(format!("{at}/panic"))).unwrap();
    assert_eq!(failed.status, 500);
    assert_eq!(failed.json::<u32>().unwrap_err().kind(), Kind::Offline);
}

#[test]
fn an_answer_has_a_size_and_a_time() {
    let house = House::open();
    let at = format!("http://{}", house.at);
    let e = ask(&house, Question::get(format!("{at}/big")).at_most(1000)).unwrap_err();
    assert_eq!(e.kind(), Kind::Limit, "{e}");
    for path in ["/wait", "/stream"] {
        let began = Instant::now();
        let question = Question::get(format!("{at}{path}")).within(Duration::from_millis(300));
        let e = ask(&house, question).unwrap_err();
        assert_eq!(e.kind(), Kind::Timeout, "{path}: {e}");
        assert!(began.elapsed() < Duration::from_secs(5));
    }
}

#[test]
fn a_failure_names_the_server_and_no_secret() {
    let house = House::open();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let question = Question::get(format!("http://{free}/api?key=hunter2"));
    let e = ask(&house, question.bearer(&Secret::new("hunter2"))).unwrap_err();
    assert_eq!(e.kind(), Kind::Offline);
    assert!(e.to_string().starts_with(&format!("http://{free}: cannot be reached")), "{e}");
    assert!(!format!("{e:?}").contains("hunter2"), "{e:?}");
    for bad in ["nonsense", "http://", "ftp://localhost/", "http://a b/"] {
        let e = ask(&house, Question::get(bad)).unwrap_err();
        assert_eq!(e.kind(), Kind::Invalid, "{bad}: {e}");
    }
    let e = ask(&house, Question::get("http://no-such-host.invalid/")).unwrap_err();
    assert_eq!(e.kind(), Kind::Offline, "{e}");
}

#[test]
fn at_most_eight_questions_are_asked_at_once() {
    let house = House::open();
    let client = client(&house, None);
    let url = format!("http://{}/wait", house.at);
    let asked: Vec<_> = (0..12)
        .map(|_| {
            let question = Question::get(&url).within(Duration::from_secs(2));
            let client = client.clone();
            house.runtime.spawn(async move { client.ask(question).await })
        })
        .collect();
    wait("eight are asked", || house.seen.waiting.load(Ordering::SeqCst) == 8);
    assert!(house.counters.open() <= 8, "{} are open", house.counters.open());
    for one in asked {
        let e = house.runtime.block_on(one).unwrap().unwrap_err();
        assert_eq!(e.kind(), Kind::Timeout, "{e}");
    }
    assert_eq!(house.seen.waiting.load(Ordering::SeqCst), 12);
}

/// OpenSSL's own server with a certificate of its own.
struct Https {
    child: Child,
    port: u16,
    folder: PathBuf,
}

impl Https {
    fn start(name: &str) -> Https {
        let folder =
            std::env::temp_dir().join(format!("hearth-https-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
            .args(["-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-days", "2"])
            .args(["-subj", "/CN=a house", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .current_dir(&folder)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mut child = Command::new("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0", "-www", "-key", "key.pem"])
            .args(["-cert", "cert.pem", "-naccept", "8"])
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.as_mut().unwrap()).lines().map_while(Result::ok);
        let port = { lines }
            .find_map(|line| line.strip_prefix("ACCEPT ")?.rsplit_once(':')?.1.parse().ok())
            .unwrap();
        Https { child, port, folder }
    }
}

impl Drop for Https {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn a_certificate_of_ones_own_is_trusted_once_it_is_named() {
    let house = House::open();
    let https = Https::start("ca");
    let url = format!("https://localhost:{}/", https.port);
    let e = ask(&house, Question::get(&url)).unwrap_err();
    assert_eq!(e.kind(), Kind::Offline);
    assert!(
        e.to_string().contains("its certificate is not trusted (UnknownIssuer); see http.ca_file"),
        "{e}"
    );
    let client = client(&house, Some(&https.folder.join("cert.pem")));
    let answer = house.runtime.block_on(client.ask(Question::get(&url))).unwrap();
    assert_eq!(answer.status, 200);
    assert!(answer.text().contains("TLS"), "{}", answer.text());
    let by_address = format!("https://127.0.0.1:{}/", https.port);
    assert!(house.runtime.block_on(client.ask(Question::get(by_address))).is_ok());
}

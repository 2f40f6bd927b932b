//! Mosquitto behind TLS with an authority of its own, and over WebSocket.

use super::mosquitto::{Mosquitto, free_port};
use super::rig::Rig;
use crate::harness::authority::{Authority, SELF};

/// Starts a broker that shows this certificate at a second listener, and returns its port too.
fn broker(authority: &Authority, name: &str, more: &str) -> (Mosquitto, u16) {
    let port = free_port();
    let lines = format!(
        "allow_anonymous true\nlistener {port} 127.0.0.1\ncertfile {}\nkeyfile {}\n{more}",
        authority.file(&format!("{name}.pem")).display(),
        authority.file(&format!("{name}.key")).display(),
    );
    (Mosquitto::with(&lines), port)
}

fn heard(broker: &Mosquitto, rig: &mut Rig) {
    rig.connected();
    broker.publish("behind/tls", b"1", &["-q", "1"]);
    rig.knows("behind/tls");
}

#[test]
fn a_broker_with_an_authority_of_its_own_is_trusted_when_the_owner_says_so() {
    let authority = Authority::new();
    authority.sign("server", SELF, 2);
    let (broker, port) = broker(&authority, "server", "");
    let ca = format!("ca_file = \"{}\"\n", authority.file("ca.pem").display());
    for address in [format!("mqtts://localhost:{port}"), format!("mqtts://127.0.0.1:{port}")] {
        heard(&broker, &mut Rig::at(&address, &ca));
        heard(&broker, &mut Rig::at(&address, &format!("{ca}version = \"3.1.1\"\n")));
    }
    let address = format!("mqtts://127.0.0.1:{port}");
    let mut rig = Rig::at(&address, "");
    rig.away("issued by nobody that is trusted");
    // Whoever wants it gets it, and is told each time.
    let mut rig = Rig::at(&address, "insecure = true\n");
    heard(&broker, &mut rig);
    assert!(rig.hearth.log().contains("insecure"), "{}", rig.hearth.log());
    assert!(rig.home()["note"].as_str().unwrap().contains("insecure"), "{}", rig.home());
    // No TLS at all where it was asked for, and the other way round.
    let mut rig = Rig::at(&format!("mqtts://{}", broker.address()), &ca);
    rig.away("TLS");
    let mut rig = Rig::at(&format!("127.0.0.1:{port}"), "");
    rig.away("broker");
}

#[test]
fn a_certificate_that_is_not_right_is_named() {
    let authority = Authority::new();
    authority.sign("other", "DNS:other.lan", 2);
    authority.sign("expired", SELF, -1);
    let ca = format!("ca_file = \"{}\"\n", authority.file("ca.pem").display());
    for (name, word) in [("other", "for another name"), ("expired", "has run out")] {
        let (_broker, port) = broker(&authority, name, "");
        let mut rig = Rig::at(&format!("mqtts://127.0.0.1:{port}"), &ca);
        rig.away(word);
    }
    authority.openssl(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -keyout self.key \
         -out self.pem -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1",
    );
    let (_broker, port) = broker(&authority, "self", "");
    let mut rig = Rig::at(&format!("mqtts://127.0.0.1:{port}"), &ca);
    rig.away("issued by nobody that is trusted");
}

#[test]
fn a_broker_that_wants_our_certificate_gets_it() {
    let authority = Authority::new();
    authority.sign("server", SELF, 2);
    authority.sign("client", "DNS:hearth", 2);
    let more = format!("cafile {}\nrequire_certificate true\n", authority.file("ca.pem").display());
    let (broker, port) = broker(&authority, "server", &more);
    let address = format!("mqtts://127.0.0.1:{port}");
    let ca = format!("ca_file = \"{}\"\n", authority.file("ca.pem").display());
    let mut rig = Rig::at(&address, &ca);
    rig.away("certificate");
    let own = format!(
        "{ca}cert_file = \"{}\"\nkey_file = \"{}\"\n",
        authority.file("client.pem").display(),
        authority.file("client.key").display()
    );
    heard(&broker, &mut Rig::at(&address, &own));
    let wrong = own.replace("client.key", "ca.pem");
    let mut rig = Rig::at(&address, &wrong);
    rig.away("holds no key");
}

#[test]
fn websockets_work_plain_and_over_tls() {
    let authority = Authority::new();
    authority.sign("server", SELF, 2);
    let (plain, secure) = (free_port(), free_port());
    let file = |name| authority.file(name).display().to_string();
    let broker = Mosquitto::with(&format!(
        "allow_anonymous true\nlistener {plain} 127.0.0.1\nprotocol websockets\n\
         listener {secure} 127.0.0.1\nprotocol websockets\ncertfile {}\nkeyfile {}\n",
        file("server.pem"),
        file("server.key"),
    ));
    let ca = format!("ca_file = \"{}\"\nread_only = false\n", file("ca.pem"));
    for address in [format!("ws://127.0.0.1:{plain}"), format!("wss://localhost:{secure}/mqtt")] {
        for version in ["5", "3.1.1"] {
            let mut rig = Rig::at(&address, &format!("{ca}version = \"{version}\"\n"));
            heard(&broker, &mut rig);
            // Larger than any buffer on the way; this mosquitto sends 4 KB at a time, ten times a second.
            let payload = "x".repeat(100_000);
            let sent = serde_json::json!({"topic": "large/one", "payload": payload, "qos": 1});
            assert_eq!(rig.tool("mqtt_publish_message", sent)["status"], "written");
            rig.knows("large/one");
        }
    }
}

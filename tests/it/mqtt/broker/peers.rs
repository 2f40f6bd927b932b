//! Clients that know nothing of us: mosquitto_pub, mosquitto_sub, and paho.

use super::{start, start_with};
use crate::harness::SOON;
use crate::mqtt::devices::peers;
use hearth::config::Secret;
use hearth::mqtt::{Broker, Embedded, User};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};

const MARKER: &str = "mosquitto-sub-is-ready";

/// A running `mosquitto_sub`; ends with the value.
pub(super) struct Sub {
    child: Child,
    lines: Receiver<String>,
}

impl Sub {
    /// Starts one with these options, which hold a format with `%p`, and returns when it is subscribed.
    pub(super) fn start(broker: &Broker, args: &[&str]) -> Sub {
        // What is retained comes at once, so the marker shows that the subscription holds.
        assert_eq!(publish(broker, &["-t", "marker/of/sub", "-m", MARKER, "-r"]), 0);
        let mut command = client("mosquitto_sub", broker);
        command.args(args).args(["-t", "marker/of/sub"]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (tell, lines) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if tell.send(line).is_err() {
                    return;
                }
            }
        });
        Sub { child, lines }
    }

    /// The same, and waits until it is subscribed.
    pub(super) fn ready(broker: &Broker, args: &[&str]) -> Sub {
        let sub = Sub::start(broker, args);
        let said = sub.lines.recv_timeout(SOON).expect("mosquitto_sub fell silent");
        assert!(said.contains(MARKER), "{said}");
        sub
    }

    /// Returns the next line that is no marker.
    pub(super) fn next(&self) -> String {
        loop {
            let line = self.lines.recv_timeout(SOON).expect("mosquitto_sub fell silent");
            if !line.contains(MARKER) {
                return line;
            }
        }
    }

    /// Returns every line until it ends by itself, the marker left out.
    pub(super) fn all(&self) -> Vec<String> {
        let mut all = Vec::new();
        loop {
            match self.lines.recv_timeout(SOON * 3) {
                Ok(line) if line.contains(MARKER) => {}
                Ok(line) => all.push(line),
                Err(RecvTimeoutError::Disconnected) => return all,
                Err(RecvTimeoutError::Timeout) => panic!("it waits after {} lines", all.len()),
            }
        }
    }
}

impl Drop for Sub {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn client(program: &str, broker: &Broker) -> Command {
    let mut command = Command::new(program);
    command.args(["-h", "127.0.0.1", "-p", &broker.address().port().to_string()]);
    command
}

/// Runs `mosquitto_pub` and returns its exit code.
pub(super) fn publish(broker: &Broker, args: &[&str]) -> i32 {
    let mut command = client("mosquitto_pub", broker);
    command.args(args).stderr(Stdio::null()).status().unwrap().code().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn debians_clients_of_both_versions_hear_each_other_at_every_level() {
    let (broker, tasks) = start();
    for version in ["mqttv311", "mqttv5"] {
        let sub =
            Sub::ready(&broker, &["-V", version, "-t", "a/+", "-q", "2", "-F", "%t %q %r %p"]);
        for (sender, qos) in
            [("mqttv311", "0"), ("mqttv5", "1"), ("mqttv311", "2"), ("mqttv5", "2")]
        {
            let sent = publish(&broker, &["-V", sender, "-t", "a/b", "-m", sender, "-q", qos]);
            assert_eq!(sent, 0);
            assert_eq!(sub.next(), format!("a/b {qos} 0 {sender}"));
        }
        assert_eq!(publish(&broker, &["-t", "a/kept", "-m", "x", "-r", "-q", "1"]), 0);
        assert_eq!(sub.next(), "a/kept 1 0 x");
        let late =
            Sub::start(&broker, &["-V", version, "-t", "a/#", "-q", "1", "-F", "%t %q %r %p"]);
        assert_eq!(late.next(), "a/kept 1 1 x");
        assert_eq!(publish(&broker, &["-t", "a/kept", "-n", "-r"]), 0);
    }
    tasks.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn properties_reach_debians_client_as_they_were_sent() {
    let (broker, tasks) = start();
    let format = "%p|%C|%R|%D|%P";
    let sub = Sub::ready(&broker, &["-V", "mqttv5", "-t", "a", "-F", format]);
    let own = ["content-type", "text/plain", "response-topic", "back", "correlation-data", "42"];
    let mut args = vec!["-V", "mqttv5", "-t", "a", "-m", "x"];
    for pair in own.chunks(2) {
        args.extend(["-D", "publish", pair[0], pair[1]]);
    }
    args.extend(["-D", "publish", "user-property", "k", "v"]);
    assert_eq!(publish(&broker, &args), 0);
    assert_eq!(sub.next(), "x|text/plain|back|42|k:v");
    tasks.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_will_of_a_killed_client_is_said() {
    let (broker, tasks) = start();
    let sub = Sub::ready(&broker, &["-t", "gone", "-q", "1", "-F", "%t %p"]);
    let will = ["--will-topic", "gone", "--will-payload", "killed", "--will-qos", "1"];
    let doomed = Sub::ready(&broker, &[&["-t", "any", "-F", "%p"][..], &will].concat());
    drop(doomed);
    assert_eq!(sub.next(), "gone killed");
    let leaver = Sub::start(&broker, &[&["-t", "any", "-C", "1", "-F", "%p"][..], &will].concat());
    assert!(leaver.all().is_empty());
    publish(&broker, &["-t", "gone", "-m", "by hand"]);
    assert_eq!(sub.next(), "gone by hand", "who leaves has no will");
    tasks.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_and_access_lists_hold_over_sockets() {
    let user = |name: &str| User {
        name: name.into(),
        password: Secret::new(format!("{name}'s word")),
        ..User::default()
    };
    let mut narrow = user("narrow");
    narrow.read = vec!["own/#".into()];
    narrow.write = vec!["own/#".into()];
    let users = vec![user("wide"), narrow];
    let (broker, tasks) =
        start_with(Embedded { anonymous: "never".into(), users, ..Embedded::default() });
    let send = |name: &str, word: &str, topic: &str| {
        publish(
            &broker,
            &["-V", "mqttv5", "-u", name, "-P", word, "-t", topic, "-m", "x", "-q", "1"],
        )
    };
    assert_eq!(send("wide", "wide's word", "any"), 0);
    assert_ne!(send("wide", "narrow's word", "any"), 0);
    assert_ne!(send("nobody", "", "any"), 0);
    assert_ne!(publish(&broker, &["-t", "any", "-m", "x"]), 0, "nobody comes in without a name");
    let house = broker.join("house", None).unwrap();
    house.subscribe("#");
    let mut house = house;
    send("narrow", "narrow's word", "own/a");
    send("narrow", "narrow's word", "other");
    send("wide", "wide's word", "last");
    let heard = [house.next().await.unwrap().topic, house.next().await.unwrap().topic];
    assert_eq!(heard, ["own/a", "last"]);
    tasks.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paho_says_and_hears_everything() {
    let Some(folder) = peers::folder() else { return };
    let (broker, tasks) = start();
    let port = broker.address().port().to_string();
    let told =
        tokio::task::spawn_blocking(move || peers::python(folder, &["broker.py", &port], &[]));
    let told = told.await.unwrap();
    assert_eq!(told.len(), 2, "{told:?}");
    for one in told {
        assert_eq!(one["levels"], serde_json::json!([0, 1, 2]), "{one}");
        assert_eq!(one["bulk"], 2000, "{one}");
        assert_eq!(one["resumed"], serde_json::json!(["while away 1", "while away 2"]), "{one}");
        assert_eq!(one["will"], "gone", "{one}");
    }
    tasks.stop().await;
}

//! Lamps that are dead, do not read, or come and go; and a Hearth that is held up.

use super::rig::{Dial, Rig, dial, ms_from, now_ms, packet, rest, socket};
use crate::harness::{SOON, wait_for};
use hearth::aurora::lamps::{Counts, Paint};
use hearth::aurora::light::Light;
use std::net::UdpSocket;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

fn lamp(name: &str, port: u16) -> String {
    format!("[[lamp]]\nname='{name}'\nkind='ddp'\naddress='127.0.0.1:{port}'\nlatency_ms=0\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_and_deaf_lamps_delay_nobody_and_one_that_returns_is_right_at_once() {
    let (good, good_port) = socket();
    let (deaf, deaf_port) = socket();
    let (gone, dead_port) = socket();
    drop(gone);
    let (returns, returns_port) = socket();
    drop(returns);
    let rig = Rig::new().await;
    let lamps =
        [("dead", dead_port), ("deaf", deaf_port), ("returns", returns_port), ("good", good_port)];
    let lamps: String = lamps.iter().map(|(name, port)| lamp(name, *port)).collect();
    let playing = rig.play(&format!("lead_ms=0\n{lamps}"), Dial).await;
    let counts = async |name: &str| -> Counts {
        let all = playing.report().await;
        all.into_iter().find(|lamp| lamp.name == name).unwrap().counts
    };
    // Each picture of the good lamp is painted for the time at which it comes, whatever the others do.
    for _ in 0..100 {
        let picture = packet(&good)[10..].to_vec();
        let age = ms_from(dial(&picture), now_ms());
        assert!((0..500).contains(&age), "a picture was {age} ms old");
    }
    let dead = counts("dead").await;
    assert!(dead.errors > 50 && dead.errors_in_a_row > 50, "{dead:?}");
    assert_eq!(dead.last_error, 111, "the system says that nobody is there");
    let deaf_counts = counts("deaf").await;
    assert!(deaf_counts.packets >= 100 && deaf_counts.errors == 0, "{deaf_counts:?}");
    let before = now_ms();
    let returned = UdpSocket::bind(("127.0.0.1", returns_port)).unwrap();
    returned.set_read_timeout(Some(SOON)).unwrap();
    let first = dial(&packet(&returned)[10..]);
    assert!(ms_from(before, first) >= -25, "{first} was painted before {before}");
    playing.stop().await.unwrap();
    assert!(packet(&returned).len() == 13 && !rest(&deaf).is_empty());
    rig.tasks.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_painter_that_panics_ends_its_show_and_not_the_next_one() {
    struct Clumsy(u32);
    impl Paint for Clumsy {
        fn paint(&mut self, _: usize, _: f64, pixels: &mut [Light]) {
            self.0 += 1;
            assert!(self.0 < 5, "what a painter can do");
            pixels.fill(Light::WHITE);
        }
    }
    let (socket, port) = socket();
    let rig = Rig::new().await;
    let playing = rig.play(&lamp("a", port), Clumsy(0)).await;
    wait_for("the dark", || (packet(&socket)[10..] == [0; 3]).then_some(()));
    assert!(playing.stop().await.unwrap_err().to_string().contains("fault of its own"));
    rest(&socket);
    let again = rig.play(&lamp("a", port), Dial).await;
    packet(&socket);
    again.stop().await.unwrap();
    rig.tasks.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_show_plays_at_a_time_and_ends_when_it_is_dropped() {
    let (socket, port) = socket();
    let rig = Rig::new().await;
    let playing = rig.play(&lamp("a", port), Dial).await;
    let second = rig.lamps.play(super::rig::show(&lamp("a", port), Dial)).await;
    assert!(second.is_err_and(|e| e.to_string().contains("stop it first")));
    drop(playing);
    wait_for("the dark", || (packet(&socket)[10..] == [0; 3]).then_some(()));
    rest(&socket);
    rig.tasks.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_hearth_ends_the_show() {
    let (socket, port) = socket();
    let rig = Rig::new().await;
    let playing = rig.play(&lamp("a", port), Dial).await;
    packet(&socket);
    rig.tasks.stop().await;
    assert!(rest(&socket).iter().rev().take(3).all(|packet| packet[10..] == [0; 3]));
    drop(playing);
}

/// Plays to the port in `LAMPS_PORT` until standard input ends.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "the process that the test below holds up"]
async fn the_process_that_is_held_up() {
    let Ok(port) = std::env::var("LAMPS_PORT") else { return };
    let rig = Rig::new().await;
    let playing = rig.play(&format!("lead_ms=0\n{}", lamp("a", port.parse().unwrap())), Dial).await;
    let wait = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()));
    let _ = wait.await;
    playing.stop().await.unwrap();
}

struct Held(Child);

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Held {
    fn signal(&self, name: &str) {
        let sent =
            Command::new("kill").args([&format!("-{name}"), &self.0.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }
}

#[test]
fn after_ten_seconds_of_standstill_no_stale_picture_is_sent() {
    let (socket, port) = socket();
    let name = "aurora::lamps::faults::the_process_that_is_held_up";
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", name])
        .env("LAMPS_PORT", port.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let held = Held(child);
    for _ in 0..50 {
        packet(&socket);
    }
    held.signal("STOP");
    let during = rest(&socket);
    assert!(during.len() < 50, "{} packets of a process that stands still", during.len());
    // The time of the stall itself is what is tested.
    let began = Instant::now();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    assert!(socket.recv(&mut [0; 64]).is_err(), "a process that stands still has sent");
    assert!(began.elapsed() >= Duration::from_secs(10));
    socket.set_read_timeout(Some(SOON)).unwrap();
    let goes_on = now_ms();
    held.signal("CONT");
    for n in 0..50 {
        let painted_for = dial(&packet(&socket)[10..]);
        // One picture may have been painted when the process was stopped, but was then not sent late.
        let age = ms_from(painted_for, goes_on);
        assert!(age <= 0, "picture {n} was {age} ms stale");
    }
    drop(held);
}

//! How late lamps are: by their answers, by taps, and in words; and what the show thread costs.

use super::rig::{Dial, Rig, packet, socket};
use crate::harness::{example, wait_for};
use hearth::aurora::lamps::tap::{Flasher, PERIOD, measure};
use hearth::aurora::lamps::{Bell, Case, Clock, Config, Lamp, Source, diagnose};
use std::process::Command;

fn lamps(toml: &str) -> Vec<Lamp> {
    toml::from_str::<Config>(toml).unwrap().lamp
}

#[tokio::test(flavor = "multi_thread")]
async fn taps_along_with_real_flashes_find_the_latency_and_it_is_kept() {
    let (socket, port) = socket();
    let toml = format!(
        "lead_ms=0\n[[lamp]]\nname='slow'\nkind='ddp'\naddress='127.0.0.1:{port}'\nlatency_ms=0\n"
    );
    let rig = Rig::new().await;
    let clock = Bell::new().unwrap();
    let begin = clock.now() as f64 / 1e9 + 0.1;
    let playing = rig.play(&toml, Flasher { lamp: 0, begin }).await;
    // A lamp that is 130 ms late and a person who taps when it flashes.
    let (mut taps, mut was_dark) = (Vec::new(), true);
    while taps.len() < 7 {
        let picture = packet(&socket)[10..].to_vec();
        if was_dark && picture == [255; 3] {
            taps.push(clock.now() as f64 / 1e9 + 0.13);
        }
        was_dark = picture == [0; 3];
    }
    playing.stop().await.unwrap();
    let found = measure(begin, &taps, 0.0).unwrap();
    // What is sent is up to a tick late.
    assert!((125.0..190.0).contains(&found.latency.ms), "{found:?}");
    assert!(taps.windows(2).all(|pair| (pair[1] - pair[0] - PERIOD).abs() < 0.2), "{taps:?}");
    rig.lamps.latencies().tapped("slow", Some(found.latency)).await.unwrap();
    let again = Rig::on(rig.store.clone()).await;
    let lamp = Lamp { name: "slow".into(), ..Lamp::default() };
    let row = again.lamps.latencies().row(&lamp);
    assert_eq!((row.ms, row.source), (found.latency.ms, Source::Tapped));
    for tasks in [rig.tasks, again.tasks] {
        tasks.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_show_measures_its_lamps_and_paints_them_for_it() {
    let (socket, port) = socket();
    let toml = format!("lead_ms=0\n[[lamp]]\nname='a'\nkind='ddp'\naddress='127.0.0.1:{port}'\n");
    let rig = Rig::new().await;
    let playing = rig.play(&toml, Dial).await;
    let lamp = lamps(&toml).remove(0);
    let table = rig.lamps.latencies();
    wait_for("a measurement", || (table.row(&lamp).source == Source::Acknowledged).then_some(()));
    let measured = table.row(&lamp).ms;
    // The own latency of such lamps, and half of a round trip on loopback.
    assert!((20.0..40.0).contains(&measured), "{measured}");
    assert_eq!(playing.report().await[0].latency.source, Source::Acknowledged);
    packet(&socket);
    playing.stop().await.unwrap();
    rig.tasks.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn why_a_dead_lamp_shows_nothing_is_said_in_words() {
    let (socket, port) = socket();
    drop(socket);
    let toml = format!(
        "[[lamp]]\nname='dead'\nkind='ddp'\naddress='127.0.0.1:{port}'\n\
         [[lamp]]\nname='lost'\nkind='ddp'\naddress='nobody.invalid'\n"
    );
    let rig = Rig::new().await;
    let playing = rig.play(&toml, Dial).await;
    let lamps = lamps(&toml);
    let mut reports = Vec::new();
    for _ in 0..500 {
        reports = playing.report().await;
        if reports[0].counts.errors_in_a_row > 5 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let is_ahead = rig.lamps.is_ahead_of_others();
    let case = Case { lamps: &lamps, reports: &reports, infos: &[], is_ahead, lead_ms: 30 };
    let found = diagnose(case);
    let says = |lamp: &str, what: &str| {
        found.iter().any(|f| f.lamp.as_deref() == Some(lamp) && f.what.contains(what))
    };
    assert!(says("dead", "nobody listens at this port"), "{found:?}");
    assert!(says("lost", "'nobody.invalid' is not known here"), "{found:?}");
    playing.stop().await.unwrap();
    rig.tasks.stop().await;
}

#[test]
fn the_show_thread_allocates_nothing_while_it_plays() {
    let built = example("lamps");
    let run = Command::new(built).arg("1").output().unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    // Its bounds on time are for a quiet machine; this one is not.
    assert!(said.contains("allocated by the show thread while it played: 0\n"), "{said}");
    let rows = said.lines().filter(|line| line.starts_with("scheduled picture")).count();
    assert_eq!(rows, 4, "{said}");
}

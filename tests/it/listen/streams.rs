//! Raw sound from pipes and connections.

use super::rig::{Ears, raw, tone};
use crate::audio::groove;
use crate::harness::{Folder, hearth, wait_for};
use hearth::aurora::clock;
use hearth::aurora::listen::{Config, Doing};
use std::fs::OpenOptions;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

fn pipe(folder: &Folder) -> PathBuf {
    let path = folder.path().join("snapfifo");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
    path
}

/// Writes into a pipe from a thread of its own, as fast as it is taken.
fn play(path: &Path, bytes: Vec<u8>) -> JoinHandle<()> {
    let mut pipe = OpenOptions::new().write(true).open(path).unwrap();
    std::thread::spawn(move || pipe.write_all(&bytes).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_copied_into_a_pipe_is_heard_at_its_pace_with_its_beat() {
    let folder = Folder::new();
    let path = pipe(&folder);
    let mut ears = Ears::open(&format!("pipe://{}", path.display()));
    ears.until_it_is(Doing::Listening);
    let report = ears.listening.report();
    assert_eq!(report.rate, Some(48_000), "{report:?}");
    assert_eq!(report.form, "48000 Hz, S16_LE, 2 channels");
    let playing = play(&path, raw(&groove(9, 48_000, 0.8), 2));
    let (mut first, mut last, mut worst) = (None, 0.0, f64::MIN);
    let heard = ears.until("seven seconds of music", |heard| {
        first.get_or_insert((heard.at, heard.frame.seconds));
        // A busy machine may be late with some; it is not late with all.
        worst = worst.max(last - heard.at);
        last = heard.at;
        heard.frame.seconds > 7.0
    });
    let (began, second) = first.unwrap();
    let (real, own) = (heard.at - began, heard.frame.seconds - second);
    assert!((real / own - 1.0).abs() < 0.02, "{own} s of sound in {real} s");
    assert!(worst < 0.0, "time never goes back: {worst}");
    assert!((clock::now() - heard.at).abs() < 0.5, "it was heard now");
    let beat = heard.frame.beat;
    assert!(beat.there && (beat.period - 0.5).abs() < 0.01, "{beat:?}");
    // The beats of the groove stand at half seconds of its own.
    let off = (beat.next * 2.0 - (beat.next * 2.0).round()).abs() / 2.0;
    assert!(off < 0.03, "{beat:?}");

    // The writer goes: there is silence, and the next one is heard.
    playing.join().unwrap();
    ears.until("silence after the music", |heard| heard.frame.level.rms < 1e-4);
    play(&path, raw(&tone(1.0, 0.5), 2)).join().unwrap();
    ears.until("the next writer", |heard| (heard.frame.level.rms - 0.353).abs() < 0.02);
    assert_eq!(ears.listening.report().reopened, 0, "a pipe stays open");
    ears.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_before_somebody_listened_is_not_heard() {
    let folder = Folder::new();
    let path = pipe(&folder);
    // Somebody who reads and writes keeps what is in the pipe.
    let mut both = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    // Three bytes more than whole frames.
    both.write_all(&[&raw(&tone(0.2, 0.9), 2)[..], &[1, 2, 3]].concat()).unwrap();
    let mut ears = Ears::open(&format!("fifo:{}", path.display()));
    ears.until_it_is(Doing::Listening);
    // The fourth byte of the frame that was begun, then channels of different level.
    let quiet = raw(&tone(1.0, 0.2), 1);
    let left: Vec<u8> = quiet.chunks(2).flat_map(|s| [s[0], s[1], 0, 0]).collect();
    both.write_all(&[0]).unwrap();
    both.write_all(&left).unwrap();
    let want = 0.1 / 2f32.sqrt();
    let heard = ears.until("the mean of both channels", |heard| {
        assert!(heard.frame.level.peak < 0.2, "old sound: {:?}", heard.frame.level);
        (heard.frame.level.rms - want).abs() < 0.01
    });
    assert!(heard.frame.level.open);
    ears.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_ends_the_connection_is_connected_to_again() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let mut ears = Ears::open(&format!("tcp://{address}"));
    for (turn, level) in [(0, 0.5), (1, 0.25)] {
        let (mut guest, _) = server.accept().unwrap();
        let bytes = raw(&tone(0.5, level), 2);
        // In pieces that are no whole frames.
        for piece in bytes.chunks(1_001) {
            guest.write_all(piece).unwrap();
        }
        let want = level / 2f32.sqrt();
        ears.until("its sound", |heard| (heard.frame.level.rms - want).abs() < 0.01);
        assert_eq!(ears.listening.report().reopened, turn);
    }
    drop(server);
    wait_for("the reason", || {
        let reason = ears.listening.report().reason?;
        reason.contains("cannot get sound from 127.0.0.1").then_some(())
    });
    let health = ears.tasks.health();
    let line = health.iter().find(|line| line.name == "aurora").unwrap();
    assert_eq!(line.state.word(), "degraded", "{line:?}");
    ears.stop().await;
}

#[test]
fn the_test_of_an_input_takes_it_up_again_when_it_went_away() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let input = format!("tcp:{}", server.local_addr().unwrap());
    let folder = Folder::new();
    let mut command = hearth(folder.path());
    command.args(["audio", "test", &input, "--seconds", "2"]);
    let playing = std::thread::spawn(move || {
        for _ in 0..2 {
            let (mut guest, _) = server.accept().unwrap();
            guest.write_all(&raw(&tone(1.0, 0.5), 2)).unwrap();
        }
    });
    let said = command.output().unwrap();
    playing.join().unwrap();
    let text = String::from_utf8_lossy(&said.stdout);
    assert!(said.status.success(), "{text}{}", String::from_utf8_lossy(&said.stderr));
    assert!(text.contains("has ended the connection"), "{text}");
    assert!(text.contains("2.00 s of sound") && text.contains("opened again 1 times"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_connects_is_heard_one_after_the_other() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let format = "44100:24_3:1".to_owned();
    let input = format!("listen:{free}");
    let mut ears = Ears::with(Config { input, pcm_format: format, ..Config::default() });
    ears.until_it_is(Doing::Listening);
    for amplitude in [0.5f32, 0.25] {
        let mut player = TcpStream::connect(("127.0.0.1", free)).unwrap();
        let bytes = (0..22_050).flat_map(|i| {
            let x = amplitude * (i as f32 * 0.0626).sin();
            let [a, b, c, _] = ((x * 8_388_607.0) as i32).to_le_bytes();
            [a, b, c]
        });
        player.write_all(&bytes.collect::<Vec<u8>>()).unwrap();
        player.write_all(&[7]).unwrap();
        let want = amplitude / 2f32.sqrt();
        ears.until("its sound", |heard| (heard.frame.level.rms - want).abs() < 0.01);
        drop(player);
        ears.until("silence", |heard| heard.frame.level.rms < 1e-4);
    }
    ears.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_input_that_is_not_there_is_waited_for_and_taken() {
    let folder = Folder::new();
    let path = folder.path().join("snapfifo");
    let mut ears = Ears::open(&format!("fifo:{}", path.display()));
    ears.until_it_is(Doing::Waiting);
    let reason = ears.listening.report().reason.unwrap();
    assert!(reason.contains("mkfifo"), "{reason}");
    pipe(&folder);
    ears.until_it_is(Doing::Listening);
    play(&path, raw(&tone(0.5, 0.5), 2)).join().unwrap();
    ears.until("sound", |heard| heard.frame.level.rms > 0.3);
    ears.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_input_is_switched_while_somebody_listens() {
    let folder = Folder::new();
    let path = pipe(&folder);
    let (pipe, sample) = (format!("fifo:{}", path.display()), "sample".to_owned());
    let config = Config { input: pipe.clone(), inputs: vec![sample], ..Config::default() };
    let mut ears = Ears::with(config);
    ears.until_it_is(Doing::Listening);
    let e = ears.listening.choose("file:/etc/passwd").unwrap_err();
    assert!(e.to_string().contains("may not be listened to"), "{e}");
    assert!(ears.listening.choose("plughw:0").is_err());
    ears.listening.choose("sample").unwrap();
    let heard = ears.until("Hearth's own music", |heard| heard.frame.level.rms > 0.02);
    let (report, now) = (ears.listening.report(), clock::now());
    assert_eq!((&*report.input, report.chosen), ("sample", "sample".to_owned()));
    assert!((now - heard.at).abs() < 0.5, "{} at {now}", heard.at);
    // A task sees the newest one, each once.
    let mut follower = ears.listening.follow().unwrap();
    let (first, second) = (follower.next().await, follower.next().await);
    assert!(second.at > first.at, "{} {}", first.at, second.at);
    ears.listening.choose(&pipe).unwrap();
    wait_for("the pipe again", || (ears.listening.report().input == pipe).then_some(()));
    ears.stop().await;
}

//! ALSA: Debian's libasound reads a file in place of a card (its `file` plugin over `null`), so that
//! every sample that comes out of Hearth can be compared with one that went in.

use crate::harness::{Folder, hearth};
use std::path::Path;
use std::process::Output;

/// A configuration in which every hardware device gives the frames of a file.
fn settings(folder: &Folder, sound: &Path) {
    let conf = format!(
        "pcm.hw {{
            @args [ CARD DEV SUBDEV ]
            @args.CARD {{ type string default \"0\" }}
            @args.DEV {{ type integer default 0 }}
            @args.SUBDEV {{ type integer default -1 }}
            type file
            file /dev/null
            infile \"{}\"
            format raw
            slave.pcm {{ type null }}
        }}\n",
        sound.display()
    );
    std::fs::write(folder.path().join("asound.conf"), conf).unwrap();
}

fn run(folder: &Folder, format: &str, args: &[&str]) -> Output {
    let toml = format!("[aurora]\ninput = \"hw:CARD=Desk,DEV=0\"\ncard_format = \"{format}\"\n");
    std::fs::write(folder.path().join("hearth.toml"), toml).unwrap();
    let mut command = hearth(folder.path());
    command.env("ALSA_CONFIG_PATH", folder.path().join("asound.conf"));
    command.args(["audio", "test"]).args(args).output().unwrap()
}

/// Numbers that are the same everywhere.
struct Chance(u32);

impl Chance {
    fn next(&mut self) -> i32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 ^ self.0 << 13) as i32
    }
}

/// The samples of a WAV file of 32-bit floats, and its rate.
fn saved(path: &Path) -> (u32, Vec<f32>) {
    let bytes = std::fs::read(path).unwrap();
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    assert_eq!((&bytes[..4], &bytes[36..40]), (&b"RIFF"[..], &b"data"[..]));
    assert_eq!((word(4), word(40)), (bytes.len() as u32 - 8, bytes.len() as u32 - 44));
    let samples = bytes[44..].chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap()));
    (word(24), samples.collect())
}

#[test]
fn every_sample_of_every_format_comes_through_as_it_was() {
    let folder = Folder::new();
    let sound = folder.path().join("in.raw");
    settings(&folder, &sound);
    let mut chance = Chance(7);
    for (format, bits, bytes, rate, channels) in [
        ("48000:16:2", 16, 2, 48_000, 2),
        ("44100:16:1", 16, 2, 44_100, 1),
        ("96000:24_3:2", 24, 3, 96_000, 2),
        ("48000:24:4", 24, 4, 48_000, 4),
        ("44100:32:2", 32, 4, 44_100, 2),
    ] {
        let (mut data, mut want) = (Vec::new(), Vec::new());
        for _ in 0..rate {
            let mut sum = 0.0;
            for _ in 0..channels {
                let value = chance.next() >> (32 - bits);
                data.extend(&value.to_le_bytes()[..bytes]);
                sum += value as f32 / 2f32.powi(bits - 1);
            }
            want.push(sum / channels as f32);
        }
        std::fs::write(&sound, data).unwrap();
        let out = folder.path().join(format!("{format}.wav"));
        let said = run(&folder, format, &["--seconds", "1", "--save", out.to_str().unwrap()]);
        let text = String::from_utf8_lossy(&said.stdout);
        assert!(said.status.success(), "{format}: {text}{}", String::from_utf8_lossy(&said.stderr));
        assert!(text.contains(&format!("hw:CARD=Desk,DEV=0: {rate} Hz")), "{text}");
        let (got_rate, got) = saved(&out);
        assert_eq!((got_rate, got.len()), (rate, rate as usize), "{format}");
        let wrong = got.iter().zip(&want).position(|(a, b)| a.to_bits() != b.to_bits());
        let shown = wrong.map(|at| (at, got[at], want[at]));
        assert_eq!(shown, None, "{format}: first wrong sample, what came, what went in");
    }
}

#[test]
fn the_test_of_an_input_shows_its_level_and_fails_when_there_is_none() {
    let folder = Folder::new();
    let sound = folder.path().join("in.raw");
    settings(&folder, &sound);
    // A second at half, a second too loud, a second of nothing.
    let wave = |i: u32, amplitude: f32| {
        let x = amplitude * (i as f32 * 0.0576).sin();
        (x.clamp(-1.0, 1.0) * 32_767.0).round() as i16
    };
    let samples = (0..144_000).map(|i| wave(i, [0.5, 1.5, 0.0][(i / 48_000) as usize]));
    let data: Vec<u8> = samples.flat_map(i16::to_le_bytes).collect();
    std::fs::write(&sound, data).unwrap();
    let said = run(&folder, "48000:16:1", &["--seconds", "3"]);
    let text = String::from_utf8(said.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(said.status.success() && lines.len() > 4, "{text}");
    assert!(lines[1].contains("-9.0 dBFS") && !lines[1].contains("CLIPPED"), "{text}");
    assert!(lines[2].contains("CLIPPED") && !lines[3].contains("CLIPPED"), "{text}");
    assert!(text.contains("3.00 s of sound") && text.contains("0 overruns"), "{text}");
    assert!(text.contains("too loud for the input"), "{text}");

    std::fs::write(&sound, vec![0; 96_000]).unwrap();
    let said = run(&folder, "48000:16:1", &["--seconds", "1"]);
    let why = String::from_utf8(said.stderr).unwrap();
    assert_eq!(said.status.code(), Some(1), "{why}");
    assert!(why.contains("only silence came from hw:CARD=Desk,DEV=0"), "{why}");
}

#[test]
fn what_cannot_be_opened_says_why_and_what_to_do() {
    let folder = Folder::new();
    let sound = folder.path().join("in.raw");
    let check = |args: &[&str], code: i32, want: &str| {
        let said = run(&folder, "", args);
        let why = String::from_utf8(said.stderr).unwrap();
        assert_eq!(said.status.code(), Some(code), "{args:?}: {why}");
        assert!(why.contains(want), "{args:?}: {why}");
    };
    settings(&folder, &sound);
    check(&["plughw:Desk,0"], 2, "write hw:CARD=Desk,DEV=0");
    check(&["default"], 2, "`hearth audio list`");
    check(&["fifo:/nowhere/at/all"], 1, "mkfifo");
    check(&["--seconds", "0"], 2, "from 1 to 86400");
    // Debian's own configuration, on a machine without this card.
    let debian = "/usr/share/alsa/alsa.conf";
    std::fs::copy(debian, folder.path().join("asound.conf")).unwrap();
    check(&["hw:CARD=NoSuchCard,DEV=0"], 1, "there is no hw:CARD=NoSuchCard,DEV=0");
}

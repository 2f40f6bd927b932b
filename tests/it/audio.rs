//! `hearth audio beats` and `levels`, as scripts use them: files made here go through the program.

use crate::harness::{Folder, golden, hearth};
use std::path::PathBuf;
use std::process::{Output, Stdio};

const RATE: u32 = 44_100;

/// Noise that is the same everywhere, -1 to 1.
struct Noise(u32);

impl Noise {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as f32 / 8_388_608.0 - 1.0
    }
}

/// Kick, snare and hats at 120 beats a minute; the first beat is at half a second.
pub fn groove(seconds: u32, rate: u32, gain: f32) -> Vec<f32> {
    let mut noise = Noise(1);
    let eighth = rate / 4;
    (0..seconds * rate)
        .map(|i| {
            let (step, since) = (i / eighth, (i % eighth) as f32 / rate as f32);
            let hiss = noise.next();
            let hat = 0.15 * hiss * (-60.0 * since).exp();
            let drum = match step % 4 {
                0 => (2.0 * std::f32::consts::PI * 60.0 * since).sin() * (-12.0 * since).exp(),
                2 => 0.6 * hiss * (-20.0 * since).exp(),
                _ => 0.0,
            };
            let sound = if step < 2 { 0.0 } else { 0.6 * (drum + hat) };
            gain * sound
        })
        .collect()
}

/// The bytes of a WAV file of one channel and 16 bits.
pub fn wav(samples: &[f32], rate: u32) -> Vec<u8> {
    let data: Vec<u8> = samples
        .iter()
        .flat_map(|x| ((x * 32_767.0).round().clamp(-32_768.0, 32_767.0) as i16).to_le_bytes())
        .collect();
    let mut file = b"RIFF".to_vec();
    file.extend((36 + data.len() as u32).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend(rate.to_le_bytes());
    file.extend((rate * 2).to_le_bytes());
    file.extend(b"\x02\0\x10\0data");
    file.extend((data.len() as u32).to_le_bytes());
    file.extend(data);
    file
}

fn written(folder: &Folder, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

fn run(folder: &Folder, args: &[&str]) -> Output {
    hearth(folder.path()).args(args).stdin(Stdio::null()).output().unwrap()
}

/// What `hearth audio beats` prints of these samples.
fn lines(samples: &[f32], rate: u32, options: &[&str]) -> String {
    let folder = Folder::new();
    let path = written(&folder, "sound.wav", &wav(samples, rate));
    let said = run(&folder, &[&["audio", "beats", path.to_str().unwrap()], options].concat());
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    String::from_utf8(said.stdout).unwrap()
}

/// The seconds of beats and downbeats.
fn beats(lines: &str) -> Vec<f64> {
    let beat = |line: &str| {
        let mut fields = line.split('\t');
        let seconds = fields.next().unwrap().parse().unwrap();
        fields.next().unwrap().contains("beat").then_some(seconds)
    };
    lines.lines().filter_map(beat).collect()
}

/// How far each of these is from the nearest half second.
fn off(beats: &[f64]) -> Vec<f64> {
    beats.iter().map(|s| (s * 2.0 - (s * 2.0).round()).abs() / 2.0).collect()
}

#[test]
fn a_groove_is_followed_at_every_rate_and_by_looking_ahead() {
    for rate in [22_050, 44_100, 48_000, 96_000] {
        let found = beats(&lines(&groove(16, rate, 1.0), rate, &[]));
        let late: Vec<f64> = found.iter().copied().filter(|s| *s > 6.0).collect();
        assert!((17..=21).contains(&late.len()), "{rate}: {found:?}");
        assert!(off(&late).iter().all(|off| *off < 0.03), "{rate}: {late:?}");
    }
    let found = beats(&lines(&groove(16, RATE, 1.0), RATE, &["--offline"]));
    assert!((29..=32).contains(&found.len()), "from the first beat on: {found:?}");
    assert!(off(&found).iter().all(|off| *off < 0.03), "{found:?}");
}

#[test]
fn a_file_cut_anywhere_gives_the_same_lines_up_to_there() {
    let samples = groove(14, RATE, 1.0);
    let whole = lines(&samples, RATE, &[]);
    assert!(whole.lines().count() > 30, "{whole}");
    for cut in [0.5, 3.0, 7.123, 9.0, 11.504, 13.0] {
        let part = lines(&samples[..(cut * f64::from(RATE)) as usize], RATE, &[]);
        let before =
            |line: &&str| line.split('\t').next().unwrap().parse::<f64>().unwrap() <= cut - 0.01;
        let want: Vec<&str> = whole.lines().filter(before).collect();
        assert!(part.lines().count() >= want.len(), "cut at {cut}");
        // What comes after them was foretold before the cut.
        assert!(whole.starts_with(&part), "cut at {cut}: {part}");
        let got: Vec<&str> = part.lines().take(want.len()).collect();
        assert_eq!(got, want, "cut at {cut}");
    }
}

#[test]
fn no_line_is_earlier_than_the_one_before_it_by_more_than_the_lead() {
    let text = lines(&groove(14, RATE, 1.0), RATE, &[]);
    let times: Vec<f64> =
        text.lines().map(|l| l.split('\t').next().unwrap().parse().unwrap()).collect();
    assert!(times.windows(2).all(|t| t[1] >= t[0] - 0.011), "{text}");
}

#[test]
fn forty_decibels_less_change_no_beat() {
    let loud = beats(&lines(&groove(14, RATE, 1.0), RATE, &[]));
    let quiet = beats(&lines(&groove(14, RATE, 0.01), RATE, &[]));
    assert!(loud.len() > 10 && loud.len().abs_diff(quiet.len()) <= 1, "{loud:?} {quiet:?}");
    let near = |s: &f64| loud.iter().any(|t| (s - t).abs() < 0.03);
    assert!(quiet.iter().filter(|s| near(s)).count() + 1 >= loud.len(), "{loud:?} {quiet:?}");
}

#[test]
fn silence_and_noise_have_no_beat() {
    let mut noise = Noise(7);
    let hiss: Vec<f32> = (0..20 * RATE).map(|_| 0.2 * noise.next()).collect();
    for samples in [vec![0.0; 20 * RATE as usize], hiss] {
        for options in [&[][..], &["--offline"]] {
            assert_eq!(beats(&lines(&samples, RATE, options)), [0.0; 0], "{options:?}");
        }
    }
}

#[test]
fn the_lines_of_a_short_file_are_as_they_were() {
    let rounded = |text: &str| -> String {
        // The last digits may differ between processors.
        let line = |line: &str| {
            let fields: Vec<&str> = line.split('\t').collect();
            let seconds: f64 = fields[0].parse().unwrap();
            format!("{:.2}\t{}\n", seconds, fields[1])
        };
        text.lines().map(line).collect()
    };
    golden("audio/beats.txt", &rounded(&lines(&groove(10, RATE, 1.0), RATE, &[])));
    golden("audio/offline.txt", &rounded(&lines(&groove(10, RATE, 1.0), RATE, &["--offline"])));
}

#[test]
fn levels_have_a_line_for_each_hop_and_the_same_columns() {
    let folder = Folder::new();
    let path = written(&folder, "sound.wav", &wav(&groove(3, 48_000, 1.0), 48_000));
    let said = run(&folder, &["audio", "levels", path.to_str().unwrap()]);
    let text = String::from_utf8(said.stdout).unwrap();
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(rows.len(), 301);
    assert!(rows.iter().all(|row| row.len() == rows[0].len()));
    let column = |name: &str| rows[0].iter().position(|n| *n == name).unwrap();
    let value = |row: usize, name: &str| rows[row][column(name)].parse::<f32>().unwrap();
    // 45 ms after a kick the bass leads; 45 ms after a snare the middle does.
    assert!(value(105, "low") > 3.0 * value(105, "middle"), "{:?}", rows[105]);
    assert!(value(155, "middle") > value(155, "low"), "{:?}", rows[155]);
    assert_eq!((value(40, "gate"), value(105, "gate")), (0.0, 1.0));
    assert_eq!(rows[300][0], "3.000");
}

#[test]
fn standard_input_is_read_like_a_file() {
    let folder = Folder::new();
    let bytes = wav(&groove(8, RATE, 1.0), RATE);
    let path = written(&folder, "sound.wav", &bytes);
    let file = std::fs::File::open(&path).unwrap();
    let said = hearth(folder.path()).args(["audio", "beats", "-"]).stdin(file).output().unwrap();
    let want = run(&folder, &["audio", "beats", path.to_str().unwrap()]);
    assert!(!want.stdout.is_empty());
    assert_eq!(String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&want.stdout));
}

#[test]
fn what_cannot_be_read_is_said_with_what_to_do() {
    let folder = Folder::new();
    let text = written(&folder, "notes.txt", "no sound at all, only words ".repeat(500).as_bytes());
    let empty = written(&folder, "empty.wav", b"");
    let slow = written(&folder, "slow.wav", &wav(&[0.0; 8000], 8_000));
    let bare = written(&folder, "bare.wav", &wav(&[], RATE));
    let check = |path: &str, code: i32, want: &str| {
        for command in ["beats", "levels"] {
            let said = run(&folder, &["audio", command, path]);
            let error = String::from_utf8_lossy(&said.stderr);
            assert!(error.contains(want), "{path}: {error}");
            assert_eq!(said.status.code(), Some(code), "{path}: {error}");
        }
    };
    check("/nowhere/song.mp3", 1, "there is no file /nowhere/song.mp3");
    check(folder.path().to_str().unwrap(), 2, "is a folder; give a file");
    check(text.to_str().unwrap(), 2, "give a WAV, FLAC, MP3 or OGG Vorbis file");
    check(empty.to_str().unwrap(), 2, "is empty");
    check(
        slow.to_str().unwrap(),
        2,
        "8000 samples a second cannot be analysed; convert it to 44100",
    );
    check(bare.to_str().unwrap(), 2, "holds no sound");
}

#[test]
fn check_says_whether_the_chosen_input_is_there() {
    let folder = Folder::new();
    let says = |input: &str| {
        let settings = format!("[aurora]\ninput = \"{input}\"\n");
        std::fs::write(folder.path().join("hearth.toml"), settings).unwrap();
        let said = run(&folder, &["check"]);
        let lines = String::from_utf8(said.stdout).unwrap();
        lines.lines().find(|line| line.contains("sound") || line.contains("aurora")).unwrap().into()
    };
    let song = written(&folder, "song.wav", &wav(&groove(1, RATE, 1.0), RATE));
    let there: String = says(&format!("file:{}", song.display()));
    assert_eq!(there, format!("ok    sound: would listen to file:{}", song.display()));
    let gone: String = says("file:/nowhere/song.wav");
    assert!(gone.starts_with("FAIL  ") && gone.contains("hearth.toml:2"), "{gone}");
    assert!(gone.contains("there is no file:/nowhere/song.wav"), "{gone}");
    let card: String = says("hw:CARD=NoSuchCard,DEV=0");
    assert!(card.starts_with("FAIL  ") && card.contains("NoSuchCard,DEV=0 is not here"), "{card}");
    assert_eq!(says("sample"), "ok    sound: would listen to sample".to_owned());
}

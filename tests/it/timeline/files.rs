//! Timelines as documents and in the library.

use super::{minute, rendered, sound};
use crate::harness::{Folder, golden};
use hearth::aurora::timeline::{Library, Timeline};
use hearth::error::Kind;

#[test]
fn a_timeline_is_the_same_bytes_every_time() {
    let samples = sound::song(2, 6.0, 126.0);
    let text = rendered(&samples, "six seconds").text().unwrap();
    assert_eq!(text, rendered(&samples, "six seconds").text().unwrap());
    golden("timeline/six-seconds.json", &text);
}

#[test]
fn the_command_prints_the_same_document() {
    let (folder, samples) = (Folder::new(), sound::song(2, 6.0, 126.0));
    let path = folder.path().join("six seconds.wav");
    std::fs::write(&path, crate::audio::wav(&samples, sound::RATE)).unwrap();
    let mut command = crate::harness::hearth(folder.path());
    let said = command.args(["audio", "render"]).arg(&path).output().unwrap();
    let text = String::from_utf8(said.stdout).unwrap();
    assert_eq!(text, rendered(&samples, "six seconds").text().unwrap());
    let mut command = crate::harness::hearth(folder.path());
    let said = command.args(["audio", "render", "/nowhere/a.wav"]).output().unwrap();
    assert!(String::from_utf8_lossy(&said.stderr).contains("there is no file /nowhere/a.wav"));
}

#[test]
fn a_document_read_and_written_again_is_the_same() {
    let (_, timeline) = minute();
    let text = timeline.text().unwrap();
    let back = Timeline::parse(&text).unwrap();
    assert_eq!(&back, timeline);
    assert_eq!(back.text().unwrap(), text);
    // What docs/AURORA.md says about its size.
    assert!((30_000..50_000).contains(&text.len()), "{} bytes a minute", text.len());
}

#[test]
fn what_is_no_timeline_is_refused_with_the_reason() {
    let text = minute().1.text().unwrap();
    let at = text.find("\"loud\":\"").unwrap() + 500;
    let mut changed = text.clone();
    let other = if &text[at..=at] == "A" { "B" } else { "A" };
    changed.replace_range(at..=at, other);
    for (text, kind, want) in [
        ("{}".to_owned(), Kind::Invalid, "this is no timeline"),
        ("[1,2]".to_owned(), Kind::Invalid, "damaged"),
        (
            text.replace("\"hearth_timeline\":1", "\"hearth_timeline\":2"),
            Kind::Invalid,
            "version 2",
        ),
        (text[..text.len() / 2].to_owned(), Kind::Invalid, "damaged"),
        (changed, Kind::Invalid, "sum does not fit"),
        (text.replace("\"beats\":", "\"beat\":"), Kind::Invalid, "unknown field"),
        (" ".repeat(13 << 20), Kind::Limit, "at most 12 MB"),
    ] {
        let e = Timeline::parse(&text).unwrap_err();
        assert!(e.kind() == kind && e.to_string().contains(want), "wanted {want}: {e}");
    }
}

#[test]
fn contents_that_do_not_fit_are_refused_even_with_the_right_sum() {
    // Written as a document is, so that only what is wrong in it can be the reason.
    let base = || -> serde_json::Value {
        serde_json::from_str(&rendered(&sound::song(2, 3.0, 120.0), "x").text().unwrap()).unwrap()
    };
    let whole = base();
    let summed = |mut value: serde_json::Value| {
        value.as_object_mut().unwrap().shift_remove("check");
        let bare = serde_json::to_string(&value).unwrap();
        let hash = bare.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        value["check"] = format!("{hash:016x}").into();
        serde_json::to_string(&value).unwrap()
    };
    assert!(Timeline::parse(&summed(whole.clone())).is_ok());
    for (field, value, want) in [
        ("loud", serde_json::json!("AA"), "'loud' has 2 values"),
        ("loud", serde_json::json!("!".repeat(150)), "no value"),
        ("channels", serde_json::json!([]), "16 channels"),
        ("onsets", serde_json::json!([[9999], [], [], []]), "'onsets' goes beyond the end"),
        ("beats", serde_json::json!([4_000_000_000u32, 4_000_000_000u32]), "'beats' goes beyond"),
        ("beats", serde_json::json!([5, 0]), "two at the same time"),
        ("beats", serde_json::json!([5, 600, 600]), "one character for each beat"),
        ("arcs", serde_json::json!([[1, "sideways"]]), "unknown word"),
        ("key", serde_json::json!("H minor"), "'key' is none"),
        (
            "sections",
            serde_json::json!([{"from":5,"to":3,"label":"A","loud":1}]),
            "follow each other",
        ),
        ("hops", serde_json::json!(4_000_000_000u32), "three hours"),
    ] {
        let mut changed = whole.clone();
        changed[field] = value;
        if field == "beats" && want.starts_with("two") {
            (changed["bar"], changed["of"]) = ("--".into(), "--".into());
        }
        let e = Timeline::parse(&summed(changed)).unwrap_err().to_string();
        assert!(e.contains(want), "{field}, wanted {want}: {e}");
    }
}

#[test]
fn a_library_keeps_finds_exports_imports_and_deletes() {
    let folder = Folder::new();
    let library = Library::new(folder.path().join("timelines"));
    assert!(library.list().unwrap().is_empty());
    let (_, timeline) = minute();
    library.keep(timeline).unwrap();
    assert_eq!(&library.load("a minute").unwrap(), timeline);
    let text = library.export("a minute").unwrap();
    let named = library.import(&text, Some("another")).unwrap();
    assert_eq!((named.name.as_str(), named.seconds), ("another", timeline.seconds));
    let names: Vec<_> = library.list().unwrap().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["a minute", "another"]);
    assert_eq!(library.import(&text, Some("../x")).unwrap_err().kind(), Kind::Invalid);
    assert!(library.import("{}", None).unwrap_err().to_string().contains("no timeline"));
    library.delete("a minute").unwrap();
    assert_eq!(library.load("a minute").unwrap_err().kind(), Kind::NotFound);
    assert_eq!(library.delete("a minute").unwrap_err().kind(), Kind::NotFound);
    std::fs::write(folder.path().join("timelines/bad.json"), "{\"hearth_timeline\":7}").unwrap();
    let e = library.load("bad").unwrap_err().to_string();
    assert!(e.contains("'bad'") && e.contains("version 7"), "{e}");
}

//! Timelines: sound files looked at beforehand, and playing what was found.

use super::tool;
use crate::aurora::Aurora;
use crate::aurora::show::{Part, Profile, Zone};
use crate::aurora::status::shown;
use crate::aurora::studio::{Act, Wanted};
use crate::aurora::timeline::{Timeline, render};
use crate::config::JsonSchema;
use crate::error::Error;
use crate::mcp::{Call, Tool, Words, numbered, rows};
use crate::policy::Level;
use crate::text::clean;
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

/// A file may be listened to for so long; an hour of music takes some 20 s.
const PATIENCE: Duration = Duration::from_secs(180);
/// The rows of an answer may take so many bytes.
const BUDGET: usize = 6 * 1024;
/// So many beats are named in an answer.
const BEATS: usize = 200;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AnalyzeArgs {
    /// File in Aurora's audio folder
    audio_file: String,
    /// Ignored: files are read at their own rate
    #[serde(default)]
    sample_rate: Option<u32>,
    /// Ignored: the sizes are fixed
    #[serde(default)]
    fft_size: Option<u32>,
}

#[derive(JsonSchema)]
#[allow(dead_code, reason = "only its shape is used")]
struct Analyzed {
    duration: f64,
    bpm: Option<f64>,
    beats: Vec<f64>,
    key: Option<String>,
    sections: Vec<Value>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct RenderArgs {
    /// File in Aurora's audio folder
    audio_file: String,
    /// Name; without: the file's
    timeline_name: String,
    /// Lamps or entity ids it plays on
    devices: Vec<String>,
    /// 0 to 1
    intensity: Option<f32>,
    /// frequency, mood, or custom (the look as it is)
    color_mapping: String,
    /// Emphasise beats
    beat_sync: Option<bool>,
    /// Fade between colours
    smooth_transitions: Option<bool>,
}

#[derive(JsonSchema)]
#[allow(dead_code, reason = "only its shape is used")]
struct Rendered {
    timeline_id: String,
    duration: f64,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct PlayArgs {
    /// Its name
    timeline_id: String,
    /// Seconds
    start_position: f64,
    /// Begin again at the end
    r#loop: bool,
    /// Keep to the sound that is heard
    follow: bool,
    /// Lamps; without: all, or those it was rendered for
    lamps: Vec<String>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct ControlArgs {
    /// pause, resume, stop, seek, loop, unloop
    action: String,
    /// seek: seconds
    position: Option<f64>,
}

#[derive(JsonSchema)]
#[allow(dead_code, reason = "only its shape is used")]
struct Playing {
    state: String,
    position: f64,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct ListArgs {
    /// At most so many
    limit: Option<usize>,
    cursor: String,
}

#[derive(JsonSchema)]
#[allow(dead_code, reason = "only its shape is used")]
struct Listed {
    timelines: Vec<Value>,
    total: usize,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct ExportArgs {
    /// Its name
    timeline_id: String,
    /// File for it in Aurora's audio folder; without: the document is answered
    output_path: String,
}

#[derive(JsonSchema)]
#[allow(dead_code, reason = "only its shape is used")]
struct Exported {
    timeline_id: String,
    bytes: usize,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct ImportArgs {
    /// File in Aurora's audio folder
    input_path: String,
    /// Or the document itself
    document: String,
    /// Name for it; without: its own
    name: String,
}

pub(super) fn tools(aurora: &Aurora) -> Vec<Tool> {
    let words = |name, title, about| Words { name, title, about };
    let analyze = words(
        "aurora_analyze_audio",
        "Analyse a sound file",
        "Tempo, beats, key, sections and loudness of a file.",
    );
    let render = words(
        "aurora_render_timeline",
        "Make a timeline",
        "Analyse a file, looking both ways, and keep what lights need of it.",
    );
    let play = words(
        "aurora_play_timeline",
        "Play a timeline",
        "Play a timeline on lamps; Hearth makes no sound itself: play the file elsewhere, with follow.",
    );
    let control = words(
        "aurora_control_playback",
        "Control a timeline",
        "Pause, resume, stop, seek or loop the timeline that plays.",
    );
    let list = words("aurora_list_timelines", "List timelines", "Timelines that were rendered.");
    let export = words(
        "aurora_export_timeline",
        "Export a timeline",
        "A timeline as a JSON document, or as a file.",
    );
    let import = words("aurora_import_timeline", "Import a timeline", "Keep an exported timeline.");
    let all = vec![
        tool::<_, Analyzed, _, _>(aurora, analyze, Level::Read, analysed).within(PATIENCE),
        tool::<_, Rendered, _, _>(aurora, render, Level::Control, rendered).within(PATIENCE),
        tool::<_, Playing, _, _>(aurora, play, Level::Control, played),
        tool::<_, Playing, _, _>(aurora, control, Level::Control, controlled),
        tool::<_, Listed, _, _>(aurora, list, Level::Read, listed),
        tool::<_, Exported, _, _>(aurora, export, Level::Read, exported)
            .acting(|args| match args.get("output_path").and_then(Value::as_str) {
                None | Some("") => Level::Read,
                _ => Level::Control,
            })
            .budget(1 << 20),
        tool::<_, Rendered, _, _>(aurora, import, Level::Control, imported),
    ];
    all.into_iter().map(Tool::on_demand).collect()
}

/// A file of the audio folder, whatever was written: nobody reads or writes elsewhere.
fn file(aurora: &Aurora, wanted: &str) -> Result<PathBuf, Error> {
    let folder = aurora.audio();
    let path = Path::new(wanted.trim());
    let path = path.strip_prefix(folder).unwrap_or(path);
    let is_plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    if !is_plain || path.as_os_str().is_empty() {
        return Err(Error::refused(format!(
            "'{}' is no file of Aurora's audio folder, {}; name it by its path in there",
            clean(wanted, 100),
            folder.display()
        )));
    }
    Ok(folder.join(path))
}

/// As [`file`], for one that is read: a link may lead nowhere else.
fn existing(aurora: &Aurora, wanted: &str) -> Result<PathBuf, Error> {
    let path = file(aurora, wanted)?;
    let missing = || {
        Error::not_found(format!(
            "there is no '{}' in {}; put the file there",
            clean(wanted, 100),
            aurora.audio().display()
        ))
    };
    let real = path.canonicalize().map_err(|_| missing())?;
    let folder = aurora.audio().canonicalize().map_err(|_| missing())?;
    match real.starts_with(folder) {
        true => Ok(real),
        false => Err(missing()),
    }
}

async fn listen(aurora: &Aurora, path: PathBuf, name: String) -> Result<Timeline, Error> {
    aurora.tasks().blocking(move || render(&path, &name)).await?
}

/// The part of a path that people call the song.
fn stem(path: &Path) -> String {
    path.file_stem().map_or_else(|| "song".into(), |stem| stem.to_string_lossy().into_owned())
}

async fn analysed(aurora: Aurora, _: Call, args: AnalyzeArgs) -> Result<Value, Error> {
    let _ = (args.sample_rate, args.fft_size);
    let path = existing(&aurora, &args.audio_file)?;
    let name = stem(&path);
    let timeline = listen(&aurora, path, name).await?;
    let about = timeline.about();
    let beats = timeline.beats();
    let second = |ms: u32| f64::from(ms) / 1000.0;
    let sections = timeline.sections.iter().map(|section| {
        json!({
            "from": section.from, "to": section.to, "label": section.label,
            "loudness": (f64::from(section.loud) * 100.0).round() / 100.0,
        })
    });
    let mut answer = json!({
        "duration": about.seconds, "bpm": about.tempo, "key": about.key,
        "beat_count": about.beats,
        "beats": beats.iter().take(BEATS).map(|beat| second(beat.ms)).collect::<Vec<_>>(),
        "downbeats": beats.iter().filter(|beat| beat.bar.is_some_and(|bar| bar.beat == 1))
            .take(BEATS / 4).map(|beat| second(beat.ms)).collect::<Vec<_>>(),
        "sections": sections.take(60).collect::<Vec<_>>(),
    });
    if beats.len() > BEATS {
        answer["hint"] = format!(
            "the first {BEATS} beats; 'hearth audio beats FILE --offline' prints all of them"
        )
        .into();
    }
    Ok(answer)
}

async fn rendered(aurora: Aurora, _: Call, args: RenderArgs) -> Result<Value, Error> {
    let path = existing(&aurora, &args.audio_file)?;
    let name = match args.timeline_name.trim() {
        "" => stem(&path),
        name => name.to_owned(),
    };
    aurora.are_known(&args.devices)?;
    let look = look(&aurora, &args, &name)?;
    let timeline = listen(&aurora, path, name.clone()).await?;
    aurora.library().keep(&timeline)?;
    let mut answer = json!({
        "timeline_id": name, "duration": timeline.seconds, "about": timeline.about(),
    });
    if let Some(look) = look {
        aurora.shelf().save(&look)?;
        answer["look"] = look.name.into();
    }
    Ok(answer)
}

/// The look that is saved beside a timeline, when the arguments ask for one: it is used when it plays.
fn look(aurora: &Aurora, args: &RenderArgs, name: &str) -> Result<Option<Profile>, Error> {
    let is_wanted = !args.devices.is_empty()
        || args.intensity.is_some()
        || !args.color_mapping.is_empty()
        || args.beat_sync.or(args.smooth_transitions).is_some();
    if !is_wanted {
        return Ok(None);
    }
    let on_beat = args.beat_sync.unwrap_or(true);
    let now = aurora.look();
    let usual = now.zones.first().cloned().unwrap_or_else(|| Zone::of("pulse"));
    let mut zone = match (&*args.color_mapping, on_beat) {
        ("" | "frequency", true) => Zone::of("kit"),
        ("" | "frequency", false) => Zone::of("trio"),
        ("mood", true) => Zone::of("pulse"),
        ("mood", false) => Zone::of("tone"),
        ("custom", _) => usual,
        (other, _) => {
            return Err(Error::invalid(format!(
                "color_mapping: '{}' is none of frequency, mood, custom",
                clean(other, 40)
            )));
        }
    };
    zone.intensity = args.intensity.unwrap_or(zone.intensity);
    let part = |lamp: &String| Part { lamp: lamp.clone(), from: 0, to: None, reverse: false };
    zone.lamps = args.devices.iter().map(part).collect();
    let fade = if args.smooth_transitions.unwrap_or(true) { now.fade } else { 0.0 };
    let look = Profile { name: name.to_owned(), fade, ..Profile::of(zone) };
    look.check()?;
    Ok(Some(look))
}

async fn played(aurora: Aurora, call: Call, args: PlayArgs) -> Result<Value, Error> {
    let mut lamps = args.lamps;
    if lamps.is_empty() && aurora.runs().await.is_none() {
        let saved = aurora.shelf().load(&args.timeline_id).ok();
        let zones = saved.map(|saved| saved.zones).unwrap_or_default();
        // A zone without lamps stands for all the others.
        if zones.iter().all(|zone| !zone.lamps.is_empty()) {
            lamps = zones.into_iter().flat_map(|z| z.lamps).map(|part| part.lamp).collect();
        }
    }
    if !lamps.is_empty() && aurora.runs().await.is_some() {
        return Err(Error::conflict(
            "a show runs on lamps of its own; stop it first, or play without naming lamps",
        ));
    }
    let wanted = Wanted {
        timeline: args.timeline_id,
        position: args.start_position,
        looped: args.r#loop,
        follow: args.follow,
        lamps,
    };
    aurora.play(&call.caller, wanted).await.map(|place| shown(&place))
}

async fn controlled(aurora: Aurora, call: Call, args: ControlArgs) -> Result<Value, Error> {
    aurora.may_direct(&call.caller).await?;
    let act = match (args.action.trim(), args.position) {
        ("pause", _) => Act::Pause,
        ("resume" | "play", _) => Act::Resume,
        ("stop", _) => Act::Stop,
        ("seek", Some(position)) => Act::Seek(position),
        ("seek", None) => return Err(Error::invalid("seek needs position, in seconds")),
        ("loop", _) => Act::Loop(true),
        ("unloop", _) => Act::Loop(false),
        (other, _) => {
            return Err(Error::invalid(format!(
                "action: '{}' is none of pause, resume, stop, seek, loop, unloop",
                clean(other, 40)
            )));
        }
    };
    let place = aurora.act(act).await?;
    Ok(place.map_or_else(|| json!({ "state": "stopped", "position": 0 }), |place| shown(&place)))
}

async fn listed(aurora: Aurora, _: Call, args: ListArgs) -> Result<Value, Error> {
    let all = aurora.library().list()?;
    let total = all.len();
    let most = args.limit.unwrap_or(usize::MAX).max(1);
    // Whatever else a cursor may be is refused below.
    let place = args.cursor.trim().strip_prefix("after:").and_then(|n| n.parse::<usize>().ok());
    let first = place.map_or(0, |place| place + 1);
    let library = aurora.library().clone();
    let row = move |(name, bytes): (String, u64)| match library.load(&name) {
        Ok(timeline) => {
            let about = timeline.about();
            json!({
                "id": name, "name": name, "duration": about.seconds, "bpm": about.tempo,
                "key": about.key, "sections": about.sections, "bytes": bytes,
            })
        }
        Err(e) => json!({ "id": name, "name": name, "bytes": bytes, "error": e.what() }),
    };
    // Each row reads a file: only those that are shown.
    let wanted = numbered(all).skip(first).take(most).map(|(key, one)| (key, row(one)));
    let page = rows(wanted, &args.cursor, BUDGET)?;
    let shown = page.items;
    let end = first + shown.len();
    let next = (!shown.is_empty() && end < total).then(|| format!("after:{:06}", end - 1));
    let mut answer = json!({ "timelines": shown, "total": total });
    if let Some(next) = next {
        answer["next"] = next.into();
    }
    Ok(answer)
}

async fn exported(aurora: Aurora, _: Call, args: ExportArgs) -> Result<Value, Error> {
    let document = aurora.library().export(&args.timeline_id)?;
    let mut answer = json!({ "timeline_id": args.timeline_id, "bytes": document.len() });
    if args.output_path.trim().is_empty() {
        answer["document"] = document.into();
        return Ok(answer);
    }
    let path = file(&aurora, &args.output_path)?;
    if path.extension().is_none_or(|end| end != "json") {
        return Err(Error::invalid(
            "output_path must end in .json: sound files are never replaced",
        ));
    }
    let bad = |e| Error::broken(format!("cannot write {}", path.display())).because(e);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(bad)?;
    }
    std::fs::write(&path, document).map_err(bad)?;
    answer["path"] = path.display().to_string().into();
    Ok(answer)
}

async fn imported(aurora: Aurora, _: Call, args: ImportArgs) -> Result<Value, Error> {
    let document = match (args.input_path.trim(), args.document.is_empty()) {
        ("", true) => return Err(Error::invalid("give input_path or document")),
        ("", false) => args.document,
        (path, _) => {
            let path = existing(&aurora, path)?;
            std::fs::read_to_string(&path)
                .map_err(|e| Error::invalid(format!("{} is no text", path.display())).because(e))?
        }
    };
    let name = Some(args.name.trim()).filter(|name| !name.is_empty());
    let timeline = aurora.library().import(&document, name)?;
    Ok(json!({
        "timeline_id": timeline.name, "duration": timeline.seconds, "about": timeline.about(),
    }))
}

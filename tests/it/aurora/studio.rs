//! Aurora as people use it: the built Hearth, its tools and paths, a lamp of the test's own.

use crate::audio::{groove, wav};
use crate::harness::{Hearth, TOKEN, wait_for};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::time::{Duration, Instant};

/// Bytes before the colours of a DDP packet.
const HEADER: usize = 10;
const PIXELS: usize = 4;

/// A strip of four lights that takes DDP.
struct Strip(UdpSocket);

impl Strip {
    fn new() -> Strip {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Strip(socket)
    }

    /// A Hearth that hears music of its own and has this strip.
    fn hearth(&self) -> Hearth {
        let toml = format!(
            "[aurora]\ninput = \"sample\"\n[[aurora.lamp]]\nname = \"shelf\"\nkind = \"ddp\"\n\
             address = \"{}\"\npixels = {PIXELS}\n",
            self.0.local_addr().unwrap()
        );
        let hearth = Hearth::serve(&toml);
        wait_for("aurora", || (hearth.get("/api/aurora/status").0 == 200).then_some(()));
        hearth
    }

    /// The brightness (0 to 1) of the next picture.
    fn next(&self) -> f32 {
        let mut packet = [0; 1500];
        let length = self.0.recv(&mut packet).unwrap();
        assert_eq!(length, HEADER + 3 * PIXELS, "{:?}", &packet[..length]);
        let sum: u32 = packet[HEADER..length].iter().map(|byte| u32::from(*byte)).sum();
        sum as f32 / (255.0 * 3.0 * PIXELS as f32)
    }

    /// Reads what is still on its way, until nothing comes for a while; whether that was to be had.
    fn falls_silent(&self) -> bool {
        self.0.set_read_timeout(Some(Duration::from_millis(700))).unwrap();
        let end = Instant::now() + Duration::from_secs(10);
        let mut packet = [0; 1500];
        while Instant::now() < end {
            if self.0.recv(&mut packet).is_err() {
                return true;
            }
        }
        false
    }
}

fn ok(answer: (u16, Value)) -> Value {
    assert_eq!(answer.0, 200, "{}", answer.1);
    answer.1
}

#[test]
fn music_becomes_pictures_until_it_is_stopped() {
    let strip = Strip::new();
    let hearth = strip.hearth();
    let mut mcp = hearth.mcp("/mcp");
    let begun = mcp.tool("aurora_start", json!({"effect": "pulse", "palette": "white"}));
    assert_eq!(begun["lamps"], json!(["shelf"]), "{begun}");
    let status = mcp.tool("aurora_get_status", json!({}));
    assert_eq!(status["show"]["running"], true, "{status}");
    // Seventy flashes come sooner than a minute at any tempo; the beat is known after some seconds.
    let (mut last, mut rises, mut since) = (strip.next(), 0, None);
    let end = Instant::now() + Duration::from_secs(40);
    while Instant::now() < end && rises < 24 {
        let bright = strip.next();
        if bright - last > 0.08 {
            rises += 1;
            if rises == 8 {
                since = Some(Instant::now());
            }
        }
        last = bright;
    }
    let took = since.expect("eight beats").elapsed().as_secs_f64();
    assert_eq!(rises, 24, "the strip lit up {rises} times");
    // Sixteen beats at 120 a minute are eight seconds.
    assert!((6.0..11.0).contains(&took), "sixteen beats took {took} s");
    // A second show has to wait, and says for whom.
    let again = mcp.call("aurora_start", json!({}));
    assert!(again.to_string().contains("a show is running"), "{again}");
    let lamp = &mcp.tool("aurora_get_status", json!({"verbose": true}))["lamps"][0];
    assert!(lamp["sent"].as_u64().unwrap() > 100 && lamp["errors"] == 0, "{lamp}");
    let why = mcp.tool("aurora_diagnose", json!({}));
    assert!(why["findings"].is_array(), "{why}");
    assert_eq!(mcp.tool("aurora_stop", json!({}))["status"], "stopped");
    assert!(strip.falls_silent(), "pictures after the end");
    let none = mcp.call("aurora_stop", json!({}));
    assert!(none.to_string().contains("no show is running"), "{none}");
}

/// Reads the events of the stream of levels until `wanted` is found.
fn levels(hearth: &Hearth, mut wanted: impl FnMut(&Value) -> bool) -> Value {
    let stream = ureq::get(format!("{}/api/aurora/levels", hearth.url))
        .header("authorization", format!("Bearer {TOKEN}"))
        .call()
        .unwrap();
    let lines = BufReader::new(stream.into_body().into_reader()).lines();
    let end = Instant::now() + Duration::from_secs(40);
    for line in lines.map_while(Result::ok) {
        let frame = line.strip_prefix("data: ").and_then(|text| serde_json::from_str(text).ok());
        if let Some(frame) = frame.filter(|frame| wanted(frame)) {
            return frame;
        }
        assert!(Instant::now() < end, "the stream never had it; last: {line}");
    }
    panic!("the stream ended");
}

#[test]
fn the_page_sees_the_beat_and_sound_is_read_for_no_longer_than_somebody_looks() {
    let strip = Strip::new();
    let hearth = strip.hearth();
    let state = || ok(hearth.get("/api/aurora/status"))["input"]["state"].clone();
    assert_eq!(state(), "idle");
    let frame = levels(&hearth, |frame| frame["beat"]["sure"].as_f64().unwrap_or(0.0) > 0.5);
    let bpm = frame["beat"]["bpm"].as_f64().unwrap();
    assert!((116.0..124.0).contains(&bpm), "{frame}");
    assert_eq!(frame["sixteen"].as_array().unwrap().len(), 16);
    let lamps = frame["lamps"].as_array().unwrap();
    assert_eq!(lamps.len(), 1);
    assert_eq!(lamps[0].as_str().unwrap().len(), 6 * PIXELS, "{frame}");
    wait_for("idle", || (state() == "idle").then_some(()));
    // Nothing was sent to the strip: it was a rehearsal.
    assert!(strip.falls_silent());
    assert_eq!(ok(hearth.get("/api/aurora/status"))["lamps"][0]["sent"], 0);
}

#[test]
fn a_look_is_changed_saved_shared_and_outlives_a_restart() {
    let strip = Strip::new();
    let hearth = strip.hearth();
    let look = json!({"effect": "fire", "palette": "ember", "brightness": 0.5, "speed": 2});
    ok(hearth.post("/api/aurora/look", &look));
    let zone = |hearth: &Hearth| ok(hearth.get("/api/aurora/status"))["zones"][0].clone();
    assert_eq!(zone(&hearth)["effect"], "fire");
    assert_eq!(zone(&hearth)["brightness"], 0.5);
    for (wrong, word) in [
        (json!({"effect": "fireball"}), "no effect 'fireball'"),
        (json!({"palette": "mud"}), "mud"),
        (json!({"speed": 9}), "speed is 9"),
        (json!({"zone": "attic"}), "no zone 'attic'"),
        (json!({"set": {"x": 1}}), "no parameter 'x'"),
    ] {
        let (status, answer) = hearth.post("/api/aurora/look", &wrong);
        assert!(status >= 400 && answer.to_string().contains(word), "{wrong}: {answer}");
    }
    assert_eq!(zone(&hearth)["effect"], "fire");
    let profile = |body: Value| hearth.post("/api/aurora/profile", &body);
    ok(profile(json!({"action": "save", "name": "evening"})));
    let shared = ok(profile(json!({"action": "export", "name": "evening"})));
    let document = shared["document"].as_str().unwrap();
    ok(hearth.post("/api/aurora/look", &json!({"effect": "tide"})));
    ok(profile(json!({"action": "use", "name": "evening"})));
    assert_eq!(zone(&hearth)["effect"], "fire");
    let copy = json!({"action": "import", "name": "copy", "document": document});
    assert_eq!(ok(profile(copy))["profiles"], json!(["copy", "evening"]));
    let (status, answer) = profile(json!({"action": "import", "document": "{}"}));
    assert_eq!(status, 400, "{answer}");
    ok(profile(json!({"action": "delete", "name": "copy"})));
    let (status, answer) = profile(json!({"action": "use", "name": "copy"}));
    assert!(status == 404 && answer.to_string().contains("evening"), "{answer}");
}

#[test]
fn lamps_are_added_and_removed_while_hearth_runs() {
    let strip = Strip::new();
    let hearth = strip.hearth();
    let lamps = |body: Value| hearth.post("/api/aurora/lamps", &body);
    let bulb = json!({"name": "bulb", "kind": "wled", "address": "127.0.0.1:9", "pixels": 3});
    let listed = ok(lamps(json!({"action": "add", "lamp": bulb})));
    assert_eq!(listed["lamps"].as_array().unwrap().len(), 2, "{listed}");
    for (wrong, word) in [
        (json!({"name": "x", "kind": "candle"}), "candle"),
        (json!({"name": "x", "kind": "ddp", "address": ""}), "address"),
        (json!({"name": "shelf", "kind": "ddp", "address": "127.0.0.1"}), "stands in the settings"),
        (json!({"name": "x", "kind": "ddp", "address": "127.0.0.1", "colour": 1}), "colour"),
    ] {
        let (status, answer) = lamps(json!({"action": "add", "lamp": wrong}));
        assert!(status >= 400 && answer.to_string().contains(word), "{wrong}: {answer}");
    }
    let (status, answer) = lamps(json!({"action": "remove", "name": "lamp"}));
    assert!(status == 404 && answer.to_string().contains("bulb"), "{answer}");
    let left = ok(lamps(json!({"action": "remove", "name": "bulb"})));
    assert_eq!(left["lamps"].as_array().unwrap().len(), 1, "{left}");
    let (status, answer) = hearth.post("/api/aurora/start", &json!({"lamps": ["chandelier"]}));
    assert!(status == 404 && answer.to_string().contains("shelf"), "{answer}");
    let (status, answer) = hearth.post("/api/aurora/start", &json!({"lamps": ["light.sofa"]}));
    assert!(status >= 400, "no house is configured: {answer}");
}

#[test]
fn a_song_becomes_a_timeline_that_plays_pauses_and_moves() {
    let strip = Strip::new();
    let hearth = strip.hearth();
    let audio = hearth.folder.path().join("audio");
    std::fs::create_dir_all(&audio).unwrap();
    std::fs::write(audio.join("song.wav"), wav(&groove(20, 44_100, 0.8), 44_100)).unwrap();
    let mut mcp = hearth.mcp("/mcp/aurora");
    let found = mcp.tool("aurora_analyze_audio", json!({"audio_file": "song.wav"}));
    assert!((118.0..122.0).contains(&found["bpm"].as_f64().unwrap()), "{found}");
    assert!(found["beats"].as_array().unwrap().len() > 30, "{found}");
    for bad in ["../hearth.toml", "/etc/passwd", "no.wav", ""] {
        let refused = mcp.call("aurora_analyze_audio", json!({"audio_file": bad}));
        assert_eq!(refused["isError"], true, "{bad}: {refused}");
    }
    std::os::unix::fs::symlink("/etc/passwd", audio.join("link.wav")).unwrap();
    let refused = mcp.call("aurora_analyze_audio", json!({"audio_file": "link.wav"}));
    assert!(refused.to_string().contains("there is no"), "{refused}");

    let wanted = json!({
        "audio_file": "song.wav", "devices": ["shelf"], "intensity": 0.9, "color_mapping": "mood",
    });
    for (path, field) in
        [("lamps", "lamps"), ("look?brightness=0", "look"), ("profile", "profiles")]
    {
        let shown = ok(hearth.get(&format!("/api/aurora/{path}")));
        assert!(!shown[field].is_null(), "{path}: {shown}");
    }
    assert_ne!(ok(hearth.get("/api/aurora/look"))["look"]["zones"][0]["brightness"], 0.0);
    let rendered = mcp.tool("aurora_render_timeline", wanted);
    assert_eq!(rendered["timeline_id"], "song", "{rendered}");
    let listed = ok(hearth.get("/aurora/timelines?limit=5"));
    assert_eq!(listed["timelines"][0]["name"], "song", "{listed}");
    let file = json!({"timeline_id": "song", "output_path": "shared/song.json"});
    mcp.tool("aurora_export_timeline", file);
    let copy = json!({"input_path": "shared/song.json", "name": "copy"});
    assert_eq!(mcp.tool("aurora_import_timeline", copy)["timeline_id"], "copy");
    let spoilt = mcp.call("aurora_import_timeline", json!({"document": "{\"version\": 99}"}));
    assert!(spoilt["isError"] == true && spoilt.to_string().contains("no timeline"), "{spoilt}");

    let play = json!({"timeline_id": "song", "start_position": 5, "loop": true});
    let playing = mcp.tool("aurora_play_timeline", play);
    assert_eq!(playing["state"], "playing", "{playing}");
    let looks = ok(hearth.get("/api/aurora/status"));
    assert_eq!(looks["playback"]["timeline"], "song", "{looks}");
    let other = mcp.call("aurora_play_timeline", json!({"timeline_id": "song", "lamps": ["x"]}));
    assert!(other.to_string().contains("a show runs on lamps of its own"), "{other}");
    assert_eq!(looks["show"]["source"], "timeline", "{looks}");
    let mut brightest = 0.0_f32;
    let end = Instant::now() + Duration::from_secs(20);
    while brightest < 0.2 && Instant::now() < end {
        brightest = brightest.max(strip.next());
    }
    assert!(brightest >= 0.2, "the strip stayed dark: {brightest}");
    let control = |mcp: &mut crate::harness::Mcp, action: &str, position: Option<f64>| {
        let mut args = json!({"action": action});
        if let Some(position) = position {
            args["position"] = position.into();
        }
        mcp.tool("aurora_control_playback", args)
    };
    assert_eq!(control(&mut mcp, "pause", None)["state"], "paused");
    let moved = control(&mut mcp, "seek", Some(12.5));
    assert_eq!((&moved["state"], &moved["position"]), (&json!("paused"), &json!(12.5)));
    let frame = levels(&hearth, |frame| !frame["beat"].is_null());
    assert!((118.0..122.0).contains(&frame["beat"]["bpm"].as_f64().unwrap()), "{frame}");
    let beyond = json!({"action": "seek", "position": 900});
    assert_eq!(mcp.call("aurora_control_playback", beyond)["isError"], true);
    assert_eq!(ok(hearth.post("/aurora/resume", &json!({})))["state"], "playing");
    assert_eq!(ok(hearth.post("/aurora/stop", &json!({})))["state"], "stopped");
    // The show was there for the timeline alone.
    assert_eq!(ok(hearth.get("/aurora/status"))["show"]["running"], false);
    assert!(strip.falls_silent());

    let play = json!({"timeline_id": "song", "start_position": 19});
    mcp.tool("aurora_play_timeline", play);
    assert!(strip.falls_silent(), "the lamps are kept after the end of the song");
    assert_eq!(ok(hearth.get("/aurora/status"))["show"]["running"], false);
}

#[test]
fn somebody_who_taps_along_tells_how_late_a_lamp_is() {
    let strip = Strip::new();
    let hearth = strip.hearth();
    let tap = |action: &str| {
        ok(hearth.post("/api/aurora/tap", &json!({"lamp": "shelf", "action": action})))
    };
    let (status, answer) =
        hearth.post("/api/aurora/tap", &json!({"lamp": "shelf", "action": "tap"}));
    assert!(status == 409 && answer.to_string().contains("start"), "{answer}");
    tap("start");
    let (status, answer) = hearth.post("/api/aurora/start", &json!({}));
    assert!(status == 409 && answer.to_string().contains("tap test of 'shelf'"), "{answer}");
    assert_eq!(ok(hearth.get("/api/aurora/status"))["test"], "shelf");
    let (mut last, mut taps, mut result) = (1.0, 0, Value::Null);
    while taps < 10 {
        let bright = strip.next();
        if bright > 0.9 && last < 0.1 {
            result = tap("tap");
            taps += 1;
        }
        last = bright;
    }
    // The tapper is a machine beside the lamp.
    let late = result["latency_ms"].as_f64().unwrap_or_else(|| panic!("{result}"));
    assert!(late < 200.0, "{result}");
    tap("end");
    let lamp = ok(hearth.get("/api/aurora/status"))["lamps"][0].clone();
    assert_eq!(lamp["latency_source"], "tapped", "{lamp}");
    tap("forget");
    let lamp = ok(hearth.get("/api/aurora/status"))["lamps"][0].clone();
    assert_ne!(lamp["latency_source"], "tapped", "{lamp}");
    assert!(strip.falls_silent());
}

#[test]
fn lights_of_the_house_follow_and_get_back_what_they_showed() {
    let hearth = Hearth::demo();
    let light = || {
        let (_, answer) = hearth.get("/api/home/entities/light.bedside_lamp");
        (answer["state"].clone(), answer["attributes"]["brightness"].clone())
    };
    let before = light();
    let start = json!({"lamps": ["light.bedside_lamp"], "effect": "pulse"});
    let begun = ok(hearth.post("/api/aurora/start", &start));
    assert_eq!(begun["lamps"], json!(["light.bedside_lamp"]), "{begun}");
    let mut seen = std::collections::BTreeSet::new();
    wait_for("three brightnesses", || {
        seen.insert(light().1.to_string());
        (seen.len() >= 3).then_some(())
    });
    let status = ok(hearth.get("/api/aurora/status"));
    assert_eq!(status["show"]["running"], true, "{status}");
    ok(hearth.post("/api/aurora/stop", &json!({})));
    wait_for("what it was", || (light() == before).then_some(()));
}

#[test]
fn the_earlier_port_opens_the_page_of_aurora() {
    use crate::harness::{Folder, hearth};
    let folder = Folder::new();
    let mut command = hearth(folder.path());
    command.args(["serve", "--host", "127.0.0.1", "--port", "0", "--only", "aurora"]);
    command.env("AUTH_TOKEN", TOKEN).env("AURORA_PORT", "0");
    let started = Hearth::start(command, folder);
    let address = wait_for("the page's address", || {
        let log = started.log();
        let line = log.lines().find(|line| line.contains("the aurora page is at "))?;
        line.split_whitespace().last().map(str::to_owned)
    });
    let page = ureq::get(&address).header("authorization", format!("Bearer {TOKEN}"));
    let page = page.call().unwrap().into_body().read_to_string().unwrap();
    assert!(page.contains("content=\"aurora\""), "{page}");
    let health = ureq::get(format!("{address}/health")).call().unwrap();
    let health: Value =
        serde_json::from_str(&health.into_body().read_to_string().unwrap()).unwrap();
    assert!(health["status"] == "healthy" || health["status"] == "ok", "{health}");
}

/// The same Hearth, as a token for one area.
fn narrow(hearth: &Hearth) -> impl Fn(&str, Value) -> (u16, Value) + use<> {
    let made = crate::harness::hearth(hearth.folder.path())
        .args(["token", "new", "kit", "--level", "control", "--area", "kitchen"])
        .output()
        .unwrap();
    let out = String::from_utf8_lossy(&made.stdout).into_owned();
    let token = out.split_whitespace().find(|word| word.len() > 30).expect(&out).to_owned();
    let url = hearth.url.clone();
    move |path, body| {
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
        let answer = agent
            .post(format!("{url}{path}"))
            .header("authorization", format!("Bearer {token}"))
            .send_json(&body)
            .unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_str(&answer.into_body().read_to_string().unwrap()).unwrap())
    }
}

#[test]
fn a_token_for_one_area_has_its_own_shows_and_no_others() {
    let hearth = Hearth::demo();
    let kit = narrow(&hearth);
    // The owner's show is the owner's.
    ok(hearth.post("/api/aurora/start", &json!({"lamps": ["Shelf strip"]})));
    for (path, body) in [
        ("/api/aurora/stop", json!({})),
        ("/api/aurora/look", json!({"effect": "fire"})),
        ("/api/aurora/input", json!({"input": "sample"})),
        ("/api/aurora/profile", json!({"action": "reset"})),
        ("/api/aurora/profile", json!({"action": "save", "name": "mine"})),
        ("/api/aurora/control", json!({"action": "stop"})),
    ] {
        let (status, answer) = kit(path, body);
        assert_eq!(status, 403, "{path}: {answer}");
    }
    assert_eq!(ok(hearth.get("/api/aurora/status"))["show"]["running"], true);
    ok(hearth.post("/api/aurora/stop", &json!({})));
    // Its own is its own, on what it may see; what it may not see, it is not told of.
    let (status, answer) = kit("/api/aurora/start", json!({"lamps": ["Shelf strip"]}));
    assert_eq!(status, 403, "{answer}");
    let (_, unknown) = kit("/api/aurora/start", json!({"lamps": ["light.bedside_lamp"]}));
    assert!(unknown.to_string().contains("no entity"), "{unknown}");
    let begun = ok(kit("/api/aurora/start", json!({})));
    assert_eq!(begun["lamps"], json!(["Kitchen counter"]), "{begun}");
    assert!(!begun.to_string().contains("bedside"), "{begun}");
    ok(kit("/api/aurora/look", json!({"effect": "tide"})));
    ok(kit("/api/aurora/stop", json!({})));
}

#[test]
fn no_show_leaves_lamps_dark_for_no_reason() {
    let strip = Strip::new();
    let hearth = strip.hearth();
    let zones = json!({"version": 1, "name": "else", "zones": [
        {"name": "z", "effect": "fire", "lamps": [{"lamp": "chandelier"}]}]});
    let import = json!({"action": "import", "document": zones.to_string()});
    ok(hearth.post("/api/aurora/profile", &import));
    ok(hearth.post("/api/aurora/profile", &json!({"action": "use", "name": "else"})));
    let (status, answer) = hearth.post("/api/aurora/start", &json!({}));
    assert!(status == 400 && answer.to_string().contains("no zone for these lamps"), "{answer}");
    // An effect is for all of them.
    ok(hearth.post("/api/aurora/start", &json!({"effect": "plasma"})));
    let end = Instant::now() + Duration::from_secs(20);
    while strip.next() < 0.05 {
        assert!(Instant::now() < end, "the strip stayed dark");
    }
    ok(hearth.post("/api/aurora/stop", &json!({})));
    ok(hearth.post("/api/aurora/profile", &json!({"action": "use", "name": "else"})));
    ok(hearth.post("/api/aurora/profile", &json!({"action": "reset"})));
    assert_eq!(ok(hearth.get("/api/aurora/status"))["zones"][0]["name"], "all");
}

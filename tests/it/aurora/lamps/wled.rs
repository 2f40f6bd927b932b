//! A WLED as its documentation describes it: the realtime protocol, and its state over HTTP.

use super::rig::{Rig, Steps, packet, rest, socket, step};
use crate::harness::wait_for;
use hearth::aurora::lamps::info;
use hearth::store::Store;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// The web interface of a WLED.
pub struct Web {
    pub address: String,
    state: Arc<Mutex<Value>>,
    posts: Arc<Mutex<Vec<Value>>>,
}

impl Web {
    fn start() -> Web {
        Web::at("127.0.0.1:0")
    }

    pub fn at(address: &str) -> Web {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let seg = json!([{"id": 0, "start": 0, "stop": 30, "col": [[255, 160, 0]], "fx": 0}]);
        let state = json!({"on": true, "bri": 40, "ps": -1, "pl": -1, "mainseg": 0, "seg": seg});
        let state = Arc::new(Mutex::new(state));
        let posts = Arc::default();
        let (own, heard) = (Arc::clone(&state), Arc::clone(&posts));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let _ = answer(stream, &own, &heard);
            }
        });
        Web { address, state, posts }
    }

    fn posts(&self) -> Vec<Value> {
        self.posts.lock().unwrap().clone()
    }
}

/// Answers one request and closes, as a WLED does.
fn answer(
    stream: TcpStream,
    state: &Mutex<Value>,
    posts: &Mutex<Vec<Value>>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first)?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(n) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = n.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let said = match first.split(' ').take(2).collect::<Vec<_>>()[..] {
        ["GET", "/json/info"] => json!({
            "ver": "0.15.3", "name": "Shelf\u{202e}", "live": false, "lm": "", "lip": "",
            "leds": {"count": 30, "rgbw": true, "fps": 42},
            "wifi": {"signal": 78}, "udpport": 21324,
        }),
        ["GET", "/json/state"] => state.lock().unwrap().clone(),
        ["POST", "/json/state"] => {
            let body: Value = serde_json::from_slice(&body).unwrap();
            for (key, value) in body.as_object().unwrap() {
                state.lock().unwrap()[key] = value.clone();
            }
            posts.lock().unwrap().push(body);
            json!({"success": true})
        }
        _ => Value::Null,
    };
    let text = said.to_string();
    let mut stream = reader.into_inner();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n{text}",
        text.len()
    )
}

/// Waits until what it shows is kept for after the show.
async fn kept(store: &Store) {
    let began = std::time::Instant::now();
    while store.list("aurora-before", "", None, 9).await.unwrap().is_empty() {
        assert!(began.elapsed() < crate::harness::SOON, "nothing was kept");
        tokio::task::yield_now().await;
    }
}

fn lamp(port: u16, web: &Web, more: &str) -> String {
    let web = &web.address;
    format!("[[lamp]]\nname='shelf'\naddress='127.0.0.1:{port}'\nweb='{web}'\n{more}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strip_is_painted_and_then_left_as_it_was() {
    let ((socket, port), web) = (socket(), Web::start());
    let rig = Rig::new().await;
    let playing = rig.play(&lamp(port, &web, "pixels=600\n"), Steps).await;
    let mut strip = vec![0; 1800];
    for first in [0, 489] {
        let bytes = packet(&socket);
        assert_eq!((bytes[0], bytes[1]), (4, 2));
        assert_eq!(usize::from(u16::from_be_bytes([bytes[2], bytes[3]])), first);
        strip[first * 3..first * 3 + bytes.len() - 4].copy_from_slice(&bytes[4..]);
    }
    let want: Vec<u8> = (0..600).flat_map(|k| (0..3).map(move |c| step(0, k, c))).collect();
    assert_eq!(strip, want);
    kept(&rig.store).await;
    // Somebody dims it by hand while the show goes on.
    web.state.lock().unwrap()["bri"] = json!(255);
    playing.stop().await.unwrap();
    let all = rest(&socket);
    assert!(all.iter().rev().take(3).all(|packet| packet[..] == [2, 0]), "{:?}", all.last());
    let posts = web.posts();
    assert_eq!(posts.len(), 1, "{posts:?}");
    assert_eq!((&posts[0]["live"], &posts[0]["bri"]), (&json!(false), &json!(40)));
    assert_eq!(web.state.lock().unwrap()["bri"], 40);
    assert!(rig.store.list("aurora-before", "", None, 9).await.unwrap().is_empty());
    rig.tasks.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_showed_is_put_back_after_a_kill() {
    let ((_socket, port), web) = (socket(), Web::start());
    let store = Store::memory();
    let rig = Rig::on(store.clone()).await;
    let playing = rig.play(&lamp(port, &web, ""), Steps).await;
    kept(&store).await;
    // A kill: nothing of it runs any more.
    std::mem::forget(playing);
    web.state.lock().unwrap()["on"] = json!(false);
    let again = Rig::on(store.clone()).await;
    wait_for("the state of before", || (web.posts().len() == 1).then_some(()));
    assert_eq!(web.state.lock().unwrap()["on"], true);
    for tasks in [rig.tasks, again.tasks] {
        tasks.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn white_is_sent_where_there_is_white() {
    let ((socket, port), web) = (socket(), Web::start());
    let rig = Rig::new().await;
    let playing = rig.play(&lamp(port, &web, "order='rgbw'\npixels=2\n"), Steps).await;
    // Steps are 1, 2, 3 and 4, 5, 6: what all three have in common is white.
    assert_eq!(packet(&socket), [3, 2, 0, 1, 2, 1, 0, 1, 2, 4]);
    playing.stop().await.unwrap();
    rig.tasks.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_says_what_it_is_and_others_are_told_apart() {
    let web = Web::start();
    let rig = Rig::new().await;
    let found = info(&rig.ask, &web.address).await.unwrap();
    assert_eq!((found.lights, found.has_white, found.signal), (30, true, Some(78)));
    assert_eq!((&*found.version, &*found.name), ("0.15.3", "Shelf\\u{202e}"));
    // A port where nobody is.
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    assert!(info(&rig.ask, &nobody).await.unwrap_err().to_string().contains("cannot be reached"));
    rig.tasks.stop().await;
}

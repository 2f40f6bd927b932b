//! Bad input, line by line: what can still be answered gets its status, the rest is closed and
//! counted.

use crate::http::house::{House, Plan};
use crate::http::raw::Raw;
use hearth::http::Reason;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

fn post(length: &str) -> String {
    format!("POST /count HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n")
}

#[test]
fn a_huge_header_is_refused_before_it_is_read() {
    let house = House::open();
    let mut raw = Raw::connect(house.at);
    raw.send("GET / HTTP/1.1\r\nHost: localhost\r\nX-Big: ");
    let sent = raw.flood(&[b'a'; 64 * 1024], 4096);
    assert!(sent < 256 << 20, "all 256 MiB were taken");
    assert_eq!(raw.answer().status, 431);
    assert!(raw.until_end().1.is_empty());
    house.wait_for(Reason::HeadTooLarge, 1);
    assert_eq!(Raw::connect(house.at).get("/").status, 200);
}

#[test]
fn a_header_of_16_kib_is_the_largest() {
    let house = House::open();
    let start = "GET / HTTP/1.1\r\nHost: localhost\r\nX-Big: ";
    let fits = 16 * 1024 - start.len() - 4;
    for (size, status) in [(fits, 200), (fits + 1, 431)] {
        let mut raw = Raw::connect(house.at);
        raw.send(format!("{start}{}\r\n\r\n", "a".repeat(size)));
        assert_eq!(raw.answer().status, status, "{size}");
    }
}

#[test]
fn two_hundred_thousand_header_lines_are_refused() {
    let house = House::open();
    let mut raw = Raw::connect(house.at);
    raw.send("GET / HTTP/1.1\r\nHost: localhost\r\n");
    raw.flood("a: b\r\n".repeat(1000).as_bytes(), 200);
    raw.send("\r\n");
    assert_eq!(raw.answer().status, 431);
    house.wait_for(Reason::HeadTooLarge, 1);
    for (lines, status) in [(63, 200), (64, 431)] {
        let mut raw = Raw::connect(house.at);
        raw.send(format!("GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "a: b\r\n".repeat(lines)));
        assert_eq!(raw.answer().status, status, "{lines} lines besides Host");
    }
}

#[test]
fn a_slow_header_is_cut_off_with_a_408() {
    let house = House::open();
    let mut raw = Raw::connect(house.at);
    let began = Instant::now();
    // A byte now and then does not buy more time.
    while !raw.is_ended()
        && began.elapsed() < Duration::from_secs(10)
        && house.counters.count(Reason::SlowHead) == 0
    {
        raw.send("G");
        std::thread::park_timeout(Duration::from_millis(50));
    }
    assert_eq!(raw.answer().status, 408);
    assert!(raw.until_end().1.is_empty());
    assert!(began.elapsed() >= Duration::from_millis(1900), "{:?}", began.elapsed());
    house.wait_for(Reason::SlowHead, 1);
    house.wait_empty();
}

#[test]
fn a_silent_connection_is_closed_when_its_time_is_over() {
    let house = House::open();
    let mut fresh = Raw::connect(house.at);
    let mut kept = Raw::connect(house.at);
    assert_eq!(kept.get("/").status, 200);
    let (took, rest) = fresh.until_end();
    assert!(took < Duration::from_secs(8) && rest.is_empty(), "{took:?}");
    let (took, rest) = kept.until_end();
    assert!(took < Duration::from_secs(8) && rest.is_empty(), "{took:?}");
    // After a long answer, too: the engine does not look for the next request in the same way then.
    let mut streamed = Raw::connect(house.at);
    streamed.send("GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let (took, answer) = streamed.until_end();
    assert!(took < Duration::from_secs(12) && answer.ends_with(b"\r\n0\r\n\r\n"), "{took:?}");
    assert_eq!(house.counters.count(Reason::SlowHead), 0);
    house.wait_empty();
}

#[test]
fn a_second_slow_header_on_a_kept_connection_is_cut_off_too() {
    let house = House::open();
    let mut raw = Raw::connect(house.at);
    assert_eq!(raw.get("/").status, 200);
    raw.send("GET / HTTP/1.1\r\nHo");
    assert_eq!(raw.answer().status, 408);
    house.wait_for(Reason::SlowHead, 1);
}

#[test]
fn a_length_of_a_terabyte_is_refused_at_once() {
    let house = House::open();
    let mut raw = Raw::connect(house.at);
    raw.send(post("1000000000000"));
    let answer = raw.answer();
    assert_eq!((answer.status, answer.header("connection")), (413, Some("close")));
    assert!(answer.text().contains("up to 1048576 bytes"), "{}", answer.text());
    assert!(raw.until_end().1.is_empty());
    house.wait_for(Reason::BodyTooLarge, 1);
}

#[test]
fn a_huge_body_is_refused_sized_or_chunked() {
    let house = House::open();
    let mut sized = Raw::connect(house.at);
    sized.send(post("67108864"));
    sized.flood(&[b'x'; 64 * 1024], 1024);
    assert_eq!(sized.answer().status, 413);
    let mut chunked = Raw::connect(house.at);
    chunked.send("POST /count HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
    let chunk = [b"10000\r\n".as_slice(), &[b'x'; 0x10000], b"\r\n"].concat();
    let sent = chunked.flood(&chunk, 1024);
    assert!(sent < 64 << 20, "all 64 MiB were taken");
    let answer = chunked.answer();
    assert_eq!((answer.status, answer.header("connection")), (413, Some("close")));
    house.wait_for(Reason::BodyTooLarge, 2);
    let mut fits = Raw::connect(house.at);
    fits.send(post("1048576")).send(vec![b'x'; 1 << 20]);
    assert_eq!(fits.answer().text(), "1048576");
}

#[test]
fn a_route_can_have_a_limit_of_its_own() {
    let mut plan = Plan::default();
    plan.limits = plan.limits.body_for("/count", 4 << 20);
    let house = House::with(plan);
    let mut raw = Raw::connect(house.at);
    raw.send(post("4194304")).send(vec![b'x'; 4 << 20]);
    assert_eq!(raw.answer().text(), "4194304");
    raw.send(post("4194305"));
    assert_eq!(raw.answer().status, 413);
}

#[test]
fn a_sized_body_that_never_comes_is_cut_off_with_a_408() {
    let house = House::open();
    for part in ["", "half of"] {
        let mut raw = Raw::connect(house.at);
        raw.send(post("1000")).send(part);
        let answer = raw.answer();
        assert_eq!((answer.status, answer.header("connection")), (408, Some("close")));
        assert!(raw.until_end().1.is_empty());
    }
    house.wait_for(Reason::SlowBody, 2);
    house.wait_empty();
}

#[test]
fn a_body_that_nobody_wants_is_not_waited_for() {
    let house = House::open();
    let mut raw = Raw::connect(house.at);
    raw.send("POST /ignore HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\npart");
    assert_eq!(raw.answer().text(), "ignored");
    let (took, rest) = raw.until_end();
    assert!(took < Duration::from_secs(8) && rest.is_empty());
    house.wait_empty();
}

#[test]
fn bad_lengths_are_refused() {
    let house = House::open();
    let lines = [
        "Content-Length: x",
        "Content-Length: -1",
        "Content-Length: +5",
        "Content-Length: 5 5",
        "Content-Length: 5, 5",
        "Content-Length: 0x5",
        "Content-Length:",
        "Content-Length: 18446744073709551616",
        "Content-Length: 5\r\nContent-Length: 6",
        "Transfer-Encoding: gzip",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding : chunked",
        "Content-Length : 5",
    ];
    for line in lines {
        let mut raw = Raw::connect(house.at);
        raw.send(format!("POST /count HTTP/1.1\r\nHost: localhost\r\n{line}\r\n\r\n"));
        raw.send("5\r\nhello\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert_eq!(raw.answer().status, 400, "{line}");
        assert!(raw.until_end().1.is_empty(), "{line}");
    }
    house.wait_for(Reason::BadRequest, lines.len() as u64);
    assert_eq!(house.seen.smuggled.load(Ordering::SeqCst), 0);
}

/// RFC 9110 8.6 lets a server take a length that is said twice alike; there is one way to read it.
#[test]
fn a_length_said_twice_alike_counts_once() {
    let house = House::open();
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let length = smuggled.len().to_string();
    let mut raw = Raw::connect(house.at);
    // The body is as long as both say: what looks like a request in it is none.
    raw.send(post(&format!("{length}\r\nContent-Length: {length}"))).send(smuggled);
    assert_eq!(raw.answer().text(), length);
    // And what follows it is the next request, answered once.
    assert_eq!(raw.get("/").text(), "house");
    raw.send("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert_eq!(raw.answer().text(), "house");
    assert!(raw.until_end().1.is_empty(), "more answers than requests");
    assert_eq!(house.seen.smuggled.load(Ordering::SeqCst), 0);
}

/// RFC 9112 2.2 lets a server end a line of the head at a bare line feed. Wherever one stands, each
/// request gets one answer, and no body is read as a request.
#[test]
fn a_bare_line_feed_ends_a_line_and_hides_no_request() {
    let house = House::open();
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let length = smuggled.len();
    for head in [
        format!("POST /count HTTP/1.1\nHost: localhost\nContent-Length: {length}\n\n"),
        format!("POST /count HTTP/1.1\r\nHost: localhost\nContent-Length: {length}\r\n\n"),
        format!(
            "POST /count HTTP/1.1\r\nHost: localhost\r\nX: a\nContent-Length: {length}\r\n\r\n"
        ),
    ] {
        let mut raw = Raw::connect(house.at);
        raw.send(&head).send(smuggled);
        raw.send("GET / HTTP/1.1\nHost: localhost\nConnection: close\n\n");
        assert_eq!(raw.answer().text(), length.to_string(), "{head:?}");
        assert_eq!(raw.answer().text(), "house", "{head:?}");
        assert!(raw.until_end().1.is_empty(), "more answers than requests: {head:?}");
    }
    // Nothing but the head is read so: neither a chunk's length nor a bare carriage return.
    let chunked = "POST /count HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (request, want) in [
        (format!("{chunked}5\nhello\r\n0\r\n\r\n{smuggled}"), 400),
        (format!("{chunked}5;x=\n\r\nhello\r\n0\r\n\r\n{smuggled}"), 400),
        (format!("GET / HTTP/1.1\r\nHost: localhost\rX: a\r\n\r\n{smuggled}"), 400),
        (
            format!(
                "POST /count HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\n5\r\n\r\n{smuggled}"
            ),
            400,
        ),
    ] {
        let mut raw = Raw::connect(house.at);
        raw.send(&request);
        assert_eq!(raw.answer().status, want, "{request:?}");
        assert!(raw.until_end().1.is_empty(), "something came after the refusal: {request:?}");
    }
    assert_eq!(house.seen.smuggled.load(Ordering::SeqCst), 0);
}

#[test]
fn a_smuggled_request_is_never_answered() {
    let house = House::open();
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n";
    // Framed by the length, the first ends after "0\r\n\r\n" and the smuggled part is its body or
    // not; framed by the encoding it ends there. We take the encoding and answer nothing after it.
    for first in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 4",
    ] {
        for body in ["0\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n"] {
            let mut raw = Raw::connect(house.at);
            raw.send(format!(
                "POST /count HTTP/1.1\r\nHost: localhost\r\n{first}\r\n\r\n{body}{smuggled}"
            ));
            let answer = raw.answer();
            assert_eq!(answer.status, 200, "{first}");
            assert_eq!(answer.text(), if body.len() > 5 { "5" } else { "0" });
            assert_eq!(answer.header("connection"), Some("close"));
            assert!(raw.until_end().1.is_empty(), "something came after the first answer");
        }
    }
    assert_eq!(house.seen.smuggled.load(Ordering::SeqCst), 0);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let house = House::open();
    let mut raw = Raw::connect(house.at);
    let mut all = String::new();
    for n in 0..50 {
        all += &format!("{}{}", post(&n.to_string()), "x".repeat(n));
    }
    raw.send(all);
    for n in 0..50 {
        assert_eq!(raw.answer().text(), n.to_string());
    }
}

#[test]
fn expect_continue_is_answered_when_the_body_is_wanted() {
    let house = House::open();
    let head = |length: &str| {
        format!(
            "POST /count HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n\
             Content-Length: {length}\r\n\r\n"
        )
    };
    let mut raw = Raw::connect(house.at);
    raw.send(head("5"));
    assert_eq!(raw.answer().status, 100);
    raw.send("hello");
    assert_eq!(raw.answer().text(), "5");
    let mut raw = Raw::connect(house.at);
    raw.send(head("99999999"));
    assert_eq!(raw.answer().status, 413);
}

#[test]
fn a_reader_that_stopped_is_cut_off() {
    let house = House::open();
    let mut raw = Raw::connect(house.at);
    raw.send("GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n");
    house.wait_for(Reason::SlowReader, 1);
    house.wait_empty();
    let (_, got) = raw.until_end();
    assert!(got.len() < 64 << 20, "the whole answer was buffered somewhere");
}

#[test]
fn what_is_no_http_is_refused() {
    let house = House::open();
    for bytes in [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00"
            .as_slice(),
        b"GET\r\n\r\n",
        b"GET / HTTP/3.7\r\n\r\n",
        b"G\x00T / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n folded\r\n\r\n",
    ] {
        let mut raw = Raw::connect(house.at);
        raw.send(bytes);
        assert_eq!(raw.answer().status, 400, "{bytes:?}");
        assert!(raw.until_end().1.is_empty());
    }
    let mut raw = Raw::connect(house.at);
    raw.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    raw.until_end();
    house.wait_for(Reason::BadRequest, 7);
    assert_eq!(Raw::connect(house.at).get("/").status, 200);
}

#[test]
fn a_route_that_panics_answers_500_and_the_house_stands() {
    let house = House::open();
    let mut raw = Raw::connect(house.at);
    let answer = raw.get("/panic");
    assert_eq!(answer.status, 500);
    assert!(!answer.text().contains("a route that fails"), "{}", answer.text());
    house.wait_for(Reason::Panic, 1);
    assert_eq!(Raw::connect(house.at).get("/").status, 200);
}

//! What every engine must do alike: a table of cases, run on each.

use super::redis_server::RedisServer;
use super::{Dir, open, open_with, until};
use hearth::error::Kind;
use hearth::store::{BATCH_MAX, Bounds, Config, KEY_MAX, Op, Store, TTL_MAX, VALUE_MAX};
use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

type Case = fn(Store) -> Pin<Box<dyn Future<Output = ()> + Send>>;

macro_rules! cases {
    ($($name:ident),* $(,)?) => {
        &[$((stringify!($name), |store| Box::pin($name(store)))),*]
    };
}

const CASES: &[(&str, Case)] = cases![
    what_was_put_is_read_back,
    what_is_out_of_bounds_is_refused,
    delete_says_whether_it_was_there,
    a_list_is_in_key_order,
    a_large_page_ends_early,
    tables_do_not_mix,
    an_entry_ends_with_its_life,
    a_put_without_lifetime_lives_on,
    the_sweep_takes_only_what_has_ended,
    a_swap_happens_only_on_the_expected_value,
    a_swap_keeps_the_lifetime,
    concurrent_swaps_lose_nothing,
    a_batch_is_done_in_order,
    a_batch_is_never_seen_half,
    an_outbox_is_first_in_first_out,
    an_outbox_refuses_what_is_beyond_its_bounds,
    concurrent_pushes_get_ids_of_their_own,
];

async fn run_all(store: &Store) {
    for (name, case) in CASES {
        eprintln!("case {name}");
        case(store.clone()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn suite_holds_in_memory() {
    run_all(&Store::memory()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn suite_holds_on_disk() {
    let dir = Dir::new();
    let opened = open(dir.path()).await.unwrap();
    run_all(&opened.store).await;
    assert!(opened.tasks.is_ready());
    opened.tasks.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn suite_holds_on_redis() {
    let dir = Dir::new();
    let server = RedisServer::start(dir.path()).await;
    let config = Config { redis_url: server.url(), ..Config::default() };
    let opened = open_with(&config, dir.path()).await.unwrap();
    run_all(&opened.store).await;
    // Another prefix on the same server is another store.
    let other = Config { redis_prefix: "other".into(), ..config };
    let other = open_with(&other, dir.path()).await.unwrap();
    assert_eq!(other.store.get("order", "a").await.unwrap(), None);
    run_all(&other.store).await;
    assert!(!dir.path().join("hearth.redb").exists());
}

async fn what_was_put_is_read_back(store: Store) {
    let large: Vec<u8> = (0..VALUE_MAX).map(|n| (n * 7 % 251) as u8).collect();
    let long = "k".repeat(KEY_MAX);
    let values: [(&str, &[u8]); 8] = [
        ("plain", b"value"),
        ("empty", b""),
        ("bytes", &[0, 255, 1, 13, 10, 128]),
        ("large", &large),
        (&long, b"long key"),
        ("K\u{fc}che/Licht \u{1f4a1}", b"unicode"),
        ("a:b:{c}\0\n d", b"odd key"),
        (" ", b"space"),
    ];
    for (key, value) in values {
        store.put("read-back", key, value, None).await.unwrap();
    }
    for (key, value) in values {
        assert_eq!(store.get("read-back", key).await.unwrap().as_deref(), Some(value), "{key:?}");
    }
    store.put("read-back", "plain", b"other", None).await.unwrap();
    assert_eq!(store.get("read-back", "plain").await.unwrap().unwrap(), b"other");
    assert_eq!(store.get("read-back", "none").await.unwrap(), None);
    assert_eq!(store.get("no-such-table", "plain").await.unwrap(), None);
}

async fn what_is_out_of_bounds_is_refused(store: Store) {
    let invalid = |e: hearth::error::Error, what: &str| {
        assert_eq!(e.kind(), Kind::Invalid, "{e}");
        assert!(e.what().contains(what), "{e}");
    };
    let large = vec![0; VALUE_MAX + 1];
    invalid(store.put("t", "k", &large, None).await.unwrap_err(), "1048577 bytes");
    invalid(store.swap("t", "k", None, Some(&large)).await.unwrap_err(), "1048577 bytes");
    invalid(store.put("t", &"k".repeat(KEY_MAX + 1), b"", None).await.unwrap_err(), "513 bytes");
    invalid(store.put("t", "", b"", None).await.unwrap_err(), "0 bytes");
    let long = "t".repeat(65);
    for name in ["", "T", "1t", "t/x", "t x", "t\0", long.as_str()] {
        invalid(store.put(name, "k", b"", None).await.unwrap_err(), "cannot name a table");
        invalid(store.get(name, "k").await.unwrap_err(), "cannot name a table");
        invalid(store.list(name, "", None, 1).await.unwrap_err(), "cannot name a table");
        let bounds = Bounds { items: 1, bytes: 1 };
        invalid(store.outbox(name, bounds).err().unwrap(), "cannot name a table");
    }
    for ttl in [Duration::ZERO, TTL_MAX + Duration::from_secs(1)] {
        invalid(store.put("t", "k", b"", Some(ttl)).await.unwrap_err(), "1 ms to 100 years");
    }
    store.put("old", "k", b"v", Some(TTL_MAX)).await.unwrap();
    assert!(store.get("old", "k").await.unwrap().is_some());
    let many = vec![Op::put("t", "k", b""); BATCH_MAX + 1];
    invalid(store.batch(many).await.unwrap_err(), "at most 256 operations");
    let heavy = vec![Op::put("t", "k", &large[..VALUE_MAX]); 5];
    invalid(store.batch(heavy).await.unwrap_err(), "split it");
    let one_bad = vec![Op::put("t", "good", b""), Op::put("t", "", b"")];
    invalid(store.batch(one_bad).await.unwrap_err(), "0 bytes");
    assert_eq!(store.get("t", "good").await.unwrap(), None);
}

async fn delete_says_whether_it_was_there(store: Store) {
    store.put("delete", "k", b"", None).await.unwrap();
    assert!(store.delete("delete", "k").await.unwrap());
    assert!(!store.delete("delete", "k").await.unwrap());
    assert_eq!(store.get("delete", "k").await.unwrap(), None);
}

async fn keys(store: &Store, table: &str, prefix: &str, after: Option<&str>, n: usize) -> String {
    let page = store.list(table, prefix, after, n).await.unwrap();
    page.into_iter().map(|(key, _)| key).collect::<Vec<_>>().join(" ")
}

async fn a_list_is_in_key_order(store: Store) {
    for key in ["b/2", "a", "b/10", "b", "c", "b/1", "B", "\u{e4}", "b0", "-x", "[y", "(z"] {
        store.put("order", key, key.as_bytes(), None).await.unwrap();
    }
    let all = "(z -x B [y a b b/1 b/10 b/2 b0 c \u{e4}";
    assert_eq!(keys(&store, "order", "", None, 100).await, all);
    assert_eq!(keys(&store, "order", "b/", None, 100).await, "b/1 b/10 b/2");
    assert_eq!(keys(&store, "order", "b/", Some("b/1"), 100).await, "b/10 b/2");
    assert_eq!(keys(&store, "order", "b/", Some("a"), 1).await, "b/1");
    assert_eq!(keys(&store, "order", "b/", Some("b/2"), 9).await, "");
    assert_eq!(keys(&store, "order", "b/", Some("c"), 9).await, "");
    assert_eq!(keys(&store, "order", "\u{e4}", None, 9).await, "\u{e4}");
    assert_eq!(keys(&store, "order", "", None, 0).await, "");
    let (mut paged, mut after) = (Vec::new(), None);
    loop {
        let page = store.list("order", "", after.as_deref(), 5).await.unwrap();
        let Some((last, _)) = page.last() else { break };
        after = Some(last.clone());
        assert!(page.iter().all(|(key, value)| key.as_bytes() == value));
        paged.extend(page.into_iter().map(|(key, _)| key));
    }
    assert_eq!(paged.join(" "), all);
    store.delete("order", "b/10").await.unwrap();
    assert_eq!(keys(&store, "order", "b/", None, 100).await, "b/1 b/2");
}

async fn a_large_page_ends_early(store: Store) {
    let large = vec![7; VALUE_MAX];
    for n in 0..6 {
        store.put("large", &n.to_string(), &large, None).await.unwrap();
    }
    assert_eq!(keys(&store, "large", "", None, 100).await, "0 1 2 3");
    assert_eq!(keys(&store, "large", "", Some("3"), 100).await, "4 5");
}

async fn tables_do_not_mix(store: Store) {
    for (table, key) in [("mix", "k"), ("mix.k", "k"), ("mixk", "k"), ("mix-", "k")] {
        store.put(table, key, table.as_bytes(), None).await.unwrap();
    }
    assert!(store.delete("mix", "k").await.unwrap());
    assert_eq!(keys(&store, "mix", "", None, 9).await, "");
    assert_eq!(store.get("mix.k", "k").await.unwrap().unwrap(), b"mix.k");
    assert_eq!(keys(&store, "mixk", "", None, 9).await, "k");
}

async fn put_for(store: &Store, table: &str, key: &str, ms: u64) {
    store.put(table, key, b"v", Some(Duration::from_millis(ms))).await.unwrap();
}

async fn is_gone(store: &Store, table: &str, key: &str) {
    until("the entry's life has ended", || async {
        store.get(table, key).await.unwrap().is_none()
    })
    .await;
}

async fn an_entry_ends_with_its_life(store: Store) {
    put_for(&store, "life", "long", 3_600_000).await;
    for key in ["list", "delete", "swap", "none"] {
        put_for(&store, "life", key, 40).await;
    }
    is_gone(&store, "life", "none").await;
    assert_eq!(keys(&store, "life", "", None, 9).await, "long");
    assert!(!store.delete("life", "delete").await.unwrap());
    assert!(!store.swap("life", "swap", Some(b"v"), Some(b"w")).await.unwrap());
    assert!(store.swap("life", "swap", None, Some(b"w")).await.unwrap());
    assert_eq!(keys(&store, "life", "", None, 9).await, "long swap");
    assert_eq!(store.get("life", "long").await.unwrap().unwrap(), b"v");
}

async fn a_put_without_lifetime_lives_on(store: Store) {
    put_for(&store, "on", "again", 40).await;
    put_for(&store, "on", "gone", 40).await;
    store.put("on", "again", b"for ever", None).await.unwrap();
    is_gone(&store, "on", "gone").await;
    store.sweep().await.unwrap();
    assert_eq!(store.get("on", "again").await.unwrap().unwrap(), b"for ever");
    assert_eq!(keys(&store, "on", "", None, 9).await, "again");
}

async fn the_sweep_takes_only_what_has_ended(store: Store) {
    store.sweep().await.unwrap();
    for n in 0..30 {
        put_for(&store, "sweep", &format!("short{n}"), 30).await;
        put_for(&store, "sweep", &format!("long{n}"), 3_600_000).await;
    }
    is_gone(&store, "sweep", "short29").await;
    until("the sweep saw what has ended", || async { store.sweep().await.unwrap() == 0 }).await;
    assert_eq!(store.list("sweep", "", None, 100).await.unwrap().len(), 30);
    assert_eq!(store.list("sweep", "long", None, 100).await.unwrap().len(), 30);
}

async fn a_swap_happens_only_on_the_expected_value(store: Store) {
    let swap = |expected: Option<&'static [u8]>, new: Option<&'static [u8]>| {
        let store = store.clone();
        async move { store.swap("swap", "k", expected, new).await.unwrap() }
    };
    assert!(!swap(Some(b"a"), Some(b"b")).await);
    assert!(swap(None, Some(b"a")).await);
    assert!(!swap(None, Some(b"b")).await);
    assert!(!swap(Some(b"A"), Some(b"b")).await);
    assert_eq!(store.get("swap", "k").await.unwrap().unwrap(), b"a");
    assert!(swap(Some(b"a"), Some(b"")).await);
    assert!(!swap(Some(b"a"), None).await);
    assert!(swap(Some(b""), None).await);
    assert!(swap(None, None).await);
    assert_eq!(keys(&store, "swap", "", None, 9).await, "");
}

async fn a_swap_keeps_the_lifetime(store: Store) {
    put_for(&store, "swap-life", "k", 60).await;
    assert!(store.swap("swap-life", "k", Some(b"v"), Some(b"w")).await.unwrap());
    is_gone(&store, "swap-life", "k").await;
}

async fn concurrent_swaps_lose_nothing(store: Store) {
    let adders = (0..8).map(|_| {
        let store = store.clone();
        async move {
            for _ in 0..10 {
                loop {
                    let old = store.get("counter", "n").await.unwrap();
                    let text = old.as_deref().map_or("0", |old| std::str::from_utf8(old).unwrap());
                    let new = (text.parse::<u32>().unwrap() + 1).to_string();
                    let new = Some(new.as_bytes());
                    if store.swap("counter", "n", old.as_deref(), new).await.unwrap() {
                        break;
                    }
                }
            }
        }
    });
    futures_util::future::join_all(adders).await;
    assert_eq!(store.get("counter", "n").await.unwrap().unwrap(), b"80");
}

async fn a_batch_is_done_in_order(store: Store) {
    store.batch(Vec::new()).await.unwrap();
    let ops = vec![
        Op::put("batch", "a", b"1"),
        Op::put("batch", "a", b"2"),
        Op::delete("batch", "b"),
        Op::put("batch", "b", b"3"),
        Op::put("batch", "c", b"4"),
        Op::delete("batch", "c"),
        Op::put("batch-too", "d", b"5"),
    ];
    store.batch(ops).await.unwrap();
    assert_eq!(store.get("batch", "a").await.unwrap().unwrap(), b"2");
    assert_eq!(keys(&store, "batch", "", None, 9).await, "a b");
    assert_eq!(keys(&store, "batch-too", "", None, 9).await, "d");
}

async fn a_batch_is_never_seen_half(store: Store) {
    let writer = async {
        for n in 0..40 {
            let ops = (0..20).map(|k| Op::put("whole", &k.to_string(), &[n])).collect();
            store.batch(ops).await.unwrap();
        }
    };
    let reader = async {
        let mut last = 0;
        while last < 39 {
            let page = store.list("whole", "", None, 100).await.unwrap();
            let Some((_, first)) = page.first() else { continue };
            assert_eq!(page.len(), 20);
            assert!(page.iter().all(|(_, value)| value == first), "half a batch: {page:?}");
            last = first[0];
        }
    };
    futures_util::future::join(writer, reader).await;
}

async fn an_outbox_is_first_in_first_out(store: Store) {
    let bounds = Bounds { items: 100, bytes: 1000 };
    let (letters, other) =
        (store.outbox("letters", bounds).unwrap(), store.outbox("letter", bounds).unwrap());
    assert_eq!(letters.peek(10).await.unwrap(), []);
    let mut ids = Vec::new();
    for n in 0..12_u8 {
        ids.push(letters.push(&[n]).await.unwrap());
        other.push(b"other").await.unwrap();
    }
    assert!(ids.is_sorted_by(|a, b| a < b));
    assert_eq!(letters.waiting().await.unwrap(), 12);
    let all = letters.peek(100).await.unwrap();
    assert_eq!(all, ids.iter().copied().zip((0..12).map(|n| vec![n])).collect::<Vec<_>>());
    assert_eq!(letters.peek(2).await.unwrap(), all[..2]);
    assert!(letters.ack(ids[1]).await.unwrap());
    assert!(!letters.ack(ids[1]).await.unwrap());
    assert_eq!(letters.peek(2).await.unwrap(), [all[0].clone(), all[2].clone()]);
    for (id, _) in letters.peek(100).await.unwrap() {
        assert!(letters.ack(id).await.unwrap());
    }
    assert_eq!((letters.waiting().await.unwrap(), other.waiting().await.unwrap()), (0, 12));
    assert!(letters.push(b"later").await.unwrap() > ids[11]);
}

async fn an_outbox_refuses_what_is_beyond_its_bounds(store: Store) {
    let outbox = store.outbox("full", Bounds { items: 3, bytes: 10 }).unwrap();
    let first = outbox.push(b"four").await.unwrap();
    outbox.push(b"four").await.unwrap();
    let e = outbox.push(b"four").await.unwrap_err();
    assert_eq!(e.kind(), Kind::Limit);
    assert!(e.what().contains("'full' is full: 2 messages with 8 bytes wait"), "{e}");
    outbox.push(b"2b").await.unwrap();
    assert_eq!(outbox.push(b"").await.unwrap_err().kind(), Kind::Limit);
    assert!(outbox.ack(first).await.unwrap());
    outbox.push(b"four").await.unwrap();
    let waiting = outbox.peek(9).await.unwrap();
    assert_eq!(waiting.iter().map(|(_, m)| m.len()).collect::<Vec<_>>(), [4, 2, 4]);
    let empty = store.outbox("empty", Bounds { items: 1, bytes: 0 }).unwrap();
    for _ in 0..2 {
        let id = empty.push(b"").await.unwrap();
        assert!(empty.ack(id).await.unwrap());
    }
}

async fn concurrent_pushes_get_ids_of_their_own(store: Store) {
    let outbox = store.outbox("crowd", Bounds { items: 50, bytes: 1000 }).unwrap();
    let pushes = (0..60).map(|n: u8| {
        let outbox = outbox.clone();
        async move { outbox.push(&[n]).await }
    });
    let answers = futures_util::future::join_all(pushes).await;
    let ids: BTreeSet<u64> = answers.iter().filter_map(|a| a.as_ref().ok().copied()).collect();
    let refused = answers.iter().filter_map(|a| a.as_ref().err().map(|e| e.kind()));
    assert_eq!(refused.collect::<Vec<_>>(), [Kind::Limit; 10]);
    let waiting = outbox.peek(100).await.unwrap();
    assert_eq!((ids.len(), waiting.len()), (50, 50));
    assert!(waiting.iter().all(|(id, _)| ids.contains(id)));
}

//! Sessions in the store: one suite, on disk and on a real Redis.

use crate::store::redis_server::RedisServer;
use crate::store::{Dir, until};
use futures_util::future::join_all;
use hearth::error::Kind;
use hearth::events::Events;
use hearth::orchestrator::sessions::{Key, Lease, Owner, Receipt, Record, Standing, State, Wish};
use hearth::orchestrator::{Keeper, is_lost};
use hearth::store::{Config, Store};
use hearth::tasks::Tasks;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Long enough that a slow machine renews in time, short enough to be waited for.
const LENGTH: Duration = Duration::from_millis(900);

fn lease(node: &str) -> Lease {
    Lease { node: node.into(), run: "1".into() }
}

fn record(id: &str, lease: Lease) -> Record {
    let owner = Owner { token: 7, name: "tablet".into() };
    Record::new((id, owner), (Wish::default(), 900), lease, 1000.0, None)
}

fn key(id: &str) -> Key {
    Key { token: 7, id: id.into() }
}

async fn suite(store: &Store) {
    only_one_of_many_makes_a_session(store).await;
    a_stale_writer_is_refused(store).await;
    of_many_takers_one_wins_each_epoch(store).await;
    a_lost_answer_is_settled_by_writing_again(store).await;
    everything_is_listed_and_what_is_forgotten_is_gone(store).await;
    a_node_that_is_silent_is_given_up_and_knows_it(store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_hold_on_disk() {
    let (dir, tasks) = (Dir::new(), Tasks::new(Events::new()));
    let store = Store::open(&Config::default(), dir.path(), &tasks).await.unwrap();
    suite(&store).await;
    tasks.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_hold_on_redis() {
    let (dir, tasks) = (Dir::new(), Tasks::new(Events::new()));
    let server = RedisServer::start(dir.path()).await;
    let config = Config { redis_url: server.url(), ..Config::default() };
    let store = Store::open(&config, dir.path(), &tasks).await.unwrap();
    suite(&store).await;
    tasks.stop().await;
}

async fn only_one_of_many_makes_a_session(store: &Store) {
    let keepers: Vec<Keeper> =
        (0..8).map(|n| Keeper::alone(store, lease(&format!("n{n}")))).collect();
    let made = join_all(keepers.iter().map(|k| k.write(None, record("one", k.lease())))).await;
    assert_eq!(made.iter().filter(|made| made.is_ok()).count(), 1);
    assert!(made.iter().filter_map(|made| made.as_ref().err()).all(is_lost));
    let winner = made.into_iter().find_map(Result::ok).unwrap();
    let there = keepers[0].get(&key("one")).await.unwrap().unwrap();
    assert_eq!(there.record, winner.record);
    // Another owner's session of that id is another one.
    let other = Key { token: 8, id: "one".into() };
    assert!(keepers[0].get(&other).await.unwrap().is_none());
}

async fn a_stale_writer_is_refused(store: &Store) {
    let (old, new) = (Keeper::alone(store, lease("old")), Keeper::alone(store, lease("new")));
    let held = old.write(None, record("stale", old.lease())).await.unwrap();
    let taken = new.write(Some(&held), held.record.next(new.lease())).await.unwrap();
    assert_eq!(taken.record.epoch, held.record.epoch + 1);
    for late in [held.record.used_at(2000.0), held.record.ended(1.0, "x", Receipt::default())] {
        let e = old.write(Some(&held), late).await.unwrap_err();
        assert!(is_lost(&e), "{e}");
    }
    assert!(!old.forget(&held).await.unwrap());
    let there = old.get(&key("stale")).await.unwrap().unwrap();
    assert_eq!(there.record, taken.record);
}

/// Sixteen nodes take one session from each other as fast as they can.
async fn of_many_takers_one_wins_each_epoch(store: &Store) {
    let first = Keeper::alone(store, lease("first"));
    first.write(None, record("torn", first.lease())).await.unwrap();
    let take = |n: usize| async move {
        let own = Keeper::alone(store, lease(&format!("taker{n}")));
        let mut won = Vec::new();
        while won.len() < 10 {
            let there = own.get(&key("torn")).await.unwrap().unwrap();
            match own.write(Some(&there), there.record.next(own.lease())).await {
                Ok(held) => won.push(held.record.epoch),
                Err(e) => assert!(is_lost(&e), "{e}"),
            }
        }
        won
    };
    let won: Vec<u64> = join_all((0..16).map(take)).await.concat();
    let epochs: BTreeSet<u64> = won.iter().copied().collect();
    assert_eq!(epochs.len(), 160, "an epoch has two writers");
    assert_eq!(epochs.last(), Some(&(1000 + 160)), "an epoch was skipped or lost");
}

async fn a_lost_answer_is_settled_by_writing_again(store: &Store) {
    let own = Keeper::alone(store, lease("own"));
    let held = own.write(None, record("again", own.lease())).await.unwrap();
    // The answer to this one never came: its writer still compares with what was before.
    let used = held.record.used_at(2000.0);
    own.write(Some(&held), used.clone()).await.unwrap();
    let again = own.write(Some(&held), used.clone()).await.unwrap();
    assert_eq!(again.record, used);
    let later = own.write(Some(&held), held.record.used_at(3000.0)).await.unwrap();
    assert_eq!(own.get(&key("again")).await.unwrap().unwrap().record, later.record);
}

async fn everything_is_listed_and_what_is_forgotten_is_gone(store: &Store) {
    let own = Keeper::alone(store, lease("own"));
    for n in 0..30 {
        own.write(None, record(&format!("many-{n:02}"), own.lease())).await.unwrap();
    }
    let many = |all: Vec<hearth::orchestrator::Held>| {
        all.into_iter().filter(|held| held.record.id.starts_with("many-")).collect::<Vec<_>>()
    };
    let all = many(own.all().await.unwrap());
    assert_eq!(all.len(), 30);
    let ended = all[3].record.ended(1.0, "by its owner", Receipt::default());
    let ended = own.write(Some(&all[3]), ended).await.unwrap();
    assert!(matches!(ended.record.state, State::Ended(_)));
    assert!(own.forget(&ended).await.unwrap());
    assert_eq!(many(own.all().await.unwrap()).len(), 29);
    assert!(own.get(&all[3].key()).await.unwrap().is_none());
    // One that another version wrote harms nobody.
    store.put("orchestrator-sessions", &key("odd").text(), b"{\"v\":9}", None).await.unwrap();
    assert_eq!(many(own.all().await.unwrap()).len(), 29);
    assert_eq!(own.get(&key("odd")).await.unwrap_err().kind(), Kind::Broken);
    store.delete("orchestrator-sessions", &key("odd").text()).await.unwrap();
}

async fn a_node_that_is_silent_is_given_up_and_knows_it(store: &Store) {
    let [a, b] =
        ["a", "b"].map(|node| Keeper::among_others(store, lease(node), LENGTH, "http://x"));
    assert!(a.check_trust().is_err(), "it has not joined");
    for node in [&a, &b] {
        node.join().await.unwrap();
        node.check_trust().unwrap();
    }
    let held = a.write(None, record("kept", a.lease())).await.unwrap();
    assert_eq!(b.standing(&held.record).await.unwrap(), Standing::Other);
    assert_eq!(b.url_of("a").await.unwrap().as_deref(), Some("http://x"));
    // Both renew: nobody gives up anybody, though more than a lease goes by.
    let began = Instant::now();
    until("a lease and a half has gone by", || async {
        for node in [&a, &b] {
            node.renew().await.unwrap();
            assert_eq!(node.look_at_nodes().await.unwrap(), Vec::<String>::new());
        }
        began.elapsed() > LENGTH * 3 / 2
    })
    .await;
    // Now a is silent. It stops trusting itself before b gives it up.
    let mut stopped = false;
    until("b gives a up", || async {
        b.renew().await.unwrap();
        let given_up = b.look_at_nodes().await.unwrap();
        let stopped_now = a.check_trust().is_err();
        assert!(given_up.is_empty() || stopped_now, "both act at once");
        given_up == ["a"]
    })
    .await;
    stopped |= a.check_trust().is_err();
    assert!(stopped);
    assert_eq!(b.standing(&held.record).await.unwrap(), Standing::Orphaned);
    let taken = b.write(Some(&held), held.record.next(b.lease())).await.unwrap();
    // It comes back: it is told, and what it writes is refused.
    assert!(is_lost(&a.renew().await.unwrap_err()));
    assert!(a.check_trust().is_err());
    assert!(is_lost(&a.write(Some(&held), held.record.used_at(9e9)).await.unwrap_err()));
    a.begin_anew("2");
    a.join().await.unwrap();
    a.check_trust().unwrap();
    assert_eq!(a.standing(&taken.record).await.unwrap(), Standing::Other);
    assert_eq!(a.standing(&held.record).await.unwrap(), Standing::Former);
}

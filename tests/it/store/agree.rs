//! The engines must not only pass the same cases but answer alike, whatever is asked.

use super::redis_server::RedisServer;
use super::{Dice, Dir, open, open_with};
use hearth::store::{Bounds, Config, Op, Store};

/// Does the same random changes on all engines and compares every answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn engines_agree_on_random_changes() {
    let dir = Dir::new();
    let server = RedisServer::start(dir.path()).await;
    let config = Config { redis_url: server.url(), ..Config::default() };
    let redis = open_with(&config, dir.path()).await.unwrap();
    let disk = open(dir.path()).await.unwrap();
    let engines = [Store::memory(), disk.store.clone(), redis.store.clone()];
    let mut dice = Dice::new();
    for round in 0..1500 {
        let seed = dice.below(u64::MAX);
        let mut answers = Vec::new();
        for store in &engines {
            answers.push(random_call(store, &mut Dice::from(seed)).await);
        }
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{round}: {answers:#?}");
    }
    disk.tasks.stop().await;
    redis.tasks.stop().await;
}

/// Makes one call and returns its answer as text.
async fn random_call(store: &Store, dice: &mut Dice) -> String {
    let table = ["a", "ab", "a.b"][dice.below(3) as usize];
    let mut key = || ["x", "x:", "xy", "x/1", "x/2", "y", "\u{e9}", "Z"][dice.below(8) as usize];
    let (one, two) = (key(), key());
    let outbox = store.outbox(table, Bounds { items: 6, bytes: 30 }).unwrap();
    let value = vec![dice.below(3) as u8; dice.below(8) as usize];
    let some = |dice: &mut Dice| (dice.below(3) > 0).then_some(&value[..value.len().min(1)]);
    match dice.below(8) {
        0 => format!("put {:?}", store.put(table, one, &value[..value.len().min(1)], None).await),
        1 => format!("delete {:?}", store.delete(table, one).await),
        2 => {
            let (expected, new) = (some(dice), some(dice));
            format!("swap {:?}", store.swap(table, one, expected, new).await)
        }
        3 => {
            let ops =
                vec![Op::put(table, one, &value), Op::delete(table, two), Op::put(two, one, &[])];
            // The third names a table by a key: some of them are none, and then nothing happens.
            format!("batch {:?}", store.batch(ops).await)
        }
        4 => format!("push {:?}", outbox.push(&value).await),
        5 => {
            let oldest = outbox.peek(1).await.unwrap().first().map_or(1, |message| message.0);
            let id = oldest + dice.below(2);
            format!("ack {id} {:?} {:?}", outbox.ack(id).await, outbox.waiting().await)
        }
        6 => format!("peek {:?}", outbox.peek(dice.below(5) as usize).await),
        _ => {
            let prefix = ["", one, "x", "x/"][dice.below(4) as usize];
            let (after, limit) = ((dice.below(2) == 0).then_some(two), dice.below(6) as usize);
            let page = store.list(table, prefix, after, limit).await;
            format!("list {prefix} {after:?} {limit} {page:?} {:?}", store.get(table, one).await)
        }
    }
}

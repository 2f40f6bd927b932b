//! How long it takes from an order to the first answer of our worker behind all guards. With
//! `HEARTH_BENCH_BINARY` another build than the tests' own is measured: the shipped one.

use crate::harness::Folder;
use crate::sandbox::rig::Rig;
use hearth::orchestrator::kernel::Kernel;
use hearth::orchestrator::sandbox::{Level, Program};
use std::time::Instant;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const TIMES: usize = 40;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures; run it alone"]
async fn cold_starts_are_measured() {
    let data = Folder::new();
    let rig = Rig::new(data.path());
    for level in [Level::Apart, Level::Confined, Level::Filtered] {
        if !rig.offers(level).await {
            continue;
        }
        let mut times = Vec::new();
        for n in 0..TIMES {
            let mut order = rig.order(&format!("cold-{n}"), &[], &[]);
            order.program = Program::Worker;
            let began = Instant::now();
            let mut sandbox = rig.start(&order, level, Kernel::guards(level)).await;
            let ping = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n";
            sandbox.stdin.write_all(ping).await.unwrap();
            sandbox.stdout.read_u8().await.unwrap();
            times.push(began.elapsed().as_secs_f64() * 1000.0);
            sandbox.hold.end().await.unwrap();
        }
        times.sort_by(f64::total_cmp);
        println!(
            "cold start at level {}: {:.1} ms (middle), {:.1} ms (worst of {TIMES})",
            level.number(),
            times[TIMES / 2],
            times[TIMES - 1]
        );
    }
    rig.close().await;
}

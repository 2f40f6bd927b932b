//! The only connection to a house: opens it, keeps it, opens it again.
//!
//! One supervised task per house. It writes what it hears into the house's cache and onto the bus;
//! whoever wants something of Home Assistant asks through [`link::Link`]. While the house is away it
//! tries again, at first soon, then less often; it never ends the program.

pub(crate) mod dial;
mod keep;
pub(crate) mod link;
pub(crate) mod session;
mod wire;

pub(crate) use keep::read_services;

use crate::error::Error;
use crate::home::house::House;
use session::End;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// A connection that held this long starts the pauses anew.
const STEADY: Duration = Duration::from_secs(10);

/// Keeps the connection to `house` until `stop`.
///
/// # Errors
/// Never; the return type is what supervision expects.
pub(crate) async fn run(
    house: Arc<House>,
    reach: dial::Reach,
    stop: CancellationToken,
) -> Result<(), Error> {
    let mut failures = 0;
    loop {
        let began = Instant::now();
        let end = tokio::select! {
            () = stop.cancelled() => {
                house.leave();
                return Ok(());
            }
            end = once(&house, &reach) => end,
        };
        if began.elapsed() >= STEADY {
            failures = 0;
        }
        let pause = match end {
            End::Refused(why) => {
                house.lost(&why);
                house.refused
            }
            End::Lost(e) => {
                house.lost(&e.to_string());
                failures += 1;
                pause(failures, house.retry, jitter())
            }
        };
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(pause) => {}
        }
    }
}

async fn once(house: &House, reach: &dial::Reach) -> End {
    match dial::open(&house.address, reach, house.most_message).await {
        Ok(socket) => session::run(house, socket).await,
        Err(e) => End::Lost(e),
    }
}

/// Doubles with each failure in a row up to `most`; between half of that and all of it, so that many
/// clients of one house do not come back at the same moment.
fn pause(failures: u32, most: Duration, jitter: f64) -> Duration {
    let full = FIRST_PAUSE.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(most);
    full.mul_f64(0.5 + jitter / 2.0)
}

/// A number from 0 to 1 that differs from process to process and call to call.
fn jitter() -> f64 {
    let random = std::hash::RandomState::new().build_hasher().finish();
    (random >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_limit_and_vary() {
        let most = Duration::from_secs(30);
        let check = |failures, jitter, millis| {
            assert_eq!(pause(failures, most, jitter), Duration::from_millis(millis), "{failures}");
        };
        check(1, 1.0, 100);
        check(1, 0.0, 50);
        check(4, 1.0, 800);
        check(20, 1.0, 30_000);
        check(u32::MAX, 0.0, 15_000);
        assert!((0.0..1.0).contains(&jitter()));
    }
}

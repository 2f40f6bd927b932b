//! The port of the broker: takes connections, each a task of its own, and does what is due.

use crate::config::Secret;
use crate::error::Error;
use crate::mqtt::broker::access::Access;
use crate::mqtt::broker::config::Embedded;
use crate::mqtt::broker::connection;
use crate::mqtt::broker::core::Core;
use crate::tasks::Tasks;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

/// Connections that have not said who they are yet, beside those that have.
const STRANGERS: usize = 64;
/// Time between two looks at what is due, at least.
const PAUSE: Duration = Duration::from_millis(20);

/// What all connections share.
pub(super) struct Edge {
    core: Mutex<Core>,
    pub(super) access: Access,
    /// Something may be due earlier than was thought.
    pub(super) sooner: Notify,
    room: Arc<Semaphore>,
    tasks: Tasks,
    pub(super) packet: usize,
}

impl Edge {
    pub(super) fn new(config: &Embedded, own: Secret, tasks: &Tasks) -> Edge {
        Edge {
            core: Mutex::new(Core::new(config.limits(), Instant::now())),
            access: Access::new(config, own),
            sooner: Notify::new(),
            room: Arc::new(Semaphore::new(config.max_clients + STRANGERS)),
            tasks: tasks.clone(),
            packet: config.max_packet_bytes,
        }
    }

    pub(super) fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens the port.
pub(super) fn listen(host: &str, port: u16) -> Result<(TcpListener, SocketAddr), Error> {
    let bad = |e: std::io::Error| {
        let what = format!(
            "the MQTT broker cannot listen on {host} port {port} (mqtt.embedded.host and .port)"
        );
        Error::broken(what).because(e)
    };
    let listener = StdListener::bind((host, port)).map_err(bad)?;
    listener.set_nonblocking(true).map_err(bad)?;
    let address = listener.local_addr().map_err(bad)?;
    Ok((TcpListener::from_std(listener).map_err(bad)?, address))
}

/// Takes clients and does what is due, until the end.
pub(super) async fn run(
    edge: Arc<Edge>,
    listener: Arc<TcpListener>,
    stop: CancellationToken,
) -> Result<(), Error> {
    let mut due = Instant::now();
    let mut looked = due;
    loop {
        tokio::select! {
            () = stop.cancelled() => {
                edge.core().shut();
                return Ok(());
            }
            () = tokio::time::sleep_until(due.max(looked + PAUSE).into()) => {
                looked = Instant::now();
                due = edge.core().tick(looked);
            }
            () = edge.sooner.notified() => due = Instant::now(),
            client = listener.accept() => match client {
                Ok((stream, from)) => receive(&edge, stream, from),
                // Out of files, most often: those that are there go on.
                Err(e) => {
                    log::warn!("the MQTT broker cannot take a client: {e}");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

fn receive(edge: &Arc<Edge>, stream: TcpStream, from: SocketAddr) {
    let Ok(place) = edge.room.clone().try_acquire_owned() else {
        log::warn!("the MQTT broker has no room for {from}");
        return;
    };
    let (edge, tasks) = (edge.clone(), edge.tasks.clone());
    drop(tasks.job(async move {
        let _place = place;
        connection::serve(&edge, stream, from).await;
    }));
}

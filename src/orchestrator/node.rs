//! This node among those that share a store: its name, its run, and its word, renewed again and again.

use crate::error::Error;
use crate::orchestrator::{Orchestrator, is_lost};
use crate::tasks::Whose;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Where the name is kept, below the data folder.
const FILE: &str = "node-name";

/// Returns this node's name, made at the first start and kept with the data.
///
/// # Errors
/// Broken when the file cannot be read or written.
pub(super) fn name(data_dir: &Path) -> Result<String, Error> {
    let path = data_dir.join(FILE);
    let broken = |e: std::io::Error| {
        Error::broken(format!("cannot keep this node's name in {}", path.display())).because(e)
    };
    match std::fs::read_to_string(&path) {
        Ok(text) if is_name(text.trim()) => return Ok(text.trim().to_owned()),
        Ok(_) => {
            let text = "holds no name of a node; delete it, and this node gets a new one";
            return Err(Error::broken(format!("{} {text}", path.display())));
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        Err(e) => return Err(broken(e)),
    }
    let name = format!("n-{}", run()?);
    std::fs::create_dir_all(data_dir).map_err(broken)?;
    let mut file = std::fs::File::create(&path).map_err(broken)?;
    file.write_all(format!("{name}\n").as_bytes()).map_err(broken)?;
    file.sync_all().map_err(broken)?;
    Ok(name)
}

fn is_name(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=40).contains(&text.len()) && text.bytes().all(plain)
}

/// Makes up a run.
pub(super) fn run() -> Result<String, Error> {
    let random = crate::policy::random_token()?;
    Ok(random.get(..12).unwrap_or(&random).to_owned())
}

/// Renews this node's word three times in each lease, and looks who is silent.
pub(super) async fn run_beside(
    own: Orchestrator,
    length: Duration,
    stop: CancellationToken,
) -> Result<(), Error> {
    let status = own.shared.tasks.status("nodes", Whose::Own);
    let keeper = &own.shared.keeper;
    let mut joined = false;
    loop {
        let done = match joined {
            false => keeper.join().await,
            true => keeper.renew().await,
        };
        match done {
            Ok(()) => {
                joined = true;
                status.up();
                match keeper.look_at_nodes().await {
                    Ok(given_up) => given_up.iter().for_each(|node| {
                        log::warn!(
                            "the node {node} was silent for too long; its sessions are free"
                        );
                    }),
                    Err(e) => log::debug!("the other nodes cannot be looked at: {e}"),
                }
            }
            Err(e) if is_lost(&e) => {
                log::warn!("this node lost its sessions: {e}");
                own.let_all_go().await;
                keeper.begin_anew(&run()?);
                joined = false;
                continue;
            }
            Err(e) => status.degraded(e.to_string()),
        }
        tokio::select! {
            () = tokio::time::sleep(length / 6) => {}
            () = stop.cancelled() => return Ok(()),
        }
    }
}

//! `hearth mcp`: MCP on standard input and output, for a client that starts programs.

use crate::app::cli::Options;
use crate::app::config::{self, Config};
use crate::app::{demo_house, logs, start};
use crate::error::Error;
use crate::events::Events;
use crate::home;
use crate::http::mdns::Mdns;
use crate::mcp::stdio::Hello;
use crate::mcp::{self, Mcp, Toolbox};
use crate::policy::Policy;
use crate::store::Store;
use crate::tasks::Tasks;
use std::process::ExitCode;
use std::time::Duration;

/// Relays to the running daemon, or serves in-process when there is none (or for the demo).
pub(super) fn run(options: &Options, service: Option<&str>, demo: bool) -> Result<ExitCode, Error> {
    let found = config::find(options);
    let hello = Hello { service: service.map(str::to_owned), token: None };
    let runtime = small_runtime()?;
    if !demo && relay(&runtime, found.config(), &hello)? {
        // The reader of standard input may still hang in a read.
        runtime.shutdown_timeout(Duration::from_millis(100));
        return Ok(ExitCode::SUCCESS);
    }
    let mut config = if demo { demo_house::settle(found, options)? } else { found.whole()? };
    if config.general.log_level == "info" {
        // Clients show what comes on standard error as trouble.
        config.general.log_level = "warn".into();
    }
    logs::start(&config.general)?;
    runtime.block_on(async {
        let events = Events::new();
        let tasks = Tasks::new(events.clone());
        let done = serve(config, &hello, demo, &events, &tasks).await;
        tasks.stop().await;
        done
    })?;
    runtime.shutdown_timeout(Duration::from_millis(100));
    Ok(ExitCode::SUCCESS)
}

/// Relays to the daemon; false when there is none.
fn relay(runtime: &tokio::runtime::Runtime, config: &Config, hello: &Hello) -> Result<bool, Error> {
    runtime.block_on(async {
        match mcp::stdio::dial(&config.data_dir.join(start::MCP_SOCKET)).await? {
            Some(line) => mcp::stdio::relay(line, hello).await.map(|()| true),
            None => Ok(false),
        }
    })
}

async fn serve(
    mut config: Config,
    hello: &Hello,
    demo: bool,
    events: &Events,
    tasks: &Tasks,
) -> Result<(), Error> {
    // Nobody can answer on a page here.
    config.policy.approval_wait_seconds = 0;
    // In memory: several of these may run at once beside a daemon that holds the store.
    let store = Store::memory();
    let folder = config.data_dir.is_dir().then_some(config.data_dir.as_path());
    let policy = Policy::start(&config.policy, &store, events, tasks, folder).await?;
    if demo {
        demo_house::start(&mut config, tasks).await?;
    }
    let toolbox = Toolbox::new(&config.mcp, &policy);
    let home = start::start_home(&config, events, tasks, &policy, &store, &Mdns::new(tasks))?;
    home::offer(&home, &toolbox);
    let title = if demo { "Hearth (demo house)" } else { "Hearth" };
    let about = mcp::About { title: title.into(), version: env!("CARGO_PKG_VERSION").into() };
    let mcp = Mcp::new(&toolbox, events, tasks, about)?;
    mcp::stdio::serve_stdio(&mcp, hello).await
}

/// One thread is enough for one client.
fn small_runtime() -> Result<tokio::runtime::Runtime, Error> {
    tokio::runtime::Builder::new_current_thread()
        .max_blocking_threads(8)
        .thread_stack_size(512 * 1024)
        .enable_all()
        .build()
        .map_err(|e| Error::broken("cannot start the runtime").because(e))
}

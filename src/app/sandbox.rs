//! `hearth sandbox probe`: which sandboxes this machine allows this user, without a running Hearth.

use crate::app::cli::Options;
use crate::app::{config, say, start};
use crate::error::Error;
use crate::events::Events;
use crate::orchestrator::kernel::{Kernel, Settings, report};
use crate::tasks::Tasks;
use std::process::ExitCode;

/// Prints the report; the exit code is 1 when there is no level at all.
pub(super) fn probe(options: &Options) -> Result<ExitCode, Error> {
    let config = config::find(options).for_client()?;
    let binary = std::env::current_exe()
        .map_err(|e| Error::broken("cannot find our own binary").because(e))?;
    let runtime = start::runtime()?;
    let (text, is_any) = runtime.block_on(async {
        let tasks = Tasks::new(Events::new());
        let node = format!("probe {}", std::process::id());
        let settings = Settings { binary, data: config.data_dir.clone(), node };
        let kernel = Kernel::new(settings, &tasks);
        let probed = kernel.probe().await;
        let said = (report(probed), probed.level().is_ok());
        kernel.clear().await;
        tasks.stop().await;
        said
    });
    say(&text);
    Ok(if is_any { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

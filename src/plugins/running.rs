//! The scripts that run: starts, replaces and stops them as their files come, change and go.

use crate::error::Error;
use crate::mcp::Toolbox;
use crate::plugins::folder::{self, Code, Watcher};
use crate::plugins::offer::{Job, Offered};
use crate::plugins::report::Report;
use crate::plugins::script::{self, Start};
use crate::plugins::{Plugins, Shared, examples};
use crate::tasks::Status;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Editors write in several steps; the folder is read once it was quiet for so long.
const SETTLE: Duration = Duration::from_millis(80);
/// So many calls of a script's tools may wait for it.
const JOBS: usize = 16;
/// The stack of a script's thread: Lua nests its C functions 200 deep.
const STACK: usize = 4 << 20;
/// A tool's call may wait so much longer than its run may take: for the run before it.
const TURN: Duration = Duration::from_secs(5);

struct Script {
    code: Code,
    stop: CancellationToken,
    report: Report,
    tools: Vec<&'static str>,
    /// A script whose jobs cannot come from anywhere ends; so this is held even without tools.
    jobs: Option<mpsc::Sender<Job>>,
}

/// What runs now. Dropping it stops all of it.
struct Running {
    scripts: BTreeMap<String, Script>,
    toolbox: Toolbox,
}

impl Drop for Running {
    fn drop(&mut self) {
        std::mem::take(&mut self.scripts).into_values().for_each(|s| end(&self.toolbox, s));
    }
}

fn end(toolbox: &Toolbox, script: Script) {
    script.stop.cancel();
    script.tools.iter().for_each(|tool| toolbox.remove_tool(tool));
}

/// A script that was read, or could not be: its name, its start, what it offers.
type Read = (String, CancellationToken, Result<Vec<Offered>, String>, mpsc::Sender<Job>);

/// Runs the scripts of the folder until `stop`.
pub(super) async fn run(
    plugins: Plugins,
    status: Status,
    stop: CancellationToken,
) -> Result<(), Error> {
    let shared = &plugins.shared;
    let (read, mut were_read) = mpsc::unbounded_channel::<Read>();
    let toolbox = shared.toolbox.clone();
    let mut running = Running { scripts: BTreeMap::new(), toolbox };
    loop {
        // A new one each time: the folder may have come, gone or been replaced.
        let mut watcher = Watcher::new(&shared.folder)?;
        let path = shared.folder.clone();
        let read_all = move || {
            examples::write(&path);
            folder::read(&path)
        };
        let found = shared.tasks.blocking(read_all).await?;
        update(shared, &mut running, found, &stop, &read);
        show(shared, &running, &status);
        let mut quiet = None;
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                Some(done) = were_read.recv() => {
                    took(shared, &mut running, done);
                    show(shared, &running, &status);
                }
                told = watcher.told() => {
                    told?;
                    quiet = Some(Instant::now() + SETTLE);
                }
                () = script::at(quiet) => break,
            }
        }
    }
}

/// Starts what is new or changed and stops what is gone or changed.
fn update(
    shared: &Arc<Shared>,
    running: &mut Running,
    found: BTreeMap<String, (String, Code)>,
    stop: &CancellationToken,
    read: &mpsc::UnboundedSender<Read>,
) {
    let is_same = |name: &String, script: &Script| {
        found.get(name).is_some_and(|(_, code)| *code == script.code)
    };
    let gone: Vec<String> =
        running.scripts.iter().filter(|(n, s)| !is_same(n, s)).map(|(n, _)| n.clone()).collect();
    for name in gone {
        if let Some(script) = running.scripts.remove(&name) {
            end(&running.toolbox, script);
            if !found.contains_key(&name) {
                log::info!("the script {name} is gone");
            }
        }
    }
    for (name, (file, code)) in found {
        if running.scripts.contains_key(&name) {
            continue;
        }
        let report = Report::new(&super::plain(&name, 40), &super::plain(&file, 60));
        let stop = stop.child_token();
        match &code {
            Err(why) => report.failed(why),
            Ok(text) => start(shared, &name, &file, text, &report, &stop, read),
        }
        running.scripts.insert(name, Script { code, stop, report, tools: Vec::new(), jobs: None });
    }
}

fn start(
    shared: &Arc<Shared>,
    name: &str,
    file: &str,
    code: &[u8],
    report: &Report,
    stop: &CancellationToken,
    read: &mpsc::UnboundedSender<Read>,
) {
    let (jobs, waiting) = mpsc::channel(JOBS);
    let (tell, told) = oneshot::channel();
    let identity = format!("plugin:{name}");
    let start = Start {
        name: name.to_owned(),
        file: file.to_owned(),
        code: code.to_vec(),
        config: shared.config.clone(),
        zone: shared.zone.clone(),
        caller: shared.toolbox.policy().acting(&identity, &shared.config.grant()),
        toolbox: shared.toolbox.clone(),
        store: shared.store.clone(),
        events: shared.events.clone(),
        runtime: shared.tasks.runtime(),
        stop: stop.clone(),
        report: report.clone(),
        jobs: waiting,
        read: tell,
    };
    if let Err(e) = shared.tasks.aside(&identity, STACK, move || script::run(start)) {
        return report.failed(&e.to_string());
    }
    let (name, stop, read) = (name.to_owned(), stop.clone(), read.clone());
    shared.tasks.job(async move {
        let gone = || Err("it ended while it was read; the log says why".to_owned());
        let done = told.await.unwrap_or_else(|_| gone());
        // Nobody waits for it any more when Hearth ends.
        let _ = read.send((name, stop, done, jobs));
    });
}

/// Takes in what became of reading a script, unless it was replaced meanwhile.
fn took(shared: &Shared, running: &mut Running, (name, stop, done, jobs): Read) {
    let Some(script) = running.scripts.get_mut(&name).filter(|_| !stop.is_cancelled()) else {
        return;
    };
    let offered = match done {
        Ok(offered) => offered,
        Err(why) => return script.report.failed(&why),
    };
    let time = Duration::from_secs(shared.config.seconds) + TURN;
    script.tools = offered.iter().map(|offered| offered.name).collect();
    let tools = script.tools.clone();
    if !offered.is_empty() {
        let tools = offered.into_iter().map(|offered| offered.tool(jobs.clone(), time)).collect();
        shared.toolbox.add_tools(tools);
    }
    script.jobs = Some(jobs);
    // Whoever reads that it runs can call what it offers.
    script.report.change(|facts| {
        facts.state = "running";
        facts.tools.clone_from(&tools);
        log::info!("the script {} runs", facts.file);
    });
}

/// Puts what is known where the routes read it, and says how it goes in `/health`.
fn show(shared: &Shared, running: &Running, status: &Status) {
    let reports: Vec<Report> = running.scripts.values().map(|s| s.report.clone()).collect();
    let failed: Vec<String> = reports
        .iter()
        .map(Report::facts)
        .filter_map(|facts| Some(format!("{}: {}", facts.file, facts.error?)))
        .collect();
    *shared.reports.lock().unwrap_or_else(PoisonError::into_inner) = reports;
    match failed.first() {
        None => status.up(),
        Some(first) => {
            let (bad, all) = (failed.len(), running.scripts.len());
            status.degraded(format!("{bad} of {all} scripts do not run; {first}"));
        }
    }
}

//! An order turned into what the first process is told. Pure, but for looking where folders are.

use crate::error::Error;
use crate::http::peer;
use crate::orchestrator::egress;
use crate::orchestrator::first::{BINARY, Filter, Guards, Inner, Limits, Outer, Run};
use crate::orchestrator::kernel::cgroup::Groups;
use crate::orchestrator::kernel::{Settings, hash, user};
use crate::orchestrator::sandbox::{Level, Order, Program};
use std::path::{Path, PathBuf};

/// All that is needed to start one sandbox.
pub(super) struct Job {
    pub(super) name: String,
    pub(super) level: Level,
    /// The user that it runs as; Hearth's own when there is none.
    pub(super) user: Option<u32>,
    pub(super) outer: Outer,
    pub(super) inner: Inner,
    pub(super) asked: crate::orchestrator::sandbox::Limits,
}

/// Where programs are looked for when the order's environment does not say.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The guards of a level.
pub(super) fn guards(level: Level) -> Guards {
    let same_user = !user::are_apart();
    let apart = level == Level::Apart;
    Guards {
        root: apart,
        network: apart,
        // Where the kernel has none, level 3 stands without it; level 2 does not.
        landlock: level >= Level::Confined,
        filter: match level {
            Level::Apart | Level::Container => Filter::Apart,
            Level::Confined => Filter::Confined { same_user },
            Level::Filtered => Filter::Worker,
        },
        limits: true,
    }
}

/// Makes the job of an order, all but the socket of its way out.
///
/// # Errors
/// Refused below the program's least level, for an image, for egress where there is no network of
/// its own, and for reading Hearth's data; Invalid for a name that cannot be.
pub(super) fn job(
    settings: &Settings,
    groups: &Groups,
    order: &Order,
    level: Level,
    guards: Guards,
) -> Result<Job, Error> {
    check(settings, order, level)?;
    let user = user::next();
    let scratch = (level == Level::Confined).then(|| {
        let home = std::env::temp_dir().join(format!("hearth-{:012x}", hash(&settings.node)));
        home.join(&order.name)
    });
    let home = scratch.clone().unwrap_or_else(|| "/tmp".into());
    let mut environment: std::collections::BTreeMap<String, String> =
        [("PATH", PATH.into()), ("HOME", text(&home)), ("TMPDIR", text(&home))]
            .map(|(name, value)| (name.to_owned(), value))
            .into();
    if !order.egress.is_empty() {
        let found = egress::environment().into_iter();
        environment.extend(found.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
    environment.extend(order.environment.iter().map(|(n, v)| (n.clone(), v.reveal().to_owned())));
    let (run, reads) = match &order.program {
        Program::Worker => (worker(settings, order, level, &home), Vec::new()),
        Program::Command { argv, reads } => (Run::Program(argv.clone()), reads.clone()),
        Program::Image { .. } => return Err(Error::refused("an image needs a container engine")),
    };
    let inner = Inner {
        guards,
        run,
        environment,
        binary: settings.binary.clone(),
        reads,
        scratch,
        egress: None,
        limits: limits(groups, order, level, user),
    };
    // The name alone could have run before; what it left must not look like this one.
    let own = hash(&format!("{} {} {user:?}", order.name, std::process::id()));
    let mark = ((peer::MARK - 1) << 48 | own, peer::MARK << 48 | hash(&settings.node));
    let outer = Outer { parent: std::process::id(), mark, apart: level == Level::Apart };
    Ok(Job { name: order.name.clone(), level, user, outer, inner, asked: order.limits })
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn worker(settings: &Settings, order: &Order, level: Level, home: &Path) -> Run {
    let binary = match level {
        // Nothing can be opened there, so its files are in memory; they count as scratch.
        Level::Filtered => {
            return Run::Memory(usize::try_from(order.limits.scratch_bytes).unwrap_or(usize::MAX));
        }
        Level::Apart => BINARY.into(),
        _ => text(&settings.binary),
    };
    Run::Program(vec![binary, "worker".into(), "--root".into(), text(home)])
}

/// What is not limited by a control group is limited for each process, or for the user.
fn limits(groups: &Groups, order: &Order, level: Level, user: Option<u32>) -> Limits {
    let asked = &order.limits;
    let alone = level == Level::Apart || user.is_some();
    // Of the user's processes those outside count too; a namespace or a user of its own has none.
    let others = if alone { 0 } else { processes_of_user() };
    Limits {
        data: (!groups.limits_memory()).then_some(asked.memory_bytes),
        processes: Some(
            u64::from(asked.processes)
                + others
                + if level == Level::Apart { 1 } else { 2 }
                + u64::from(!order.egress.is_empty()),
        ),
        files: Some(u64::from(asked.open_files)),
        file_bytes: (level == Level::Confined).then_some(asked.scratch_bytes),
        scratch: asked.scratch_bytes,
    }
}

/// Threads of this user that run now.
fn processes_of_user() -> u64 {
    let own = nix::unistd::getuid().as_raw();
    let Ok(entries) = std::fs::read_dir("/proc") else { return 0 };
    let threads = |entry: std::fs::DirEntry| {
        let status = std::fs::read_to_string(entry.path().join("status")).ok()?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        (field("Uid:")? == u64::from(own)).then(|| field("Threads:")).flatten()
    };
    entries.flatten().filter_map(threads).sum()
}

fn check(settings: &Settings, order: &Order, level: Level) -> Result<(), Error> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if order.name.is_empty() || order.name.len() > 63 || !order.name.chars().all(fits) {
        return Err(Error::invalid("a sandbox is named by 1 to 63 of a-z, 0-9 and '-'"));
    }
    let least = order.program.least_level();
    if level < least {
        return Err(Error::refused(format!(
            "this machine offers sandboxes of level {}, and this server needs level {}; \
             `hearth sandbox probe` says why, a container engine gives level 4",
            level.number(),
            least.number()
        )));
    }
    if !order.egress.is_empty() && level < Level::Apart {
        return Err(Error::refused(format!(
            "a sandbox of level {} has no network of its own, so it connects to nowhere; a machine that \
             offers level 3, or a container engine, gives servers that need to",
            level.number()
        )));
    }
    let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let data = real(&settings.data);
    let shown = match &order.program {
        Program::Command { reads, .. } => reads.clone(),
        _ => Vec::new(),
    };
    for path in shown {
        let given = path.display();
        if !path.is_absolute() || path.components().any(|c| c == std::path::Component::ParentDir) {
            return Err(Error::invalid(format!("'{given}' is no absolute path without '..'")));
        }
        let path = real(&path);
        if path.starts_with(&data) || data.starts_with(&path) {
            return Err(Error::refused(format!("'{given}' would show Hearth's own data folder")));
        }
    }
    let system =
        crate::orchestrator::first::SYSTEM.iter().map(|d| real(&PathBuf::from("/").join(d)));
    match system.into_iter().find(|folder| data.starts_with(folder)) {
        None => Ok(()),
        Some(folder) => Err(Error::refused(format!(
            "Hearth's data folder is in {}, which every sandbox may read; choose another DATA_DIR",
            folder.display()
        ))),
    }
}

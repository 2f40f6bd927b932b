//! Control groups: limits for all processes of a sandbox together, where this Hearth may make groups.
//!
//! Version 1 has a tree for each controller, version 2 one tree for all. What cannot be made here is
//! left out, and whoever asks is told that it is not in force.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Microseconds over which processor time is shared out.
const PERIOD: u64 = 100_000;

/// The controllers that are used.
const WANTED: [&str; 4] = ["memory", "pids", "cpu", "cpuacct"];

/// Where groups can be made: for each controller the folder of this node. Found once.
#[derive(Clone, Debug, Default)]
pub(super) struct Groups {
    memory: Option<PathBuf>,
    pids: Option<PathBuf>,
    cpu: Option<PathBuf>,
    /// Counts processor time; in version 2 the same as `cpu`.
    cpuacct: Option<PathBuf>,
    is_two: bool,
    /// Why some of it is missing, in words.
    pub(super) why_not: Option<String>,
}

/// The group of one sandbox.
#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    memory: Option<PathBuf>,
    pids: Option<PathBuf>,
    cpu: Option<PathBuf>,
    cpuacct: Option<PathBuf>,
    is_two: bool,
}

/// What a group is to hold.
pub(super) struct Asked {
    pub(super) memory: u64,
    pub(super) processes: u64,
    pub(super) cpu_thousandths: u64,
}

impl Groups {
    /// Looks where this process may make groups, and makes the node's own, called `name`.
    pub(super) fn find(name: &str) -> Groups {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let mut groups = Groups::default();
        let mut faults = Vec::new();
        for place in places(&read("/proc/self/cgroup"), &read("/proc/self/mountinfo")) {
            if !place.limits() {
                continue;
            }
            match open(&place, name) {
                Ok(folder) => groups.take(&place.controllers, folder),
                Err(e) => faults.push(format!("{}: {e}", place.folder.display())),
            }
        }
        if groups.memory.is_none() || groups.pids.is_none() || groups.cpu.is_none() {
            if faults.is_empty() {
                faults.push("the kernel offers no control groups for it here".into());
            }
            groups.why_not = Some(faults.join("; "));
        }
        groups
    }

    fn take(&mut self, controllers: &[String], folder: PathBuf) {
        self.is_two |= controllers.is_empty();
        let has = |name: &str| match controllers.is_empty() {
            true => fs::read_to_string(folder.join("cgroup.controllers"))
                .is_ok_and(|all| all.split_whitespace().any(|c| c == name)),
            false => controllers.iter().any(|c| c == name),
        };
        for (slot, name) in [
            (&mut self.memory, "memory"),
            (&mut self.pids, "pids"),
            (&mut self.cpu, "cpu"),
            (&mut self.cpuacct, if controllers.is_empty() { "cpu" } else { "cpuacct" }),
        ] {
            if slot.is_none() && has(name) {
                *slot = Some(folder.clone());
            }
        }
    }

    /// Whether memory of all processes together can be limited.
    pub(super) fn limits_memory(&self) -> bool {
        self.memory.is_some()
    }

    /// Makes a group with these limits.
    ///
    /// # Errors
    /// What the system says, with the file.
    pub(super) fn make(&self, name: &str, asked: &Asked) -> Result<Group, String> {
        let below = |parent: &Option<PathBuf>| parent.as_ref().map(|folder| folder.join(name));
        let group = Group {
            memory: below(&self.memory),
            pids: below(&self.pids),
            cpu: below(&self.cpu),
            cpuacct: below(&self.cpuacct),
            is_two: self.is_two,
        };
        let made =
            group.folders().iter().try_for_each(|f| make_folder(f)).and_then(|()| group.set(asked));
        if made.is_err() {
            group.remove();
        }
        made.map(|()| group)
    }

    /// Removes the node's own groups, which must be empty.
    pub(super) fn remove(&self) {
        for parent in [&self.memory, &self.pids, &self.cpu, &self.cpuacct].into_iter().flatten() {
            let _ = fs::remove_dir(parent);
        }
    }

    /// Removes empty groups that a former run left.
    pub(super) fn sweep(&self) {
        for parent in [&self.memory, &self.pids, &self.cpu, &self.cpuacct].into_iter().flatten() {
            for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    // The system refuses while a process is in it.
                    let _ = fs::remove_dir(entry.path());
                }
            }
        }
    }
}

impl Group {
    fn folders(&self) -> Vec<&PathBuf> {
        let all = [&self.memory, &self.pids, &self.cpu, &self.cpuacct];
        let mut folders: Vec<&PathBuf> = all.into_iter().flatten().collect();
        folders.sort();
        folders.dedup();
        folders
    }

    fn set(&self, asked: &Asked) -> Result<(), String> {
        let quota = (asked.cpu_thousandths * PERIOD / 1000).max(1000);
        if let Some(folder) = &self.memory {
            let bytes = asked.memory.to_string();
            match self.is_two {
                true => {
                    put(folder, "memory.max", &bytes)?;
                    // Without swap accounting these are not there; the sandbox is then only slower.
                    let _ = put(folder, "memory.swap.max", "0");
                    let _ = put(folder, "memory.oom.group", "1");
                }
                false => {
                    put(folder, "memory.limit_in_bytes", &bytes)?;
                    let _ = put(folder, "memory.memsw.limit_in_bytes", &bytes);
                }
            }
        }
        if let Some(folder) = &self.pids {
            put(folder, "pids.max", &asked.processes.to_string())?;
        }
        match (&self.cpu, self.is_two) {
            (Some(folder), true) => put(folder, "cpu.max", &format!("{quota} {PERIOD}")),
            (Some(folder), false) => put(folder, "cpu.cfs_period_us", &PERIOD.to_string())
                .and_then(|()| put(folder, "cpu.cfs_quota_us", &quota.to_string())),
            (None, _) => Ok(()),
        }
    }

    /// Moves a process in; what it starts from then on is in it, too.
    ///
    /// # Errors
    /// What the system says, with the file.
    pub(super) fn admit(&self, pid: u32) -> Result<(), String> {
        self.folders().iter().try_for_each(|f| put(f, "cgroup.procs", &pid.to_string()))
    }

    /// The limit of memory as the kernel says it, with its file.
    pub(super) fn memory(&self) -> Option<(String, &'static str)> {
        let file = if self.is_two { "memory.max" } else { "memory.limit_in_bytes" };
        self.memory.as_ref().and_then(|f| get(f, file)).map(|text| (text, file))
    }

    /// The limit of processes, in the same way.
    pub(super) fn processes(&self) -> Option<(String, &'static str)> {
        self.pids.as_ref().and_then(|f| get(f, "pids.max")).map(|text| (text, "pids.max"))
    }

    /// The share of processor time in thousandths of a core, with its file.
    pub(super) fn cpu(&self) -> Option<(u64, &'static str)> {
        let folder = self.cpu.as_ref()?;
        let (quota, period, file) = match self.is_two {
            true => {
                let text = get(folder, "cpu.max")?;
                let (quota, period) = text.split_once(' ')?;
                (quota.parse::<u64>().ok()?, period.parse::<u64>().ok()?, "cpu.max")
            }
            false => {
                let number = |file| get(folder, file)?.parse::<u64>().ok();
                (number("cpu.cfs_quota_us")?, number("cpu.cfs_period_us")?, "cpu.cfs_quota_us")
            }
        };
        Some((quota * 1000 / period.max(1), file))
    }

    /// Most memory that it held at once, in bytes.
    pub(super) fn peak(&self) -> Option<u64> {
        let file = if self.is_two { "memory.peak" } else { "memory.max_usage_in_bytes" };
        get(self.memory.as_ref()?, file)?.parse().ok()
    }

    /// Processor time of all its processes, in seconds.
    pub(super) fn cpu_seconds(&self) -> Option<f64> {
        let folder = self.cpuacct.as_ref()?;
        if !self.is_two {
            return Some(get(folder, "cpuacct.usage")?.parse::<f64>().ok()? / 1e9);
        }
        let text = get(folder, "cpu.stat")?;
        let micros = text.lines().find_map(|line| line.strip_prefix("usage_usec "))?;
        Some(micros.parse::<f64>().ok()? / 1e6)
    }

    /// How often the kernel ended a process of it for want of memory.
    pub(super) fn out_of_memory(&self) -> u64 {
        let file = if self.is_two { "memory.events" } else { "memory.oom_control" };
        let text = self.memory.as_ref().and_then(|f| get(f, file)).unwrap_or_default();
        let count = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
        count.and_then(|n| n.trim().parse().ok()).unwrap_or(0)
    }

    /// Removes it; `false` while a process is in it.
    pub(super) fn remove(&self) -> bool {
        let gone = |f: &&PathBuf| match fs::remove_dir(f) {
            Ok(()) => true,
            Err(e) => e.kind() == io::ErrorKind::NotFound,
        };
        // Each of them, whatever became of the one before.
        self.folders().iter().filter(|f| !gone(f)).count() == 0
    }
}

/// One tree: its controllers (none named: version 2) and our own group in it.
#[derive(Debug, PartialEq)]
struct Place {
    controllers: Vec<String>,
    folder: PathBuf,
}

impl Place {
    /// Whether it has any of the controllers that are used here.
    fn limits(&self) -> bool {
        self.controllers.is_empty() || self.controllers.iter().any(|c| WANTED.contains(&c.as_str()))
    }
}

/// Joins our groups (`/proc/self/cgroup`) with where the trees are mounted (`/proc/self/mountinfo`).
fn places(own: &str, mounts: &str) -> Vec<Place> {
    let mut found = Vec::new();
    for line in own.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let controllers: Vec<String> =
            controllers.split(',').filter(|c| !c.is_empty()).map(str::to_owned).collect();
        let mount = mounts.lines().find_map(|line| {
            let (front, back) = line.split_once(" - ")?;
            let mut back = back.split(' ');
            let (kind, options) = (back.next()?, back.nth(1)?);
            let fits = match controllers.first() {
                None => kind == "cgroup2",
                Some(first) => kind == "cgroup" && options.split(',').any(|o| o == first),
            };
            let mut front = front.split(' ').skip(3);
            fits.then_some((front.next()?, front.next()?))
        });
        if let Some((root, point)) = mount {
            let inside = path.strip_prefix(root.trim_end_matches('/')).unwrap_or(path);
            let folder = Path::new(point).join(inside.trim_start_matches('/'));
            found.push(Place { controllers, folder });
        }
    }
    found
}

/// Makes this node's group in a tree and switches the controllers on for the groups below it.
fn open(place: &Place, name: &str) -> Result<PathBuf, String> {
    if !place.controllers.is_empty() {
        let folder = place.folder.join(name);
        return make_folder(&folder).map(|()| folder);
    }
    let folder = place.folder.join(name);
    make_folder(&folder)?;
    let offered = get(&place.folder, "cgroup.controllers").unwrap_or_default();
    let on: Vec<String> = offered
        .split_whitespace()
        .filter(|c| WANTED.contains(c))
        .map(|c| format!("+{c}"))
        .collect();
    let done = switch_on(&place.folder, &folder, &on.join(" "));
    if done.is_err() {
        let _ = fs::remove_dir(&folder);
    }
    done.map(|()| folder)
}

fn switch_on(own: &Path, node: &Path, on: &str) -> Result<(), String> {
    if on.is_empty() {
        return Err("no controllers are handed down to it".into());
    }
    if put(own, "cgroup.subtree_control", on).is_err() {
        // A group with processes of its own hands nothing down. When we are alone in it, as a service
        // with Delegate=yes is, we move one down.
        let pid = std::process::id().to_string();
        if get(own, "cgroup.procs").is_some_and(|all| all.trim() == pid) {
            let main = own.join("hearth-main");
            make_folder(&main)?;
            put(&main, "cgroup.procs", &pid)?;
        }
        put(own, "cgroup.subtree_control", on)?;
    }
    put(node, "cgroup.subtree_control", on)
}

fn make_folder(path: &Path) -> Result<(), String> {
    match fs::create_dir(path) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => {
            Err(format!("cannot make {}: {e}", path.display()))
        }
        _ => Ok(()),
    }
}

fn put(folder: &Path, file: &str, text: &str) -> Result<(), String> {
    let path = folder.join(file);
    // Not created when it is missing: this is no ordinary file.
    fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .and_then(|mut f| io::Write::write_all(&mut f, text.as_bytes()))
        .map_err(|e| format!("cannot write {text} to {}: {e}", path.display()))
}

fn get(folder: &Path, file: &str) -> Option<String> {
    fs::read_to_string(folder.join(file)).ok().map(|text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_group_is_found_in_both_versions() {
        let own = "8:pids:/\n4:memory:/docker/ab\n2:cpu,cpuacct:/x\n0::/init.scope\n";
        let mounts = "\
30 25 0:26 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n\
31 25 0:27 / /sys/fs/cgroup/pids rw,relatime shared:3 - cgroup cgroup rw,pids\n\
32 25 0:28 /docker/ab /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
33 25 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n";
        let found = places(own, mounts);
        let folders: Vec<_> = found.iter().map(|p| p.folder.to_str().unwrap()).collect();
        assert_eq!(
            folders,
            [
                "/sys/fs/cgroup/pids/",
                "/sys/fs/cgroup/memory/",
                "/sys/fs/cgroup/cpu,cpuacct/x",
                "/sys/fs/cgroup/unified/init.scope"
            ]
        );
        assert_eq!(found[2].controllers, ["cpu", "cpuacct"]);
        assert!(found[3].controllers.is_empty());
    }
}

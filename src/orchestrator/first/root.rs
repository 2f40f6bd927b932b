//! The root of a sandbox: a read-only file system in memory that shows the system's programs and
//! libraries, what the order names, a scratch folder and a `/proc` of its own. Nothing else of the
//! machine is there to be opened.

use crate::orchestrator::first::guard::{DEVICES, ETC, SYSTEM};
use crate::orchestrator::first::plan::Inner;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::pivot_root;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// Where our own binary is in a sandbox.
pub(crate) const BINARY: &str = "/hearth";
/// Where the socket of the proxy is.
pub(crate) const EGRESS: &str = "/run/egress.sock";

const OLD: &str = "/old";
const NEW: &str = "/new";
const QUIET: MsFlags = MsFlags::MS_NOSUID.union(MsFlags::MS_NODEV);

/// Something to show: where it really is, and where it is called so inside.
type Shown = (PathBuf, PathBuf);

/// Builds the root and moves into it. The process must own its mount namespace.
pub(super) fn enter(plan: &Inner) -> Result<(), String> {
    // Links are followed now: once the root has changed, they lead elsewhere.
    let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let etc_shown: Vec<Shown> = ETC
        .iter()
        .map(|name| Path::new("/etc").join(name))
        .map(|path| (real(&path), path))
        .collect();
    let mut shown: Vec<Shown> = vec![(real(&plan.binary), BINARY.into())];
    shown.extend(plan.reads.iter().map(|path| (real(path), path.clone())));
    let egress = plan.egress.as_ref().map(|socket| real(socket));
    // What is mounted here must not appear outside, nor what is mounted outside in here.
    place(None, "/", None, MsFlags::MS_REC | MsFlags::MS_PRIVATE, "")?;
    // Any folder will do for the first step: the old root is complete again behind it.
    let base = if Path::new("/tmp").is_dir() { "/tmp" } else { "/proc" };
    memory(base, "size=64k,mode=0755")?;
    let below = |name: &str| format!("{base}{name}");
    folder(below(OLD))?;
    folder(below(NEW))?;
    pivot_root(base, below(OLD).as_str()).map_err(|e| format!("cannot change the root: {e}"))?;
    chdir("/")?;
    // Room for the names and files that are made here; what is shown costs nothing.
    memory(NEW, "size=512k,mode=0755")?;
    system()?;
    etc(&etc_shown)?;
    devices()?;
    let inodes = (plan.limits.scratch / 4096).clamp(1024, 1 << 20);
    let scratch = format!("size={},nr_inodes={inodes},mode=1777", plan.limits.scratch);
    folder(new("tmp"))?;
    place(Some("tmpfs"), new("tmp"), Some("tmpfs"), QUIET | MsFlags::MS_NOEXEC, &scratch)?;
    // After the scratch folder, which would hide what is shown below it.
    order(&shown, egress.as_deref())?;
    folder(new("proc"))?;
    place(Some("proc"), new("proc"), Some("proc"), QUIET | MsFlags::MS_NOEXEC, "")?;
    leave()
}

/// Goes into the new root, lets go of the old one, and makes it read-only.
fn leave() -> Result<(), String> {
    chdir(NEW)?;
    pivot_root(".", ".").map_err(|e| format!("cannot change the root: {e}"))?;
    // The old root lies on top of the new one now.
    umount2(".", MntFlags::MNT_DETACH).map_err(|e| format!("cannot leave the old root: {e}"))?;
    chdir("/")?;
    let again = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY | QUIET;
    place(None, "/", None, again, "")
}

/// Programs and libraries, with links as they are: `/bin` is `usr/bin` on a merged system.
fn system() -> Result<(), String> {
    for name in SYSTEM {
        let from = Path::new(OLD).join(name);
        match fs::read_link(&from) {
            Ok(to) => link(to, new(name))?,
            Err(_) if from.is_dir() => show(&from, &new(name))?,
            // A machine without programs: a container made from nothing.
            Err(_) => {}
        }
    }
    Ok(())
}

fn etc(all: &[Shown]) -> Result<(), String> {
    folder(new("etc"))?;
    for (from, inside) in all.iter().map(|(from, inside)| (old(from), new(relative(inside)))) {
        if from.exists() {
            show(&from, &inside)?;
        }
    }
    let text = |name: &str, text: &str| {
        let path = new("etc").join(name);
        fs::write(&path, text).map_err(|e| format!("cannot write {}: {e}", path.display()))
    };
    text("passwd", "nobody:x:65534:65534:nobody:/tmp:/bin/sh\n")?;
    text("group", "nogroup:x:65534:\n")?;
    text("hosts", "127.0.0.1 localhost\n::1 localhost\n")?;
    text("nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n")?;
    text("resolv.conf", "")?;
    text("hostname", "sandbox\n")
}

fn devices() -> Result<(), String> {
    folder(new("dev"))?;
    for name in DEVICES {
        let from = Path::new(OLD).join("dev").join(name);
        let to = new("dev").join(name);
        file(&to)?;
        // Opened for writing, so not made read-only; a device file is nobody's to change.
        place(from.to_str(), &to, None, MsFlags::MS_BIND, "")?;
    }
    for (name, to) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
        // Shared memory counts as scratch.
        ("shm", "/tmp"),
    ] {
        link(to.into(), new("dev").join(name))?;
    }
    Ok(())
}

/// Our binary, what the order names, and the proxy's socket.
fn order(all: &[Shown], egress: Option<&Path>) -> Result<(), String> {
    for (from, inside) in all {
        let inside = new(relative(inside));
        // Part of the system's own folders is there already.
        if !inside.exists() {
            show(&old(from), &inside)?;
        }
    }
    folder(new("run"))?;
    if let Some(socket) = egress {
        let to = new(relative(Path::new(EGRESS)));
        file(&to)?;
        place(old(socket).to_str(), &to, None, MsFlags::MS_BIND, "")?;
    }
    Ok(())
}

/// A path of the machine below where the old root is now.
fn old(path: &Path) -> PathBuf {
    Path::new(OLD).join(relative(path))
}

fn relative(path: &Path) -> &Path {
    path.strip_prefix("/").unwrap_or(path)
}

/// Shows a file or folder of the old root at a place of the new one, read-only.
fn show(from: &Path, to: &Path) -> Result<(), String> {
    let about = |e: std::io::Error| format!("cannot show {}: {e}", name(from));
    let kind = fs::metadata(from).map_err(about)?;
    match kind.is_dir() {
        true => folder(to)?,
        false => {
            to.parent().map_or(Ok(()), folder)?;
            file(to)?;
        }
    }
    place(from.to_str(), to, None, MsFlags::MS_BIND | MsFlags::MS_REC, "")?;
    // What the mount denies outside cannot be allowed by mounting it anew, so it is asked for again.
    let had = statvfs(to).map_err(|e| about(e.into()))?.flags();
    let mut flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY | QUIET;
    for (fs, ms) in [
        (FsFlags::ST_NOEXEC, MsFlags::MS_NOEXEC),
        (FsFlags::ST_NOATIME, MsFlags::MS_NOATIME),
        (FsFlags::ST_NODIRATIME, MsFlags::MS_NODIRATIME),
    ] {
        if had.contains(fs) {
            flags |= ms;
        }
    }
    place(None, to, None, flags, "")
}

/// A path of the old root as it was called there.
fn name(from: &Path) -> String {
    from.strip_prefix(OLD)
        .map_or(from.into(), |rest| Path::new("/").join(rest))
        .display()
        .to_string()
}

fn new(name: impl AsRef<Path>) -> PathBuf {
    Path::new(NEW).join(name)
}

fn memory(to: &str, options: &str) -> Result<(), String> {
    place(Some("tmpfs"), to, Some("tmpfs"), QUIET, options)
}

fn place(
    from: Option<&str>,
    to: impl AsRef<Path>,
    kind: Option<&str>,
    flags: MsFlags,
    options: &str,
) -> Result<(), String> {
    let to = to.as_ref();
    let options = (!options.is_empty()).then_some(options);
    mount(from, to, kind, flags, options)
        .map_err(|e| format!("cannot mount {} ({}): {e}", to.display(), from.unwrap_or("-")))
}

fn folder(path: impl AsRef<Path>) -> Result<(), String> {
    let path = path.as_ref();
    fs::create_dir_all(path).map_err(|e| format!("cannot make {}: {e}", path.display()))
}

fn file(path: &Path) -> Result<(), String> {
    fs::write(path, "").map_err(|e| format!("cannot make {}: {e}", path.display()))
}

fn link(to: PathBuf, at: PathBuf) -> Result<(), String> {
    symlink(to, &at).map_err(|e| format!("cannot link {}: {e}", at.display()))
}

fn chdir(path: &str) -> Result<(), String> {
    nix::unistd::chdir(path).map_err(|e| format!("cannot go to {path}: {e}"))
}

//! Looks after what the kernel cannot limit here: memory and number of all processes together where
//! there is no control group, and the scratch folder where it is on the disk.
//!
//! A look a quarter of a second lets a sandbox go over for that long; limits of single processes and
//! files, which the kernel holds, bound by how much.

use crate::orchestrator::kernel::hold::Shared;
use crate::orchestrator::kernel::read;
use crate::tasks::Tasks;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const EACH: Duration = Duration::from_millis(250);
/// More files than this count as full, however small they are.
const FILES: u64 = 16_384;

/// Begins to look, when there is something to look after.
pub(super) fn begin(tasks: &Tasks, shared: &Arc<Shared>) {
    let memory = shared.group.memory().is_none();
    let processes = shared.group.processes().is_none();
    if !memory && !processes && shared.scratch.is_none() {
        return;
    }
    let (shared, of) = (Arc::downgrade(shared), tasks.clone());
    tasks.job(async move {
        loop {
            tokio::time::sleep(EACH).await;
            let Some(shared) = shared.upgrade().filter(|shared| shared.runs()) else { return };
            let looked = of.blocking(move || look(&shared, memory, processes)).await;
            if looked.is_err() {
                return;
            }
        }
    });
}

fn look(shared: &Shared, memory: bool, processes: bool) {
    // The limit of the user's processes counts those outside, which come and go.
    if processes && read::threads(shared.mark) > u64::from(shared.asked.processes) + 2 {
        shared.stop(Some("killed: too many processes"));
    }
    if memory {
        let bytes = read::memory(shared.mark);
        shared.note_memory(bytes);
        if bytes > shared.asked.memory_bytes {
            shared.stop(Some("killed: out of memory"));
        }
    }
    if let Some(scratch) = &shared.scratch {
        let (bytes, files) = size(scratch, 64);
        if bytes > shared.asked.scratch_bytes || files > FILES {
            shared.stop(Some("killed: its scratch folder is full"));
        }
    }
}

/// Bytes on the disk and files below a folder; `depth` bounds the way down.
fn size(folder: &Path, depth: u32) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt as _;
    let (mut bytes, mut files) = (0, 0);
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        // Of a link itself, not of what it leads to.
        let Ok(found) = entry.metadata() else { continue };
        bytes += found.blocks() * 512;
        files += 1;
        if found.is_dir() && depth > 0 && files <= FILES {
            let below = size(&entry.path(), depth - 1);
            bytes += below.0;
            files += below.1;
        }
    }
    (bytes, files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_measured_with_what_is_below_it() {
        let home = std::env::temp_dir().join(format!("hearth-size-{}", std::process::id()));
        std::fs::create_dir_all(home.join("a/b")).unwrap();
        std::fs::write(home.join("a/b/c"), vec![1; 100_000]).unwrap();
        std::os::unix::fs::symlink("/", home.join("out")).unwrap();
        let (bytes, files) = size(&home, 64);
        assert_eq!(files, 4);
        assert!((100_000..200_000).contains(&bytes), "{bytes}");
        std::fs::remove_dir_all(&home).unwrap();
    }
}

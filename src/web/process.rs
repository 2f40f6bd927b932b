//! What the kernel says of this process: memory, processor time, open files.

use crate::web::Meter;

/// The kernel counts processor time for programs in hundredths of a second on every platform.
const TICKS: f64 = 100.0;

/// What this process uses; `None` where there is no `/proc`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Used {
    /// Bytes of memory.
    pub resident: Option<f64>,
    /// Seconds of processor time since it began.
    pub processor: Option<f64>,
}

/// Returns what this process uses now.
pub fn now() -> Used {
    let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
    Used {
        resident: resident(&read("/proc/self/status")),
        processor: processor(&read("/proc/self/stat")),
    }
}

/// Writes down what `/proc/self` tells; without `/proc` nothing.
pub(super) fn gather(meter: &mut Meter) {
    let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
    if let Some(bytes) = resident(&read("/proc/self/status")) {
        meter.gauge("process_resident_memory_bytes", "Memory in use", &[], bytes);
    }
    if let Some(seconds) = processor(&read("/proc/self/stat")) {
        meter.counter_seconds("process_cpu_seconds", "Processor time used", seconds);
    }
    if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
        // The folder's own file is one of them.
        let open = files.count().saturating_sub(1);
        meter.gauge("process_open_fds", "Open files and connections", &[], count(open));
    }
}

fn count(n: usize) -> f64 {
    u32::try_from(n).map_or(f64::MAX, f64::from)
}

/// Bytes of memory in use, from `/proc/self/status`.
fn resident(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024.0)
}

/// Seconds of processor time, from `/proc/self/stat`.
fn processor(stat: &str) -> Option<f64> {
    // The name in brackets may hold anything; the numbers begin behind the last bracket.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<f64>().ok();
    Some((next()? + next()?) / TICKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_words_are_understood() {
        assert_eq!(resident("Name:\thearth\nVmRSS:\t    8192 kB\n"), Some(8_388_608.0));
        assert_eq!(resident("Name:\thearth\n"), None);
        let stat = "7 (odd ) name) S 1 7 7 0 -1 4194560 900 0 0 0 250 50 0 0 20 0 3 0 100";
        assert_eq!(processor(stat), Some(3.0));
        assert_eq!(processor("7 (cut"), None);
    }
}

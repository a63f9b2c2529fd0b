//! What the process has of the system's memory, and how much of it may lie idle.

use super::pool;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes that were obtained from the system and not returned. The three counters move only with such a
/// request, which costs far more than an atomic; the fast paths of the cache leave them alone.
static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static REQUESTS: AtomicUsize = AtomicUsize::new(0);

/// The limit where the memory of the machine cannot be told.
const UNKNOWN_MACHINE: usize = 2 << 30;

/// Where the memory of the machine and of its container stand.
#[cfg(target_os = "linux")]
const LIMIT_FILES: [&str; 3] =
    ["/proc/meminfo", "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
#[cfg(not(target_os = "linux"))]
const LIMIT_FILES: [&str; 0] = [];

/// How much host memory arrays take, in bytes; from [`memory_stats`].
///
/// The blocks are counted at the size that was set aside for them, which is up to a quarter more than
/// the elements need.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MemoryStats {
    /// Bytes of the blocks in use: PyTorch's *allocated*.
    pub live: usize,
    /// Bytes of the free blocks that are kept for the next arrays. `live + cached` is PyTorch's *reserved*.
    pub cached: usize,
    /// The most that `live + cached` has been since the process began.
    pub peak: usize,
    /// How often the system was asked for a block. It stands still once a program's sizes repeat.
    pub requests: usize,
}

/// How much host memory arrays take at this moment.
///
/// While other threads make and drop arrays the numbers may be of slightly different moments.
///
/// ```
/// use rushlight_array::{DType, HostBuffer, memory_stats};
/// let before = memory_stats();
/// let block = HostBuffer::new(DType::F32, 1024);
/// assert_eq!(memory_stats().live, before.live + 4096);
/// drop(block);
/// assert_eq!(memory_stats().live, before.live);
/// ```
pub fn memory_stats() -> MemoryStats {
    let cached = pool::lock().cached_everywhere();
    MemoryStats {
        live: HELD.load(Ordering::Relaxed).saturating_sub(cached),
        cached,
        peak: PEAK.load(Ordering::Relaxed),
        requests: REQUESTS.load(Ordering::Relaxed),
    }
}

/// Notes a block from the system.
pub(super) fn obtained(size: usize) {
    let held = HELD.fetch_add(size, Ordering::Relaxed) + size;
    PEAK.fetch_max(held, Ordering::Relaxed);
    REQUESTS.fetch_add(1, Ordering::Relaxed);
}

/// Notes a block that goes back to the system.
pub(super) fn returned(size: usize) {
    HELD.fetch_sub(size, Ordering::Relaxed);
}

/// The most bytes that may lie cached, until `set_memory_limit` says otherwise: `RUSHLIGHT_CACHE_LIMIT`, or else
/// a quarter of what the machine or the container has.
///
/// What lies cached was in use before, so a program whose sizes repeat never reaches the limit unless it
/// needs so much at once; it is for those whose sizes change. A quarter leaves room for the new sizes and for
/// the neighbours; less would make the temporaries of large models pay for fresh pages in every step.
pub(super) fn initial_limit() -> usize {
    let wanted = std::env::var("RUSHLIGHT_CACHE_LIMIT").ok();
    let bytes = wanted.as_ref().and_then(|text| text.trim().parse().ok());
    if let (Some(text), None) = (&wanted, bytes) {
        eprintln!("rushlight: RUSHLIGHT_CACHE_LIMIT is '{text}', which is not a number of bytes");
    }
    let texts = LIMIT_FILES.iter().filter_map(|file| std::fs::read_to_string(file).ok());
    bytes.unwrap_or_else(|| limit_from(texts))
}

/// A quarter of the least memory that one of the texts names.
fn limit_from(texts: impl Iterator<Item = String>) -> usize {
    texts.filter_map(|text| bytes_of(&text)).min().map_or(UNKNOWN_MACHINE, |bytes| bytes / 4)
}

/// A number of bytes alone, or the line `MemTotal:  24000000 kB`; a container without a limit says `max`.
fn bytes_of(text: &str) -> Option<usize> {
    match text.lines().find_map(|line| line.strip_prefix("MemTotal:")) {
        Some(total) => total.trim().strip_suffix("kB")?.trim().parse::<usize>().ok()?.checked_mul(1024),
        None => text.trim().parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(texts: &[&str]) -> usize {
        limit_from(texts.iter().map(ToString::to_string))
    }

    #[test]
    fn the_limit_is_a_quarter_of_the_machine_or_of_its_container() {
        let machine = "MemTotal:       24000000 kB\nMemFree:        18000000 kB\n";
        assert_eq!(limit(&[machine]), 6_000_000 * 1024);
        assert_eq!(limit(&[machine, "max\n"]), 6_000_000 * 1024);
        assert_eq!(limit(&[machine, "1048576\n"]), 262_144);
        assert_eq!(limit(&[machine, "9223372036854771712\n"]), 6_000_000 * 1024);
    }

    #[test]
    fn a_machine_that_does_not_tell_its_memory_gets_two_gigabytes() {
        assert_eq!(limit(&[]), 2 << 30);
        assert_eq!(limit(&["", "max", "MemTotal: many kB"]), 2 << 30);
    }
}

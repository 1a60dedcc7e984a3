//! Whether there is room for a model in memory.

use crate::error::{Error, Result};

use std::fs;
use std::path::Path;

/// Left free for everything else on the machine, and for what computing takes in passing.
const SPARE: usize = 256 << 20;

/// Refuses what would not fit: the operating system would end the whole daemon instead.
pub(super) fn check(needed: usize) -> Result<()> {
    match available() {
        Some(free) if needed.saturating_add(SPARE) > free => Err(Error::unsupported(format!(
            "it needs {} MB of memory and {} MB are free; a model server such as Ollama or \
             llama-server needs less for large models",
            needed.saturating_add(SPARE) >> 20,
            free >> 20
        ))),
        _ => Ok(()),
    }
}

/// Memory that can be had without driving others out: the machine's, and no more than the
/// container is allowed; `None` where the system does not say.
fn available() -> Option<usize> {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| parse(&text));
    machine.into_iter().chain(allowed()).min()
}

/// What the control groups of this process leave, if they limit anything.
fn allowed() -> Option<usize> {
    let text = fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = text.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let root = Path::new("/sys/fs/cgroup");
    let groups = root.join(own);
    groups.ancestors().take_while(|group| group.starts_with(root)).filter_map(left).min()
}

/// What one control group leaves. Pages of files count as its memory, but give way.
fn left(group: &Path) -> Option<usize> {
    let read = |name: &str| fs::read_to_string(group.join(name)).ok();
    let number = |name: &str| read(name)?.trim().parse::<usize>().ok();
    let stat = read("memory.stat").unwrap_or_default();
    let files = stat.lines().find_map(|line| line.strip_prefix("inactive_file "));
    let files: usize = files.and_then(|bytes| bytes.trim().parse().ok()).unwrap_or(0);
    let used = number("memory.current")?.saturating_sub(files);
    Some(number("memory.max")?.saturating_sub(used))
}

fn parse(meminfo: &str) -> Option<usize> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kilobytes: usize = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1_024)
}

#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;

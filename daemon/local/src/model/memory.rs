//! Whether there is room for a model in memory.

use crate::error::{Error, Result};

/// Left free for everything else on the machine, and for the conversation itself.
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

/// Memory that can be had without driving others out; `None` where the system does not say.
fn available() -> Option<usize> {
    parse(&std::fs::read_to_string("/proc/meminfo").ok()?)
}

fn parse(meminfo: &str) -> Option<usize> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kilobytes: usize = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1_024)
}

#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;

//! What programs in a sandbox may use up.
//!
//! All of a sandbox together is limited by a control group, which systemd makes where there is one
//! (`systemd-run --scope`). Everywhere, each process is limited by the shell inside that all others
//! come from: there the kernel counts processes apart from those of the person (since Linux 5.14 it
//! counts them for each user namespace). Not here: time, and what is printed. The invariant: what is not
//! proved to hold is said to be missing.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::Options;

/// Files that a process may have open.
const FILES: u64 = 4096;

/// Processes of bubblewrap itself.
const OWN: u64 = 8;

/// Who makes control groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manager {
    /// The systemd of the person.
    Person,
    /// That of the machine.
    Machine,
}

/// The limits of a sandbox.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    /// Bytes of memory.
    pub(super) memory: u64,
    /// Processes and threads.
    pub(super) pids: u64,
    /// Hundredths of a processor.
    processors: u64,
    /// Bytes in each folder that is held in memory.
    pub(super) folder: u64,
    systemd_run: Option<PathBuf>,
    /// The kernel counts a sandbox's processes apart.
    counts_apart: bool,
}

impl Limits {
    /// Those that the configuration asks for, with what this machine has for it. Looks at the disk.
    pub(super) fn new(options: &Options) -> Self {
        let processors = (f64::from(options.cpus.max(0.01)) * 100.0).round();
        Self {
            memory: options.memory_mb.saturating_mul(1_000_000),
            pids: options.pids,
            // A float becomes the nearest number that there is.
            processors: processors as u64,
            folder: options.tmp_mb.saturating_mul(1_000_000).max(1),
            systemd_run: super::program("systemd-run"),
            counts_apart: counts_apart(&rustix::system::uname().release().to_string_lossy()),
        }
    }

    /// Whether the number of processes can be limited: not if those of the person count, too.
    pub(super) fn counts(&self) -> bool {
        self.counts_apart
    }

    /// What the shell inside does first. A limit that can't be set is lower already, or the probe
    /// finds it missing.
    pub(super) fn inside(&self) -> String {
        // Not the address space: many programs reserve far more of it than they use. In KiB.
        let data = self.memory / 1024;
        let mut limits = format!("ulimit -c 0; ulimit -n {FILES}; ulimit -d {data}; ");
        if self.counts_apart {
            // Shells do not agree on the letter.
            limits.push_str(&format!("ulimit -u {0} || ulimit -p {0}; ", self.pids));
        }
        format!("{{ {limits}}} 2>/dev/null; ")
    }

    /// What stands before bubblewrap, and limits all of it together.
    pub(super) fn outside(&self, manager: Option<Manager>) -> Vec<OsString> {
        let (Some(manager), Some(run)) = (manager, &self.systemd_run) else { return Vec::new() };
        let mut words = vec![run.clone().into_os_string()];
        if manager == Manager::Person {
            words.push("--user".into());
        }
        words.extend(["--scope", "--quiet", "--collect", "--no-ask-password"].map(OsString::from));
        for property in [
            format!("MemoryMax={}", self.memory),
            "MemorySwapMax=0".to_owned(),
            format!("TasksMax={}", self.pids.saturating_add(OWN)),
            format!("CPUQuota={}%", self.processors),
        ] {
            words.extend(["-p".into(), property.into()]);
        }
        words.push("--".into());
        words
    }

    /// Whether the control group of this process has these limits.
    pub(super) fn hold_for(&self, pid: i32) -> bool {
        let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
        let Some(group) = groups.lines().find_map(|line| line.strip_prefix("0::/")) else {
            return false;
        };
        let group = Path::new("/sys/fs/cgroup").join(group);
        let is = |name: &str, most: u64| {
            std::fs::read_to_string(group.join(name))
                .is_ok_and(|limit| limit.trim().parse().is_ok_and(|limit: u64| limit <= most))
        };
        is("memory.max", self.memory)
            && is("pids.max", self.pids.saturating_add(OWN))
            && std::fs::read_to_string(group.join("cpu.max"))
                .is_ok_and(|limit| !limit.starts_with("max"))
    }

    /// The sentences for what is missing; `root` is whether the daemon is.
    pub(super) fn lacks(&self, manager: Option<Manager>, root: bool) -> Vec<String> {
        let mut lacks = Vec::new();
        if manager.is_some() {
            return lacks;
        }
        lacks.push(
            "Memory is limited for each process, not for all of them together, and what they share \
             is not: no systemd makes control groups here. When memory is full, sandboxed programs \
             are ended first."
                .to_owned(),
        );
        if root {
            lacks.push("The number of processes is not limited: Moltis runs as root.".to_owned());
        } else if !self.counts_apart {
            lacks.push(
                "The number of processes is not limited: Linux does so since 5.14.".to_owned(),
            );
        }
        lacks.push("Processors are not limited.".to_owned());
        lacks
    }
}

/// Whether a kernel of this release counts processes for each user namespace.
fn counts_apart(release: &str) -> bool {
    let mut numbers = release.split(['.', '-']).map_while(|number| number.parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(5), Some(14))
}

#[cfg(test)]
mod tests {
    use super::counts_apart;

    #[test]
    fn old_kernels_count_all_processes_of_a_user() {
        for (release, apart) in [
            ("6.18.44-fc-v669", true),
            ("5.14.0", true),
            ("5.10.0-28-amd64", false),
            ("5.4", false),
            ("7", true),
            ("strange", false),
        ] {
            assert_eq!(counts_apart(release), apart, "{release}");
        }
    }
}

//! What a session's container is: a type that has no word for what a container may never have.
//!
//! No privileges, no network of the machine, no device, no folder but the workspace and the
//! session's own home can be said here. Not here: how an engine is asked for it; where that is, a test
//! holds what it gets.

use std::path::PathBuf;

use crate::opening;

/// The label that says whose a container is.
pub(crate) const INSTANCE: &str = "moltis.instance";

/// The label that says for which session it is.
pub(crate) const SESSION: &str = "moltis.session";

/// Where the workspace is.
pub(crate) const WORKSPACE: &str = "/workspace";

/// Where the home is.
pub(crate) const HOME: &str = "/home/moltis";

/// What runs first.
pub(crate) const FIRST: &str = concat!(include_str!("../relay.sh"), include_str!("first.sh"));

/// A folder of the machine that is seen inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bind {
    pub(crate) source: PathBuf,
    pub(crate) target: String,
    pub(crate) writable: bool,
    /// What its inode is, where it must be proved that it is the one that was looked at.
    pub(crate) inode: Option<u64>,
}

/// What an engine takes of limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ulimits {
    /// Open files.
    pub(crate) files: i64,
    /// Processes of a user, where the engine's own value would be refused; the limit that counts is
    /// that of the container.
    pub(crate) processes: Option<i64>,
}

/// A container.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Spec {
    pub(crate) image: String,
    pub(crate) instance: String,
    pub(crate) session: String,
    /// Never 0.
    pub(crate) user: (u32, u32),
    /// The engine runs as an ordinary user: that user's id is the same inside.
    pub(crate) keep_id: bool,
    pub(crate) binds: Vec<Bind>,
    /// A folder in memory that some of them are mounted in.
    pub(crate) memory: Option<String>,
    /// It reaches everything through the engine's bridge; if not, it has no network.
    pub(crate) open: bool,
    /// It has an opening to single hosts: the mark of what carries connections there.
    pub(crate) relay: Option<String>,
    pub(crate) memory_mb: u64,
    pub(crate) cpus: f32,
    pub(crate) pids: u64,
    pub(crate) tmp_mb: u64,
    pub(crate) ulimits: Ulimits,
    pub(crate) timezone: String,
}

impl Spec {
    /// Arguments of [`FIRST`]: the mark of the relay, paths whose inodes are wanted.
    pub(crate) fn wanted(&self) -> Vec<String> {
        let relay = self.relay.clone().unwrap_or_default();
        let inodes = self.binds.iter().filter(|bind| bind.inode.is_some());
        [relay].into_iter().chain(inodes.map(|bind| bind.target.clone())).collect()
    }

    /// Environment variables of everything that runs in it, `NAME=value`.
    pub(crate) fn environment(&self) -> Vec<String> {
        let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        let mut environment = vec![
            format!("PATH={path}"),
            format!("HOME={HOME}"),
            "LANG=C.UTF-8".to_owned(),
            format!("TZ={}", self.timezone),
        ];
        if self.relay.is_some() {
            let told = opening::ENVIRONMENT.iter();
            environment.extend(told.map(|(name, value)| format!("{name}={value}")));
        }
        environment
    }

    /// Folders that are in memory.
    pub(crate) fn in_memory(&self) -> Vec<&str> {
        let mut folders = vec!["/tmp"];
        if !self.binds.iter().any(|bind| bind.target == HOME) {
            folders.push(HOME);
        }
        folders.extend(self.memory.as_deref());
        folders
    }
}

#[cfg(test)]
#[path = "spec_tests.rs"]
pub(crate) mod tests;

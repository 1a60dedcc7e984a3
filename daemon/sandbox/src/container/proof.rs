//! What a container says of itself before anything runs in it, held against what was asked for.
//!
//! An engine may leave out what its kernel can't do, or do something else than it was told. So each
//! container is looked at from inside by its first program, and one that does not contain is ended.
//! What is missing of limits is told as lacking; what is missing of walls is an error.

use std::collections::BTreeMap;

use moltis_core::error::{Code, Error, Result};

use super::spec::{Bind, Spec};
use crate::opening;

/// What a container said of itself.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Proof {
    /// Lines of `/proc/self/status`: key and value.
    status: BTreeMap<String, String>,
    /// Lines of `/proc/self/mounts`: path, kind, options.
    mounts: Vec<(String, String, String)>,
    networks: Vec<String>,
    limits: BTreeMap<String, String>,
    /// How many processes a user may have.
    processes: Option<u64>,
    inodes: BTreeMap<String, u64>,
    tools: Vec<String>,
    /// The relay to its opening listens.
    relay: bool,
    /// The process that holds it up; there once all has been said.
    pub(crate) keep: Option<String>,
}

/// Lines that are taken; a container says some fifty.
const MOST: usize = 2_000;

impl Proof {
    /// Takes a line.
    pub(crate) fn line(&mut self, line: &str) {
        let mut words = line.split_whitespace();
        let Some(topic) = words.next() else { return };
        let words: Vec<&str> = words.collect();
        match (topic, words.as_slice()) {
            ("status", [key, values @ ..]) => {
                let key = key.trim_end_matches(':').to_owned();
                self.status.insert(key, values.join(" "));
            }
            ("mount", [_, path, kind, options, ..]) if self.mounts.len() < MOST => {
                let mount = (unescaped(path), (*kind).to_owned(), (*options).to_owned());
                self.mounts.push(mount);
            }
            ("net", [name]) if self.networks.len() < MOST => self.networks.push((*name).to_owned()),
            ("limit", [name, value]) => {
                self.limits.insert((*name).to_owned(), (*value).to_owned());
            }
            ("most", ["Max", "processes", _, hard, ..]) => self.processes = hard.parse().ok(),
            ("inode", [inode, ..]) => {
                // The rest of the line is a path, whatever is in it.
                let path = line.split_once(*inode).map(|(_, path)| path.trim_start_matches(' '));
                if let (Ok(inode), Some(path)) = (inode.parse(), path) {
                    self.inodes.insert(path.to_owned(), inode);
                }
            }
            ("tool", [name]) if self.tools.len() < MOST => self.tools.push((*name).to_owned()),
            ("relay", []) => self.relay = true,
            ("ready", [keep]) => self.keep = Some((*keep).to_owned()),
            _ => {}
        }
    }

    /// The image has this program.
    pub(super) fn has(&self, tool: &str) -> bool {
        self.tools.iter().any(|name| name == tool)
    }

    /// Holds it against what was asked for; says which limits are lacking.
    pub(crate) fn check(&self, spec: &Spec) -> Result<Vec<String>> {
        let broken = [
            self.user(spec),
            self.privileges(),
            self.root(),
            self.network(spec),
            self.foreign(spec),
            self.moved(&spec.binds),
        ];
        if let Some(what) = broken.into_iter().flatten().next() {
            let text = format!("the engine does not contain what runs in it: {what}");
            return Err(Error::new(Code::Unavailable, text));
        }
        if spec.relay.is_some() && !self.has(opening::PROGRAM) {
            return Err(Error::new(Code::NotConfigured, NO_RELAY)
                .with_hint("add `socat` to `sandbox.packages`"));
        }
        if spec.relay.is_some() && !self.relay {
            let text = "nothing in the sandbox leads to the hosts that are allowed";
            return Err(Error::new(Code::Unavailable, text));
        }
        Ok(self.lacks(spec))
    }

    fn status(&self, key: &str) -> &str {
        self.status.get(key).map_or("", String::as_str)
    }

    fn user(&self, spec: &Spec) -> Option<String> {
        let wanted = [spec.user.0.to_string(), spec.user.0.to_string()].join(" ");
        let is = self.status("Uid");
        let fits = spec.user.0 != 0 && is.starts_with(&wanted);
        (!fits).then(|| format!("its programs run as user `{is}`"))
    }

    fn privileges(&self) -> Option<String> {
        for key in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            let is = self.status(key);
            if is.is_empty() || is.contains(|digit| digit != '0') {
                return Some(format!("its programs have capabilities ({key} {is})"));
            }
        }
        (self.status("NoNewPrivs") != "1").then(|| "its programs can gain privileges".to_owned())
    }

    fn root(&self) -> Option<String> {
        // The last one that is mounted on a path is the one that is seen.
        let root = self.mounts.iter().rev().find(|(path, _, _)| path == "/");
        let sealed = root.is_some_and(|(_, _, options)| is_read_only(options));
        (!sealed).then(|| "its root can be written".to_owned())
    }

    fn network(&self, spec: &Spec) -> Option<String> {
        let closed = spec.open || self.networks.iter().all(|name| name == "lo" || is_inert(name));
        let seen = !self.networks.is_empty();
        (!closed || !seen).then(|| format!("it has the networks `{}`", self.networks.join(" ")))
    }

    /// A mount of the machine's disks that nobody asked for, or one that can be written and should
    /// not.
    fn foreign(&self, spec: &Spec) -> Option<String> {
        for (path, kind, options) in &self.mounts {
            if VIRTUAL.contains(&kind.as_str()) || ENGINE.contains(&path.as_str()) || path == "/" {
                continue;
            }
            match spec.binds.iter().find(|bind| bind.target == *path) {
                None => return Some(format!("it sees `{path}` of the machine")),
                Some(bind) if !bind.writable && !is_read_only(options) => {
                    return Some(format!("`{path}` can be written"));
                }
                Some(_) => {}
            }
        }
        let missing = spec
            .binds
            .iter()
            .find(|bind| !self.mounts.iter().any(|(path, _, _)| *path == bind.target));
        missing.map(|bind| format!("`{}` is not mounted", bind.target))
    }

    fn moved(&self, binds: &[Bind]) -> Option<String> {
        let other = |bind: &&Bind| {
            bind.inode.is_some_and(|inode| self.inodes.get(&bind.target) != Some(&inode))
        };
        binds
            .iter()
            .find(other)
            .map(|bind| format!("`{}` is not what it was a moment ago", bind.target))
    }

    fn lacks(&self, spec: &Spec) -> Vec<String> {
        let mut lacks = Vec::new();
        let memory = (spec.memory_mb << 20).to_string();
        let limited = |names: [&str; 2], most: &str| {
            names.iter().any(|name| self.limits.get(*name).is_some_and(|value| value == most))
        };
        if !limited(["memory.max", "memory.limit_in_bytes"], &memory) {
            lacks.push("the memory of its programs is not seen to be limited".to_owned());
        }
        // All that runs in a container is one user's.
        let few = self.processes.is_some_and(|most| most <= spec.pids);
        if !few && !limited(["pids.max", "pids.max"], &spec.pids.to_string()) {
            lacks.push("the number of its programs is not seen to be limited".to_owned());
        }
        if self.status("Seccomp") != "2" {
            lacks.push("system calls are not filtered".to_owned());
        }
        if !self.has("grep") {
            let text = "the image has no `grep`: after a timeout the whole sandbox is ended";
            lacks.push(text.to_owned());
        }
        if !self.has("tmux") {
            lacks.push(NO_TMUX.to_owned());
        }
        if !self.has(opening::PROGRAM) {
            lacks.push(NO_RELAY.to_owned());
        }
        lacks
    }
}

/// What is said where there is no tmux.
pub(super) const NO_TMUX: &str = "the image has no `tmux`: programs that go on can't be run";

/// What is said where nothing can lead to single hosts.
pub(super) const NO_RELAY: &str =
    "the image has no `socat`: single hosts of the network can't be allowed";

/// A path as `/proc/self/mounts` has it: what would end a word there is an octal number.
fn unescaped(path: &str) -> String {
    let letters = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    letters.iter().fold(path.to_owned(), |path, (written, letter)| path.replace(written, letter))
}

/// Kinds of file systems that are not the machine's disks.
const VIRTUAL: &[&str] =
    &["proc", "sysfs", "tmpfs", "devpts", "mqueue", "cgroup", "cgroup2", "devtmpfs"];

/// Files that engines make for each container.
const ENGINE: &[&str] = &[
    "/etc/resolv.conf",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/passwd",
    "/etc/group",
    "/run/.containerenv",
    "/run/secrets",
    "/dev/console",
];

/// Devices that a kernel makes in each network by itself, and that lead nowhere.
fn is_inert(name: &str) -> bool {
    const MADE: &[&str] = &[
        "tunl0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "sit0", "ip6tnl0", "ip6gre0",
    ];
    MADE.contains(&name)
}

fn is_read_only(options: &str) -> bool {
    options.split(',').any(|option| option == "ro")
}

#[cfg(test)]
#[path = "proof_tests.rs"]
mod tests;

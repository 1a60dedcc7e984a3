//! What a session's container is: a type that has no word for what a container may never have.
//!
//! No privileges, no network of the machine, no device, no folder but the workspace and the
//! session's own home can be said here; the test holds the request that an engine gets.

use std::collections::HashMap;
use std::path::PathBuf;

use bollard::models::{
    ContainerCreateBody, HostConfig, Mount, MountBindOptions, MountType, ResourcesUlimits,
};

use crate::opening;

/// The label that says whose a container is.
pub(super) const INSTANCE: &str = "moltis.instance";

/// The label that says for which session it is.
pub(super) const SESSION: &str = "moltis.session";

/// Where the workspace is.
pub(crate) const WORKSPACE: &str = "/workspace";

/// Where the home is.
pub(crate) const HOME: &str = "/home/moltis";

/// What runs first.
const FIRST: &str = concat!(include_str!("../relay.sh"), include_str!("first.sh"));

/// A folder of the machine that is seen inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bind {
    pub(super) source: PathBuf,
    pub(super) target: String,
    pub(super) writable: bool,
    /// What its inode is, where it must be proved that it is the one that was looked at.
    pub(super) inode: Option<u64>,
}

/// What an engine takes of limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ulimits {
    /// Open files.
    pub(super) files: i64,
    /// Processes of a user, where the engine's own value would be refused; the limit that counts is
    /// that of the container.
    pub(super) processes: Option<i64>,
}

/// A container.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Spec {
    pub(super) image: String,
    pub(super) instance: String,
    pub(super) session: String,
    /// Never 0.
    pub(super) user: (u32, u32),
    /// The engine runs as an ordinary user: that user's id is the same inside.
    pub(super) keep_id: bool,
    pub(super) binds: Vec<Bind>,
    /// A folder in memory that some of them are mounted in.
    pub(super) memory: Option<String>,
    /// It reaches everything through the engine's bridge; if not, it has no network.
    pub(super) open: bool,
    /// It has an opening to single hosts: the mark of what carries connections there.
    pub(super) relay: Option<String>,
    pub(super) memory_mb: u64,
    pub(super) cpus: f32,
    pub(super) pids: u64,
    pub(super) tmp_mb: u64,
    pub(super) ulimits: Ulimits,
    pub(super) timezone: String,
}

impl Spec {
    /// The request that makes it.
    pub(super) fn request(&self) -> ContainerCreateBody {
        let inodes = self.binds.iter().filter(|bind| bind.inode.is_some());
        let inodes = inodes.map(|bind| bind.target.clone());
        let relay = self.relay.clone().unwrap_or_default();
        let labels = HashMap::from([
            (INSTANCE.to_owned(), self.instance.clone()),
            (SESSION.to_owned(), self.session.clone()),
        ]);
        ContainerCreateBody {
            image: Some(self.image.clone()),
            hostname: Some("moltis".to_owned()),
            user: Some(format!("{}:{}", self.user.0, self.user.1)),
            entrypoint: Some(texts(["/bin/sh", "-c", FIRST, "moltis"])),
            cmd: Some([relay].into_iter().chain(inodes).collect()),
            working_dir: Some("/".to_owned()),
            env: Some(self.environment()),
            labels: Some(labels),
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            open_stdin: Some(true),
            stdin_once: Some(true),
            tty: Some(false),
            host_config: Some(self.host_config()),
            ..ContainerCreateBody::default()
        }
    }

    fn environment(&self) -> Vec<String> {
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

    fn host_config(&self) -> HostConfig {
        let memory = i64::try_from(self.memory_mb << 20).unwrap_or(i64::MAX);
        HostConfig {
            auto_remove: Some(true),
            network_mode: Some(if self.open { "bridge" } else { "none" }.to_owned()),
            readonly_rootfs: Some(true),
            privileged: Some(false),
            cap_drop: Some(texts(["ALL"])),
            security_opt: Some(texts(["no-new-privileges"])),
            ipc_mode: Some("private".to_owned()),
            userns_mode: self.keep_id.then(|| "keep-id".to_owned()),
            memory: Some(memory),
            memory_swap: Some(memory),
            #[allow(clippy::cast_possible_truncation, reason = "a few processors, in billionths")]
            nano_cpus: Some((f64::from(self.cpus) * 1e9) as i64),
            pids_limit: Some(i64::try_from(self.pids).unwrap_or(i64::MAX)),
            ulimits: Some(self.ulimits()),
            tmpfs: Some(self.tmpfs()),
            mounts: Some(self.binds.iter().map(mount).collect()),
            ..HostConfig::default()
        }
    }

    fn ulimits(&self) -> Vec<ResourcesUlimits> {
        let limit = |name: &str, most: i64| ResourcesUlimits {
            name: Some(name.to_owned()),
            soft: Some(most),
            hard: Some(most),
        };
        let mut limits = vec![limit("core", 0), limit("nofile", self.ulimits.files)];
        limits.extend(self.ulimits.processes.map(|most| limit("nproc", most)));
        limits
    }

    fn tmpfs(&self) -> HashMap<String, String> {
        let options = format!("rw,exec,nosuid,nodev,size={}m,mode=1777", self.tmp_mb);
        let mut tmpfs = HashMap::from([("/tmp".to_owned(), options.clone())]);
        if !self.binds.iter().any(|bind| bind.target == HOME) {
            tmpfs.insert(HOME.to_owned(), options.clone());
        }
        if let Some(folder) = &self.memory {
            tmpfs.insert(folder.clone(), options);
        }
        tmpfs
    }
}

fn mount(bind: &Bind) -> Mount {
    Mount {
        typ: Some(MountType::BIND),
        source: Some(bind.source.to_string_lossy().into_owned()),
        target: Some(bind.target.clone()),
        read_only: Some(!bind.writable),
        // What the machine has mounted further down is none of the workspace.
        bind_options: Some(MountBindOptions {
            non_recursive: Some(true),
            ..MountBindOptions::default()
        }),
        ..Mount::default()
    }
}

fn texts<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(str::to_owned).to_vec()
}

#[cfg(test)]
#[path = "spec_tests.rs"]
pub(super) mod tests;

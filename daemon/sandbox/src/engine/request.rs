//! A container as an engine is asked for it.
//!
//! Not here: what a container may be. The invariant: there is nothing in a request that a [`Spec`]
//! does not say; the test holds it.

use std::collections::HashMap;

use bollard::models::{
    ContainerCreateBody, HostConfig, Mount, MountBindOptions, MountType, ResourcesUlimits,
};

use crate::container::spec::{Bind, FIRST, INSTANCE, SESSION, Spec};

/// The request that makes it.
pub(super) fn request(spec: &Spec) -> ContainerCreateBody {
    let labels = HashMap::from([
        (INSTANCE.to_owned(), spec.instance.clone()),
        (SESSION.to_owned(), spec.session.clone()),
    ]);
    ContainerCreateBody {
        image: Some(spec.image.clone()),
        hostname: Some("moltis".to_owned()),
        user: Some(format!("{}:{}", spec.user.0, spec.user.1)),
        entrypoint: Some(texts(["/bin/sh", "-c", FIRST, "moltis"])),
        cmd: Some(spec.wanted()),
        working_dir: Some("/".to_owned()),
        env: Some(spec.environment()),
        labels: Some(labels),
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        open_stdin: Some(true),
        stdin_once: Some(true),
        tty: Some(false),
        host_config: Some(host_config(spec)),
        ..ContainerCreateBody::default()
    }
}

fn host_config(spec: &Spec) -> HostConfig {
    let memory = i64::try_from(spec.memory_mb << 20).unwrap_or(i64::MAX);
    HostConfig {
        auto_remove: Some(true),
        network_mode: Some(if spec.open { "bridge" } else { "none" }.to_owned()),
        readonly_rootfs: Some(true),
        privileged: Some(false),
        cap_drop: Some(texts(["ALL"])),
        security_opt: Some(texts(["no-new-privileges"])),
        ipc_mode: Some("private".to_owned()),
        userns_mode: spec.keep_id.then(|| "keep-id".to_owned()),
        memory: Some(memory),
        memory_swap: Some(memory),
        #[allow(clippy::cast_possible_truncation, reason = "a few processors, in billionths")]
        nano_cpus: Some((f64::from(spec.cpus) * 1e9) as i64),
        pids_limit: Some(i64::try_from(spec.pids).unwrap_or(i64::MAX)),
        ulimits: Some(ulimits(spec)),
        tmpfs: Some(tmpfs(spec)),
        mounts: Some(spec.binds.iter().map(mount).collect()),
        ..HostConfig::default()
    }
}

fn ulimits(spec: &Spec) -> Vec<ResourcesUlimits> {
    let limit = |name: &str, most: i64| ResourcesUlimits {
        name: Some(name.to_owned()),
        soft: Some(most),
        hard: Some(most),
    };
    let mut limits = vec![limit("core", 0), limit("nofile", spec.ulimits.files)];
    limits.extend(spec.ulimits.processes.map(|most| limit("nproc", most)));
    limits
}

fn tmpfs(spec: &Spec) -> HashMap<String, String> {
    let options = format!("rw,exec,nosuid,nodev,size={}m,mode=1777", spec.tmp_mb);
    spec.in_memory().into_iter().map(|folder| (folder.to_owned(), options.clone())).collect()
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
#[path = "request_tests.rs"]
mod tests;

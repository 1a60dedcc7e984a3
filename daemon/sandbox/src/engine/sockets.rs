//! Where engines listen, and which they are.

use std::path::{Path, PathBuf};

use bollard::{API_DEFAULT_VERSION, Docker};
use moltis_core::error::{Code, Error, Result};

use super::container::told;

/// The longest that an engine may take to begin an answer, seconds.
const ANSWER: u64 = 60;

/// Docker or Podman.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Docker.
    Docker,
    /// Podman.
    Podman,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
        }
    }
}

/// An engine that answered.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) docker: Docker,
    pub(super) kind: Kind,
    pub(super) version: String,
    pub(super) socket: PathBuf,
    /// It runs as an ordinary user.
    pub(super) rootless: bool,
    /// Its users are others than the machine's.
    pub(super) remapped: bool,
}

/// The usual places of the sockets of Docker and Podman, as their manuals name them; those of a
/// person's own engine come first. `env` looks up an environment variable.
pub(crate) fn usual(kind: Kind, env: impl Fn(&str) -> Option<String>) -> Vec<PathBuf> {
    let host = |name| env(name).and_then(|host| Some(host.strip_prefix("unix://")?.to_owned()));
    let below = |name: &str, path: &str| {
        env(name).filter(|folder| folder.starts_with('/')).map(|folder| format!("{folder}/{path}"))
    };
    let places = match kind {
        Kind::Docker => vec![
            host("DOCKER_HOST"),
            below("XDG_RUNTIME_DIR", "docker.sock"),
            below("HOME", ".docker/run/docker.sock"),
            below("HOME", ".orbstack/run/docker.sock"),
            below("HOME", ".colima/default/docker.sock"),
            Some("/var/run/docker.sock".to_owned()),
        ],
        Kind::Podman => vec![
            host("CONTAINER_HOST"),
            below("XDG_RUNTIME_DIR", "podman/podman.sock"),
            below("HOME", ".local/share/containers/podman/machine/podman.sock"),
            Some("/run/podman/podman.sock".to_owned()),
        ],
    };
    places.into_iter().flatten().map(PathBuf::from).collect()
}

/// Asks what listens there.
pub(super) async fn ask(socket: &Path) -> Result<Found> {
    let what = format!("no engine answers at {}", socket.display());
    let address = socket.to_string_lossy();
    let docker = Docker::connect_with_unix(&address, ANSWER, API_DEFAULT_VERSION)
        .map_err(|error| told(&what, &error))?;
    let docker = docker.negotiate_version().await.map_err(|error| told(&what, &error))?;
    let version = docker.version().await.map_err(|error| told(&what, &error))?;
    let components = version.components.unwrap_or_default();
    let podman = components.iter().any(|part| part.name.starts_with("Podman"));
    let info = docker.info().await.map_err(|error| told(&what, &error))?;
    if info.os_type.is_some_and(|kind| kind != "linux") {
        let text = format!("the engine at {} runs no Linux containers", socket.display());
        return Err(Error::new(Code::Unavailable, text));
    }
    let security = info.security_options.unwrap_or_default();
    let says = |name: &str| security.iter().any(|option| option.contains(name));
    Ok(Found {
        docker,
        kind: if podman { Kind::Podman } else { Kind::Docker },
        version: version.version.unwrap_or_default(),
        socket: socket.to_owned(),
        rootless: says("name=rootless"),
        remapped: says("name=userns"),
    })
}

#[cfg(test)]
#[path = "sockets_tests.rs"]
mod tests;

//! What the configuration says of sandboxes.
//!
//! There is nothing here that could loosen what every sandbox keeps: no privileges, no network of
//! the machine, no folder but the workspace.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use moltis_core::error::Result;
use moltis_core::sandbox::Outlet;
use secrecy::SecretString;

/// Which backend is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// The first that proves itself: Docker, Podman, bubblewrap; on a Mac Apple's `container`, Docker,
    /// Podman.
    #[default]
    Auto,
    /// Docker.
    Docker,
    /// Podman.
    Podman,
    /// Apple's `container`.
    AppleContainer,
    /// bubblewrap, on Linux.
    Bubblewrap,
    /// None: programs do not run at all.
    None,
}

/// Environment variables that the owner gives to programs in sandboxes.
#[async_trait]
pub trait Variables: Send + Sync {
    /// Name and value of each, as they are now.
    async fn variables(&self) -> Result<Vec<(String, SecretString)>>;
}

/// No variables.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoVariables;

#[async_trait]
impl Variables for NoVariables {
    async fn variables(&self) -> Result<Vec<(String, SecretString)>> {
        Ok(Vec::new())
    }
}

/// How sandboxes are made.
#[derive(Clone)]
pub struct Options {
    /// Which backend.
    pub backend: Choice,
    /// The socket of the engine, a path; `None` looks at the usual places.
    pub socket: Option<String>,
    /// Where the program of a backend that is one is looked for: `PATH`, unless it is said otherwise.
    pub path: Vec<PathBuf>,
    /// The image that sessions get, or that theirs is built from.
    pub base_image: String,
    /// What is added to it, by the names of its own packages.
    pub packages: Vec<String>,
    /// Memory of all of a session's programs together, megabytes; there is no swap.
    pub memory_mb: u64,
    /// Processors.
    pub cpus: f32,
    /// Processes and threads.
    pub pids: u64,
    /// What `/tmp` and the home hold, megabytes each; they are in memory.
    pub tmp_mb: u64,
    /// The home of a session is kept in a folder of its own.
    pub home_persistence: bool,
    /// What a network of [`moltis_core::sandbox::Network::Listed`] leads to; without it there is
    /// none.
    pub outlet: Option<Arc<dyn Outlet>>,
    /// Environment variables of programs, asked for each time.
    pub variables: Arc<dyn Variables>,
    /// The daemon's data.
    pub data_dir: PathBuf,
    /// Tells this daemon's containers from those of others; letters, digits, `-`.
    pub instance: String,
}

impl Options {
    /// The defaults.
    pub fn new(data_dir: PathBuf, instance: String) -> Self {
        Self {
            backend: Choice::Auto,
            socket: None,
            path: std::env::var_os("PATH")
                .map(|path| std::env::split_paths(&path).filter(|one| one.is_absolute()).collect())
                .unwrap_or_default(),
            base_image: "ubuntu:25.10".to_owned(),
            packages: Vec::new(),
            memory_mb: 2048,
            cpus: 2.0,
            pids: 256,
            tmp_mb: 256,
            home_persistence: false,
            outlet: None,
            variables: Arc::new(NoVariables),
            data_dir,
            instance,
        }
    }
}

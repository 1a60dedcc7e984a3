//! The hooks that Moltis brings along, in one table.
//!
//! They are listed, and can be disabled, like any other. They need things that only the daemon has:
//! those are ports of this crate, which `moltisd` fills. The invariant: what a built-in hook reads
//! from a workspace is as untrusted as any hook there.

mod boot_md;
mod command_logger;
mod session_memory;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use moltis_core::Result;
use moltis_core::env::Env;
use moltis_core::event::Origin;
use moltis_core::hook::{Occasion, Point};

pub(crate) use boot_md::{boot_file, hash as boot_hash};

/// Starts a turn for what a `BOOT.md` says.
///
/// Called once for each file when the daemon is ready; implemented in `moltisd`.
#[async_trait]
pub trait Boot: Send + Sync {
    /// Starts a turn with this text, which is as good as the place it comes from: `Config` for the
    /// home's file, `Workspace` for a workspace's. It need not wait for the turn's end.
    ///
    /// # Errors
    /// When no turn can be started.
    async fn boot(&self, text: String, from: Origin) -> Result<()>;
}

/// One message of a session, as `session-memory` writes it down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Who said it: `user`, `assistant`.
    pub who: String,
    /// What.
    pub text: String,
}

/// Reads what was said in a session.
///
/// Called when a person begins a session anew; implemented in `moltisd` over the journal.
#[async_trait]
pub trait Transcripts: Send + Sync {
    /// The last messages of a session, the oldest first, `most` at most.
    ///
    /// # Errors
    /// When there is no such session or it can't be read.
    async fn last(&self, session: &str, most: usize) -> Result<Vec<Said>>;
}

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BuiltIn {
    BootMd,
    SessionMemory,
    CommandLogger,
}

impl BuiltIn {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::BootMd, Self::SessionMemory, Self::CommandLogger];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::BootMd => "boot-md",
            Self::SessionMemory => "session-memory",
            Self::CommandLogger => "command-logger",
        }
    }

    pub(crate) fn description(self) -> &'static str {
        match self {
            Self::BootMd => "starts a turn with what BOOT.md says when the daemon starts",
            Self::SessionMemory => "writes a session's last messages down when it is put away",
            Self::CommandLogger => "appends every command to logs/commands.jsonl",
        }
    }

    pub(crate) fn point(self) -> Point {
        match self {
            Self::BootMd => Point::GatewayStart,
            Self::SessionMemory | Self::CommandLogger => Point::Command,
        }
    }
}

/// What they need to run.
pub(crate) struct BuiltIns {
    pub data_dir: PathBuf,
    pub env: Arc<dyn Env>,
    pub boot: Option<Arc<dyn Boot>>,
    pub transcripts: Option<Arc<dyn Transcripts>>,
    /// One line at a time is appended to the log of commands.
    pub appending: Arc<Mutex<()>>,
}

impl BuiltIns {
    /// Why it can't run in this daemon.
    pub(crate) fn missing(&self, which: BuiltIn) -> Option<String> {
        match which {
            BuiltIn::BootMd if self.boot.is_none() => {
                Some("this daemon starts no turn by itself".to_owned())
            }
            BuiltIn::SessionMemory if self.transcripts.is_none() => {
                Some("this daemon gives no transcript to hooks".to_owned())
            }
            _ => None,
        }
    }

    /// Runs one. `boot` is the content of the workspace's `BOOT.md` that the owner trusts.
    ///
    /// # Errors
    /// Why it failed.
    pub(crate) async fn call(
        &self,
        which: BuiltIn,
        occasion: &Occasion,
        boot: Option<&str>,
    ) -> Result<(), String> {
        match which {
            BuiltIn::BootMd => boot_md::call(self, occasion.workspace.as_deref(), boot).await,
            BuiltIn::SessionMemory => session_memory::call(self, occasion).await,
            BuiltIn::CommandLogger => command_logger::call(self, occasion).await,
        }
    }
}

/// A text among the facts.
fn fact<'a>(occasion: &'a Occasion, key: &str) -> Option<&'a str> {
    occasion.facts.get(key).and_then(|value| value.as_str())
}

/// Which session it is about.
fn session(occasion: &Occasion) -> Option<&str> {
    fact(occasion, "session").or_else(|| fact(occasion, "session_key"))
}

/// A directory that only the owner can look into, with those above it.
pub(crate) fn private_dirs(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

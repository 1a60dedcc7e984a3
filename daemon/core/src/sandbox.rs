//! The port to the place where programs run that a model wants run.
//!
//! Programs never run on the machine itself: an implementation that can't contain one refuses.

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;

use crate::admin::Steps;
use crate::error::Result;
use crate::id::SessionId;
use crate::policy::Authorized;
use crate::tool::{Output, Run};

/// How the workspace is seen inside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mount {
    /// Not at all.
    None,
    /// To be read.
    ReadOnly,
    /// To be read and written, but for what steers programs outside: `.git/hooks` and the like.
    #[default]
    ReadWrite,
}

impl Mount {
    /// The name on the wire and in `--json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::ReadOnly => "ro",
            Self::ReadWrite => "rw",
        }
    }

    /// The one of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::None, Self::ReadOnly, Self::ReadWrite].into_iter().find(|one| one.as_str() == name)
    }
}

/// What programs inside can reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Network {
    /// Nothing, not even this machine.
    #[default]
    None,
    /// The hosts that the configuration names, through Moltis.
    Listed,
    /// Everything.
    Open,
}

impl Network {
    /// The name on the wire and in `--json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Listed => "listed",
            Self::Open => "open",
        }
    }

    /// The one of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::None, Self::Listed, Self::Open].into_iter().find(|one| one.as_str() == name)
    }
}

/// Whose sandbox, and how it is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The session: each has a sandbox of its own.
    pub session: SessionId,
    /// The workspace, absolute.
    pub workspace: Option<PathBuf>,
    /// How it is seen inside.
    pub mount: Mount,
    /// What can be reached.
    pub network: Network,
}

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Its exit code; 128 + n for a signal n.
    pub code: i64,
    /// What it printed to its standard output: at most 200 KB, head and tail.
    pub stdout: String,
    /// What it printed to its standard error: the same.
    pub stderr: String,
    /// Why it was ended, if it was: `timeout`, `memory`.
    pub ended_by: Option<String>,
    /// How long it ran.
    pub took: Duration,
}

/// A program that goes on running in the sandbox, with a screen of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its name in the session.
    pub name: String,
    /// What it was started with.
    pub command: String,
    /// Its exit code, once it has ended.
    pub exit: Option<i64>,
}

/// What is asked of programs that go on running.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProcessAsk {
    /// Start the command of the run under this name.
    Start {
        /// The name.
        name: String,
    },
    /// Type the command of the run into it. Keys go by their tmux names: `Enter`, `C-c`.
    SendKeys {
        /// The name.
        name: String,
        /// The text is keys rather than text.
        keys: bool,
    },
}

/// How the sandbox is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SandboxStatus {
    /// `docker`, `podman`, `apple-container`, `bubblewrap`; `None` when there is none.
    pub backend: Option<String>,
    /// One was looked for: without this, no backend means that nobody knows yet.
    pub looked: bool,
    /// Version and address of it, or why there is none.
    pub detail: String,
    /// What mends it, where there is none.
    pub hint: Option<String>,
    /// Guarantees that it lacks, a sentence each.
    pub lacks: Vec<String>,
    /// The image that sessions get; empty where there are no images.
    pub image: String,
    /// It has been built.
    pub image_ready: bool,
    /// Sessions that have a sandbox now.
    pub running: u64,
    /// The hosts that a network of [`Network::Listed`] reaches, as the configuration writes them.
    pub hosts: Vec<String>,
}

/// An image that sandboxes are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Its tag.
    pub tag: String,
    /// When it was made.
    pub created: jiff::Timestamp,
    /// Bytes.
    pub size: u64,
    /// It is the one that the configuration asks for.
    pub current: bool,
}

/// The way out of sandboxes whose network is [`Network::Listed`].
///
/// Called by `sandbox`, which listens where nothing but the programs of one session can come;
/// implemented where outbound connections are made.
#[async_trait]
pub trait Outlet: Send + Sync {
    /// The hosts that are reached now, as the configuration writes them.
    fn hosts(&self) -> Vec<String>;

    /// Serves one connection of that session's programs to its end: it speaks to an HTTP proxy.
    /// Dropping the call closes it, and what it led to.
    async fn serve(&self, session: &SessionId, stream: UnixStream);
}

/// The place where programs run.
///
/// Called by `tools`; implemented in `sandbox`. Each session's sandbox is made when it is first
/// needed.
#[async_trait]
pub trait Sandbox: Send + Sync {
    /// How it is, without waiting for anything: `backend` is `None` while that is not known.
    fn status(&self) -> SandboxStatus;

    /// Runs a program to its end. Its standard input is closed.
    ///
    /// # Errors
    /// Where it could not be run at all; a program that fails is an [`Exit`].
    async fn exec(&self, place: &Place, run: Authorized<Run>, output: &dyn Output) -> Result<Exit>;

    /// Starts a program that goes on, or types into one.
    async fn process(&self, place: &Place, run: Authorized<Run>, ask: ProcessAsk) -> Result<()>;

    /// What a program that goes on shows: its screen with so many lines of what scrolled off.
    async fn screen(&self, place: &Place, name: &str, lines: u32) -> Result<(Process, String)>;

    /// The programs that go on.
    async fn processes(&self, place: &Place) -> Result<Vec<Process>>;

    /// Ends a program that goes on.
    async fn kill(&self, place: &Place, name: &str) -> Result<()>;

    /// Ends everything in the session's sandbox, detached programs too, within two seconds.
    async fn stop(&self, session: &SessionId);

    /// Looks again for a backend and proves that it contains what runs in it.
    async fn probe(&self) -> SandboxStatus;

    /// The images on this machine that Moltis made.
    async fn images(&self) -> Result<Vec<Image>>;

    /// Makes the image that the configuration asks for.
    async fn build(&self) -> Result<Steps>;

    /// Removes images: this one, or all but the current one; says which.
    async fn remove_images(&self, tag: Option<&str>) -> Result<Vec<String>>;
}

//! What containers and bubblewrap have in common.
//!
//! [`crate::Sandboxes`] holds at most one of them, and only after [`Backend::probe`] has proved what
//! it promises. What a backend is asked has passed the gate: the port takes nothing else. Not here:
//! which one is taken.

use async_trait::async_trait;
use moltis_core::admin::Steps;
use moltis_core::error::{Code, Error, Result};
use moltis_core::id::SessionId;
use moltis_core::sandbox::{Exit, Image, Place, Process};
use moltis_core::tool::{Output, Run};

/// A kind of sandbox. One value for each daemon.
#[async_trait]
pub(crate) trait Backend: Send + Sync {
    /// `docker`, `podman`, `apple-container`, `bubblewrap`.
    fn name(&self) -> &str;

    /// Version and address.
    fn detail(&self) -> String;

    /// Guarantees that it lacks, a sentence each.
    fn lacks(&self) -> Vec<String>;

    /// Runs a real program in a throw-away sandbox and proves what is promised: no network,
    /// read-only root, not root, no capabilities, no new privileges, limits, and nothing of the
    /// machine's files visible.
    ///
    /// # Errors
    /// What could not be proved; the backend is not used then.
    async fn probe(&self) -> Result<()>;

    /// Runs a program to its end.
    async fn exec(&self, place: &Place, run: &Run, output: &dyn Output) -> Result<Exit>;

    /// Starts a program that goes on.
    async fn start(&self, place: &Place, name: &str, run: &Run) -> Result<()>;

    /// Types the command of the run into it; `keys` are names of keys rather than text.
    async fn send_keys(&self, place: &Place, name: &str, run: &Run, keys: bool) -> Result<()>;

    /// Its screen, with so many lines of what scrolled off.
    async fn screen(&self, place: &Place, name: &str, lines: u32) -> Result<(Process, String)>;

    /// The programs that go on. A session without a sandbox has none, and gets none by this.
    async fn processes(&self, place: &Place) -> Result<Vec<Process>>;

    /// Ends one.
    async fn kill(&self, place: &Place, name: &str) -> Result<()>;

    /// Ends everything in the session's sandbox; when it returns, none of it runs. Two seconds at
    /// most.
    async fn stop(&self, session: &SessionId);

    /// Sessions that have a sandbox now.
    fn running(&self) -> u64;

    /// The image that sessions get, and whether it is there; `None` where there are no images.
    fn image(&self) -> Option<(String, bool)> {
        None
    }

    /// The images that Moltis made.
    async fn images(&self) -> Result<Vec<Image>> {
        Ok(Vec::new())
    }

    /// Makes the image that the configuration asks for.
    async fn build(&self) -> Result<Steps> {
        Err(no_images(self.name()))
    }

    /// Removes images: this one, or all but the current one; says which.
    async fn remove_images(&self, _tag: Option<&str>) -> Result<Vec<String>> {
        Err(no_images(self.name()))
    }
}

fn no_images(name: &str) -> Error {
    Error::new(Code::Invalid, format!("{name} has no images: it runs this machine's own programs"))
}

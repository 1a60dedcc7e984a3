//! The port to checkpoints: what a workspace was like, what has changed in it, and back again.
//!
//! A snapshot is taken before and after something works on the workspace; what differs between the
//! two is what it did, by whichever means. A snapshot is no backup: files that the workspace's
//! `.gitignore` names, `.git` itself and what is too large are not in it, and old ones go when the
//! room that they may take is used up. The invariant: undoing never touches a file that has been
//! changed since.

use std::path::Path;

use async_trait::async_trait;

use crate::error::Result;
use crate::event::FileChange;
use crate::id::SessionId;

/// The workspace as it was at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Names it. Two snapshots of a session that differ in nothing have the same name.
    pub name: String,
    /// What is not in it although nothing says that it be ignored, a sentence each: such files are
    /// not watched and not put back.
    pub skipped: Vec<String>,
}

/// How an undo went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Undone {
    /// What was put back, as it was found: a file that had been created is gone again.
    pub restored: Vec<FileChange>,
    /// What was left alone.
    pub kept: Vec<Kept>,
}

/// A file that was left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Where, relative to the workspace.
    pub path: String,
    /// Why: a lower-case fragment.
    pub why: String,
}

/// Checkpoints of workspaces.
///
/// Called by `session` around whatever may change a workspace; implemented in `checkpoint`.
/// A snapshot that is no longer kept is [`crate::Code::NotFound`], with a hint.
///
/// Paths are shown as text: bytes that are none are replaced, control characters escaped. A
/// directory's ends in `/`; it is listed only where no file inside tells of it.
#[async_trait]
pub trait Checkpoints: Send + Sync {
    /// Takes note of the workspace as it is. Cheap when little has changed since the session's
    /// last one. Dropping this gives up soon, and leaves nothing behind.
    ///
    /// # Errors
    /// [`crate::Code::NotFound`] without a workspace, [`crate::Code::Storage`] where it could not
    /// be kept: a full disk, mostly.
    async fn take(&self, session: &SessionId, workspace: &Path) -> Result<Snapshot>;

    /// What differs, by path.
    async fn changes(&self, before: &str, after: &str) -> Result<Vec<FileChange>>;

    /// What differs as a unified diff with three lines of context: at most `limit` bytes, and it
    /// ends by saying what was left out. Files that are no text, or too large, are only named.
    async fn diff(&self, before: &str, after: &str, limit: usize) -> Result<String>;

    /// Puts what differs back to what it was in `before`, but only what is still as it was in
    /// `after`; the rest is left alone and named. Each file is replaced in one step, with its
    /// mode. Once begun it goes on to its end, also when this is dropped. A snapshot taken before
    /// makes the undo itself one that can be undone.
    ///
    /// # Errors
    /// [`crate::Code::Invalid`] for snapshots of another workspace. A file that could not be put
    /// back is no error: it is kept and says why.
    async fn undo(&self, workspace: &Path, before: &str, after: &str) -> Result<Undone>;

    /// Forgets the session's snapshots, and what only they needed.
    async fn forget(&self, session: &SessionId) -> Result<()>;
}

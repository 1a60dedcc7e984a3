//! What makes and runs containers: an engine behind its socket, a program of the machine's own.
//!
//! Called by the other files of this folder only. A [`Runtime`] says what it is and makes containers
//! of a [`Spec`]; a [`Hold`] is one of them that runs. Dropping a hold ends its container, however
//! that comes about. Not here: whether what was made contains what runs in it.

use std::path::PathBuf;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use moltis_core::admin::Steps;
use moltis_core::error::{Code, Error, Result};
use moltis_core::sandbox::Image;

use super::proof::Proof;
use super::spec::{Spec, Ulimits};
use crate::image::Recipe;

/// What a running program gives: what it prints, and how it ended as the last.
#[derive(Debug)]
pub(crate) enum Piece {
    /// More of its standard output.
    Stdout(Bytes),
    /// More of its standard error.
    Stderr(Bytes),
    /// Its exit code; 128 + n for a signal n. Nothing follows.
    Exit(i64),
}

/// A program that runs. Dropping it looks away: the program goes on.
pub(crate) type Program = BoxStream<'static, Result<Piece>>;

/// Why a program could not be begun.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The container has gone: another can be made.
    Gone,
    /// Anything else.
    Error(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// What makes containers.
#[async_trait]
pub(crate) trait Runtime: Send + Sync {
    /// `docker`, `podman`, `apple-container`.
    fn name(&self) -> &str;

    /// Version and address.
    fn detail(&self) -> String;

    /// What it lacks whatever it runs, a sentence each.
    fn lacks(&self) -> Vec<String>;

    /// Why its containers can't reach single hosts through a socket that is mounted, if they can't.
    fn no_listed(&self) -> Option<&'static str>;

    /// Why the repository of a git worktree can't be seen in its containers, if it can't.
    fn no_repositories(&self) -> Option<&'static str>;

    /// What of its own a workspace may not hold.
    fn private(&self) -> Vec<PathBuf>;

    /// The limits that it takes for each program, where so many may run at once.
    fn ulimits(&self, pids: u64) -> Ulimits;

    /// It runs as an ordinary user, and that user's id must be kept inside.
    fn keeps_id(&self) -> bool;

    /// Makes a container, and hears what it says of itself. What it says has not been judged. One
    /// that does not come up is gone when this returns.
    async fn create(&self, spec: &Spec) -> Result<(Box<dyn Hold>, Proof)>;

    /// The containers of an instance, running or not, all or those of one session. None where it
    /// can't be asked: that is logged.
    async fn left(&self, instance: &str, session: Option<&str>) -> Vec<String>;

    /// Ends a container and waits until it has gone, but no longer than two seconds.
    async fn remove(&self, id: &str);

    /// The image is there.
    async fn has_image(&self, tag: &str) -> Result<bool>;

    /// Makes the image, or fetches the base where nothing is added to it. Dropping the steps ends it.
    fn make_image(&self, recipe: Recipe) -> Steps;

    /// The images that Moltis made.
    async fn images(&self, current: &str) -> Result<Vec<Image>>;

    /// Removes an image that Moltis made.
    async fn remove_image(&self, tag: &str) -> Result<()>;
}

/// A container that runs.
#[async_trait]
pub(crate) trait Hold: Send + Sync {
    /// Starts a program in it. Variables are `NAME=value`; none of their values shows in the arguments
    /// of a process of this machine.
    async fn run(
        &self,
        command: &[&str],
        directory: &str,
        mark: &str,
        variables: Vec<String>,
    ) -> Result<Program, Failure>;

    /// It still runs.
    async fn is_up(&self) -> bool;

    /// Ends it with everything in it.
    async fn end(&self);
}

/// 64 random bits in hex.
pub(crate) fn fresh() -> Result<String> {
    let mut bytes = [0; 8];
    match rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty()) {
        Ok(8) => Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
        _ => Err(Error::new(Code::Internal, "the machine gives no random numbers")),
    }
}

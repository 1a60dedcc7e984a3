//! What a model is told before anything is said: the fragments of the system prompt, and the port to
//! the files that most of them are.
//!
//! The order of fragments and how they are worded for a model is `agent`'s. The invariant: a
//! fragment says where it came from, because what comes from a workspace may be the words of
//! others.

use std::path::Path;

use async_trait::async_trait;

use crate::event::Origin;
use crate::policy::Label;

/// What a fragment of the system prompt is, in the order in which a model is told them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SystemKind {
    /// What is configured to be said first of all.
    Intro,
    /// Who the agent is.
    Identity,
    /// What it is like.
    Soul,
    /// Who the person is.
    User,
    /// How the project is worked on.
    Project,
    /// The day, the machine and the workspace.
    Runtime,
}

/// A part of the system prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemFragment {
    /// What a person knows it by: `intro`, or a file's path from the workspace. One line.
    pub name: String,
    /// What it is.
    pub kind: SystemKind,
    /// What it says; not empty.
    pub text: String,
    /// Where that came from.
    pub origin: Origin,
    /// It is about the person: others than them have no business with it.
    pub sensitive: bool,
    /// Something of it is missing; the text says so too.
    pub truncated: bool,
}

impl SystemFragment {
    /// A whole fragment that is not a file's.
    pub fn new(name: &str, kind: SystemKind, text: String, origin: Origin) -> Self {
        Self { name: name.to_owned(), kind, text, origin, sensitive: false, truncated: false }
    }
}

/// What is left of a label when these fragments are told too.
#[must_use]
pub fn label_with(label: Label, fragments: &[SystemFragment]) -> Label {
    fragments.iter().fold(label, |label, one| label.and(one.origin, one.sensitive))
}

/// The files that tell a model who it is, whom it serves and how a project is worked on.
///
/// Called by `session` at the beginning of each turn; implemented in `context`. The same files give
/// the same bytes. What can't be read is not told; what was cut says so.
#[async_trait]
pub trait ContextFiles: Send + Sync {
    /// The fragments of an agent and, where there is one, of a workspace (absolute); those of the
    /// project are ordered from the outermost directory inward. Never takes longer than some
    /// seconds.
    async fn fragments(&self, agent: &str, workspace: Option<&Path>) -> Vec<SystemFragment>;
}

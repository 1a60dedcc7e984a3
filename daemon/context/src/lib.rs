//! The files that a model is told first of all: who it is and whom it serves, from the data
//! directory, and how a project is worked on, from the workspace.
//!
//! An agent's own files are `agents/AGENT/IDENTITY.md`, `SOUL.md` and `USER.md` in the data
//! directory; there is no other place, and what is not there is not told. It is no place for how a
//! model is told them; that is `agent`'s. The invariants: nothing outside of the project is read,
//! whatever links say; what is told is bounded and says where it was cut; the same files give the
//! same bytes, so that the caches of vendors hold. For that no memory is kept: files of 100 KB at
//! most are read anew for each turn, and a stale prompt can't be.

mod project;
mod text;
mod tree;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use moltis_core::context::{ContextFiles, SystemFragment, SystemKind};
use moltis_core::event::Origin;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// Bytes that are told of one file at most, the note that it was cut included.
pub const MOST_OF_FILE: usize = 16 << 10;

/// Bytes that are told of all files of a project at most, one more note not counted.
pub const MOST_OF_PROJECT: usize = 48 << 10;

/// How long the files may take. A file system that is not there any more takes for ever.
const PATIENCE: Duration = Duration::from_secs(5);

/// Looks at once: one that hangs keeps its place until it does not.
const LOOKS: usize = 4;

/// An agent's files, what they are, and whether they are about the person.
const AGENT_FILES: [(&str, SystemKind, bool); 3] = [
    ("IDENTITY.md", SystemKind::Identity, false),
    ("SOUL.md", SystemKind::Soul, false),
    ("USER.md", SystemKind::User, true),
];

/// The files.
pub struct Files {
    places: Arc<Places>,
    turn: Arc<Semaphore>,
}

/// Where they are.
#[derive(Debug)]
struct Places {
    data_dir: PathBuf,
    home: Option<PathBuf>,
}

impl Files {
    /// The files of agents in this data directory and of projects; a project ends at this home at
    /// the latest. Both are absolute.
    pub fn new(data_dir: PathBuf, home: Option<PathBuf>) -> Arc<Self> {
        let places = Arc::new(Places { data_dir, home });
        Arc::new(Self { places, turn: Arc::new(Semaphore::new(LOOKS)) })
    }
}

#[async_trait]
impl ContextFiles for Files {
    async fn fragments(&self, agent: &str, workspace: Option<&Path>) -> Vec<SystemFragment> {
        let (places, turn) = (self.places.clone(), self.turn.clone());
        let (agent, workspace) = (agent.to_owned(), workspace.map(Path::to_owned));
        let looking = async {
            let place = turn.acquire_owned().await.ok()?;
            let look = move || {
                let fragments = places.look(&agent, workspace.as_deref());
                drop(place);
                fragments
            };
            spawn_blocking(look).await.ok()
        };
        match timeout(PATIENCE, looking).await {
            Ok(Some(fragments)) => fragments,
            Ok(None) | Err(_) => {
                tracing::warn!("the files that models are told could not be read in time");
                let note = "[the files about the agent and the project could not be read in time]";
                vec![note_of(note.to_owned())]
            }
        }
    }
}

impl Places {
    fn look(&self, agent: &str, workspace: Option<&Path>) -> Vec<SystemFragment> {
        // The way that a person writes it may lead over links.
        let workspace = workspace.and_then(|path| path.canonicalize().ok());
        let mut fragments = self.agent(agent, workspace.as_deref());
        if let Some(workspace) = workspace {
            fragments.extend(project::fragments(&workspace, self.home.as_deref()));
        }
        fragments
    }

    /// The agent's own files. They are the owner's, links included, unless the whole data directory
    /// is a part of the workspace: then whoever works there may have written them.
    fn agent(&self, agent: &str, workspace: Option<&Path>) -> Vec<SystemFragment> {
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if agent.is_empty() || !agent.chars().all(is_name) {
            return Vec::new();
        }
        let directory = self.data_dir.join("agents").join(agent);
        let real = directory.canonicalize().unwrap_or_else(|_| directory.clone());
        let origin = match workspace {
            Some(workspace) if real.starts_with(workspace) => Origin::Workspace,
            _ => Origin::Config,
        };
        let fragment = |(name, kind, sensitive): (&str, SystemKind, bool)| {
            let (bytes, size) = tree::read_own(&directory.join(name), MOST_OF_FILE)?;
            let told = text::of(&bytes, size, MOST_OF_FILE)?;
            let fragment = SystemFragment::new(name, kind, told.text, origin);
            Some(SystemFragment { sensitive, truncated: told.is_cut, ..fragment })
        };
        AGENT_FILES.into_iter().filter_map(fragment).collect()
    }
}

/// A word of Moltis about what is not told.
fn note_of(text: String) -> SystemFragment {
    let note = SystemFragment::new("…", SystemKind::Project, text, Origin::Owner);
    SystemFragment { truncated: true, ..note }
}

#[cfg(test)]
#[path = "lib_tests.rs"]
mod tests;

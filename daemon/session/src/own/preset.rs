//! Kinds of agents: what the owner described in files, and what it means for a turn.
//!
//! Not here: where the files are; that is the port's. The invariant: a kind takes tools away and adds
//! none, and one that can't be read leaves its session without an answer rather than with more tools
//! than it should have.

use std::sync::Arc;

use moltis_agent::system;
use moltis_core::context::SystemFragment;
use moltis_core::error::{Code, Error, Result};
use moltis_core::id::SessionId;
use moltis_core::models::ModelRef;
use moltis_core::session::{Settings, Summary};
use tokio::task::spawn_blocking;

use crate::sessions::Sessions;

/// A kind of agent that the person has described in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preset {
    /// What it is told first of all.
    pub system: String,
    /// The tools that it has; empty is those of the agent that begins it.
    pub tools: Vec<String>,
    /// The model that it asks, `provider/model`.
    pub model: Option<String>,
}

/// Where kinds of agents are described.
pub trait Presets: Send + Sync {
    /// The one of that name.
    ///
    /// # Errors
    /// What is wrong: there is none, or its file has no meaning. For a model.
    fn preset(&self, name: &str) -> std::result::Result<Preset, String>;

    /// The names that there are, in order.
    fn names(&self) -> Vec<String>;
}

/// The kind of agent that a session's model works as.
#[derive(Clone, Debug)]
pub(crate) struct WorksAs {
    name: String,
    preset: Preset,
}

impl WorksAs {
    /// Whether it has a tool of that name.
    pub(crate) fn has(&self, tool: &str) -> bool {
        self.preset.tools.is_empty() || self.preset.tools.iter().any(|one| one == tool)
    }

    /// What it is told first of all.
    pub(crate) fn fragment(&self) -> SystemFragment {
        let name = format!("agent {}", self.name);
        SystemFragment { name, ..system::intro(&self.preset.system) }
    }
}

/// What is known of the model to ask before the file of its kind of agent is read.
pub(crate) struct Wanted {
    /// What the turn's own messages name.
    own: Option<ModelRef>,
    settings: Settings,
}

impl Wanted {
    pub(crate) fn new(own: Option<ModelRef>, settings: &Settings) -> Self {
        Self { own, settings: settings.clone() }
    }

    /// The model to ask, and the kind of agent that it works as. A kind's model stands behind one that a
    /// message names and before the session's.
    ///
    /// # Errors
    /// `NotFound` where there is no such kind, or its file has no meaning.
    pub(crate) async fn resolved(
        self,
        presets: Option<Arc<dyn Presets>>,
    ) -> Result<(Option<ModelRef>, Option<WorksAs>)> {
        let Self { own, settings } = self;
        let Some(name) = settings.preset else { return Ok((own.or(settings.model), None)) };
        let wanted = name.clone();
        // It reads a file and waits for the disk.
        let read = spawn_blocking(move || match presets {
            Some(presets) => presets.preset(&wanted),
            None => Err(format!("there is no preset `{wanted}`")),
        });
        let read = read.await.map_err(|error| Error::new(Code::Internal, error.to_string()))?;
        let wrong = |why| Error::new(Code::NotFound, why).with_hint("/agent none");
        let preset = read.map_err(wrong)?;
        let its = preset.model.as_deref().map(ModelRef::parse).transpose()?;
        Ok((own.or(its).or(settings.model), Some(WorksAs { name, preset })))
    }
}

impl Sessions {
    /// A kind of agent.
    pub(crate) fn preset(&self, name: &str) -> std::result::Result<Preset, String> {
        match &self.shared.hands.presets {
            Some(presets) => presets.preset(name),
            None => Err(format!("there is no preset `{name}`")),
        }
    }

    /// The kinds of agents that there are.
    pub(crate) fn preset_names(&self) -> Vec<String> {
        self.shared.hands.presets.as_ref().map(|presets| presets.names()).unwrap_or_default()
    }

    /// The agents that this session began and that have something to do.
    pub(crate) async fn at_work(&self, session: &SessionId) -> Result<Vec<Summary>> {
        let mut working = self.shared.journal.unfinished().await?;
        let mine = |child: &Summary| {
            child.spawned.as_ref().is_some_and(|spawned| spawned.parent == *session)
        };
        working.retain(mine);
        Ok(working)
    }
}

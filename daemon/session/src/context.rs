//! What models are told first of all: which files that are, and what is said beside them.
//!
//! The files are read anew for each turn, as a task of it: a file system that hangs holds up a turn
//! that can be stopped, never the actor. How all of it is worded is `agent`'s.

use std::path::PathBuf;
use std::sync::Arc;

use moltis_agent::prompt::Instructions;
use moltis_agent::system;
use moltis_core::context::{ContextFiles, SystemFragment};
use moltis_core::session::{Summary, TurnRules};
use moltis_core::tool::{Scene, Tool};

use crate::actor::Actor;
use crate::hands::Hands;
use crate::telling;

/// The files that are told in a session.
pub(crate) struct Told {
    files: Arc<dyn ContextFiles>,
    agent: String,
    workspace: Option<PathBuf>,
}

impl Told {
    pub(crate) fn new(hands: &Hands, summary: &Summary, rules: &TurnRules) -> Self {
        let workspace = telling::workspace(summary, rules);
        Self {
            files: hands.files.clone(),
            agent: summary.agent.clone(),
            workspace: workspace.filter(|_| rules.project_files),
        }
    }

    /// Reads them.
    pub(crate) async fn read(self) -> Vec<SystemFragment> {
        self.files.fragments(&self.agent, self.workspace.as_deref()).await
    }
}

impl Actor {
    /// What holds for the next request.
    pub(crate) fn instructions(
        &self,
        rules: &TurnRules,
        scene: &Scene,
        tools: &[Arc<dyn Tool>],
    ) -> Instructions {
        Instructions {
            system: self.beside_files(rules, scene, !tools.is_empty()),
            effort: self.log.summary.settings.effort.or(rules.effort),
            compact_at: rules.compact_at,
            tools: tools.iter().map(|tool| tool.spec().clone()).collect(),
            max_rounds: rules.max_rounds,
        }
    }

    /// What is said beside the files.
    fn beside_files(
        &self,
        rules: &TurnRules,
        scene: &Scene,
        has_tools: bool,
    ) -> Vec<SystemFragment> {
        let machine = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
        let runtime = system::runtime(self.shared.env.now(), &machine, scene, has_tools);
        let intro = match &self.log.summary.spawned {
            Some(spawned) if !spawned.system.is_empty() => &spawned.system,
            _ => &rules.system_prompt,
        };
        system::ordered(vec![system::intro(intro), runtime])
    }
}

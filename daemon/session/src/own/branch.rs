//! `branch_session`: a copy of the session up to here, for a person to go on with elsewhere.

use std::sync::Weak;

use async_trait::async_trait;
use moltis_core::assistant::{Assistant, Caller, Change};
use moltis_core::event::{Cause, Origin};
use moltis_core::id::OpId;
use moltis_core::policy::Authorized;
use moltis_core::provider::ToolSpec;
use moltis_core::tool::{Action, Call, Class, Outcome, Output, Scene, Tool};
use serde_json::{Value, json};

use super::{going, needed};
use crate::sessions::Sessions;

pub(super) struct BranchSession {
    sessions: Weak<Sessions>,
    spec: ToolSpec,
}

impl BranchSession {
    pub(super) fn new(sessions: Weak<Sessions>) -> Self {
        let spec = ToolSpec {
            name: "branch_session".to_owned(),
            description: "Copy this session up to here into a new one for the person.".to_owned(),
            parameters: json!({
                "type": "object",
                "properties": { "label": { "type": "string" } },
                "required": ["label"],
            }),
        };
        Self { sessions, spec }
    }

    async fn branch(&self, call: &Call, scene: &Scene) -> moltis_core::Result<String> {
        let Some(sessions) = self.sessions.upgrade() else {
            return Ok("the daemon is stopping".to_owned());
        };
        let label = needed(&call.arguments, "label").unwrap_or("branch");
        let caller = Caller { cause: Cause::Model, origin: Origin::Tool };
        // The same call makes the same branch, also when it is made again after a crash.
        let op = OpId::new(format!("branch:{}:{}", scene.turn, call.id));
        let seq = sessions.summary(&scene.session).await?.last_seq;
        let child = sessions.fork(&caller, op.clone(), &scene.session, seq).await?;
        let title = Change::Title(label.to_owned());
        sessions.change(&caller, OpId::new(format!("{op}:title")), &child.id, title).await?;
        Ok(format!("the new session is `{}`", child.id))
    }
}

#[async_trait]
impl Tool for BranchSession {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn class(&self) -> Class {
        Class::Idempotent
    }

    fn plan(&self, arguments: &Value, _scene: &Scene) -> Result<Action, String> {
        needed(arguments, "label").map(|_| Action::Inward)
    }

    async fn run(&self, call: Authorized<Call>, scene: &Scene, _output: &dyn Output) -> Outcome {
        if self.sessions.strong_count() == 0 {
            return going();
        }
        match self.branch(call.what(), scene).await {
            Ok(said) => Outcome::said(said).from(Origin::Owner),
            Err(error) => Outcome::failed(error.message),
        }
    }
}

//! `session_state`: values that an agent keeps for itself, for as long as the session lives.

use std::collections::BTreeMap;
use std::sync::Weak;

use async_trait::async_trait;
use moltis_core::error::{Code, Error, Result};
use moltis_core::event::{EventKind, Origin};
use moltis_core::policy::Authorized;
use moltis_core::provider::ToolSpec;
use moltis_core::tool::{Action, Call, Class, Outcome, Output, Scene, Tool};
use serde_json::{Value, json};

use super::{going, needed, text};
use crate::actor::Actor;
use crate::sessions::Sessions;

/// Bytes of one value.
const MOST_VALUE: usize = 64 << 10;

/// Bytes of a key, and of a namespace.
const MOST_NAME: usize = 200;

/// Bytes of all values of a session, their names included.
const MOST_ALL: usize = 1 << 20;

/// What a session keeps: by namespace and key, a JSON document each.
pub(crate) type Kept = BTreeMap<(String, String), String>;

/// What is asked of it.
#[derive(Clone, Debug)]
pub(crate) enum StateAsk {
    Get(String, String),
    Set(String, String, String),
    Delete(String, String),
    List(String),
    Clear(String),
}

pub(super) struct SessionState {
    sessions: Weak<Sessions>,
    spec: ToolSpec,
}

impl SessionState {
    pub(super) fn new(sessions: Weak<Sessions>) -> Self {
        let spec = ToolSpec {
            name: "session_state".to_owned(),
            description: "Keep small values for later turns of this session.".to_owned(),
            parameters: json!({
                "type": "object",
                "properties": {
                    "operation": { "enum": ["get", "set", "delete", "list", "clear"] },
                    "namespace": { "type": "string" },
                    "key": { "type": "string" },
                    "value": { "description": "any JSON" },
                },
                "required": ["operation"],
            }),
        };
        Self { sessions, spec }
    }
}

fn ask(arguments: &Value) -> Result<StateAsk, String> {
    let namespace = name(text(arguments, "namespace").unwrap_or("default"), "namespace")?;
    let key = || name(needed(arguments, "key")?, "key");
    match needed(arguments, "operation")? {
        "get" => Ok(StateAsk::Get(namespace, key()?)),
        "set" => {
            let value = arguments.get("value").ok_or("`value` is missing")?.to_string();
            if value.len() > MOST_VALUE {
                return Err(format!("a value has at most {MOST_VALUE} bytes"));
            }
            Ok(StateAsk::Set(namespace, key()?, value))
        }
        "delete" => Ok(StateAsk::Delete(namespace, key()?)),
        "list" => Ok(StateAsk::List(namespace)),
        "clear" => Ok(StateAsk::Clear(namespace)),
        other => Err(format!("`operation` is one of get, set, delete, list, clear, not `{other}`")),
    }
}

fn name(text: &str, which: &str) -> Result<String, String> {
    if text.len() > MOST_NAME {
        return Err(format!("`{which}` has at most {MOST_NAME} bytes"));
    }
    Ok(text.to_owned())
}

#[async_trait]
impl Tool for SessionState {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn class(&self) -> Class {
        Class::Idempotent
    }

    fn plan(&self, arguments: &Value, _scene: &Scene) -> Result<Action, String> {
        ask(arguments).map(|_| Action::Inward)
    }

    async fn run(&self, call: Authorized<Call>, scene: &Scene, _output: &dyn Output) -> Outcome {
        let Some(sessions) = self.sessions.upgrade() else { return going() };
        match ask(&call.what().arguments) {
            Err(why) => Outcome::failed(why),
            Ok(ask) => match sessions.state(&scene.session, &scene.turn, ask).await {
                // The agent's own words, which its label covers already.
                Ok(answer) => Outcome::said(answer).from(Origin::Owner),
                Err(error) => Outcome::failed(error.message),
            },
        }
    }
}

impl Actor {
    /// Does what an agent asks of what its session keeps, and says what came of it.
    pub(crate) async fn state(
        &mut self,
        turn: &moltis_core::TurnId,
        ask: StateAsk,
    ) -> Result<String> {
        let kept = self.log.kept().await?;
        let (changes, answer) = match ask {
            StateAsk::Get(namespace, key) => {
                let value = kept.get(&(namespace, key)).cloned();
                return Ok(value.unwrap_or_else(|| "null".to_owned()));
            }
            StateAsk::List(namespace) => {
                let keys = kept.keys().filter(|(of, _)| *of == namespace).map(|(_, key)| key);
                return Ok(json!(keys.collect::<Vec<_>>()).to_string());
            }
            StateAsk::Set(namespace, key, value) => {
                // What it takes the place of goes.
                let others = kept.iter().filter(|((of, name), _)| (of, name) != (&namespace, &key));
                let others = others.map(|((of, name), value)| of.len() + name.len() + value.len());
                let all: usize = others.sum();
                if all + namespace.len() + key.len() + value.len() > MOST_ALL {
                    let message = format!("a session keeps at most {MOST_ALL} bytes: delete some");
                    return Err(Error::new(Code::Invalid, message));
                }
                (vec![(namespace, key, Some(value))], "kept")
            }
            StateAsk::Delete(namespace, key) => {
                match kept.contains_key(&(namespace.clone(), key.clone())) {
                    true => (vec![(namespace, key, None)], "deleted"),
                    false => return Ok("there was nothing to delete".to_owned()),
                }
            }
            StateAsk::Clear(namespace) => {
                let keys = kept.keys().filter(|(of, _)| *of == namespace).cloned();
                (keys.map(|(namespace, key)| (namespace, key, None)).collect(), "cleared")
            }
        };
        let event = |(namespace, key, value)| {
            let kind = EventKind::StateSet { namespace, key, value };
            self.log.event(Some(turn), moltis_core::event::Cause::Model, Origin::Tool, kind)
        };
        let events: Vec<_> = changes.into_iter().map(event).collect();
        if !events.is_empty() {
            self.log.commit(events).await?;
        }
        Ok(answer.to_owned())
    }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;

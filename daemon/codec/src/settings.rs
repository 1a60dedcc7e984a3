//! What holds for a session's turns, as protobuf: an empty field is as configured.

use std::path::PathBuf;

use moltis_core::models::ModelRef;
use moltis_core::policy::Mode;
use moltis_core::provider::Effort;
use moltis_core::sandbox::{Mount, Network};
use moltis_core::session::{QueueMode, Settings};
use moltis_core::worktree::Tree;
use moltis_proto::v1;

use crate::act::optional_word;
use crate::event::{non_empty, optional_model_from_wire, unknown_number};
use crate::field::{Error, Result};

/// The longest path in bytes: no system opens a longer one.
const LONGEST_PATH: usize = 4 << 10;

/// Settings for the wire.
pub fn settings_to_wire(settings: &Settings) -> v1::Settings {
    v1::Settings {
        model: settings.model.as_ref().map(ModelRef::to_string).unwrap_or_default(),
        effort: settings.effort.map(Effort::as_str).unwrap_or_default().to_owned(),
        queue: queue_to_wire(settings.queue).into(),
        workspace: settings.workspace.clone().unwrap_or_default(),
        approvals: settings.approvals.map(Mode::as_str).unwrap_or_default().to_owned(),
        mount: settings.mount.map(Mount::as_str).unwrap_or_default().to_owned(),
        network: settings.network.map(Network::as_str).unwrap_or_default().to_owned(),
        tree: settings.tree.map(Tree::as_str).unwrap_or_default().to_owned(),
        preset: settings.preset.clone().unwrap_or_default(),
    }
}

/// Settings of the wire; absent ones are the configured ones.
///
/// # Errors
/// A model, an effort or a queue mode that is none.
pub fn settings_from_wire(settings: Option<v1::Settings>) -> Result<Settings> {
    let settings = settings.unwrap_or_default();
    Ok(Settings {
        model: optional_model_from_wire("model", &settings.model)?,
        effort: optional_word("effort", &settings.effort, Effort::parse)?,
        queue: queue_from_wire("queue", settings.queue)?,
        workspace: non_empty(settings.workspace),
        approvals: optional_word("approvals", &settings.approvals, Mode::parse)?,
        mount: optional_word("mount", &settings.mount, Mount::parse)?,
        network: optional_word("network", &settings.network, Network::parse)?,
        tree: optional_word("tree", &settings.tree, Tree::parse)?,
        preset: non_empty(settings.preset),
    })
}

/// A queue mode for the wire; `None` is as the session has it.
pub fn queue_to_wire(queue: Option<QueueMode>) -> v1::QueueMode {
    match queue {
        None => v1::QueueMode::Unspecified,
        Some(QueueMode::Followup) => v1::QueueMode::Followup,
        Some(QueueMode::Collect) => v1::QueueMode::Collect,
        Some(QueueMode::Steer) => v1::QueueMode::Steer,
    }
}

/// The queue mode of the wire's number.
///
/// # Errors
/// At `field`, a number without meaning.
pub fn queue_from_wire(field: &str, number: i32) -> Result<Option<QueueMode>> {
    match v1::QueueMode::try_from(number) {
        Ok(v1::QueueMode::Unspecified) => Ok(None),
        Ok(v1::QueueMode::Followup) => Ok(Some(QueueMode::Followup)),
        Ok(v1::QueueMode::Collect) => Ok(Some(QueueMode::Collect)),
        Ok(v1::QueueMode::Steer) => Ok(Some(QueueMode::Steer)),
        Err(_) => Err(unknown_number(field, number)),
    }
}

/// A workspace that a client names; empty is none.
///
/// # Errors
/// One that is not absolute, or longer than any path.
pub fn workspace_from_wire(workspace: String) -> Result<Option<PathBuf>> {
    if workspace.is_empty() {
        return Ok(None);
    }
    if workspace.len() > LONGEST_PATH {
        return Err(Error::new("workspace", format!("is longer than {LONGEST_PATH} bytes")));
    }
    let path = PathBuf::from(workspace);
    if path.is_absolute() {
        Ok(Some(path))
    } else {
        Err(Error::new("workspace", "is not an absolute path"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workspace_is_an_absolute_path_or_none() {
        let read = |text: &str| workspace_from_wire(text.to_owned());
        assert_eq!(read(""), Ok(None));
        assert_eq!(read("/work/a"), Ok(Some(PathBuf::from("/work/a"))));
        assert_eq!(read("work/a").unwrap_err().field, "workspace");
        assert_eq!(read(&format!("/{}", "a".repeat(5_000))).unwrap_err().field, "workspace");
    }
}

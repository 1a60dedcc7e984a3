//! File tools: what they have in common.
//!
//! Each opens the workspace anew, works off the reactor and answers in a text that came from the
//! workspace. Not here: reaching files (`jail`). The invariant: the path that is acted on is the
//! one of the authorized action.

pub(crate) mod edit;
pub(crate) mod glob;
pub(crate) mod grep;
mod pdf;
pub(crate) mod read;
mod search;
mod tree;
pub(crate) mod write;

use std::path::Path;
use std::time::Duration;

use moltis_core::event::Origin;
use moltis_core::policy::Authorized;
use moltis_core::tool::{Action, Call, Change, Look, Outcome, Scene};

use crate::jail::{Inside, Jail, Refusal};
use crate::off::{Stop, Workbench};

/// The longest that a file tool works.
const LIMIT: Duration = Duration::from_secs(30);

/// Bytes of a file that is edited or written.
const MOST_CONTENT: usize = 8 << 20;

/// Bytes of text that a file tool tells at most.
const MOST_TEXT: usize = 50_000;

/// A look at a path that a model named.
fn look(path: &str, scene: &Scene) -> Result<Action, String> {
    let path = Inside::parse(path, scene.workspace.as_deref())?;
    Ok(Action::Look(Look { path: path.as_str().to_owned() }))
}

/// A change of a path that a model named.
fn change(path: &str, scene: &Scene) -> Result<Action, String> {
    let path = Inside::parse(path, scene.workspace.as_deref())?;
    if path.as_str().is_empty() {
        return Err("that is the workspace itself, not a file in it".to_owned());
    }
    Ok(Action::Change(Change { path: path.as_str().to_owned() }))
}

/// What would cover other changes like this one: the directory that it is in.
fn directory_of(call: &Call) -> Option<String> {
    let Action::Change(change) = &call.action else { return None };
    let (directory, _) = change.path.rsplit_once('/')?;
    (!moltis_core::policy::is_steering(&change.path)).then(|| format!("{directory}/"))
}

/// Does a file tool's work on the path that was authorized.
async fn work<W>(bench: &Workbench, call: &Authorized<Call>, scene: &Scene, work: W) -> Outcome
where
    W: FnOnce(&Jail, &Inside, &Stop) -> Result<Outcome, String> + Send + 'static,
{
    let (Action::Look(Look { path }) | Action::Change(Change { path })) = &call.what().action
    else {
        return Outcome::failed("this call was not planned as one for files");
    };
    let (path, workspace) = (Inside::parse(path, None), scene.workspace.clone());
    let done = bench.run(LIMIT, move |stop| {
        let workspace = workspace.as_deref().unwrap_or(Path::new(""));
        let jail = Jail::open(workspace).map_err(|refusal| refusal.to_string())?;
        work(&jail, &path?, stop)
    });
    let outcome = match done.await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(wrong)) | Err(wrong) => Outcome::failed(wrong),
    };
    outcome.from(Origin::Workspace)
}

/// Stops where the call was dropped.
fn go_on(stop: &Stop) -> Result<(), String> {
    if stop.is_dropped() { Err(Refusal::Stopped.to_string()) } else { Ok(()) }
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;

//! What a turn changed in the workspace: taken note of around its calls, shown, undone.
//!
//! A snapshot is taken right before the first call of a turn that may change something runs, and
//! another when the turn ends; what differs is what the turn did, by whichever means. The invariant:
//! an undo is never begun while a turn of the session runs.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use moltis_core::assistant::{Caller, Changes, Page, Undo};
use moltis_core::checkpoint::Checkpoints;
use moltis_core::error::{Code, Error, Result};
use moltis_core::event::{Ending, Event, EventKind, FileChange, NewEvent};
use moltis_core::id::{OpId, TurnId};
use moltis_core::policy::Authorized;
use moltis_core::sandbox::Mount;
use moltis_core::tool::{Action, Call, Scene};
use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::actor::Actor;
use crate::hands::Hands;
use crate::log::{PAGE, another};

/// Bytes of a diff that a person is shown.
const MOST_DIFF: usize = 1 << 20;

/// Files that one event names.
const MOST_FILES: usize = 2_000;

/// How long a turn that ends waits for its last snapshot, and one that was cut off.
const NOTING: Duration = Duration::from_secs(60);
const HURRIED: Duration = Duration::from_secs(1);

/// Names what the workspace was like before a turn's first change of it. Calls side by side wait for
/// the one snapshot; `None` when there could be none.
pub(crate) type Before = OnceCell<Option<String>>;

/// Takes note of the workspace, unless the turn did so before.
pub(crate) async fn note(before: &Before, hands: &Hands, scene: &Scene) {
    let take = async || {
        let (checkpoints, workspace) = (hands.checkpoints.as_ref()?, scene.workspace.as_ref()?);
        match checkpoints.take(&scene.session, workspace).await {
            Ok(snapshot) => Some(snapshot.name),
            Err(error) => {
                tracing::warn!(session = %scene.session, %error, "failed to note a workspace");
                None
            }
        }
    };
    before.get_or_init(take).await;
}

/// Whether an action may change the workspace.
pub(crate) fn may_change(action: &Action) -> bool {
    match action {
        Action::Change(_) => true,
        Action::Run(run) => run.mount == Mount::ReadWrite,
        Action::Inward | Action::Look(_) | Action::Send(_) | Action::Spawn { .. } => false,
    }
}

/// Whether an authorized call may.
pub(crate) fn changes(call: &Authorized<Call>) -> bool {
    may_change(&call.what().action)
}

/// A turn's change of the workspace, as its event tells it.
struct Found {
    turn: TurnId,
    before: String,
    after: String,
    files: Vec<FileChange>,
}

impl Actor {
    /// What the turn that ends so changed, if anything.
    pub(crate) async fn workspace_changed(&mut self, ending: Ending) -> Option<EventKind> {
        let running = self.running.as_mut()?;
        let changed = std::mem::take(&mut running.changed);
        let before = running.before.get().cloned().flatten().filter(|_| changed)?;
        let workspace = running.scene.workspace.clone()?;
        let checkpoints = self.shared.hands.checkpoints.clone()?;
        let most = match ending {
            Ending::Done | Ending::Failed => NOTING,
            Ending::Cancelled | Ending::Interrupted => HURRIED,
        };
        let found = differences(&*checkpoints, &self.log.session, &workspace, &before);
        let late = |_| Err(Error::new(Code::Unavailable, "it took too long"));
        match timeout(most, found).await.unwrap_or_else(late) {
            Ok((after, mut files)) if !files.is_empty() => {
                files.truncate(MOST_FILES);
                Some(EventKind::WorkspaceChanged { before, after, files })
            }
            Ok(_) => None,
            Err(error) => {
                tracing::warn!(session = %self.log.session, %error, "failed to note what a turn changed");
                None
            }
        }
    }

    /// What a turn changed.
    pub(crate) async fn changes(&mut self, turn: Option<TurnId>) -> Result<Changes> {
        self.log.settle().await?;
        let checkpoints = self.checkpoints()?;
        let Found { turn, before, after, files } = self.find_change(turn, false).await?;
        let diff = checkpoints.diff(&before, &after, MOST_DIFF).await?;
        Ok(Changes { turn, files, diff })
    }

    /// Undoes what a turn changed, unless this very command did so before.
    pub(crate) async fn undo(
        &mut self,
        caller: &Caller,
        op: OpId,
        turn: Option<TurnId>,
    ) -> Result<Undo> {
        self.log.settle().await?;
        if let Some(event) = self.log.known(&op).await? {
            return undone(&event).ok_or_else(|| another(&op));
        }
        if self.running.is_some() {
            let message = "a turn is running: stop it first";
            return Err(Error::new(Code::Conflict, message).with_hint("moltis stop"));
        }
        let checkpoints = self.checkpoints()?;
        let workspace = self.workspace()?;
        let Found { turn, before, after, .. } = self.find_change(turn, true).await?;
        let done = checkpoints.undo(&workspace, &before, &after).await?;
        let kept = done.kept.into_iter().map(|kept| format!("{}: {}", kept.path, kept.why));
        let kind = EventKind::WorkspaceRestored {
            undone: turn,
            files: done.restored,
            kept: kept.collect(),
        };
        let event = self.log.event(None, caller.cause.clone(), caller.origin, kind);
        let written = self.log.commit(vec![NewEvent { op: Some(op), ..event }]).await?;
        let undo = written.first().and_then(|event| undone(event));
        undo.ok_or_else(|| Error::new(Code::Internal, "the journal lost an event that it took"))
    }

    fn checkpoints(&self) -> Result<Arc<dyn Checkpoints>> {
        self.shared
            .hands
            .checkpoints
            .clone()
            .ok_or_else(|| Error::new(Code::NotConfigured, "changes of the workspace are not kept"))
    }

    fn workspace(&self) -> Result<PathBuf> {
        let scene = self.scene(&TurnId::new(""), &self.shared.rules());
        scene.workspace.ok_or_else(|| Error::new(Code::NotFound, "the session has no workspace"))
    }

    /// The change of this turn, or the last one; `fresh` passes over those that were undone.
    async fn find_change(&mut self, turn: Option<TurnId>, fresh: bool) -> Result<Found> {
        let mut over: Vec<TurnId> = Vec::new();
        let mut seq = u64::MAX;
        loop {
            let page = Page::Before { seq, limit: PAGE };
            let events = self.log.journal.read(&self.log.session, page).await?;
            let Some(first) = events.first() else { return Err(nothing(turn.as_ref())) };
            seq = first.seq;
            for event in events.into_iter().rev() {
                match event.kind {
                    EventKind::WorkspaceRestored { undone, .. } if fresh => over.push(undone),
                    EventKind::WorkspaceChanged { before, after, files } => {
                        let Some(of) = event.turn else { continue };
                        let wanted = match &turn {
                            Some(turn) => of == *turn,
                            None => !over.contains(&of),
                        };
                        if wanted {
                            return Ok(Found { turn: of, before, after, files });
                        }
                    }
                    _ => {}
                }
            }
        }
    }
}

async fn differences(
    checkpoints: &dyn Checkpoints,
    session: &moltis_core::SessionId,
    workspace: &std::path::Path,
    before: &str,
) -> Result<(String, Vec<FileChange>)> {
    let after = checkpoints.take(session, workspace).await?.name;
    let files = checkpoints.changes(before, &after).await?;
    Ok((after, files))
}

fn nothing(turn: Option<&TurnId>) -> Error {
    let message = match turn {
        Some(turn) => format!("the turn `{turn}` changed nothing in the workspace"),
        None => "no turn of this session changed anything that could be undone".to_owned(),
    };
    Error::new(Code::NotFound, message)
}

fn undone(event: &Event) -> Option<Undo> {
    match &event.kind {
        EventKind::WorkspaceRestored { undone, files, kept } => {
            Some(Undo { turn: undone.clone(), files: files.clone(), kept: kept.clone() })
        }
        _ => None,
    }
}

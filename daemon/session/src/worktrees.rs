//! Which session works in a worktree of its own, from when on, and what becomes of it then.
//!
//! What is wanted is in the settings; what there is, is an event. A worktree is made before the event
//! that tells of it, by a name that follows from the session's: a retry after a crash between the two
//! finds it. It is left after the event that tells so, when nothing of the session runs. Not here: how
//! worktrees are made. The invariant: a session never comes to work in another's files because its own
//! could not be made; that is an error.

use std::path::Path;

use moltis_core::assistant::{Caller, Filter};
use moltis_core::error::{Code, Error, Result};
use moltis_core::event::{Cause, EventKind, Level};
use moltis_core::id::{ItemId, SessionId};
use moltis_core::session::{Settings, Summary};
use moltis_core::worktree::{Left, Made, Tree, Worktree};

use crate::actor::Actor;
use crate::registry::Shared;

impl Shared {
    /// What is to be written of where a session works that begins: nothing, where that is the
    /// directory itself and nobody else works there.
    pub(crate) async fn begins_in(
        &self,
        session: &SessionId,
        settings: &Settings,
    ) -> Result<Vec<EventKind>> {
        match self.own_tree(session, settings, None).await? {
            Some(made) => Ok(self.told(made)),
            None => Ok(self.neighbours(session, settings).await),
        }
    }

    /// The same of a session whose settings change.
    pub(crate) async fn moves_to(
        &self,
        before: &Summary,
        settings: &Settings,
    ) -> Result<Vec<EventKind>> {
        let held = &before.settings;
        let moves = held.workspace != settings.workspace || held.tree != settings.tree;
        // To ask for it again is the way on after it was lost.
        let again = settings.tree == Some(Tree::Own) && is_lost(before.worktree.as_ref()).await;
        if !moves && !again {
            return Ok(Vec::new());
        }
        match (&before.worktree, self.own_tree(&before.id, settings, None).await?) {
            (Some(held), Some(made)) if held.path == made.worktree.path && !again => Ok(Vec::new()),
            (_, Some(made)) => Ok(self.told(made)),
            (Some(_), None) => Ok(vec![EventKind::WorktreeSet { worktree: None }]),
            (None, None) if held.workspace == settings.workspace => Ok(Vec::new()),
            (None, None) => Ok(self.neighbours(&before.id, settings).await),
        }
    }

    /// The same of a fork: where the session that it comes from has a worktree, it has one too, from
    /// what was committed there. What the conversation tells of files is true of no other place.
    pub(crate) async fn forks_in(
        &self,
        parent: &Summary,
        child: &SessionId,
    ) -> Result<Vec<EventKind>> {
        let Some(worktree) = &parent.worktree else { return Ok(Vec::new()) };
        let settings = Settings {
            workspace: Some(worktree.repository.clone()),
            tree: Some(Tree::Own),
            ..Settings::default()
        };
        let from = format!("refs/heads/{}", worktree.branch);
        let made = self.own_tree(child, &settings, Some(&from)).await?;
        Ok(made.map(|made| self.told(made)).unwrap_or_default())
    }

    /// Makes the worktree of a session that is to have one.
    async fn own_tree(
        &self,
        session: &SessionId,
        settings: &Settings,
        from: Option<&str>,
    ) -> Result<Option<Made>> {
        let rules = self.rules();
        if settings.tree.unwrap_or(rules.tree) != Tree::Own {
            return Ok(None);
        }
        let asked = settings.tree.is_some();
        let directory = settings.workspace.as_ref().or(rules.workspace.as_ref());
        let (worktrees, directory) = match (&self.hands.worktrees, directory) {
            (Some(worktrees), Some(directory)) => (worktrees, Path::new(directory)),
            _ if asked => {
                return Err(Error::new(Code::NotConfigured, "there are no worktrees here"));
            }
            _ => return Ok(None),
        };
        // Where it is only the rule, it is one for repositories.
        if !asked && !worktrees.suits(directory).await {
            return Ok(None);
        }
        worktrees.make(session, directory, from).await.map(Some)
    }

    /// A worktree, and what of the repository is not in it.
    fn told(&self, made: Made) -> Vec<EventKind> {
        let Made { worktree, left_out, submodules } = made;
        let mut missing = Vec::new();
        match left_out {
            0 => {}
            1 => missing.push("one change there is not committed, and so is not in it".to_owned()),
            many => missing
                .push(format!("{many} changes there are not committed, and so are not in it")),
        }
        if submodules {
            missing.push("submodules are empty in it".to_owned());
        }
        let repository = worktree.repository.clone();
        let mut kinds = vec![EventKind::WorktreeSet { worktree: Some(worktree) }];
        if !missing.is_empty() {
            let text = format!(
                "The worktree is one of what {repository} has committed: {}.",
                missing.join("; ")
            );
            kinds.push(self.notice(Level::Warning, text));
        }
        kinds
    }

    /// Says it where another session works in the directory that this one is being bound to. Those
    /// that are bound to none share the configured one, and everybody knows.
    async fn neighbours(&self, session: &SessionId, settings: &Settings) -> Vec<EventKind> {
        let Some(directory) = &settings.workspace else { return Vec::new() };
        let works_there = |other: &Summary| {
            other.id != *session
                && other.spawned.is_none()
                && other.worktree.is_none()
                && other.settings.workspace.as_ref() == Some(directory)
        };
        let all = self.journal.list(&Filter::default()).await.unwrap_or_default();
        let Some(other) = all.into_iter().find(works_there) else { return Vec::new() };
        let name = if other.title.is_empty() { other.id.to_string() } else { other.title };
        let text = format!(
            "The session \"{name}\" works in {directory} too: what one changes while a turn of the \
             other runs counts as that turn's. In a git repository, /workspace worktree gives this \
             session files of its own."
        );
        vec![self.notice(Level::Info, text)]
    }

    /// Leaves what was made for events that were not written, if it is not what the session has.
    pub(crate) async fn take_back(&self, kinds: &[EventKind], held: Option<&Worktree>) {
        for kind in kinds {
            let EventKind::WorktreeSet { worktree: Some(made) } = kind else { continue };
            if held.is_none_or(|held| held.path != made.path)
                && let Some(kept) = self.leave(made).await
            {
                tracing::warn!(kept, "a worktree that no session has");
            }
        }
    }

    fn notice(&self, level: Level, text: String) -> EventKind {
        EventKind::Notice { item: ItemId::new(self.env.fresh_id()), level, text }
    }
}

impl Actor {
    /// Makes sure that a session can move to another place, or be put away and leave the one it has.
    pub(crate) fn may_move(&self, kinds: &[EventKind]) -> Result<()> {
        let moves = kinds.iter().any(|kind| matches!(kind, EventKind::WorktreeSet { .. }));
        if moves && self.running.is_some() {
            let message = "a turn is running in the files that the session would leave";
            return Err(Error::new(Code::Conflict, message).with_hint("moltis stop"));
        }
        Ok(())
    }

    /// Leaves the worktree that the session had, if it has another one by now, or none; says it in
    /// the session where something of it stays.
    pub(crate) async fn leave_old(&mut self, before: Option<Worktree>) {
        let Some(before) = before else { return };
        let now = self.log.summary.worktree.as_ref();
        if now.is_some_and(|now| now.path == before.path) {
            return;
        }
        self.end_all().await;
        if let Some(kept) = self.shared.leave(&before).await {
            let notice = self.shared.notice(Level::Info, sentence(&kept));
            self.say(notice).await;
        }
    }

    /// Leaves the worktree of a session that was put away, if all that is in it is elsewhere too.
    pub(crate) async fn put_away(&mut self) {
        if self.running.is_some() || !self.log.summary.open_turns.is_empty() {
            return;
        }
        let Some(worktree) = self.log.summary.worktree.clone() else { return };
        self.end_all().await;
        let kind = match self.shared.leave(&worktree).await {
            None => EventKind::WorktreeSet { worktree: None },
            Some(kept) => self.shared.notice(Level::Info, sentence(&kept)),
        };
        self.say(kind).await;
    }

    async fn say(&mut self, kind: EventKind) {
        let caller = Caller { cause: Cause::Daemon, origin: moltis_core::event::Origin::Owner };
        let event = self.log.event(None, caller.cause, caller.origin, kind);
        if let Err(error) = self.log.commit(vec![event]).await {
            tracing::warn!(session = %self.log.session, %error, "failed to say what became of a worktree");
        }
    }
}

impl Shared {
    /// Leaves a worktree; says what is kept of it.
    pub(crate) async fn leave(&self, worktree: &Worktree) -> Option<String> {
        match self.hands.worktrees.as_ref()?.leave(worktree).await {
            Left::Removed => None,
            Left::Kept(kept) => Some(kept),
        }
    }
}

/// The directory of a session, and what it is told where its worktree was lost.
pub(crate) async fn lost(worktree: Option<&Worktree>) -> Option<Error> {
    let path = worktree.map(|worktree| worktree.path.as_str()).unwrap_or_default();
    if !is_lost(worktree).await {
        return None;
    }
    let hint = "`/workspace worktree` makes it again from what was committed, `/workspace shared` \
                goes on in the repository itself";
    Some(
        Error::new(Code::NotFound, format!("the session's worktree {path} is gone"))
            .with_hint(hint),
    )
}

async fn is_lost(worktree: Option<&Worktree>) -> bool {
    match worktree {
        Some(worktree) => !tokio::fs::try_exists(&worktree.path).await.unwrap_or(true),
        None => false,
    }
}

/// Where a child works: where its parent does, in its files.
pub(crate) fn inherited(parent: &Summary) -> Settings {
    let mut settings = parent.settings.clone();
    if let Some(worktree) = &parent.worktree {
        settings.workspace = Some(worktree.path.clone());
        settings.tree = Some(Tree::Shared);
    }
    settings
}

/// What is kept, as a person reads it.
fn sentence(kept: &str) -> String {
    let mut letters = kept.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}", letters.as_str())
}

//! What agents do, as protobuf: calls of tools, questions about them, changes of the workspace.
//!
//! Part of [`crate::event`], apart for its size. The same invariant holds: what was made of a word
//! reads back as the same word.

use moltis_core::event::{EventKind, FileChange, FileChangeKind, ToolEnding};
use moltis_core::id::{ApprovalId, CallId, ItemId, TurnId};
use moltis_core::policy::Reach;
use moltis_core::session::Spawned;
use moltis_core::tool::Class;
use moltis_core::worktree::Worktree;
use moltis_proto::v1;

use crate::event::{
    duration_from_wire, duration_to_wire, filled, non_empty, timestamp_from_wire, timestamp_to_wire,
};
use crate::field::{Error, Result};
use crate::part::{parts_from_wire, parts_to_wire};

/// The word of that name.
///
/// # Errors
/// At `field`, a name that is none.
pub fn word<T>(field: &str, name: &str, parse: fn(&str) -> Option<T>) -> Result<T> {
    parse(name).ok_or_else(|| Error::new(field, format!("`{name}` has no meaning here")))
}

/// The word of that name, if one is given.
///
/// # Errors
/// At `field`, a name that is none.
pub fn optional_word<T>(
    field: &str,
    name: &str,
    parse: fn(&str) -> Option<T>,
) -> Result<Option<T>> {
    if name.is_empty() { Ok(None) } else { word(field, name, parse).map(Some) }
}

/// Where a spawned session comes from.
pub fn spawned_to_wire(spawned: &Spawned) -> v1::Spawned {
    v1::Spawned {
        parent: spawned.parent.to_string(),
        turn: spawned.turn.to_string(),
        call: spawned.call.to_string(),
        depth: spawned.depth,
        tools: spawned.tools.clone(),
        system: spawned.system.clone(),
        sensitive: spawned.sensitive,
        unattended: spawned.unattended,
    }
}

pub(crate) fn spawned_from_wire(spawned: v1::Spawned) -> Result<Spawned> {
    Ok(Spawned {
        parent: filled("parent", spawned.parent)?.into(),
        turn: filled("turn", spawned.turn)?.into(),
        call: spawned.call.into(),
        depth: spawned.depth,
        tools: spawned.tools,
        system: spawned.system,
        sensitive: spawned.sensitive,
        unattended: spawned.unattended,
    })
}

/// A program that the owner wants run.
pub(crate) fn program_asked(asked: v1::ProgramAsked) -> Result<EventKind> {
    let command = filled("program_asked.command", asked.command)?;
    Ok(EventKind::ProgramAsked { command })
}

/// Changes of files for the wire.
pub fn files_to_wire(files: &[FileChange]) -> Vec<v1::FileChange> {
    let file = |file: &FileChange| v1::FileChange {
        path: file.path.clone(),
        kind: file.kind.as_str().to_owned(),
    };
    files.iter().map(file).collect()
}

fn files_from_wire(files: Vec<v1::FileChange>) -> Result<Vec<FileChange>> {
    let file = |file: v1::FileChange| {
        let kind = word("files.kind", &file.kind, FileChangeKind::parse)?;
        Ok(FileChange { path: file.path, kind })
    };
    files.into_iter().map(file).collect()
}

/// The kinds of this module; `None` for others.
pub(crate) fn act_to_wire(kind: &EventKind) -> Option<v1::event::Kind> {
    use v1::event::Kind;
    Some(match kind {
        EventKind::ProgramAsked { command } => {
            Kind::ProgramAsked(v1::ProgramAsked { command: command.clone() })
        }
        EventKind::ClearAsked => Kind::ClearAsked(v1::ClearAsked {}),
        EventKind::Cleared { upto, since } => {
            Kind::Cleared(v1::Cleared { upto: *upto, since: *since })
        }
        EventKind::ToolStarted { item, call, tool, arguments, class, why } => {
            Kind::ToolStarted(v1::ToolStarted {
                item: item.to_string(),
                call: call.to_string(),
                tool: tool.clone(),
                arguments: arguments.clone(),
                class: class.as_str().to_owned(),
                why: why.clone(),
            })
        }
        EventKind::ToolFinished { item, call, tool, ending, parts, sensitive, took } => {
            Kind::ToolFinished(v1::ToolFinished {
                item: item.to_string(),
                call: call.to_string(),
                tool: tool.clone(),
                ending: ending.as_str().to_owned(),
                parts: parts_to_wire(parts),
                sensitive: *sensitive,
                took: took.map(duration_to_wire),
            })
        }
        EventKind::ApprovalAsked { .. } => return asked_to_wire(kind),
        EventKind::ApprovalAnswered { approval, allowed, reach, reason } => {
            Kind::ApprovalAnswered(v1::ApprovalAnswered {
                approval: approval.to_string(),
                allowed: *allowed,
                reach: reach.as_str().to_owned(),
                reason: reason.clone(),
            })
        }
        EventKind::GrantRevoked { pattern } => {
            Kind::GrantRevoked(v1::GrantRevoked { pattern: pattern.clone() })
        }
        EventKind::WorkspaceChanged { before, after, files } => {
            Kind::WorkspaceChanged(v1::WorkspaceChanged {
                before: before.clone(),
                after: after.clone(),
                files: files_to_wire(files),
            })
        }
        EventKind::WorkspaceRestored { undone, files, kept } => {
            Kind::WorkspaceRestored(v1::WorkspaceRestored {
                undone: undone.to_string(),
                files: files_to_wire(files),
                kept: kept.clone(),
            })
        }
        EventKind::WorktreeSet { worktree } => {
            Kind::WorktreeSet(v1::WorktreeSet { worktree: worktree.as_ref().map(worktree_to_wire) })
        }
        EventKind::StateSet { namespace, key, value } => Kind::StateSet(v1::StateSet {
            namespace: namespace.clone(),
            key: key.clone(),
            value: value.clone(),
        }),
        _ => return None,
    })
}

fn asked_to_wire(kind: &EventKind) -> Option<v1::event::Kind> {
    let EventKind::ApprovalAsked {
        approval,
        call,
        tool,
        arguments,
        subject,
        reason,
        digest,
        pattern,
        expires_at,
    } = kind
    else {
        return None;
    };
    Some(v1::event::Kind::ApprovalAsked(v1::ApprovalAsked {
        approval: approval.to_string(),
        call: call.to_string(),
        tool: tool.clone(),
        arguments: arguments.clone(),
        subject: subject.clone(),
        reason: reason.clone(),
        digest: digest.clone(),
        pattern: pattern.clone().unwrap_or_default(),
        expires_at: Some(timestamp_to_wire(*expires_at)),
    }))
}

pub(crate) fn tool_started(started: v1::ToolStarted) -> Result<EventKind> {
    Ok(EventKind::ToolStarted {
        item: ItemId::new(filled("item", started.item)?),
        call: CallId::new(started.call),
        tool: started.tool,
        arguments: started.arguments,
        class: word("class", &started.class, Class::parse)?,
        why: started.why,
    })
}

pub(crate) fn tool_finished(finished: v1::ToolFinished) -> Result<EventKind> {
    Ok(EventKind::ToolFinished {
        item: ItemId::new(filled("item", finished.item)?),
        call: CallId::new(finished.call),
        tool: finished.tool,
        ending: word("ending", &finished.ending, ToolEnding::parse)?,
        parts: parts_from_wire(finished.parts)?,
        sensitive: finished.sensitive,
        took: finished.took.map(|took| duration_from_wire("took", took)).transpose()?,
    })
}

pub(crate) fn approval_asked(asked: v1::ApprovalAsked) -> Result<EventKind> {
    Ok(EventKind::ApprovalAsked {
        approval: ApprovalId::new(filled("approval", asked.approval)?),
        call: CallId::new(asked.call),
        tool: asked.tool,
        arguments: asked.arguments,
        subject: asked.subject,
        reason: asked.reason,
        digest: asked.digest,
        pattern: non_empty(asked.pattern),
        expires_at: timestamp_from_wire("expires_at", asked.expires_at)?,
    })
}

pub(crate) fn approval_answered(answered: v1::ApprovalAnswered) -> Result<EventKind> {
    Ok(EventKind::ApprovalAnswered {
        approval: ApprovalId::new(filled("approval", answered.approval)?),
        allowed: answered.allowed,
        reach: word("reach", &answered.reach, Reach::parse)?,
        reason: answered.reason,
    })
}

pub(crate) fn workspace_changed(changed: v1::WorkspaceChanged) -> Result<EventKind> {
    Ok(EventKind::WorkspaceChanged {
        before: changed.before,
        after: changed.after,
        files: files_from_wire(changed.files)?,
    })
}

pub(crate) fn workspace_restored(restored: v1::WorkspaceRestored) -> Result<EventKind> {
    Ok(EventKind::WorkspaceRestored {
        undone: TurnId::new(filled("undone", restored.undone)?),
        files: files_from_wire(restored.files)?,
        kept: restored.kept,
    })
}

pub(crate) fn worktree_set(set: v1::WorktreeSet) -> Result<EventKind> {
    Ok(EventKind::WorktreeSet { worktree: set.worktree.map(worktree_from_wire).transpose()? })
}

pub(crate) fn worktree_to_wire(worktree: &Worktree) -> v1::Worktree {
    let Worktree { path, repository, branch, base } = worktree.clone();
    v1::Worktree { path, repository, branch, base }
}

pub(crate) fn worktree_from_wire(worktree: v1::Worktree) -> Result<Worktree> {
    Ok(Worktree {
        path: filled("path", worktree.path)?,
        repository: filled("repository", worktree.repository)?,
        branch: filled("branch", worktree.branch)?,
        base: filled("base", worktree.base)?,
    })
}

//! The JSON of what agents do: calls of tools, questions about them, changes of the workspace.
//!
//! Part of [`crate::json`], apart for its size.

use serde_json::{Map, Value, json};

use crate::json::{at, milliseconds, some, text_of};
use crate::v1::event::Kind;
use crate::v1::part::Part as Inner;
use crate::v1::{
    Approval, ApprovalAsked, FileChange, Spawned, ToolFinished, ToolStarted, Worktree,
};

/// What happened, by its `kind`; `None` for what this module does not know.
pub(crate) fn kind(kind: &Kind) -> Option<Value> {
    Some(match kind {
        Kind::ProgramAsked(asked) => json!({ "kind": "program_asked", "command": asked.command }),
        Kind::ClearAsked(_) => json!({ "kind": "clear_asked" }),
        Kind::Cleared(cleared) => json!({ "kind": "cleared", "upto": cleared.upto }),
        Kind::ToolStarted(started) => self::started(started),
        Kind::ToolFinished(finished) => self::finished(finished),
        Kind::ApprovalAsked(asked) => self::asked(asked),
        Kind::ApprovalAnswered(answered) => json!({
            "kind": "approval_answered",
            "approval": answered.approval,
            "allowed": answered.allowed,
            "reach": answered.reach,
            "reason": some(&answered.reason),
        }),
        Kind::GrantRevoked(revoked) => {
            json!({ "kind": "grant_revoked", "pattern": revoked.pattern })
        }
        Kind::WorkspaceChanged(changed) => json!({
            "kind": "workspace_changed",
            "before": changed.before,
            "after": changed.after,
            "files": files(&changed.files),
        }),
        Kind::WorkspaceRestored(restored) => json!({
            "kind": "workspace_restored",
            "undone": restored.undone,
            "files": files(&restored.files),
            "kept": restored.kept,
        }),
        Kind::WorktreeSet(set) => json!({
            "kind": "worktree",
            "worktree": set.worktree.as_ref().map(worktree),
        }),
        Kind::StateSet(state) => json!({
            "kind": "state_set",
            "namespace": state.namespace,
            "key": state.key,
            "value": state.value,
        }),
        _ => return None,
    })
}

/// A session's worktree.
pub fn worktree(worktree: &Worktree) -> Value {
    json!({
        "path": worktree.path,
        "repository": worktree.repository,
        "branch": worktree.branch,
        "base": worktree.base,
    })
}

fn started(started: &ToolStarted) -> Value {
    json!({
        "kind": "tool_call",
        "item": started.item,
        "call": started.call,
        "tool": started.tool,
        "arguments": started.arguments,
        "class": started.class,
        "why": started.why,
    })
}

fn finished(finished: &ToolFinished) -> Value {
    let images = finished.parts.iter().filter_map(|part| match &part.part {
        Some(Inner::Image(image)) => {
            Some(json!({ "media_type": image.media_type, "bytes": image.data.len() }))
        }
        _ => None,
    });
    json!({
        "kind": "tool_result",
        "item": finished.item,
        "call": finished.call,
        "tool": finished.tool,
        "state": finished.ending,
        "text": text_of(&finished.parts),
        "images": images.collect::<Vec<_>>(),
        "sensitive": finished.sensitive,
        "took_ms": finished.took.map(milliseconds),
    })
}

fn asked(asked: &ApprovalAsked) -> Value {
    json!({
        "kind": "approval",
        "approval": asked.approval,
        "call": asked.call,
        "tool": asked.tool,
        "arguments": asked.arguments,
        "subject": asked.subject,
        "reason": asked.reason,
        "digest": asked.digest,
        "pattern": some(&asked.pattern),
        "expires_at": at(asked.expires_at),
    })
}

/// A question that waits for a person.
pub fn approval(approval: &Approval) -> Value {
    json!({
        "id": approval.id,
        "session": approval.session,
        "turn": approval.turn,
        "call": approval.call,
        "tool": approval.tool,
        "arguments": approval.arguments,
        "subject": approval.subject,
        "reason": approval.reason,
        "digest": approval.digest,
        "pattern": some(&approval.pattern),
        "tainted": approval.tainted,
        "asked_at": at(approval.asked_at),
        "expires_at": at(approval.expires_at),
    })
}

/// Changes of files.
pub fn files(files: &[FileChange]) -> Value {
    let file = |file: &FileChange| json!({ "path": file.path, "change": file.kind });
    files.iter().map(file).collect()
}

/// Adds where a spawned session comes from, if it is one.
pub(crate) fn spawned(fields: &mut Map<String, Value>, spawned: Option<&Spawned>) {
    if let Some(spawned) = spawned {
        let value = json!({
            "parent": spawned.parent,
            "turn": spawned.turn,
            "call": spawned.call,
            "depth": spawned.depth,
            "tools": spawned.tools,
        });
        fields.insert("spawned".to_owned(), value);
    }
}

//! What holds for a session: what is asked first, where it works, what the sandbox can reach.
//!
//! Each command without an argument says what holds. Settings are replaced as a whole: the others
//! are kept.

use moltis_proto::v1;

use super::chat::configure;
use super::cmd::Cmd;
use super::model::Model;
use crate::widget::SafeText;

const MODES: [&str; 3] = ["ask", "on-miss", "auto"];
const NETWORKS: [&str; 3] = ["none", "listed", "open"];
const MOUNTS: [&str; 3] = ["none", "ro", "rw"];
/// What is typed for where it works in a repository, and what that is on the wire.
const TREES: [(&str, &str); 2] = [("worktree", "own"), ("shared", "shared")];
/// Stands for what is configured.
const CONFIGURED: &str = "default";

fn settings(model: &Model) -> v1::Settings {
    model.session.as_ref().and_then(|session| session.settings.clone()).unwrap_or_default()
}

fn or_configured(value: &str) -> &str {
    if value.is_empty() { "as configured" } else { value }
}

/// A word that was typed, if it is one of these; empty is as configured.
fn one_of(word: &str, words: &[&'static str]) -> Option<&'static str> {
    if word == CONFIGURED {
        return Some("");
    }
    words.iter().find(|known| **known == word).copied()
}

fn say(model: &mut Model, text: &str) -> Vec<Cmd> {
    model.say(SafeText::one_line(text));
    Vec::new()
}

pub(super) fn mode(model: &mut Model, word: &str) -> Vec<Cmd> {
    let all = MODES.join(", ");
    if word.is_empty() {
        let now = settings(model).approvals;
        return say(model, &format!("approvals: {} (of {all}, default)", or_configured(&now)));
    }
    match one_of(word, &MODES) {
        Some(mode) => configure(model, |settings| settings.approvals = mode.to_owned()),
        None => say(model, &format!("no mode {word}: {all} or default")),
    }
}

/// `worktree`, `shared`, either with a path behind it, or a path alone, which leaves that as it is.
pub(super) fn workspace(model: &mut Model, words: &str) -> Vec<Cmd> {
    if words.is_empty() {
        return say(model, &works(model));
    }
    if words == CONFIGURED {
        return configure(model, |settings| {
            settings.workspace.clear();
            settings.tree.clear();
        });
    }
    let (word, path) = words.split_once(' ').unwrap_or((words, ""));
    let tree = TREES.into_iter().find(|(typed, _)| *typed == word);
    let path = if tree.is_some() { path.trim() } else { words }.to_owned();
    if matches!(tree, Some((_, "own"))) {
        model.say("a worktree is made …");
    }
    configure(model, |settings| {
        if let Some((_, tree)) = tree {
            settings.tree = tree.to_owned();
        }
        if !path.is_empty() {
            settings.workspace = path;
        }
    })
}

/// Where it works.
fn works(model: &Model) -> String {
    let now = settings(model).workspace;
    let worktree = model.session.as_ref().and_then(|session| session.worktree.as_ref());
    match worktree {
        Some(v1::Worktree { path, branch, repository, .. }) => {
            format!("worktree: {path}, branch {branch}, of {repository}")
        }
        None => format!("workspace: {}", or_configured(&now)),
    }
}

pub(super) fn sandbox(model: &mut Model, words: &str) -> Vec<Cmd> {
    let mut now = settings(model);
    if words.is_empty() {
        let (network, mount) = (or_configured(&now.network), or_configured(&now.mount));
        return say(model, &format!("sandbox: network {network}, mount {mount}"));
    }
    let words: Vec<&str> = words.split_whitespace().collect();
    for pair in words.chunks(2) {
        let known = match pair {
            ["network", word] => one_of(word, &NETWORKS).map(|word| now.network = word.to_owned()),
            ["mount", word] => one_of(word, &MOUNTS).map(|word| now.mount = word.to_owned()),
            _ => None,
        };
        if known.is_none() {
            let (networks, mounts) = (NETWORKS.join("|"), MOUNTS.join("|"));
            return say(model, &format!("/sandbox network {networks} or mount {mounts}"));
        }
    }
    configure(model, |settings| *settings = now)
}

pub(super) fn revoke(model: &mut Model, pattern: &str) -> Vec<Cmd> {
    let Some(session) = &model.session else { return Vec::new() };
    if pattern.is_empty() {
        let patterns: Vec<&str> = session.grants.iter().map(|grant| &*grant.pattern).collect();
        let text = match patterns.as_slice() {
            [] => "nothing is allowed for this session".to_owned(),
            patterns => format!("allowed for this session: {}", patterns.join("; ")),
        };
        return say(model, &text);
    }
    let session = session.id.clone();
    vec![Cmd::Revoke { op: model.ops.next(), session, pattern: pattern.to_owned() }]
}

/// Undoes what the last turn changed in the workspace.
pub(super) fn undo(model: &mut Model) -> Option<Cmd> {
    let session = model.session_id()?.to_owned();
    Some(Cmd::Undo { op: model.ops.next(), session })
}

/// What was undone.
pub(super) fn undone(model: &mut Model, undone: &v1::UndoResponse) {
    let count = |files: usize| if files == 1 { "1 file".into() } else { format!("{files} files") };
    let mut text = format!("undone: {}", count(undone.files.len()));
    if !undone.kept.is_empty() {
        text = format!("{text}; {} left alone, changed since", count(undone.kept.len()));
    }
    say(model, &text);
}

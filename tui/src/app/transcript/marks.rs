//! What a change of the session or its workspace says in the transcript, in a line.

use moltis_proto::v1;

use crate::widget::SafeText;

/// Files that are named; the others are counted.
const NAMED: usize = 3;

/// What holds from a change of the settings on; `None` when all is as configured.
pub(super) fn settings(settings: Option<v1::Settings>) -> Option<SafeText> {
    let settings = settings?;
    let said: Vec<String> = [
        ("agent", settings.preset),
        ("model", settings.model),
        ("effort", settings.effort),
        ("workspace", settings.workspace),
        ("approvals", settings.approvals),
        ("mount", settings.mount),
        ("network", settings.network),
        ("tree", settings.tree),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
    .map(|(name, value)| format!("{name} {value}"))
    .collect();
    if said.is_empty() {
        return None;
    }
    Some(SafeText::one_line(&format!("from here on: {}", said.join(", "))))
}

/// Where it works from here on.
pub(super) fn worktree(worktree: Option<&v1::Worktree>) -> SafeText {
    let text = match worktree {
        Some(v1::Worktree { path, branch, .. }) => {
            format!("works in a worktree of its own: {path}, branch {branch}")
        }
        None => "works in no worktree of its own any more".to_owned(),
    };
    SafeText::one_line(&text)
}

/// Files with what became of them: `src/a.rs, +src/b.rs, -c`.
pub(super) fn files(changes: &[v1::FileChange]) -> String {
    let name = |change: &v1::FileChange| {
        let sign = match change.kind.as_str() {
            "created" => "+",
            "deleted" => "-",
            _ => "",
        };
        format!("{sign}{}", change.path)
    };
    named(changes.iter().map(name).collect())
}

/// What was undone, and what was left alone.
pub(super) fn restored(restored: &v1::WorkspaceRestored) -> SafeText {
    let undone = match restored.files.as_slice() {
        [] => "nothing".to_owned(),
        changes => {
            let names = changes.iter().map(|change| change.path.clone());
            named(names.collect())
        }
    };
    let mut text = format!("undone: {undone}");
    if !restored.kept.is_empty() {
        let kept = named(restored.kept.clone());
        text = format!("{text} · left alone, changed since: {kept}");
    }
    SafeText::one_line(&text)
}

fn named(mut names: Vec<String>) -> String {
    let more = names.len().saturating_sub(NAMED);
    if more > 0 {
        names.truncate(NAMED);
        names.push(format!("{more} more"));
    }
    names.join(", ")
}

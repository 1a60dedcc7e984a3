//! What agents do as lines for people: calls of tools, what came of them, questions, changes.
//!
//! Pure. A call is told by the argument that matters most; a result is folded to some lines where a
//! person looks on, and is whole elsewhere.

use std::collections::HashMap;

use moltis_proto::json::text_of;
use moltis_proto::v1::event::Kind;
use moltis_proto::v1::{FileChange, ToolFinished};
use serde_json::Value;

/// Lines of a result that are shown where a person looks on.
const FOLDED: usize = 8;
/// Characters of a line that are shown there.
const WIDEST: usize = 200;
/// Calls at a time whose names are kept for their results.
const MOST_OPEN: usize = 256;

/// Arguments that say what a call does, the first that is there.
const ESSENTIAL: [&str; 10] =
    ["command", "url", "query", "pattern", "path", "file_path", "task", "name", "key", "text"];

/// A line, and what stands below it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Act {
    pub(super) line: String,
    /// Lines of a result; empty when there are none.
    pub(super) below: String,
}

/// Knows which calls are being made.
#[derive(Debug, Default)]
pub(super) struct Acts {
    /// Whether nothing is folded.
    whole: bool,
    open: HashMap<String, String>,
}

impl Acts {
    /// With results folded, or whole.
    pub(super) fn new(whole: bool) -> Self {
        Self { whole, open: HashMap::new() }
    }

    /// What is told of an event; `None` for kinds that no agent's act is.
    pub(super) fn tell(&mut self, kind: &Kind) -> Option<Act> {
        let line = match kind {
            Kind::ToolStarted(started) => {
                let line = call(&started.tool, &started.arguments, self.whole);
                if self.open.len() < MOST_OPEN {
                    self.open.insert(started.call.clone(), line.clone());
                }
                line
            }
            Kind::ToolFinished(finished) => return Some(self.finished(finished)),
            Kind::ApprovalAsked(asked) => format!(
                "asks: {} {} ({}); moltis approve {}",
                asked.tool, asked.subject, asked.reason, asked.approval
            ),
            Kind::ApprovalAnswered(answered) => {
                let word = if answered.allowed { "allowed" } else { "denied" };
                let reach = match answered.reach.as_str() {
                    "session" => " for the session",
                    "always" => " for good",
                    _ => "",
                };
                let why = if answered.reason.is_empty() { "" } else { ": " };
                format!("{word}{reach}{why}{}", answered.reason)
            }
            Kind::WorkspaceChanged(changed) => format!("changed {}", files(&changed.files)),
            Kind::WorkspaceRestored(restored) => {
                let kept = match restored.kept.len() {
                    0 => String::new(),
                    count => format!(", {count} left alone"),
                };
                format!("undone: {}{kept}", files(&restored.files))
            }
            Kind::WorktreeSet(set) => match &set.worktree {
                Some(tree) => format!("works in {} on branch {}", tree.path, tree.branch),
                None => "works in no worktree of its own any more".to_owned(),
            },
            Kind::GrantRevoked(revoked) => format!("revoked: {}", revoked.pattern),
            _ => return None,
        };
        Some(Act { line, below: String::new() })
    }

    fn finished(&mut self, finished: &ToolFinished) -> Act {
        let call = self.open.remove(&finished.call);
        let call = call.as_deref().unwrap_or(&finished.tool);
        let took = finished.took.map_or_else(String::new, |took| {
            format!(", {:.1} s", took.seconds as f64 + f64::from(took.nanos) / 1e9)
        });
        let below = text_of(&finished.parts);
        let below = if self.whole { indented(&below) } else { folded(&below) };
        Act { line: format!("{call}: {}{took}", finished.ending), below }
    }
}

/// A call in a line: the tool, and what it does.
fn call(tool: &str, arguments: &str, whole: bool) -> String {
    let value: Value = serde_json::from_str(arguments).unwrap_or_default();
    if whole {
        return format!("{tool} {arguments}");
    }
    let essential = ESSENTIAL.iter().find_map(|name| value.get(name)?.as_str());
    let what = match essential {
        Some(what) => what,
        None if matches!(arguments, "" | "{}") => return tool.to_owned(),
        None => arguments,
    };
    format!("{tool} {}", shortened(what))
}

/// The first line, at most so long.
fn shortened(text: &str) -> String {
    let line = text.trim().lines().next().unwrap_or_default();
    let mut short: String = line.chars().take(WIDEST).collect();
    if short.len() < text.trim().len() {
        short.push('…');
    }
    short
}

fn indented(text: &str) -> String {
    text.trim_end().lines().map(|line| format!("  {line}\n")).collect()
}

/// The first lines, and how many more there are.
fn folded(text: &str) -> String {
    let lines = text.trim_end().lines();
    let mut below: String =
        lines.clone().take(FOLDED).map(|line| format!("  {}\n", shortened(line))).collect();
    match lines.count().saturating_sub(FOLDED) {
        0 => {}
        1 => below.push_str("  … 1 more line\n"),
        more => below.push_str(&format!("  … {more} more lines\n")),
    }
    below
}

/// Some files by name, more by their number.
pub(super) fn files(files: &[FileChange]) -> String {
    match files {
        [] => "no files".to_owned(),
        some if some.len() <= 4 => {
            let names = some.iter().map(|file| format!("{} ({})", file.path, file.kind));
            names.collect::<Vec<_>>().join(", ")
        }
        many => format!("{} files", many.len()),
    }
}

#[cfg(test)]
#[path = "acts_tests.rs"]
mod tests;

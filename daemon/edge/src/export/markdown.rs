//! Markdown: a title, then who said what, and when.
//!
//! What was said is Markdown by custom and stands as it is. What only programs care for (settings,
//! titles, starts of turns) is left out.

use moltis_core::Timestamp;
use moltis_core::event::{Cause, Ending, Event, EventKind, FileChange, Level, TurnFailure};
use moltis_core::message::{Part, text_of};
use moltis_core::session::Summary;

/// The document's title and facts.
pub(super) fn head(summary: &Summary) -> String {
    let title = match one_line(&summary.title) {
        title if title.is_empty() => format!("Session {}", summary.id),
        title => title,
    };
    let mut facts = format!("Session `{}`, begun {}", summary.id, time(summary.created_at));
    if let Some((parent, seq)) = &summary.parent {
        facts.push_str(&format!(", forked from `{parent}` at {seq}"));
    }
    format!("# {title}\n\n{facts}.\n")
}

/// Appends what a person wants to read of an event.
pub(super) fn write(event: &Event, text: &mut String) {
    match &event.kind {
        EventKind::UserMessage { parts, .. } => {
            heading(text, &speaker(&event.cause), event.at);
            write_parts(parts, text);
        }
        EventKind::AssistantMessage { parts, answer, partial, .. } => {
            heading(text, &answer.model.to_string(), event.at);
            write_parts(parts, text);
            if *partial {
                text.push_str("\n*The answer broke off here.*\n");
            }
        }
        EventKind::Notice { level, text: notice, .. } => {
            let name = match level {
                Level::Info => "Note",
                Level::Warning => "Warning",
            };
            text.push_str(&format!("\n> **{name}:** {}\n", one_line(notice)));
        }
        EventKind::Compacted { summary, before_tokens, after_tokens, .. } => {
            let what = format!("Compacted from {before_tokens} to {after_tokens} tokens");
            write_folded(&what, summary, text);
        }
        EventKind::ToolStarted { tool, arguments, .. } => {
            text.push_str(&format!("\n**{}**\n", one_line(tool)));
            write_fenced("json", arguments, text);
        }
        EventKind::ToolFinished { tool, ending, parts, .. } => {
            let what = format!("{} · {}", one_line(tool), ending.as_str());
            write_result(&what, &text_of(parts), text);
        }
        EventKind::ApprovalAsked { tool, subject, reason, .. } => {
            let (tool, subject) = (one_line(tool), one_line(subject));
            text.push_str(&format!("\n> **Asked:** {tool} `{subject}`: {}\n", one_line(reason)));
        }
        EventKind::ApprovalAnswered { allowed, reason, .. } => {
            let answer = if *allowed { "allowed" } else { "denied" };
            text.push_str(&format!("\n> **Answer:** {answer} {}\n", one_line(reason)));
        }
        EventKind::WorkspaceChanged { files, .. } => write_files("Changed", files, text),
        EventKind::WorkspaceRestored { files, .. } => write_files("Undone", files, text),
        EventKind::ProgramAsked { command } => {
            text.push_str(&format!("\n> **Run:** {}\n", one_line(command)));
        }
        EventKind::Cleared { .. } => {
            text.push_str("\n> The model is told nothing of what is above.\n");
        }
        EventKind::TurnEnded { ending, failure, .. } => {
            write_ending(*ending, failure.as_ref(), text);
        }
        EventKind::SessionCreated { .. }
        | EventKind::SessionForked { .. }
        | EventKind::TitleChanged { .. }
        | EventKind::ArchivedChanged { .. }
        | EventKind::SettingsChanged { .. }
        | EventKind::CompactionAsked
        | EventKind::ClearAsked
        | EventKind::GrantRevoked { .. }
        | EventKind::StateSet { .. }
        | EventKind::WorktreeSet { .. }
        | EventKind::TurnStarted { .. } => {}
    }
}

fn write_files(what: &str, files: &[FileChange], text: &mut String) {
    text.push_str(&format!("\n> **{what}:**\n"));
    for file in files {
        text.push_str(&format!("> - {} `{}`\n", file.kind.as_str(), one_line(&file.path)));
    }
}

fn speaker(cause: &Cause) -> String {
    match cause {
        Cause::Client(kind) => format!("You ({kind})"),
        Cause::Daemon => "Moltis".to_owned(),
        Cause::Model => "The model".to_owned(),
    }
}

fn heading(text: &mut String, who: &str, at: Timestamp) {
    text.push_str(&format!("\n## {who} · {}\n", time(at)));
}

fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

fn write_parts(parts: &[Part], text: &mut String) {
    for part in parts {
        match part {
            Part::Text(said) => write_block(said, text),
            Part::Reasoning { text: thought, .. } => write_folded("Reasoning", thought, text),
            Part::Image { media_type, data } => {
                text.push_str(&format!("\n*[{media_type}, {}]*\n", size(data.len())));
            }
            Part::ToolCall { name, arguments, .. } => {
                text.push_str(&format!("\n*calls `{name}`*\n"));
                write_fenced("json", arguments, text);
            }
            Part::ToolResult { text: result, failed, .. } => {
                text.push_str(if *failed { "\n*which failed*\n" } else { "\n*which answered*\n" });
                write_fenced("", result, text);
            }
        }
    }
}

fn write_block(said: &str, text: &mut String) {
    let said = said.trim_end();
    if !said.is_empty() {
        text.push_str(&format!("\n{said}\n"));
    }
}

/// A text that is folded away under its name. What it says can't close the fold.
fn write_folded(name: &str, hidden: &str, text: &mut String) {
    let hidden = hidden.trim();
    if !hidden.is_empty() {
        let hidden = hidden.replace("</", "&lt;/");
        let summary = format!("<summary>{name}</summary>");
        text.push_str(&format!("\n<details>{summary}\n\n{hidden}\n\n</details>\n"));
    }
}

/// What a tool gave, folded away as it is: the fence keeps what it says from meaning anything.
fn write_result(name: &str, result: &str, text: &mut String) {
    if result.trim().is_empty() {
        text.push_str(&format!("\n*{name}*\n"));
        return;
    }
    text.push_str(&format!("\n<details><summary>{name}</summary>\n"));
    write_fenced("", result, text);
    text.push_str("\n</details>\n");
}

/// A code block whose fence is longer than any in it.
fn write_fenced(language: &str, code: &str, text: &mut String) {
    let longest = code.split(|character| character != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    text.push_str(&format!("\n{fence}{language}\n{}\n{fence}\n", code.trim_end()));
}

fn write_ending(ending: Ending, failure: Option<&TurnFailure>, text: &mut String) {
    if ending == Ending::Done {
        return;
    }
    let why = failure.map(|failure| format!(": {}", one_line(&failure.message)));
    let why = why.unwrap_or_default();
    text.push_str(&format!("\n> **Turn {}**{why}\n", ending_name(ending)));
}

fn size(bytes: usize) -> String {
    match bytes {
        0..1_024 => format!("{bytes} bytes"),
        1_024..1_048_576 => format!("{} KiB", bytes.div_ceil(1_024)),
        _ => format!("{} MiB", bytes.div_ceil(1_048_576)),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn ending_name(ending: Ending) -> &'static str {
    match ending {
        Ending::Done => "done",
        Ending::Failed => "failed",
        Ending::Cancelled => "cancelled",
        Ending::Interrupted => "interrupted",
    }
}

#[cfg(test)]
#[path = "markdown_tests.rs"]
mod tests;

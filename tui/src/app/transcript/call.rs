//! A call of a tool: what is wanted, how far it is, what came of it.
//!
//! It follows from events and from what the tool prints meanwhile; that is dropped when the result
//! is there, so that what was shown live is what a replay shows. Texts are made safe as they come in.

use moltis_proto::v1;
use serde_json::Value;

use super::block::{Strand, millis, pictures};
use crate::app::agents::BEGINS;
use crate::widget::SafeText;

/// Arguments that say in a line what a call is about, the most telling first.
const TELLING: [&str; 8] =
    ["command", "file_path", "url", "pattern", "query", "path", "task", "action"];
/// What is kept of what a running tool prints; the result brings the rest.
const MAX_OUTPUT: usize = 512 << 10;

/// A call of a tool.
#[derive(Debug, Default)]
pub(crate) struct Call {
    pub(super) turn: String,
    /// As the answer names it.
    pub(super) id: String,
    /// What its output is named by; empty until it was begun.
    pub(super) item: String,
    /// The last question about it.
    pub(super) approval: String,
    pub(crate) tool: SafeText,
    pub(super) wish: Wish,
    pub(crate) stage: Stage,
    /// Why it may be made, or what a person said about it.
    pub(super) note: SafeText,
    /// What it prints while it runs.
    pub(super) output: Strand,
    /// What came of it.
    pub(super) result: SafeText,
    /// What is known of the agent that it began.
    pub(super) agent: SafeText,
    pub(super) took_ms: Option<u64>,
    /// The answer that it belongs to is not loaded.
    pub(super) orphan: bool,
    /// Grows with every change.
    pub(super) revision: usize,
}

/// How far a call is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stage {
    /// A model wants it.
    #[default]
    Wished,
    /// It waits for a person.
    Asking,
    /// It is being made, since that second since 1970.
    Running(i64),
    /// Something came of it.
    Done,
    /// It was made and failed, or was malformed.
    Failed,
    /// A person or the policy was against it.
    Denied,
    /// It was stopped.
    Cancelled,
    /// The daemon went down while it ran.
    Interrupted,
    /// Its turn ended, and nobody made it.
    Left,
}

/// What a call is to do.
#[derive(Debug, Default)]
pub(super) struct Wish {
    /// The argument that tells the most, on one line.
    pub(super) telling: SafeText,
    /// The document, where it holds more than that.
    pub(super) document: SafeText,
    /// What it puts in the place of what.
    pub(super) edits: Vec<(SafeText, SafeText)>,
}

impl Wish {
    /// Reads arguments; what is no document is shown as it is.
    pub(super) fn read(tool: &str, arguments: &str) -> Self {
        let object = match serde_json::from_str(arguments) {
            Ok(Value::Object(object)) if !object.is_empty() => object,
            Ok(Value::Object(_)) => return Self::default(),
            _ => return Self { telling: SafeText::one_line(arguments), ..Self::default() },
        };
        let text = |value: &Value, name: &str| {
            SafeText::clean(value.get(name).and_then(Value::as_str).unwrap_or_default())
        };
        let step = |value: &Value| (text(value, "old_string"), text(value, "new_string"));
        let found = TELLING.iter().find_map(|name| object.get(*name).and_then(Value::as_str));
        let alone = object.len() == 1;
        let is_told = found.is_some();
        let telling = SafeText::one_line(found.unwrap_or(arguments));
        let whole = Value::Object(object);
        let edits = match (tool, whole.get("edits").and_then(Value::as_array)) {
            ("write", _) => vec![(SafeText::default(), text(&whole, "content"))],
            ("edit", _) => vec![step(&whole)],
            ("multi_edit", Some(steps)) => steps.iter().map(step).collect(),
            _ => Vec::new(),
        };
        let shown = alone || !is_told || !edits.is_empty();
        let document = if shown { SafeText::default() } else { SafeText::one_line(arguments) };
        Self { telling, document, edits }
    }
}

impl Stage {
    /// Nothing comes of it any more.
    pub(super) fn is_over(self) -> bool {
        !matches!(self, Self::Wished | Self::Asking | Self::Running(_))
    }
}

impl Call {
    /// What a model wants.
    pub(super) fn wished(turn: &str, call: &v1::ToolCall) -> Self {
        let mut wished = Self::unknown(turn, &call.id, &call.name);
        (wished.wish, wished.orphan) = (Wish::read(&call.name, &call.arguments), false);
        wished
    }

    /// A call whose answer is not loaded.
    pub(super) fn unknown(turn: &str, id: &str, tool: &str) -> Self {
        let (turn, id, tool) = (turn.to_owned(), id.to_owned(), SafeText::one_line(tool));
        Self { turn, id, tool, orphan: true, ..Self::default() }
    }

    pub(super) fn ask(&mut self, asked: &v1::ApprovalAsked) {
        self.approval.clone_from(&asked.approval);
        self.wish = Wish::read(&asked.tool, &asked.arguments);
        self.stage = Stage::Asking;
    }

    pub(super) fn answer(&mut self, answered: &v1::ApprovalAnswered) {
        self.note = said(answered);
        if self.stage == Stage::Asking {
            self.stage = Stage::Wished;
        }
    }

    pub(super) fn start(&mut self, started: &v1::ToolStarted, at: i64) {
        self.item.clone_from(&started.item);
        self.wish = Wish::read(&started.tool, &started.arguments);
        if self.note.is_empty() {
            self.note = SafeText::one_line(&started.why);
        }
        self.stage = Stage::Running(at);
    }

    pub(super) fn print(&mut self, offset: u64, piece: &str) {
        if self.output.text().len() < MAX_OUTPUT {
            self.output.push(offset, piece);
        }
    }

    pub(super) fn finish(&mut self, finished: v1::ToolFinished) {
        self.stage = match finished.ending.as_str() {
            "done" => Stage::Done,
            "denied" => Stage::Denied,
            "cancelled" => Stage::Cancelled,
            "interrupted" => Stage::Interrupted,
            _ => Stage::Failed,
        };
        let mut text = String::new();
        for part in &finished.parts {
            if let Some(v1::part::Part::Text(more)) = &part.part {
                text.push_str(more);
            }
        }
        for picture in pictures(&finished.parts) {
            text = format!("{text}\n{}", &*picture);
        }
        self.result = text.trim_matches('\n').into();
        self.took_ms = finished.took.map(millis);
        self.output = Strand::default();
    }

    /// Takes over what is known of the same call without its answer.
    pub(super) fn absorb(&mut self, orphan: Self) {
        let wish = std::mem::take(&mut self.wish);
        let known = !orphan.wish.telling.is_empty();
        // Its own answer may still be in a page before this one.
        *self = Self { orphan: self.orphan, ..orphan };
        if !known {
            self.wish = wish;
        }
    }

    /// Its turn, and its name there.
    pub(crate) fn place(&self) -> (String, String) {
        (self.turn.clone(), self.id.clone())
    }

    /// Whether it begins an agent.
    pub(crate) fn begins_agent(&self) -> bool {
        self.tool.as_str() == BEGINS
    }

    /// Whether it waits for an agent that it began.
    pub(crate) fn has_agent_at_work(&self) -> bool {
        self.begins_agent() && matches!(self.stage, Stage::Running(_))
    }

    /// What of it can be found and copied.
    pub(super) fn text(&self) -> &str {
        if self.result.is_empty() { &self.wish.telling } else { &self.result }
    }

    /// What its texts weigh, without what it prints: that goes again.
    pub(super) fn bytes(&self) -> usize {
        let edits: usize = self.wish.edits.iter().map(|(old, new)| old.len() + new.len()).sum();
        self.wish.telling.len()
            + self.wish.document.len()
            + edits
            + self.result.len()
            + self.agent.len()
    }
}

/// What a person said to a question, in a few words.
pub(crate) fn said(answered: &v1::ApprovalAnswered) -> SafeText {
    let words = match (answered.allowed, answered.reach.as_str()) {
        (false, _) => "denied",
        (true, "session") => "allowed for this session",
        (true, "always") => "allowed always",
        (true, _) => "allowed once",
    };
    let reason = answered.reason.trim();
    SafeText::one_line(&if reason.is_empty() { words.into() } else { format!("{words}: {reason}") })
}

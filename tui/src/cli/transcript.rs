//! A session's events as lines for people: `sessions history` and `tail`.

use moltis_proto::v1::event::Kind;
use moltis_proto::v1::part::Part as Inner;
use moltis_proto::v1::{Delta, Ending, Event, Level, UserMessage};

use super::acts::{Act, Acts};
use super::answer::Answer;
use super::shape;
use crate::client::Failure;
use crate::output::Output;
use crate::widget::{Cleaner, SafeText};

/// Writes text as it comes: cleaned for a terminal, flushed at once, ending with a line end.
pub(super) struct Writer<'a> {
    output: &'a Output,
    cleaner: Cleaner,
    /// Whether the cursor is at the beginning of a line.
    fresh_line: bool,
}

impl<'a> Writer<'a> {
    /// A writer at the beginning of a line.
    pub(super) fn new(output: &'a Output) -> Self {
        Self { output, cleaner: Cleaner::default(), fresh_line: true }
    }

    /// Writes a piece.
    pub(super) fn piece(&mut self, text: &str) -> Result<(), Failure> {
        if text.is_empty() {
            return Ok(());
        }
        if self.output.terminal {
            let mut safe = SafeText::default();
            self.cleaner.push(text, &mut safe);
            if safe.is_empty() {
                return Ok(());
            }
            self.fresh_line = safe.ends_with('\n');
            return self.output.raw(&safe);
        }
        self.fresh_line = text.ends_with('\n');
        self.output.raw(text)
    }

    /// Ends the line if something stands on it.
    pub(super) fn end_line(&mut self) -> Result<(), Failure> {
        self.cleaner = Cleaner::default();
        if self.fresh_line {
            return Ok(());
        }
        self.fresh_line = true;
        self.output.raw("\n")
    }

    /// Writes something that is not the text, on a line of its own.
    pub(super) fn aside(&mut self, text: &str) -> Result<(), Failure> {
        self.end_line()?;
        let text = SafeText::one_line(text);
        self.output.raw(&format!("{}\n", self.output.dim(&format!("[{}]", text.as_str()))))
    }

    /// Writes what an agent did.
    pub(super) fn act(&mut self, act: &Act) -> Result<(), Failure> {
        self.aside(&act.line)?;
        if act.below.is_empty() {
            return Ok(());
        }
        if !self.output.terminal {
            return self.output.raw(&act.below);
        }
        let below = SafeText::clean(act.below.trim_end_matches('\n'));
        self.output.raw(&format!("{}\n", self.output.dim(&below)))
    }
}

/// Writes events, and an answer as it grows.
pub(super) struct Transcript<'a> {
    writer: Writer<'a>,
    output: &'a Output,
    answer: Answer,
    acts: Acts,
}

impl<'a> Transcript<'a> {
    /// An empty transcript. On a terminal, what tools gave is folded, unless all of it is wanted.
    pub(super) fn new(output: &'a Output, full: bool) -> Self {
        let acts = Acts::new(full || !output.terminal);
        Self { writer: Writer::new(output), output, answer: Answer::default(), acts }
    }

    /// Writes what a delta adds.
    pub(super) fn delta(&mut self, delta: &Delta) -> Result<(), Failure> {
        let is_new = self.answer.is_new(&delta.item);
        let fresh = self.answer.delta(delta);
        if is_new && !fresh.is_empty() {
            self.writer.end_line()?;
        }
        self.writer.piece(fresh)
    }

    /// Writes an event, if it is one that people care for.
    pub(super) fn event(&mut self, event: &Event) -> Result<(), Failure> {
        let Some(kind) = &event.kind else { return Ok(()) };
        match kind {
            Kind::UserMessage(message) => {
                let lines = quoted(message);
                self.writer.end_line()?;
                self.output.raw(&self.output.bold(&lines))?;
                self.output.raw("\n")
            }
            Kind::AssistantMessage(message) => {
                if self.answer.is_new(&message.item) {
                    self.writer.end_line()?;
                }
                let fresh = self.answer.message(message);
                self.writer.piece(&fresh)?;
                self.writer.end_line()?;
                if message.partial { self.aside("the answer broke off here") } else { Ok(()) }
            }
            Kind::Notice(notice) => {
                let mark = if notice.level() == Level::Warning { "warning: " } else { "" };
                self.aside(&format!("{mark}{}", notice.text))
            }
            Kind::Compacted(compacted) => self.aside(&format!(
                "compacted: {} → {} tokens",
                compacted.before_tokens, compacted.after_tokens
            )),
            Kind::ProgramAsked(asked) => {
                let lines = format!("> /sh {}", asked.command.replace('\n', "\n> "));
                self.writer.end_line()?;
                self.output.raw(&self.output.bold(&lines))?;
                self.output.raw("\n")
            }
            Kind::Cleared(_) => self.aside("cleared: the model is told nothing of what is above"),
            Kind::TurnEnded(ended) => match (ended.ending(), &ended.failure) {
                (Ending::Done | Ending::Unspecified, _) => Ok(()),
                (_, Some(failure)) => self.aside(&format!("failed: {}", failure.message)),
                (Ending::Cancelled, None) => self.aside("stopped"),
                (Ending::Failed, None) => self.aside("failed"),
                (Ending::Interrupted, None) => self.aside("interrupted"),
            },
            Kind::TitleChanged(change) => self.aside(&format!("title: {}", change.title)),
            Kind::SessionForked(fork) => {
                self.aside(&format!("forked from {} at {}", fork.parent, fork.parent_seq))
            }
            Kind::ArchivedChanged(change) if change.archived => self.aside("archived"),
            Kind::ArchivedChanged(_) => self.aside("taken out of the archive"),
            Kind::ToolStarted(_)
            | Kind::ToolFinished(_)
            | Kind::ApprovalAsked(_)
            | Kind::ApprovalAnswered(_)
            | Kind::WorkspaceChanged(_)
            | Kind::WorkspaceRestored(_)
            | Kind::WorktreeSet(_)
            | Kind::GrantRevoked(_) => self.act(kind),
            Kind::StateSet(_)
            | Kind::SettingsChanged(_)
            | Kind::SessionCreated(_)
            | Kind::CompactionAsked(_)
            | Kind::ClearAsked(_)
            | Kind::TurnStarted(_) => Ok(()),
        }
    }

    /// Ends the last line.
    pub(super) fn end(&mut self) -> Result<(), Failure> {
        self.writer.end_line()
    }

    fn act(&mut self, kind: &Kind) -> Result<(), Failure> {
        self.acts.tell(kind).map_or(Ok(()), |act| self.writer.act(&act))
    }

    fn aside(&mut self, text: &str) -> Result<(), Failure> {
        self.writer.aside(text)
    }
}

/// A person's message, each line behind `> `.
fn quoted(message: &UserMessage) -> String {
    let mut text = shape::text_of(&message.parts);
    for part in &message.parts {
        if let Some(Inner::Image(image)) = &part.part {
            text.push_str(&format!("\n[{}, {} bytes]", image.media_type, image.data.len()));
        }
    }
    let text = SafeText::clean(text.trim_matches('\n'));
    text.lines().map(|line| format!("> {line}")).collect::<Vec<_>>().join("\n")
}

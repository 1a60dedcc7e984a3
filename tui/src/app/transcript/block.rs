//! A block: one message, notice or end of a turn.

use moltis_proto::v1;

use super::call::Call;
use super::lay::Laid;
use crate::widget::{Cleaner, SafeText};

/// A block's name and, within the loaded blocks, its place: blocks are numbered without gaps, new
/// ones upwards, older ones downwards.
pub(crate) type BlockId = i64;

/// One piece of the transcript.
#[derive(Debug)]
pub(crate) struct Block {
    /// Its name.
    pub(crate) id: BlockId,
    /// The event that it came from; 0 while it grows.
    pub(crate) seq: u64,
    /// When it was said, in seconds since 1970; 0 while it grows.
    pub(crate) at: i64,
    /// What it is.
    pub(crate) kind: Kind,
    pub(super) laid: Option<Laid>,
}

/// What a block is.
#[derive(Debug)]
pub(crate) enum Kind {
    /// What the person said.
    Person(Person),
    /// What a model said.
    Answer(Box<Answer>),
    /// What a model is saying.
    Growing(Box<Growing>),
    /// A call of a tool.
    Call(Box<Call>),
    /// What the person should know.
    Notice {
        /// Something did not go as asked.
        warning: bool,
        text: SafeText,
    },
    /// A turn that did not end well.
    End(End),
    /// A summary that a model is told in the place of what stands above.
    Compacted(Compacted),
    /// A change of the session: a fork, another model.
    Mark(SafeText),
}

/// What the person said.
#[derive(Debug, Default)]
pub(crate) struct Person {
    pub(crate) text: SafeText,
    /// Pictures, in words.
    pub(crate) pictures: Vec<SafeText>,
}

/// What a model said.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) item: String,
    pub(crate) text: SafeText,
    pub(crate) reasoning: SafeText,
    pub(crate) model: SafeText,
    pub(crate) usage: v1::Usage,
    /// It stopped because it reached the limit of its output.
    pub(crate) cut: bool,
    /// The vendor took something out.
    pub(crate) filtered: bool,
    /// The stream broke off.
    pub(crate) partial: bool,
    pub(crate) first_token_ms: Option<u64>,
    pub(crate) took_ms: Option<u64>,
}

/// How a turn ended, if not well.
#[derive(Clone, Debug)]
pub(crate) struct End {
    pub(crate) ending: v1::Ending,
    pub(crate) message: SafeText,
    pub(crate) hint: SafeText,
}

/// A summary, and what it saves.
#[derive(Debug, Default)]
pub(crate) struct Compacted {
    /// Tokens of the prompt before.
    pub(crate) before: u64,
    /// The same after it.
    pub(crate) after: u64,
    pub(crate) summary: SafeText,
}

/// What a model is saying.
#[derive(Debug, Default)]
pub(crate) struct Growing {
    pub(crate) item: String,
    pub(crate) turn: String,
    pub(crate) text: Strand,
    pub(crate) reasoning: Strand,
    pub(crate) calls: Vec<Wished>,
}

/// A call that a model is putting into words.
#[derive(Debug)]
pub(crate) struct Wished {
    pub(crate) id: String,
    pub(crate) tool: SafeText,
    pub(crate) arguments: Strand,
}

/// A text that grows by pieces whose places are known.
#[derive(Debug, Default)]
pub(crate) struct Strand {
    /// Bytes received, before cleaning.
    received: u64,
    cleaner: Cleaner,
    text: SafeText,
}

impl Strand {
    /// What it says so far.
    pub(crate) fn text(&self) -> &SafeText {
        &self.text
    }

    /// Takes a piece; what is known already is skipped. A piece with a gap before it cannot be
    /// placed and is left out: the finished item brings the whole text.
    pub(crate) fn push(&mut self, offset: u64, piece: &str) {
        let Some(known) = self.received.checked_sub(offset) else { return };
        let known = usize::try_from(known).unwrap_or(usize::MAX);
        let Some(fresh) = piece.get(known..) else { return };
        self.cleaner.push(fresh, &mut self.text);
        self.received += fresh.len() as u64;
    }
}

impl Block {
    /// What of it can be found and copied.
    pub(crate) fn text(&self) -> &str {
        match &self.kind {
            Kind::Person(person) => &person.text,
            Kind::Answer(answer) => &answer.text,
            Kind::Growing(growing) => growing.text.text(),
            Kind::Call(call) => call.text(),
            Kind::Notice { text, .. } | Kind::Mark(text) => text,
            Kind::Compacted(compacted) => &compacted.summary,
            Kind::End(end) => &end.message,
        }
    }

    /// Roughly what it weighs without its rows.
    pub(super) fn bytes(&self) -> usize {
        let words = match &self.kind {
            Kind::Answer(answer) => answer.text.len() + answer.reasoning.len(),
            // It must weigh the same when it goes as when it came; finished, it is weighed anew.
            Kind::Growing(_) => 0,
            Kind::Call(call) => call.bytes(),
            _ => self.text().len(),
        };
        size_of::<Self>() + words
    }

    /// How many rows show it, if they were made.
    #[cfg(test)]
    pub(super) fn rows(&self) -> usize {
        self.laid.as_ref().map_or(0, Laid::height)
    }

    /// Whether it can be selected.
    pub(crate) fn is_message(&self) -> bool {
        matches!(self.kind, Kind::Person(_) | Kind::Answer(_) | Kind::Call(_))
    }

    /// Whether the person said it.
    pub(crate) fn is_person(&self) -> bool {
        matches!(self.kind, Kind::Person(_))
    }
}

/// Splits a message's parts into what is shown.
pub(super) fn person(parts: &[v1::Part]) -> Person {
    let mut text = String::new();
    for part in parts {
        if let Some(v1::part::Part::Text(more)) = &part.part {
            text.push_str(more);
        }
    }
    Person { text: text.into(), pictures: pictures(parts).collect() }
}

/// The pictures among a message's parts, in words.
pub(super) fn pictures(parts: &[v1::Part]) -> impl Iterator<Item = SafeText> {
    parts.iter().filter_map(|part| {
        let Some(v1::part::Part::Image(image)) = &part.part else { return None };
        let size = crate::app::editor::size(image.data.len());
        Some(SafeText::one_line(&format!("[{}, {size}]", image.media_type)))
    })
}

/// The answer that an event tells of, without its calls: they have blocks of their own.
pub(super) fn answer(message: v1::AssistantMessage) -> Answer {
    let (mut text, mut reasoning) = (String::new(), String::new());
    for part in message.parts {
        match part.part {
            Some(v1::part::Part::Text(more)) => text.push_str(&more),
            Some(v1::part::Part::Reasoning(thought)) => reasoning.push_str(&thought.text),
            _ => {}
        }
    }
    let finish = v1::FinishReason::try_from(message.finish).unwrap_or_default();
    Answer {
        item: message.item,
        text: text.into(),
        reasoning: reasoning.into(),
        model: SafeText::one_line(&message.model),
        usage: message.usage.unwrap_or_default(),
        cut: finish == v1::FinishReason::Length,
        filtered: finish == v1::FinishReason::Filtered,
        partial: message.partial,
        first_token_ms: message.first_token.map(millis),
        took_ms: message.took.map(millis),
    }
}

pub(super) fn millis(duration: prost_types::Duration) -> u64 {
    let seconds = u64::try_from(duration.seconds).unwrap_or_default();
    let rest = u64::try_from(duration.nanos / 1_000_000).unwrap_or_default();
    seconds.saturating_mul(1_000).saturating_add(rest)
}

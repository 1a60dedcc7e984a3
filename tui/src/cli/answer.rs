//! An answer as it comes: from events and deltas to the text that is still to be printed.
//!
//! Pure. Whatever is repeated after a broken connection is printed once; the finished message has
//! the last word.

use moltis_proto::v1::{AssistantMessage, Delta, Strand};

use super::shape::text_of;

/// The item that is being printed, and how much of it has been.
#[derive(Debug, Default)]
pub(super) struct Answer {
    item: String,
    /// What was printed of the item.
    printed: String,
    /// The texts of the finished items, as the `done` line gives them.
    text: String,
}

impl Answer {
    /// What a delta adds; empty for other strands and for what is known already.
    pub(super) fn delta<'a>(&mut self, delta: &'a Delta) -> &'a str {
        if !matches!(delta.strand(), Strand::Text | Strand::Unspecified) {
            return "";
        }
        self.begin(&delta.item);
        let Ok(offset) = usize::try_from(delta.offset) else { return "" };
        // What lies beyond a gap waits for the finished message.
        let Some(known) = self.printed.len().checked_sub(offset) else { return "" };
        let fresh = delta.text.get(known..).unwrap_or_default();
        self.printed.push_str(fresh);
        fresh
    }

    /// What a finished message adds.
    pub(super) fn message(&mut self, message: &AssistantMessage) -> String {
        self.begin(&message.item);
        let text = text_of(&message.parts);
        let fresh = match text.strip_prefix(self.printed.as_str()) {
            Some(rest) => rest.to_owned(),
            // Another answer than the one that began: all of it, on lines of its own.
            None => format!("\n{text}"),
        };
        if !self.text.is_empty() && !text.is_empty() {
            self.text.push_str("\n\n");
        }
        self.text.push_str(&text);
        self.printed = text;
        fresh
    }

    /// The whole text: the finished messages, or what came of one that is not finished.
    pub(super) fn text(&self) -> &str {
        if self.text.is_empty() { &self.printed } else { &self.text }
    }

    fn begin(&mut self, item: &str) {
        if self.item != item {
            item.clone_into(&mut self.item);
            self.printed.clear();
        }
    }

    /// Whether that item is another one than the last.
    pub(super) fn is_new(&self, item: &str) -> bool {
        self.item != item
    }
}

#[cfg(test)]
mod tests {
    use moltis_proto::v1::Part;
    use moltis_proto::v1::part::Part as Inner;

    use super::*;

    fn delta(item: &str, offset: u64, text: &str) -> Delta {
        Delta {
            item: item.to_owned(),
            strand: Strand::Text.into(),
            offset,
            text: text.to_owned(),
            ..Delta::default()
        }
    }

    fn message(item: &str, text: &str) -> AssistantMessage {
        let parts = vec![Part { part: Some(Inner::Text(text.to_owned())) }];
        AssistantMessage { item: item.to_owned(), parts, ..AssistantMessage::default() }
    }

    #[test]
    fn what_is_repeated_after_a_broken_connection_is_printed_once() {
        let mut answer = Answer::default();
        assert_eq!(answer.delta(&delta("i", 0, "Hello")), "Hello");
        assert_eq!(answer.delta(&delta("i", 0, "Hello, wo")), ", wo");
        assert_eq!(answer.delta(&delta("i", 4, "o")), "");
        assert_eq!(answer.message(&message("i", "Hello, world")), "rld");
        assert_eq!(answer.text(), "Hello, world");
    }

    #[test]
    fn a_gap_waits_for_the_finished_message() {
        let mut answer = Answer::default();
        assert_eq!(answer.delta(&delta("i", 0, "a")), "a");
        assert_eq!(answer.delta(&delta("i", 3, "d")), "");
        assert_eq!(answer.message(&message("i", "abcd")), "bcd");
    }

    #[test]
    fn reasoning_is_not_the_answer() {
        let mut answer = Answer::default();
        let thought = Delta { strand: Strand::Reasoning.into(), ..delta("i", 0, "hm") };
        assert_eq!(answer.delta(&thought), "");
        assert_eq!(answer.text(), "");
    }

    #[test]
    fn several_messages_are_one_text() {
        let mut answer = Answer::default();
        answer.message(&message("i", "one"));
        assert!(answer.is_new("j"));
        answer.delta(&delta("j", 0, "tw"));
        assert_eq!(answer.text(), "one");
        assert_eq!(answer.message(&message("j", "two")), "o");
        assert_eq!(answer.text(), "one\n\ntwo");
    }

    #[test]
    fn a_cut_inside_of_a_character_waits() {
        let mut answer = Answer::default();
        assert_eq!(answer.delta(&delta("i", 0, "ä")), "ä");
        assert_eq!(answer.delta(&delta("i", 1, "xyz")), "yz");
    }
}

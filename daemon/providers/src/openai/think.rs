//! Reasoning that model servers without a reasoning parser leave in the text, in
//! `<think>…</think>` at its beginning.

use crate::output::Output;

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

/// Tells reasoning from text. Only the beginning of an answer is looked at: an answer that
/// speaks of the tag later on stays as it is.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    place: Place,
    /// What may be the beginning of a tag.
    held: String,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Beginning,
    Inside,
    /// Past the reasoning, at the white space before the text.
    Gap,
    Text,
}

impl Splitter {
    /// Everything is text.
    pub(super) fn off() -> Self {
        Self { place: Place::Text, held: String::new() }
    }

    pub(super) fn push(&mut self, piece: String, out: &mut Output) {
        if self.place == Place::Text {
            return out.text(piece);
        }
        self.held.push_str(&piece);
        if self.place == Place::Beginning {
            let begun = self.held.trim_start();
            if let Some(inside) = begun.strip_prefix(OPEN) {
                self.held = inside.to_owned();
                self.place = Place::Inside;
            } else if !OPEN.starts_with(begun) {
                self.place = Place::Text;
                return out.text(std::mem::take(&mut self.held));
            }
        }
        if self.place == Place::Inside {
            self.inside(out);
        }
        if self.place == Place::Gap {
            let text = self.held.trim_start();
            if !text.is_empty() {
                self.place = Place::Text;
                out.text(text.to_owned());
            }
            self.held.clear();
        }
    }

    fn inside(&mut self, out: &mut Output) {
        if let Some((thought, text)) = self.held.split_once(CLOSE) {
            out.reasoning(thought.to_owned());
            self.held = text.to_owned();
            self.place = Place::Gap;
            return;
        }
        let keep = (1..CLOSE.len())
            .rev()
            .find(|length| CLOSE.get(..*length).is_some_and(|head| self.held.ends_with(head)))
            .unwrap_or(0);
        let rest = self.held.split_off(self.held.len() - keep);
        out.reasoning(std::mem::replace(&mut self.held, rest));
    }

    /// Gives out what was held back when nothing follows.
    pub(super) fn flush(&mut self, out: &mut Output) {
        let held = std::mem::take(&mut self.held);
        match self.place {
            Place::Inside => out.reasoning(held),
            Place::Beginning if held.trim().is_empty() => {}
            Place::Beginning | Place::Gap | Place::Text => {
                self.place = Place::Text;
                out.text(held);
            }
        }
    }
}

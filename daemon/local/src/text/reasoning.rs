//! Tells a model's thinking from its answer.
//!
//! Models that think begin their answer with `<think>` and end the thought with `</think>`. A
//! mark may come in pieces, so text that may still become one is held back.

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

/// A piece of what a model wrote.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// Part of the answer.
    Text(String),
    /// Part of the thought before it.
    Reasoning(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing but white space so far.
    Start,
    /// The thought has begun; white space before it is dropped.
    Opening,
    Thinking,
    /// The thought has ended; white space before the answer is dropped.
    Between,
    Answering,
}

/// Sorts text as it is written.
#[derive(Debug)]
pub(crate) struct Sorter {
    state: State,
    held: String,
}

impl Sorter {
    /// A sorter for an answer that begins; `thinking` when the prompt has opened the thought.
    pub(crate) fn new(thinking: bool) -> Self {
        Self { state: if thinking { State::Opening } else { State::Start }, held: String::new() }
    }

    /// Takes more text.
    pub(crate) fn push(&mut self, text: &str) -> Vec<Said> {
        self.held.push_str(text);
        let mut said = Vec::new();
        while self.step(&mut said) {}
        said
    }

    /// What was held back when nothing more comes.
    pub(crate) fn finish(&mut self) -> Option<Said> {
        let held = std::mem::take(&mut self.held);
        match self.state {
            _ if held.is_empty() => None,
            State::Opening | State::Thinking => Some(Said::Reasoning(held)),
            State::Start | State::Between | State::Answering => Some(Said::Text(held)),
        }
    }

    /// Whether something changed that makes another look worth while.
    fn step(&mut self, said: &mut Vec<Said>) -> bool {
        match self.state {
            State::Start => {
                let begun = self.held.trim_start();
                if let Some(rest) = begun.strip_prefix(OPEN) {
                    self.held = rest.to_owned();
                    self.state = State::Opening;
                    return true;
                }
                if begun.is_empty() || OPEN.starts_with(begun) {
                    return false;
                }
                self.state = State::Answering;
                true
            }
            State::Opening => {
                self.held = self.held.trim_start().to_owned();
                if self.held.is_empty() {
                    return false;
                }
                self.state = State::Thinking;
                true
            }
            State::Thinking => {
                if let Some((thought, rest)) = self.held.split_once(CLOSE) {
                    if !thought.trim().is_empty() {
                        said.push(Said::Reasoning(thought.trim_end().to_owned()));
                    }
                    self.held = rest.to_owned();
                    self.state = State::Between;
                    return true;
                }
                let keep = longest_tail(&self.held);
                let ready = self.held.len() - keep;
                if ready > 0 {
                    let held = self.held.split_off(ready);
                    said.push(Said::Reasoning(std::mem::replace(&mut self.held, held)));
                }
                false
            }
            State::Between => {
                self.held = self.held.trim_start().to_owned();
                if self.held.is_empty() {
                    return false;
                }
                self.state = State::Answering;
                true
            }
            State::Answering => {
                if !self.held.is_empty() {
                    said.push(Said::Text(std::mem::take(&mut self.held)));
                }
                false
            }
        }
    }
}

/// Bytes at the end that may be white space before, or the beginning of, the closing mark.
fn longest_tail(text: &str) -> usize {
    let mark = (1..CLOSE.len()).rev().find(|n| text.ends_with(&CLOSE[..*n])).unwrap_or(0);
    let before = &text[..text.len() - mark];
    text.len() - before.trim_end().len()
}

#[cfg(test)]
#[path = "reasoning_tests.rs"]
mod tests;

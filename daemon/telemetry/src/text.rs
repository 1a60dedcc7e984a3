//! From a tracing event's fields to text: one line, bounded, without control characters.
//!
//! A log is read in a terminal and by line-wise tools. What others wrote (a vendor's message, a
//! file's name) must neither start a new line nor steer the terminal.

use std::fmt::{self, Write as _};

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};

/// The longest text of a line in bytes.
const LONGEST: usize = 8 * 1024;

/// The message and the other fields of an event or a span, in order.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    message: String,
    others: Vec<(&'static str, Value)>,
}

impl Fields {
    /// The other fields as a JSON object.
    pub(crate) fn to_json(&self) -> Map<String, Value> {
        self.others.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }

    /// The message alone.
    pub(crate) fn message(&self) -> String {
        one_line(&self.message)
    }

    /// `message name=value name=value`.
    pub(crate) fn to_text(&self) -> String {
        one_line(&self.to_string())
    }
}

impl fmt::Display for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        for (index, (name, value)) in self.others.iter().enumerate() {
            let gap = if index == 0 && self.message.is_empty() { "" } else { " " };
            match value {
                Value::String(text) if is_plain(text) => write!(f, "{gap}{name}={text}")?,
                Value::String(text) => write!(f, "{gap}{name}={text:?}")?,
                other => write!(f, "{gap}{name}={other}")?,
            }
        }
        Ok(())
    }
}

impl Fields {
    fn add(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.message = text,
            ("message", other) => self.message = other.to_string(),
            (name, value) => self.others.push((name, value)),
        }
    }
}

impl Visit for Fields {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value.into());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut text = value.to_string();
        let mut source = value.source();
        while let Some(error) = source {
            // Writing to a string can't fail.
            let _ = write!(text, ": {error}");
            source = error.source();
        }
        self.add(field, text.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format!("{value:?}").into());
    }
}

/// Whether a text can stand after `name=` without quotes.
fn is_plain(text: &str) -> bool {
    let plain = |character: char| !character.is_whitespace() && !matches!(character, '"' | '=');
    !text.is_empty() && text.chars().all(plain)
}

/// The text with its control characters escaped, cut to [`LONGEST`].
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len().min(LONGEST));
    for character in text.chars() {
        if line.len() >= LONGEST {
            line.push('…');
            break;
        }
        if is_steering(character) {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}

/// Control characters, and those that reorder what a terminal shows.
fn is_steering(character: char) -> bool {
    let reorders = matches!(character, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    character.is_control() || reorders || matches!(character, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;

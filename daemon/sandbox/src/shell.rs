//! Words as a shell takes them.
//!
//! Not here: what is run. The invariant: a quoted word is one word to a shell, whatever is in it.

/// A text as one word.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

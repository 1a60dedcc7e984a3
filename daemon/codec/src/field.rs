//! Which field of a message has no meaning, and why.
//!
//! The path of the field grows outward as the error passes the messages that hold it.

use std::fmt;

/// A message that has no meaning: which field, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Error {
    /// The path of the field: `user_message.parts[2].image`. Empty when the bytes are no message.
    pub field: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Error {
    /// An error at a field.
    pub fn new(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { field: field.into(), reason: reason.into() }
    }

    /// The same error, seen from the message that holds the field's message.
    #[must_use]
    pub fn within(mut self, outer: &str) -> Self {
        self.field = if self.field.is_empty() {
            outer.to_owned()
        } else {
            format!("{outer}.{}", self.field)
        };
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.field.is_empty() {
            write!(f, "read a message: {}", self.reason)
        } else {
            write!(f, "read the field `{}`: {}", self.field, self.reason)
        }
    }
}

/// A reading that may fail at a field.
pub type Result<T, E = Error> = std::result::Result<T, E>;

//! What a caller is told when something can't be done.

use std::fmt;

/// The result of a port's call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The stable kind of an error: clients and scripts act on it, so codes are only ever added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// The thing that was named does not exist.
    NotFound,
    /// The call is malformed or names something impossible.
    Invalid,
    /// The call contradicts the present state (a name is taken, a turn has ended).
    Conflict,
    /// A bound was hit: try again later.
    Busy,
    /// Nothing is set up that could do this (no provider, no model).
    NotConfigured,
    /// A model provider failed; the message says how.
    Provider,
    /// The disk or the store failed; nothing was acknowledged.
    Storage,
    /// The daemon is stopping.
    Unavailable,
    /// The caller may not do this.
    Denied,
    /// A defect of Moltis.
    Internal,
}

impl Code {
    /// The code's name on the wire and in `--json`: snake case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Invalid => "invalid",
            Self::Conflict => "conflict",
            Self::Busy => "busy",
            Self::NotConfigured => "not_configured",
            Self::Provider => "provider",
            Self::Storage => "storage",
            Self::Unavailable => "unavailable",
            Self::Denied => "denied",
            Self::Internal => "internal",
        }
    }

    /// The code of that name, if there is one.
    pub fn parse(name: &str) -> Option<Self> {
        const ALL: [Code; 10] = [
            Code::NotFound,
            Code::Invalid,
            Code::Conflict,
            Code::Busy,
            Code::NotConfigured,
            Code::Provider,
            Code::Storage,
            Code::Unavailable,
            Code::Denied,
            Code::Internal,
        ];
        ALL.into_iter().find(|code| code.as_str() == name)
    }
}

/// An error with a stable code, a sentence for people and, where something can be done, a hint.
///
/// The message is a lower-case fragment without a final period that completes
/// "`moltis: <what failed>: `".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Error {
    /// What kind of error.
    pub code: Code,
    /// What went wrong.
    pub message: String,
    /// What mends it, often a command.
    pub hint: Option<String>,
}

impl Error {
    /// An error without a hint.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None }
    }

    /// The same error with what mends it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

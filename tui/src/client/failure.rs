//! What could not be done, as a person and a script are told.

use std::error::Error;
use std::fmt;

use moltis_proto::ERROR_DETAIL_KEY;
use moltis_proto::v1::ErrorDetail;
use prost::Message;
use tonic::{Code, Status};

/// A failure with a stable code, a sentence, what mends it, and the exit code that it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Stable: the codes of `ErrorDetail`, and `usage`, `io`, `cancelled` of the client's own.
    pub(crate) code: String,
    /// A lower-case fragment without a final period.
    pub(crate) message: String,
    /// What mends it, often a command.
    pub(crate) hint: Option<String>,
    /// The exit code of a scripted command that ends so.
    pub(crate) exit: u8,
}

/// The command failed.
pub(crate) const EXIT_FAILED: u8 = 1;
/// The command makes no sense.
pub(crate) const EXIT_USAGE: u8 = 2;
/// The daemon can't be reached.
pub(crate) const EXIT_UNREACHABLE: u8 = 3;
/// The turn waits for an approval.
pub(crate) const EXIT_WAITING: u8 = 4;
/// The turn failed or was cancelled.
pub(crate) const EXIT_TURN: u8 = 5;
/// Client and daemon speak different versions.
pub(crate) const EXIT_VERSION: u8 = 6;

impl Failure {
    /// A failure of that code; the exit code follows from it.
    pub(crate) fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        let code = code.into();
        let exit = match code.as_str() {
            "unavailable" => EXIT_UNREACHABLE,
            "version_mismatch" => EXIT_VERSION,
            "usage" => EXIT_USAGE,
            _ => EXIT_FAILED,
        };
        Self { code, message: message.into(), hint: None, exit }
    }

    /// The command makes no sense as it was written.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new("usage", message)
    }

    /// The daemon can't be reached.
    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::new("unavailable", message)
    }

    /// A command that has said already what is wrong, and ends with that exit code.
    pub(crate) fn silent(exit: u8) -> Self {
        Self::new("silent", String::new()).with_exit(exit)
    }

    /// Whether there is nothing more to say.
    pub(crate) fn is_silent(&self) -> bool {
        self.code == "silent"
    }

    /// Something of this machine went wrong while doing `what`.
    pub(crate) fn io(what: impl fmt::Display, error: &std::io::Error) -> Self {
        Self::new("io", format!("{what}: {}", plain(error)))
    }

    /// The same failure with what mends it.
    #[must_use]
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same failure with another exit code.
    #[must_use]
    pub(crate) fn with_exit(mut self, exit: u8) -> Self {
        self.exit = exit;
        self
    }

    /// Whether trying again in a moment may help: the connection broke, or the daemon is stopping.
    pub(crate) fn is_unavailable(&self) -> bool {
        self.code == "unavailable"
    }
}

/// An I/O error in words: without the `(os error 2)` that helps nobody.
pub(crate) fn plain(error: &std::io::Error) -> String {
    let text = error.to_string();
    let words = text.split(" (os error").next().unwrap_or_default();
    let mut letters = words.chars();
    match letters.next() {
        Some(first) if !letters.as_str().starts_with(char::is_uppercase) => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => words.to_owned(),
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        if let Some(detail) = detail(&status) {
            let failure = Self::new(detail.code, detail.message);
            return if detail.hint.is_empty() { failure } else { failure.with_hint(detail.hint) };
        }
        match status.code() {
            Code::Unimplemented => {
                Self::new("version_mismatch", "the running daemon does not know this command")
                    .with_hint("moltis daemon restart")
            }
            Code::Unavailable => Self::unavailable("the connection to moltisd broke off"),
            // A broken transport arrives under several codes, but always with its cause.
            _ if status.source().is_some() => {
                Self::unavailable("the connection to moltisd broke off")
            }
            Code::OutOfRange | Code::ResourceExhausted => {
                Self::new("invalid", format!("too large: {}", status.message()))
            }
            code => Self::new("internal", format!("{code:?}: {}", status.message())),
        }
    }
}

fn detail(status: &Status) -> Option<ErrorDetail> {
    let bytes = status.metadata().get_bin(ERROR_DETAIL_KEY)?.to_bytes().ok()?;
    ErrorDetail::decode(bytes).ok()
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Failure {}

#[cfg(test)]
#[path = "failure_tests.rs"]
mod tests;

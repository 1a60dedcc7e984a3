//! What can be wrong with a model file or with running it.

use std::io;

use moltis_core::Code;
use moltis_core::provider::{Failure, FailureKind};

/// The result of anything below the engine.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// A model that can't be read or run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The file is not what it says it is.
    #[error("the GGUF file is malformed: {0}")]
    Malformed(String),
    /// The file is sound, but nothing here can run it.
    #[error("this model can't be run here: {0}")]
    Unsupported(String),
    /// The conversation can't be written as the model wants it.
    #[error("the model's chat template can't be used: {0}")]
    Template(String),
    /// The text can't be cut into tokens.
    #[error("the model's tokenizer failed: {0}")]
    Tokenizer(String),
    /// The file can't be read.
    #[error("read the model file: {0}")]
    Io(#[from] io::Error),
    /// Nobody wants the result any more.
    #[error("nobody waits for the model any more")]
    Cancelled,
    /// The arithmetic refused.
    #[error("run the model: {0}")]
    Compute(#[from] candle_core::Error),
}

impl Error {
    pub(crate) fn malformed(what: impl Into<String>) -> Self {
        Self::Malformed(what.into())
    }

    pub(crate) fn unsupported(what: impl Into<String>) -> Self {
        Self::Unsupported(what.into())
    }

    /// As a session is told it. Asking again would not help, so it never is a kind that is retried.
    pub(crate) fn into_failure(self) -> Failure {
        Failure::new(FailureKind::BadRequest, self.to_string())
    }

    /// As the owner is told it.
    pub(crate) fn into_core(self) -> moltis_core::Error {
        let code = match &self {
            Self::Malformed(_) | Self::Unsupported(_) | Self::Template(_) | Self::Tokenizer(_) => {
                Code::Invalid
            }
            Self::Io(_) => Code::Storage,
            Self::Cancelled | Self::Compute(_) => Code::Internal,
        };
        moltis_core::Error::new(code, self.to_string())
    }
}

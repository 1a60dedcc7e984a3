//! What may go wrong between a request and the last byte of its answer.

use std::time::Duration;

/// A request that got no answer, or an answer that broke off.
///
/// HTTP status codes are not errors here: an answer with a status arrived. Messages name hosts,
/// never whole URLs, because a query may hold a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The client could not be made.
    #[error("set up the HTTP client: {reason}")]
    Setup {
        /// Why.
        reason: String,
    },
    /// The address can't be asked.
    #[error("`{url}` is not an http or https URL: {reason}")]
    Url {
        /// The address without its query.
        url: String,
        /// Why.
        reason: String,
    },
    /// What was to name a host does not.
    #[error("`{entry}` names no host: {reason}")]
    Host {
        /// What was written.
        entry: String,
        /// Why.
        reason: String,
    },
    /// A header can't be sent. Its value is not told, it may be a secret.
    #[error("the value for the header `{name}` has characters that HTTP does not allow")]
    Header {
        /// The header.
        name: String,
    },
    /// The body can't be written as JSON.
    #[error("write the request as JSON: {reason}")]
    Json {
        /// Why.
        reason: String,
    },
    /// There was no connection.
    #[error("connect to {host}: {reason}")]
    Connect {
        /// Host and port.
        host: String,
        /// Why.
        reason: String,
    },
    /// The answer did not begin in time.
    #[error("{host} did not begin to answer within {} s", after.as_secs_f64())]
    FirstByte {
        /// Host and port.
        host: String,
        /// The limit.
        after: Duration,
    },
    /// The answer stalled.
    #[error("{host} sent nothing for {} s", after.as_secs_f64())]
    Idle {
        /// Host and port.
        host: String,
        /// The limit.
        after: Duration,
    },
    /// The connection broke.
    #[error("the connection to {host} broke: {reason}")]
    Broken {
        /// Host and port.
        host: String,
        /// Why.
        reason: String,
    },
    /// A redirect that is not followed.
    #[error("{host} redirects to {target}, which is refused: {reason}")]
    Redirect {
        /// Host and port that answered.
        host: String,
        /// Host and port that it points to.
        target: String,
        /// Why.
        reason: &'static str,
    },
    /// An address that is not asked.
    #[error("{host} is refused: {reason}")]
    Forbidden {
        /// Host and port.
        host: String,
        /// Why.
        reason: &'static str,
    },
    /// The answer was not complete in time.
    #[error("{host} took longer than {} s", after.as_secs_f64())]
    Late {
        /// Host and port.
        host: String,
        /// The limit.
        after: Duration,
    },
    /// The answer trickled.
    #[error("{host} sent less than {rate} bytes a second")]
    Slow {
        /// Host and port.
        host: String,
        /// The limit.
        rate: u64,
    },
    /// The answer is larger than the caller takes.
    #[error("the answer of {host} is larger than {limit} bytes")]
    TooLarge {
        /// Host and port.
        host: String,
        /// The limit.
        limit: u64,
    },
}

impl Error {
    /// Whether the request never was a sensible one: asking again changes nothing.
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::Setup { .. }
            | Self::Url { .. }
            | Self::Host { .. }
            | Self::Header { .. }
            | Self::Json { .. }
            | Self::Redirect { .. }
            | Self::Forbidden { .. }
            | Self::TooLarge { .. } => true,
            Self::Connect { .. }
            | Self::FirstByte { .. }
            | Self::Idle { .. }
            | Self::Late { .. }
            | Self::Slow { .. }
            | Self::Broken { .. } => false,
        }
    }
}

/// An error with its sources, each said once: `reqwest` tells the cause only there.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let said = error.to_string();
        if !text.contains(&said) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&said);
        }
        next = error.source();
    }
    text
}

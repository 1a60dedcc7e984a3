//! What a program is told whose request goes nowhere.
//!
//! In the body for a person, and in the status line as well: of a CONNECT that fails, most programs
//! show nothing else. Not here: why. The invariant: it tells of no address that a name has.

use bytes::Bytes;
use http_body_util::Full;
use hyper::ext::ReasonPhrase;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};

use crate::Error;

/// The key of the configuration that lists the hosts.
const KEY: &str = "sandbox.allow_hosts";

/// A request that is not passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) text: String,
}

impl Refusal {
    /// The request is not one that a proxy understands.
    pub(super) fn malformed(text: &str) -> Self {
        Self { status: StatusCode::BAD_REQUEST, text: text.to_owned() }
    }

    /// The host is not listed.
    pub(super) fn unlisted(host: &str, port: u16) -> Self {
        let text = format!("{host}:{port} is not in `{KEY}`");
        Self { status: StatusCode::FORBIDDEN, text }
    }

    /// The host is listed, and is not one that anybody reaches or does not answer.
    pub(super) fn of(error: &Error) -> Self {
        match error {
            Error::Forbidden { .. } => Self {
                status: StatusCode::FORBIDDEN,
                text: format!("{error}; that `{KEY}` lists it is not enough, `web.allow` must too"),
            },
            other => Self { status: StatusCode::BAD_GATEWAY, text: other.to_string() },
        }
    }

    /// The answer.
    pub(super) fn response(&self) -> Response<Full<Bytes>> {
        let body = Bytes::from(format!("moltis: {}\n", self.text));
        let mut response = Response::new(Full::new(body));
        *response.status_mut() = self.status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        if let Ok(phrase) = ReasonPhrase::try_from(self.text.as_bytes()) {
            response.extensions_mut().insert(phrase);
        }
        response
    }
}

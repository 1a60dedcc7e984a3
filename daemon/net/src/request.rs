//! A request as its caller describes it.

use std::time::Duration;

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RANGE};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::error::Error;

/// How long a request may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// From sending to the answer's headers, connecting included.
    pub first_byte: Duration,
    /// Between two pieces of the answer.
    pub idle: Duration,
}

impl Default for Timeouts {
    /// As long as a model may be silent while it thinks: vendors send nothing then.
    fn default() -> Self {
        Self { first_byte: Duration::from_secs(300), idle: Duration::from_secs(300) }
    }
}

/// A request. Built up, then handed to [`crate::Client::send`], which reports the first mistake
/// made in building it.
#[derive(Debug)]
pub struct Request {
    pub(crate) parts: Result<Parts, Error>,
}

#[derive(Clone, Debug)]
pub(crate) struct Parts {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Whether a secret is in it: such a request follows no redirect.
    pub(crate) credentialed: bool,
    pub(crate) timeouts: Timeouts,
    pub(crate) body_cap: Option<u64>,
}

impl Request {
    /// Asks for something.
    pub fn get(url: &str) -> Self {
        Self::new(Method::GET, url)
    }

    /// Asks for the headers of something.
    pub fn head(url: &str) -> Self {
        Self::new(Method::HEAD, url)
    }

    /// Sends something.
    pub fn post(url: &str) -> Self {
        Self::new(Method::POST, url)
    }

    fn new(method: Method, url: &str) -> Self {
        let parts = parse(url).map(|url| Parts {
            method,
            credentialed: !url.username().is_empty() || url.password().is_some(),
            url,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            timeouts: Timeouts::default(),
            body_cap: None,
        });
        Self { parts }
    }

    /// Adds a header that holds no secret.
    #[must_use]
    pub fn header(self, name: &str, value: &str) -> Self {
        self.change(|parts| {
            let wrong = || Error::Header { name: name.to_owned() };
            let key = HeaderName::try_from(name).map_err(|_| wrong())?;
            let value = HeaderValue::from_str(value).map_err(|_| wrong())?;
            parts.headers.insert(key, value);
            Ok(())
        })
    }

    /// Adds `authorization: Bearer …`.
    #[must_use]
    pub fn bearer(self, secret: &SecretString) -> Self {
        self.secret("authorization", "Bearer ", secret)
    }

    /// Adds a header that is a secret.
    #[must_use]
    pub fn secret_header(self, name: &str, secret: &SecretString) -> Self {
        self.secret(name, "", secret)
    }

    /// The one place where a secret becomes bytes. Keys pasted with a line break at their end
    /// are the commonest mistake there is, so white space around them is dropped.
    fn secret(self, name: &str, prefix: &str, secret: &SecretString) -> Self {
        self.change(|parts| {
            let wrong = || Error::Header { name: name.to_owned() };
            let key = HeaderName::try_from(name).map_err(|_| wrong())?;
            let text = Zeroizing::new(format!("{prefix}{}", secret.expose_secret().trim()));
            let mut value = HeaderValue::from_str(&text).map_err(|_| wrong())?;
            value.set_sensitive(true);
            parts.headers.insert(key, value);
            parts.credentialed = true;
            Ok(())
        })
    }

    /// Sets the body to a JSON document.
    #[must_use]
    pub fn json<T: serde::Serialize>(self, body: &T) -> Self {
        self.change(|parts| {
            let bytes = serde_json::to_vec(body)
                .map_err(|error| Error::Json { reason: error.to_string() })?;
            parts.body = bytes.into();
            parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            Ok(())
        })
    }

    /// Asks only for what follows the first `offset` bytes; see [`crate::Response::starts_at`].
    #[must_use]
    pub fn range_from(self, offset: u64) -> Self {
        self.change(|parts| {
            parts.headers.insert(
                RANGE,
                HeaderValue::try_from(format!("bytes={offset}-"))
                    .map_err(|_| Error::Header { name: RANGE.as_str().to_owned() })?,
            );
            Ok(())
        })
    }

    /// Sets how long it may wait.
    #[must_use]
    pub fn timeouts(self, timeouts: Timeouts) -> Self {
        self.change(|parts| {
            parts.timeouts = timeouts;
            Ok(())
        })
    }

    /// Sets the most bytes that its answer may have, instead of the purpose's bound.
    #[must_use]
    pub fn body_cap(self, bytes: u64) -> Self {
        self.change(|parts| {
            parts.body_cap = Some(bytes);
            Ok(())
        })
    }

    fn change(mut self, with: impl FnOnce(&mut Parts) -> Result<(), Error>) -> Self {
        if let Ok(parts) = &mut self.parts
            && let Err(error) = with(parts)
        {
            self.parts = Err(error);
        }
        self
    }
}

/// A text of someone else's with the secret in it made illegible: some vendors quote the key that
/// they refuse.
pub fn redact(text: &str, secret: &SecretString) -> String {
    let plain = secret.expose_secret().trim();
    if plain.len() < 4 { text.to_owned() } else { text.replace(plain, "***") }
}

/// Reads an address that can be asked. The query stays out of errors: it may hold a key.
pub(crate) fn parse(text: &str) -> Result<Url, Error> {
    let shown = || text.split(['?', '#']).next().unwrap_or_default().to_owned();
    let url =
        Url::parse(text).map_err(|error| Error::Url { url: shown(), reason: error.to_string() })?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        _ => Err(Error::Url { url: shown(), reason: "another scheme".to_owned() }),
    }
}

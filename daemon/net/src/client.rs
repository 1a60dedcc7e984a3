//! Sending a request and deciding about redirects.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, HeaderMap, LOCATION};
use reqwest::redirect::Policy;
use tokio::time::timeout;
use url::{Host, Url};

use crate::body::Body;
use crate::error::{Error, chain};
use crate::request::{Parts, Request};

const CONNECT: Duration = Duration::from_secs(10);
const MAX_REDIRECTS: usize = 5;
const PROVIDER_BODY: u64 = 256 << 20;
const DOWNLOAD_BODY: u64 = 64 << 30;

/// What a client's connections are for. Both may reach whatever address the owner's configuration
/// names; what a model or a page names is asked by [`crate::web::Web`], which judges addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Asking a model vendor or a model server of the owner's. Redirects are never followed.
    Provider,
    /// Fetching a public file. Redirects are followed, at most five, to https only.
    Download,
}

/// A connection pool for one purpose. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    purpose: Purpose,
    inner: reqwest::Client,
}

impl Client {
    /// A client with no connections yet.
    ///
    /// # Errors
    /// When TLS can't be set up.
    pub fn new(purpose: Purpose) -> Result<Self, Error> {
        install_crypto();
        let inner = reqwest::Client::builder()
            .no_proxy()
            // Files are taken as they are: their sizes and hashes are known.
            .no_gzip()
            .redirect(Policy::none())
            .referer(false)
            .connect_timeout(CONNECT)
            .pool_max_idle_per_host(8)
            .user_agent(concat!("moltis/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Error::Setup { reason: chain(&error) })?;
        Ok(Self { purpose, inner })
    }

    /// Sends a request and waits for the answer's headers. Dropping the call closes it.
    ///
    /// # Errors
    /// When the request is malformed, nothing answers in time, or a redirect is refused. An
    /// answer with an HTTP error status is not an error here.
    pub async fn send(&self, request: Request) -> Result<Response, Error> {
        let mut parts = request.parts?;
        let mut hops = 0;
        loop {
            let host = host_of(&parts.url);
            let response = self.once(&parts, &host).await?;
            let Some(target) = redirect_target(&response, &parts.url) else {
                return Response::new(response, &parts, host, self.default_cap());
            };
            hops += 1;
            self.may_follow(&parts, &host, &target, hops)?;
            parts.url = target;
        }
    }

    async fn once(&self, parts: &Parts, host: &str) -> Result<reqwest::Response, Error> {
        let mut request = reqwest::Request::new(parts.method.clone(), parts.url.clone());
        request.headers_mut().clone_from(&parts.headers);
        if !parts.body.is_empty() {
            *request.body_mut() = Some(parts.body.clone().into());
        }
        let limit = parts.timeouts.first_byte;
        match timeout(limit, self.inner.execute(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(refused(error, host)),
            Err(_) => Err(Error::FirstByte { host: host.to_owned(), after: limit }),
        }
    }

    fn may_follow(&self, parts: &Parts, host: &str, to: &Url, hops: usize) -> Result<(), Error> {
        let refuse =
            |reason| Err(Error::Redirect { host: host.to_owned(), target: host_of(to), reason });
        if parts.credentialed {
            return refuse("the request carries a credential");
        }
        match self.purpose {
            Purpose::Provider => refuse("a model server has no business to redirect"),
            Purpose::Download if hops > MAX_REDIRECTS => refuse("too many redirects"),
            Purpose::Download if to.scheme() != "https" && !is_loopback(to) => {
                refuse("it is not https")
            }
            Purpose::Download => Ok(()),
        }
    }

    fn default_cap(&self) -> u64 {
        match self.purpose {
            Purpose::Provider => PROVIDER_BODY,
            Purpose::Download => DOWNLOAD_BODY,
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("purpose", &self.purpose).finish_non_exhaustive()
    }
}

/// An answer whose headers are there and whose body is on its way.
#[derive(Debug)]
pub struct Response {
    status: u16,
    headers: HeaderMap,
    host: String,
    body: Body,
}

impl Response {
    fn new(
        response: reqwest::Response,
        parts: &Parts,
        host: String,
        default_cap: u64,
    ) -> Result<Self, Error> {
        let limit = parts.body_cap.unwrap_or(default_cap);
        let headers = response.headers().clone();
        let announced = number(&headers, CONTENT_LENGTH.as_str());
        if parts.method != reqwest::Method::HEAD && announced.is_some_and(|bytes| bytes > limit) {
            return Err(Error::TooLarge { host, limit });
        }
        let status = response.status().as_u16();
        let body = Body::new(response, host.clone(), parts.timeouts.idle, limit);
        Ok(Self { status, headers, host, body })
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Whether the status is one of success.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// A header's value, when it is there and text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Host and port that answered.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// How many bytes the body is said to have.
    pub fn content_length(&self) -> Option<u64> {
        number(&self.headers, CONTENT_LENGTH.as_str())
    }

    /// The place in the whole file where the body begins: what was asked for with
    /// [`Request::range_from`], or 0 from a server that sends everything all the same. `None` when
    /// a partial answer does not say what it is a part of.
    pub fn starts_at(&self) -> Option<u64> {
        if self.status != 206 {
            return Some(0);
        }
        let range = self.header(CONTENT_RANGE.as_str())?.strip_prefix("bytes ")?;
        range.split_once('-')?.0.trim().parse().ok()
    }

    /// The body as a stream.
    pub fn into_body(self) -> Body {
        self.body
    }

    /// The whole body.
    ///
    /// # Errors
    /// When it stalls, breaks or is larger than the request's bound.
    pub async fn bytes(self) -> Result<Bytes, Error> {
        self.body.collect().await
    }
}

/// Chooses the crypto of every connection.
pub(crate) fn install_crypto() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Losing the race against another installer is as good as winning it.
        drop(rustls::crypto::ring::default_provider().install_default());
    }
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

pub(crate) fn refused(error: reqwest::Error, host: &str) -> Error {
    let host = host.to_owned();
    let error = error.without_url();
    if error.is_connect() || error.is_timeout() {
        return Error::Connect { host, reason: chain(&error) };
    }
    Error::Broken { host, reason: chain(&error) }
}

pub(crate) fn redirect_target(response: &reqwest::Response, from: &Url) -> Option<Url> {
    let status = response.status().as_u16();
    if !matches!(status, 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = response.headers().get(LOCATION)?.to_str().ok()?;
    from.join(location).ok()
}

/// Host and port for messages; a default port is left out.
fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip).is_loopback(),
        None => false,
    }
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;

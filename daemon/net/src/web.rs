//! Asking the public web, on behalf of someone who may be steered by what they read there.
//!
//! A [`Web`] asks what an `Authorized<Outbound>` names and nothing else, so nothing that the policy
//! has not judged can be asked. Where the socket is opened the address is judged once more: a
//! literal, every answer of the resolver, and each redirect go the same way, and the connection can
//! go to no other address than those that were judged. Redirects are followed here, at most five,
//! within the host that was authorized; another host is told to the caller, who must ask anew.
//! There are no proxies, no cookies, and no credentials that travel on.
//!
//! Not here: what a page says. The invariant: no byte goes to an address that is neither public nor
//! opened by the owner, and no answer is longer, slower or more patient than its bounds.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use moltis_core::policy::Authorized;
use moltis_core::tool::Outbound;
use reqwest::Method;
use reqwest::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use reqwest::redirect::Policy;
use tokio::time::{Instant, timeout_at};
use url::{Host, Url};

use crate::charset;
use crate::client::{redirect_target, refused};
use crate::error::{Error, chain};
use crate::guard::{Guard, Rules, Target};
use crate::names::{Judged, Names, System};
use crate::request::{Parts, Request, parse};

const MAX_REDIRECTS: usize = 5;
/// Markdown where a site has it, else what people read.
const READABLE: &str = "text/markdown, text/html;q=0.9, text/*;q=0.8, */*;q=0.5";
const CONNECT: Duration = Duration::from_secs(10);

/// How the web is asked.
#[derive(Clone, Debug)]
pub struct Options {
    /// Hosts that the owner opened, each `host` or `host:port`, exactly: their addresses may be
    /// private. Without a port they are open on the ports of web servers.
    pub allow: Vec<String>,
    /// The longest that an answer may take, from the first name to the last byte.
    pub timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { allow: Vec::new(), timeout: Duration::from_secs(20) }
    }
}

/// The bounds of an answer.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    total: Duration,
    /// Bytes, unpacked.
    size: usize,
    /// Bytes in a second, once [`Bounds::grace`] is over.
    rate: u64,
    grace: Duration,
}

const BOUNDS: Bounds = Bounds {
    total: Duration::from_secs(20),
    size: 5 << 20,
    rate: 1 << 10,
    grace: Duration::from_secs(5),
};

/// A page, or whatever else was there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Where it was in the end.
    pub url: String,
    /// The HTTP status.
    pub status: u16,
    /// Its media type in lower case, without parameters; empty when the server named none.
    pub media_type: String,
    /// Its encoding as the server named it.
    pub charset: Option<String>,
    /// Its bytes, unpacked.
    pub bytes: Bytes,
    /// It was longer than 5 MiB, and its end is missing.
    pub truncated: bool,
}

impl Page {
    /// Its bytes as text. Takes milliseconds for a large page: call it off the reactor.
    pub fn text(&self) -> String {
        let may_tell = self.media_type.contains("html") || self.media_type.contains("xml");
        charset::decode(&self.bytes, self.charset.as_deref(), may_tell)
    }
}

/// What came of asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// There was something.
    Page(Page),
    /// It is at another host, which was not authorized.
    Redirected {
        /// Where.
        to: String,
    },
}

/// Asks the public web. Cheap to share; every request has a connection of its own.
pub struct Web {
    guard: Guard,
    names: Arc<dyn Names>,
    bounds: Bounds,
}

impl Web {
    /// The web as these options open it.
    ///
    /// # Errors
    /// When a host that is to be opened can't be read.
    pub fn new(options: &Options) -> Result<Self, Error> {
        crate::client::install_crypto();
        let guard = Guard::new(Rules::WEB, &options.allow)?;
        let bounds = Bounds { total: options.timeout, ..BOUNDS };
        Ok(Self { guard, names: Arc::new(System::new()), bounds })
    }

    /// Judges a URL as far as that can be done without asking for its name, and gives it in the one
    /// form in which it is asked: that is what a person should be shown.
    ///
    /// # Errors
    /// When it would be refused.
    pub fn check(&self, url: &str) -> Result<String, Error> {
        let url = parse(url)?;
        self.guard.target(&url)?;
        Ok(url.into())
    }

    /// Gets what is at the authorized URL.
    ///
    /// # Errors
    /// When it is refused, does not answer in its bounds, or redirects where it must not.
    pub async fn fetch(&self, to: &Authorized<Outbound>) -> Result<Answer, Error> {
        self.send(to, Request::get(&to.what().to).header(ACCEPT.as_str(), READABLE)).await
    }

    /// Sends a request to the authorized URL: it may add a query, headers, credentials and a body,
    /// but goes nowhere else. Only what carries no credential and no body follows redirects.
    ///
    /// # Errors
    /// As [`Web::fetch`], and when the request goes elsewhere.
    pub async fn send(&self, to: &Authorized<Outbound>, request: Request) -> Result<Answer, Error> {
        let parts = request.parts?;
        let authorized = parse(&to.what().to)?;
        let place = |url: &Url| (url.origin(), url.path().to_owned());
        if place(&authorized) != place(&parts.url) {
            let target = self.guard.target(&parts.url)?;
            let reason = "nobody authorized it";
            return Err(Error::Forbidden { host: target.to_string(), reason });
        }
        let deadline = Instant::now() + self.bounds.total;
        self.follow(parts, deadline).await
    }

    async fn follow(&self, mut parts: Parts, deadline: Instant) -> Result<Answer, Error> {
        let mut hops = 0;
        loop {
            let target = self.guard.target(&parts.url)?;
            let response = self.once(&parts, &target, deadline).await?;
            let Some(next) = redirect_target(&response, &parts.url) else {
                return self.read(response, parts.url, &target, deadline).await;
            };
            hops += 1;
            let may = may_follow(&parts, &target, &next, hops)?;
            // What is refused is not told as a place to go to. Its name is not looked up for that:
            // the lookup alone would tell its owner something.
            self.guard.target(&next)?;
            if !may || !same_place(&parts.url, &next) {
                return Ok(Answer::Redirected { to: next.into() });
            }
            parts.url = next;
        }
    }

    /// One request over a connection of its own, to an address that was judged.
    async fn once(
        &self,
        parts: &Parts,
        target: &Target,
        deadline: Instant,
    ) -> Result<reqwest::Response, Error> {
        let late = |_| self.late(target);
        let addresses = timeout_at(deadline, self.addresses(target)).await.map_err(late)??;
        self.guard.admit(target, &addresses)?;
        let client = client(Judged(addresses.clone()))?;
        let mut request = reqwest::Request::new(parts.method.clone(), parts.url.clone());
        request.headers_mut().clone_from(&parts.headers);
        if !parts.body.is_empty() {
            *request.body_mut() = Some(parts.body.clone().into());
        }
        let response = timeout_at(deadline, client.execute(request)).await.map_err(late)?;
        let response = response.map_err(|error| refused(error, &target.to_string()))?;
        // There is no way for it to be another; if there were one, nobody would read the answer.
        match response.remote_addr() {
            Some(peer) if addresses.iter().any(|judged| judged.ip() == peer.ip()) => Ok(response),
            _ => Err(Error::Forbidden {
                host: target.to_string(),
                reason: "another address answered than the one that was judged",
            }),
        }
    }

    async fn addresses(&self, target: &Target) -> Result<Vec<SocketAddr>, Error> {
        let name = match &target.host {
            Host::Ipv4(ip) => return Ok(vec![SocketAddr::new(IpAddr::V4(*ip), target.port)]),
            Host::Ipv6(ip) => return Ok(vec![SocketAddr::new(IpAddr::V6(*ip), target.port)]),
            Host::Domain(name) => name,
        };
        self.names.addresses(name, target.port).await.map_err(|error| {
            let reason = format!("look up its address: {error}");
            Error::Connect { host: target.to_string(), reason }
        })
    }

    async fn read(
        &self,
        mut response: reqwest::Response,
        url: Url,
        target: &Target,
        deadline: Instant,
    ) -> Result<Answer, Error> {
        let host = || target.to_string();
        let status = response.status().as_u16();
        let (media_type, charset) = content_type(response.headers());
        if let Some(packed) = response.headers().get(CONTENT_ENCODING)
            && packed != "identity"
        {
            let reason = format!("it is packed with {packed:?}, which nobody asked for");
            return Err(Error::Broken { host: host(), reason });
        }
        let began = Instant::now();
        let mut bytes = BytesMut::new();
        let truncated = loop {
            let earned = (bytes.len() as u64).checked_div(self.bounds.rate).unwrap_or(u64::MAX);
            let patience = began + self.bounds.grace.max(Duration::from_secs(earned));
            let chunk = match timeout_at(deadline.min(patience), response.chunk()).await {
                Ok(Ok(Some(chunk))) => chunk,
                Ok(Ok(None)) => break false,
                Ok(Err(error)) => {
                    let reason = chain(&error.without_url());
                    return Err(Error::Broken { host: host(), reason });
                }
                Err(_) if deadline <= patience => return Err(self.late(target)),
                Err(_) => return Err(Error::Slow { host: host(), rate: self.bounds.rate }),
            };
            let room = self.bounds.size.saturating_sub(bytes.len());
            bytes.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
            if chunk.len() > room {
                break true;
            }
        };
        let bytes = bytes.freeze();
        Ok(Answer::Page(Page { url: url.into(), status, media_type, charset, bytes, truncated }))
    }

    fn late(&self, target: &Target) -> Error {
        Error::Late { host: target.to_string(), after: self.bounds.total }
    }
}

impl fmt::Debug for Web {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Web").field("bounds", &self.bounds).finish_non_exhaustive()
    }
}

/// A client for one request, which can connect to nothing but these addresses. Literals never reach
/// its resolver: they were judged as they stand in the URL.
fn client(judged: Judged) -> Result<reqwest::Client, Error> {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(Policy::none())
        .referer(false)
        .dns_resolver(Arc::new(judged))
        .connect_timeout(CONNECT)
        .pool_max_idle_per_host(0)
        .user_agent(concat!("moltis/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| Error::Setup { reason: chain(&error) })
}

/// Whether a redirect is one that may be followed at all; where it leads is another question.
fn may_follow(parts: &Parts, from: &Target, to: &Url, hops: usize) -> Result<bool, Error> {
    let refuse = |reason| {
        let target = to.host_str().unwrap_or_default().to_owned();
        Err(Error::Redirect { host: from.to_string(), target, reason })
    };
    if hops > MAX_REDIRECTS {
        return refuse("too many redirects");
    }
    if parts.credentialed {
        return refuse("the request carries a credential");
    }
    if parts.url.scheme() == "https" && to.scheme() != "https" {
        return refuse("it is not https");
    }
    Ok(parts.method == Method::GET && parts.body.is_empty())
}

/// Whether two URLs are of the same host for whoever authorized one of them: with or without
/// `www.`, on the same port, or from http to https.
fn same_place(from: &Url, to: &Url) -> bool {
    let host = |url: &Url| match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name.strip_prefix("www.").unwrap_or(name).to_owned()
        }
        other => other.map(|host| host.to_string()).unwrap_or_default(),
    };
    let upgraded = (from.port(), to.port()) == (None, None);
    host(from) == host(to)
        && (from.port_or_known_default() == to.port_or_known_default() || upgraded)
}

fn content_type(headers: &HeaderMap) -> (String, Option<String>) {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut fields = value.split(';').map(str::trim);
    let media_type = fields.next().unwrap_or_default().to_ascii_lowercase();
    let charset = fields.find_map(|field| {
        let (name, value) = field.split_once('=')?;
        let value = value.trim().trim_matches(['"', '\'']);
        name.trim().eq_ignore_ascii_case("charset").then(|| value.to_owned())
    });
    (media_type, charset)
}

#[cfg(test)]
#[path = "testing.rs"]
pub(crate) mod testing;

#[cfg(test)]
#[path = "web_tests.rs"]
mod tests;

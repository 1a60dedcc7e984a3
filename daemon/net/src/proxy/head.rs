//! What a request to the proxy asks for, and what of it travels on.
//!
//! hyper has read it and reads its body; both are written anew for whoever it goes to, so that no
//! two readers can disagree about where it ends. Not here: whether the host may be reached. The
//! invariant: the host that is judged is the host that the request names, in every place where it
//! names one.

use hyper::body::{Body, Incoming};
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use hyper::http::uri::PathAndQuery;
use hyper::{Method, Request, Uri, Version};
use url::{Host, Url};

use super::refusal::Refusal;
use crate::guard::plain;

/// Where a request goes, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The place, as a URL without a path.
    pub(super) place: Url,
    /// It wants a connection for bytes of its own.
    pub(super) tunnel: bool,
}

impl Head {
    /// Reads a request.
    ///
    /// # Errors
    /// When it is none for a proxy, or names two hosts.
    pub(super) fn of<B>(request: &Request<B>) -> Result<Self, Refusal> {
        let uri = request.uri();
        let tunnel = request.method() == Method::CONNECT;
        let authority = uri.authority().ok_or_else(|| {
            Refusal::malformed("this is a proxy: it takes `http://` addresses and CONNECT")
        })?;
        match uri.scheme_str() {
            None if tunnel && authority.port().is_some() => {}
            None if tunnel => return Err(Refusal::malformed("CONNECT names a host and a port")),
            Some("http") if !tunnel => {}
            _ => return Err(Refusal::malformed("other than `http://`, all goes by CONNECT")),
        }
        let place = place(authority.as_str())?;
        let mut named = request.headers().get_all(HOST).iter();
        if let Some(host) = named.next() {
            let same = host.to_str().is_ok_and(|host| names(host, &place, tunnel));
            if !same || named.next().is_some() {
                return Err(Refusal::malformed("its Host header names another host"));
            }
        }
        Ok(Self { place, tunnel })
    }

    /// The host.
    ///
    /// # Errors
    /// Where it has none.
    pub(super) fn host(&self) -> Result<Host<&str>, Refusal> {
        self.place.host().ok_or_else(|| Refusal::malformed("it names no host"))
    }

    /// The port.
    pub(super) fn port(&self) -> u16 {
        self.place.port_or_known_default().unwrap_or(80)
    }

    /// The request as its host gets it.
    ///
    /// # Errors
    /// Where its path can't be sent.
    pub(super) fn outgoing(
        &self,
        request: Request<Incoming>,
    ) -> Result<Request<Incoming>, Refusal> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().map_or("/", PathAndQuery::as_str);
        let unsent = |_| Refusal::malformed("its address can't be sent");
        let uri = Uri::try_from(path).map_err(unsent)?;
        let mut headers = parts.headers;
        strip(&mut headers);
        // The length is that of the body as it was read: hyper writes it.
        for name in [HOST, EXPECT, CONTENT_LENGTH] {
            headers.remove(name);
        }
        let authority = self.place.authority();
        let host = HeaderValue::from_str(authority);
        headers.insert(HOST, host.map_err(|_| Refusal::malformed("its host can't be sent"))?);
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        if body.size_hint().exact() == Some(0) && parts.method != Method::GET {
            headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        let mut outgoing = Request::new(body);
        *outgoing.method_mut() = parts.method;
        *outgoing.uri_mut() = uri;
        *outgoing.version_mut() = Version::HTTP_11;
        *outgoing.headers_mut() = headers;
        Ok(outgoing)
    }
}

/// Takes out what is between two neighbors only: RFC 9110, 7.6.1.
pub(super) fn strip(headers: &mut HeaderMap) {
    let listed = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let named: Vec<HeaderName> = listed
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::try_from(name.trim()).ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in [CONNECTION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE] {
        headers.remove(name);
    }
    for name in ["keep-alive", "proxy-connection", "proxy-authorization", "proxy-authenticate"] {
        headers.remove(name);
    }
}

/// A host and a port as `url` reads them: the one reading that is judged and connected to.
fn place(authority: &str) -> Result<Url, Refusal> {
    let url = Url::parse(&format!("http://{authority}/"))
        .map_err(|error| Refusal::malformed(&format!("its host can't be read: {error}")))?;
    if !url.username().is_empty() || url.password().is_some() || authority.contains('@') {
        return Err(Refusal::malformed("its address holds a user name"));
    }
    Ok(url)
}

/// Whether a Host header is of this place. That of a CONNECT may leave out the port.
fn names(header: &str, to: &Url, tunnel: bool) -> bool {
    let Ok(url) = place(header) else { return false };
    let host = |url: &Url| url.host().map(|host| plain(&host));
    host(&url) == host(to)
        && url.path() == "/"
        && (url.port_or_known_default() == to.port_or_known_default()
            || (tunnel && url.port().is_none()))
}

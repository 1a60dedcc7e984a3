//! Whether a URL may be asked, and whether the addresses of its host may be connected to.
//!
//! A URL is read once, by `url`, which knows every spelling that the WHATWG gives to an address:
//! what is judged here and what is connected to are the same value. Not here: resolving and
//! connecting. The invariant: what is not clearly public, or opened by the owner by its exact name,
//! is refused.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use url::{Host, Url};

use crate::address;
use crate::error::Error;

/// Where web servers listen.
const PORTS: &[u16] = &[80, 443, 8080, 8443];

/// Names that never are on the internet: RFC 6761, RFC 6762, RFC 8375, ICANN's `internal`.
const INNER: &[&str] = &["localhost", "localdomain", "local", "internal", "home.arpa"];

/// What the guard goes by. Only tests have other ones than [`Rules::WEB`].
#[derive(Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) ports: &'static [u16],
    pub(crate) name: fn(&str) -> Option<&'static str>,
    pub(crate) address: fn(IpAddr) -> Option<&'static str>,
}

impl Rules {
    /// The public web.
    pub(crate) const WEB: Self =
        Self { ports: PORTS, name: why_not_name, address: address::why_not };
}

/// A host that the owner named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) host: Host<String>,
    /// `None`: it names none.
    pub(crate) port: Option<u16>,
}

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) host: Host<String>,
    pub(crate) port: u16,
    /// The owner opened it: its addresses may be private.
    open: bool,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            80 | 443 => write!(f, "{}", self.host),
            port => write!(f, "{}:{port}", self.host),
        }
    }
}

/// The rules and what the owner opened beside them.
pub(crate) struct Guard {
    rules: Rules,
    /// Without a port: on the ports of the web.
    open: Vec<Named>,
}

impl Guard {
    /// A guard that lets these hosts through, each written `host` or `host:port`.
    ///
    /// # Errors
    /// When one of them is neither.
    pub(crate) fn new(rules: Rules, allow: &[String]) -> Result<Self, Error> {
        let read = |entry: &String| {
            named(entry).map_err(|reason| Error::Url { url: entry.clone(), reason })
        };
        let open = allow.iter().map(read).collect::<Result<_, _>>()?;
        Ok(Self { rules, open })
    }

    /// Judges a URL by itself.
    ///
    /// # Errors
    /// When it is not one that is asked.
    pub(crate) fn target(&self, url: &Url) -> Result<Target, Error> {
        let shown = || Error::Url {
            url: without_secrets(url),
            reason: "it is neither http nor https".to_owned(),
        };
        let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
            return Err(shown());
        };
        if !matches!(url.scheme(), "http" | "https") {
            return Err(shown());
        }
        let target = self.place(&host, port);
        if !url.username().is_empty() || url.password().is_some() {
            return Err(forbidden(&target, "its URL holds a user name"));
        }
        if !target.open && !self.rules.ports.contains(&port) {
            return Err(forbidden(&target, "no web server has this port"));
        }
        self.judged(target)
    }

    /// Judges a host by itself; its port is for others to judge.
    ///
    /// # Errors
    /// When it is not one that is asked.
    pub(crate) fn host(&self, host: &Host<&str>, port: u16) -> Result<Target, Error> {
        self.judged(self.place(host, port))
    }

    fn place(&self, host: &Host<&str>, port: u16) -> Target {
        let host = plain(host);
        let open = self.open.iter().any(|opened| {
            opened.host == host
                && opened.port.map_or(self.rules.ports.contains(&port), |only| only == port)
        });
        Target { host, port, open }
    }

    fn judged(&self, target: Target) -> Result<Target, Error> {
        let reason = match &target.host {
            _ if target.open => None,
            Host::Domain(name) => (self.rules.name)(name),
            Host::Ipv4(ip) => (self.rules.address)(IpAddr::V4(*ip)),
            Host::Ipv6(ip) => (self.rules.address)(IpAddr::V6(*ip)),
        };
        match reason {
            Some(reason) => Err(forbidden(&target, reason)),
            None => Ok(target),
        }
    }

    /// Judges the addresses that a host has: one that is refused refuses all.
    ///
    /// # Errors
    /// When there is one that is not public, or none at all.
    pub(crate) fn admit(&self, target: &Target, addresses: &[SocketAddr]) -> Result<(), Error> {
        if addresses.is_empty() {
            let reason = "the name has no address".to_owned();
            return Err(Error::Connect { host: target.to_string(), reason });
        }
        if target.open {
            return Ok(());
        }
        let reason = addresses.iter().find_map(|address| (self.rules.address)(address.ip()));
        reason.map_or(Ok(()), |reason| Err(forbidden(target, reason)))
    }
}

fn forbidden(target: &Target, reason: &'static str) -> Error {
    Error::Forbidden { host: target.to_string(), reason }
}

/// A host in the one form that it has here: a name without the dot that ends it.
pub(crate) fn plain(host: &Host<&str>) -> Host<String> {
    match host {
        Host::Domain(name) => Host::Domain(name.trim_end_matches('.').to_ascii_lowercase()),
        Host::Ipv4(ip) => Host::Ipv4(*ip),
        Host::Ipv6(ip) => Host::Ipv6(*ip),
    }
}

/// Reads a host, or a host and a port.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn named(entry: &str) -> Result<Named, String> {
    let read = |scheme: &str| Url::parse(&format!("{scheme}://{}/", entry.trim()));
    let url = read("http").map_err(|error| error.to_string())?;
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err("write a host, or a host and a port".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("write a host without a user name".to_owned());
    }
    if entry.contains('*') {
        return Err("name each host by itself".to_owned());
    }
    // A scheme hides its own port: asking two of them finds each.
    let port = url.port().or(read("https").ok().and_then(|url| url.port()));
    let host = url.host().ok_or("there is no host")?;
    Ok(Named { host: plain(&host), port })
}

fn why_not_name(name: &str) -> Option<&'static str> {
    let within = |inner: &&&str| {
        name.strip_suffix(**inner).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    if INNER.iter().any(|inner| within(&inner)) {
        return Some("it is a name of the machine or its network");
    }
    (!name.contains('.')).then_some("it is not a full name")
}

/// A URL for messages: neither who, nor what after the path.
fn without_secrets(url: &Url) -> String {
    let rest = url.as_str().split(['?', '#']).next().unwrap_or_default();
    rest.rsplit_once('@').map_or(rest, |(_, rest)| rest).to_owned()
}

#[cfg(test)]
#[path = "guard_tests.rs"]
pub(crate) mod tests;

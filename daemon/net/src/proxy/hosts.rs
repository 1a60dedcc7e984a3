//! The hosts that programs may reach, as the owner lists them.
//!
//! An entry is a host, or `*.` and what its names end in, either with a port behind it; without one
//! it is for the two ports that the web has. Names are compared in the one form that `url` gives
//! them. Not here: whether an address is one that anybody may reach. The invariant: what no entry
//! names is not on the list.

use url::Host;

use crate::Error;
use crate::guard::{named, plain};

/// The ports of an entry that names none.
const PORTS: &[u16] = &[80, 443];

/// Entries that are taken: each request is held against all of them.
const MOST: usize = 1_000;

/// The list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Hosts(Vec<Entry>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    name: Name,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Name {
    /// This host.
    Exactly(Host<String>),
    /// Every name that ends in this, after a dot.
    Below(String),
}

impl Hosts {
    /// Reads the list.
    ///
    /// # Errors
    /// The first entry that names no host.
    pub(super) fn new(entries: &[String]) -> Result<Self, Error> {
        if entries.len() > MOST {
            let reason = format!("{} are listed, and {MOST} is the most", entries.len());
            return Err(Error::Host { entry: "the list".to_owned(), reason });
        }
        entries.iter().map(|text| entry(text)).collect::<Result<_, _>>().map(Self)
    }

    /// Whether an entry names this host and this port.
    pub(super) fn has(&self, host: &Host<&str>, port: u16) -> bool {
        let host = plain(host);
        self.0.iter().any(|entry| entry.names(&host) && entry.is_for(port))
    }
}

impl Entry {
    fn names(&self, host: &Host<String>) -> bool {
        match (&self.name, host) {
            (Name::Exactly(exactly), host) => exactly == host,
            (Name::Below(suffix), Host::Domain(name)) => name
                .strip_suffix(suffix.as_str())
                .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
            (Name::Below(_), Host::Ipv4(_) | Host::Ipv6(_)) => false,
        }
    }

    fn is_for(&self, port: u16) -> bool {
        self.port.map_or(PORTS.contains(&port), |only| only == port)
    }
}

fn entry(text: &str) -> Result<Entry, Error> {
    let wrong = |reason: String| Error::Host { entry: text.to_owned(), reason };
    let Some(rest) = text.trim().strip_prefix("*.") else {
        let named = named(text).map_err(wrong)?;
        return Ok(Entry { name: Name::Exactly(named.host), port: named.port });
    };
    let named = named(rest).map_err(wrong)?;
    match named.host {
        Host::Domain(suffix) if suffix.contains('.') => {
            Ok(Entry { name: Name::Below(suffix), port: named.port })
        }
        Host::Domain(_) => Err(wrong("too much ends in that".to_owned())),
        Host::Ipv4(_) | Host::Ipv6(_) => Err(wrong("an address has no names below it".to_owned())),
    }
}

#[cfg(test)]
#[path = "hosts_tests.rs"]
mod tests;

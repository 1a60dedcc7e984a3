//! Asking the system for the addresses of a name, off the reactor and for a bounded time.
//!
//! Not here: judging the addresses. The invariant: however many names never get an answer, the
//! threads that wait for the system are bounded.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// The most names that are asked for at a time.
const AT_A_TIME: usize = 8;

/// Who knows the addresses of names. Tests put in their own.
pub(crate) trait Names: Send + Sync {
    /// Every address of this name, with the port.
    fn addresses(&self, name: &str, port: u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>>;
}

/// The system's resolver.
pub(crate) struct System(Arc<Semaphore>);

impl System {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(AT_A_TIME)))
    }
}

impl Names for System {
    fn addresses(&self, name: &str, port: u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        let (name, slots) = (name.to_owned(), Arc::clone(&self.0));
        async move {
            let slot = slots.acquire_owned().await.map_err(io::Error::other)?;
            spawn_blocking(move || {
                // The system can't be interrupted: the place is taken until it has answered,
                // also where nobody waits for it any more.
                let _slot = slot;
                (name.as_str(), port).to_socket_addrs().map(Iterator::collect)
            })
            .await
            .map_err(io::Error::other)?
        }
        .boxed()
    }
}

/// A resolver that knows nothing but the addresses that were judged: whatever name the HTTP client
/// asks it for, there is no other place that it could connect to.
pub(crate) struct Judged(pub(crate) Vec<SocketAddr>);

impl Resolve for Judged {
    fn resolve(&self, _name: Name) -> Resolving {
        let addresses: Addrs = Box::new(self.0.clone().into_iter());
        async move { Ok(addresses) }.boxed()
    }
}

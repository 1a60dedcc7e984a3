//! The way out of sandboxes that may reach single hosts: an HTTP proxy that knows which.
//!
//! A [`Proxy`] takes a connection of a program and serves one request on it: `CONNECT host:port`
//! for bytes of its own, or an address that begins with `http://`. The host must be on the list
//! ([`hosts`]), and is then judged as everything is that others than the owner name: what it
//! resolves to must be public, or opened by the owner by its exact name, and the connection goes to
//! an address that was judged. The parts: [`head`] is what is asked and what of it travels on,
//! [`tunnel`] carries bytes, [`refusal`] is what a program is told, [`idle`] finds those that sleep.
//!
//! Not here: who listens, and how many may come at once. The invariant: no byte goes to a host that
//! is not on the list, nor to an address that was not judged, and nothing is answered twice on one
//! connection.

mod head;
mod hosts;
mod idle;
mod refusal;
mod tunnel;

use std::convert::Infallible;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper::{Request, Response, StatusCode, client, server, upgrade};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::timeout;
use url::Host;

use self::head::Head;
use self::hosts::Hosts;
use self::idle::Watched;
use self::refusal::Refusal;
use crate::error::{Error, chain};
use crate::guard::{Guard, Rules, Target};
use crate::names::{Names, System};

/// Headers of a request.
const HEADERS: usize = 100;

/// Bytes of all that is before a request's body: hyper reads no further once it has so many without
/// having seen the end, and never more than twice as many.
const HEAD: usize = 32 * 1024;

/// The bounds of a connection.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    /// Until a request's headers are there.
    head: Duration,
    /// Until its host has been found and has answered.
    connect: Duration,
    /// With nothing coming or going.
    idle: Duration,
}

const BOUNDS: Bounds = Bounds {
    head: Duration::from_secs(10),
    connect: Duration::from_secs(10),
    idle: Duration::from_secs(300),
};

/// Whom the proxy reaches.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Hosts that may be reached: `host` or `*.suffix`, with `:port` for others than 80 and 443.
    pub hosts: Vec<String>,
    /// Hosts, each `host` or `host:port`, exactly, whose addresses may be private, if they are
    /// listed too: those of [`crate::web::Options::allow`].
    pub open: Vec<String>,
}

/// The proxy. Shared by all sandboxes; each connection has a state of its own.
pub struct Proxy {
    guard: Guard,
    hosts: RwLock<Arc<Hosts>>,
    names: Arc<dyn Names>,
    bounds: Bounds,
}

/// What goes on beside the answering of a request.
enum Beside {
    /// The connection to the host that was asked.
    Asking(Pin<Box<dyn Future<Output = ()> + Send>>),
    /// Bytes both ways, once the program has its answer.
    Tunnel(OnUpgrade, TcpStream, Host<String>),
}

type Answer = Response<Either<Incoming, Full<Bytes>>>;

/// Whether an entry of the list is one.
///
/// # Errors
/// What is wrong with it.
pub fn check(entry: &str) -> Result<(), Error> {
    Hosts::new(&[entry.to_owned()]).map(drop)
}

impl Proxy {
    /// The proxy for these hosts.
    ///
    /// # Errors
    /// When one of them can't be read.
    pub fn new(options: &Options) -> Result<Self, Error> {
        Ok(Self {
            guard: Guard::new(Rules::WEB, &options.open)?,
            hosts: RwLock::new(Arc::new(Hosts::new(&options.hosts)?)),
            names: Arc::new(System::new()),
            bounds: BOUNDS,
        })
    }

    /// Reaches these hosts from now on, and no others. What goes on already is let go on.
    ///
    /// # Errors
    /// When one of them can't be read; the hosts are as before.
    pub fn list(&self, hosts: &[String]) -> Result<(), Error> {
        let hosts = Arc::new(Hosts::new(hosts)?);
        *self.hosts.write().unwrap_or_else(PoisonError::into_inner) = hosts;
        Ok(())
    }

    /// Serves a connection to its end. Dropping this closes it, and what it led to.
    pub async fn serve<S>(&self, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (stream, pulse) = Watched::new(stream);
        tokio::select! {
            () = pulse.stopped(self.bounds.idle) => {}
            () = self.converse(stream) => {}
        }
    }

    async fn converse<S>(&self, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (hand, handed) = oneshot::channel();
        let hand = Mutex::new(Some(hand));
        let service = service_fn(move |request| {
            let hand = hand.lock().unwrap_or_else(PoisonError::into_inner).take();
            async move { Ok::<_, Infallible>(self.answer(request, hand).await) }
        });
        let mut http = server::conn::http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(self.bounds.head);
        // A program may end its side and wait for the answer.
        http.keep_alive(false).half_close(true).max_headers(HEADERS).max_buf_size(HEAD);
        let serving = http.serve_connection(TokioIo::new(stream), service).with_upgrades();
        let beside = async {
            match handed.await {
                Ok(Beside::Asking(connection)) => connection.await,
                Ok(Beside::Tunnel(upgrade, outside, host)) => {
                    through(upgrade, outside, &host).await;
                }
                // The request was refused, or never came.
                Err(_) => {}
            }
        };
        if let (Err(error), ()) = tokio::join!(serving, beside) {
            tracing::debug!(error = chain(&error), "a connection to the proxy broke");
        }
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        hand: Option<oneshot::Sender<Beside>>,
    ) -> Answer {
        let passed = match hand {
            Some(hand) => self.pass(request, hand).await,
            None => Err(Refusal::malformed("one request for each connection")),
        };
        passed.unwrap_or_else(|refusal| {
            tracing::debug!(reason = refusal.text, "a program's request goes nowhere");
            refusal.response().map(Either::Right)
        })
    }

    async fn pass(
        &self,
        request: Request<Incoming>,
        hand: oneshot::Sender<Beside>,
    ) -> Result<Answer, Refusal> {
        let head = Head::of(&request)?;
        let target = self.judge(&head)?;
        let late = |_| {
            let host = target.to_string();
            Refusal::of(&Error::Late { host, after: self.bounds.connect })
        };
        let connected = timeout(self.bounds.connect, self.connect(&target)).await.map_err(late)?;
        let outside = connected.map_err(|error| Refusal::of(&error))?;
        if head.tunnel {
            let upgrade = upgrade::on(request);
            hand.send(Beside::Tunnel(upgrade, outside, target.host)).map_err(|_| gone())?;
            return Ok(Response::new(Either::Right(Full::default())));
        }
        let outgoing = head.outgoing(request)?;
        let broken = |error: hyper::Error| {
            Refusal::of(&Error::Broken { host: target.to_string(), reason: chain(&error) })
        };
        let shaken = client::conn::http1::handshake(TokioIo::new(outside)).await;
        let (mut asking, connection) = shaken.map_err(broken)?;
        let connection = async { drop(connection.await) };
        hand.send(Beside::Asking(Box::pin(connection))).map_err(|_| gone())?;
        let mut answer = asking.send_request(outgoing).await.map_err(broken)?;
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            let reason = "it changes to something that nobody asked for".to_owned();
            return Err(Refusal::of(&Error::Broken { host: target.to_string(), reason }));
        }
        head::strip(answer.headers_mut());
        Ok(answer.map(Either::Left))
    }

    /// Where a request goes, if it may.
    fn judge(&self, head: &Head) -> Result<Target, Refusal> {
        let (host, port) = (head.host()?, head.port());
        let hosts = Arc::clone(&self.hosts.read().unwrap_or_else(PoisonError::into_inner));
        // First of all: looking up a name tells its owner something.
        if !hosts.has(&host, port) {
            return Err(Refusal::unlisted(&host.to_string(), port));
        }
        self.guard.host(&host, port).map_err(|error| Refusal::of(&error))
    }

    /// A connection to an address that was judged.
    async fn connect(&self, target: &Target) -> Result<TcpStream, Error> {
        let broken = |reason: String| Error::Connect { host: target.to_string(), reason };
        let addresses = match &target.host {
            Host::Ipv4(ip) => vec![SocketAddr::new(IpAddr::V4(*ip), target.port)],
            Host::Ipv6(ip) => vec![SocketAddr::new(IpAddr::V6(*ip), target.port)],
            Host::Domain(name) => {
                let found = self.names.addresses(name, target.port).await;
                found.map_err(|error| broken(format!("look up its address: {error}")))?
            }
        };
        self.guard.admit(target, &addresses)?;
        let connected = TcpStream::connect(addresses.as_slice()).await;
        connected.map_err(|error| broken(error.to_string()))
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy").field("bounds", &self.bounds).finish_non_exhaustive()
    }
}

async fn through(upgrade: OnUpgrade, outside: TcpStream, host: &Host<String>) {
    let Ok(inside) = upgrade.await else { return };
    if let Err(error) = tunnel::carry(TokioIo::new(inside), outside, host).await {
        tracing::debug!(%host, %error, "a connection through the proxy broke");
    }
}

fn gone() -> Refusal {
    Refusal::malformed("the connection is going")
}

#[cfg(test)]
#[path = "proxy_tests.rs"]
mod tests;

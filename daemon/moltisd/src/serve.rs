//! The daemon's life: bind, open, announce, serve, drain.
//!
//! Draining goes from the outside in: no new connections, then no new turns (running ones end as
//! interrupted with their text kept), then hooks that are still told of it, then the local models,
//! then the store. A second signal
//! ends the process at once; the store is made for that.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use moltis_core::hook::Point;
use moltis_core::{Code, Error, Result};
use moltis_edge::socket::{self, Bound};
use moltis_hooks::Hookery;
use moltis_telemetry::{LogHandle, LogOptions};
use serde_json::json;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::compose::{Parts, compose};
use crate::configuration::Configuration;
use crate::hands;
use crate::hooks;
use crate::readiness::Readiness;

/// How long running turns may take to put down what they have.
const GRACE: Duration = Duration::from_secs(3);

/// How long hooks may take that are told of the end: as long as they have when they do not say.
const HOOKS: Duration = Duration::from_secs(5);

/// Threads of the runtime: the work is waiting, and the store and local models have their own. With
/// one, a piece of a stream passes its four tasks without waking another thread, which costs more
/// than the piece.
const WORKERS: usize = 1;

/// Serves until a signal or a client ends it.
///
/// # Errors
/// What keeps it from serving; it was announced already.
pub(crate) fn serve(
    configuration: Configuration,
    data_dir: PathBuf,
    log: LogHandle,
    readiness: &Readiness,
    begun: Instant,
) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .thread_name("moltisd")
        .enable_all()
        .build()
        .map_err(|error| Error::new(Code::Internal, format!("start the runtime: {error}")))?;
    let served = runtime.block_on(async {
        let bound = bind(&data_dir)?;
        let address = socket::path(&data_dir);
        let parts = compose(configuration, data_dir, log, begun)?;
        run(bound, parts, &address, readiness, begun).await
    });
    // A call of the system that hangs, a name that is looked up say, must not keep the process.
    runtime.shutdown_background();
    served
}

fn bind(data_dir: &Path) -> Result<Bound> {
    socket::bind(data_dir).map_err(|error| {
        let failed = Error::new(Code::Conflict, error.to_string());
        match error {
            moltis_edge::Error::Held { .. } => failed.with_hint("moltis daemon status"),
            _ => failed,
        }
    })
}

async fn run(
    bound: Bound,
    parts: Parts,
    address: &Path,
    readiness: &Readiness,
    begun: Instant,
) -> Result<()> {
    let Parts { store, sessions, hooks, local, sandbox, configuration, services, stop, workspace } =
        parts;
    // Held until the store is closed: the next daemon waits for that, not for the socket to go.
    let _lock = bound.lock();
    let signals = Signals::new()?;
    let mut tasks = JoinSet::new();
    tasks.spawn(signals.watch(stop.clone(), configuration));
    let begins = started(hooks.clone(), workspace.clone(), address);
    let recovering = sessions.clone();
    tasks.spawn(async move {
        match recovering.recover().await {
            Ok(0) => {}
            Ok(turns) => tracing::info!(turns, "closed turns that the last run left open"),
            Err(error) => tracing::error!(%error, "can't close what the last run left open"),
        }
        // A turn that a hook begins must not be taken for one that the last run left open.
        begins.await;
    });
    tasks.spawn(hands::look(sandbox.clone()));
    readiness.ready();
    tracing::info!(
        pid = std::process::id(),
        version = env!("CARGO_PKG_VERSION"),
        took_us = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX),
        "ready"
    );
    let stopping = stop.clone();
    let (draining, told) = (sessions.clone(), hooks.clone());
    let served = moltis_edge::serve(bound, services, async move {
        stopping.cancelled().await;
        readiness.stopping();
        hooks::tell(&told, Point::GatewayStop, workspace.as_deref(), json!({})).await;
        // Turns end first, so that those who follow them are told how.
        draining.shut_down(GRACE).await;
    })
    .await
    .map_err(|error| Error::new(Code::Internal, error.to_string()));
    sessions.shut_down(GRACE).await;
    hooks.finish(HOOKS).await;
    local.shut_down().await;
    sandbox.close();
    store.close().await;
    tracing::info!("stopped");
    served
}

/// Tells hooks that the daemon is ready.
fn started(
    hooks: Arc<Hookery>,
    workspace: Option<String>,
    address: &Path,
) -> impl Future<Output = ()> + Send + use<> {
    let facts = json!({ "address": address.display().to_string() });
    async move { hooks::tell(&hooks, Point::GatewayStart, workspace.as_deref(), facts).await }
}

/// The signals that mean something here.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> Result<Self> {
        let listen = |kind| {
            signal(kind)
                .map_err(|error| Error::new(Code::Internal, format!("listen for signals: {error}")))
        };
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    async fn watch(mut self, stop: CancellationToken, configuration: Arc<Configuration>) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => end(&stop),
                _ = self.interrupt.recv() => end(&stop),
                _ = self.hangup.recv() => match configuration.take_up() {
                    Ok(keys) if keys.is_empty() => {}
                    Ok(keys) => tracing::warn!(keys = keys.join(", "), "these hold after a restart"),
                    Err(error) => tracing::error!(%error, "the configuration stays as it was"),
                },
            }
        }
    }
}

/// The first time in an orderly way, the second time at once.
fn end(stop: &CancellationToken) {
    if stop.is_cancelled() {
        std::process::abort();
    }
    tracing::info!("a signal asked the daemon to stop");
    stop.cancel();
}

/// Begins to log below the data directory.
///
/// # Errors
/// A folder that can't be written.
pub(crate) fn begin_log(
    data_dir: &Path,
    level: &str,
    json: bool,
    stderr: bool,
) -> Result<LogHandle> {
    let options =
        LogOptions { folder: Some(data_dir.join("logs")), level: level.to_owned(), json, stderr };
    moltis_telemetry::init(options).map_err(|error| Error::new(Code::Storage, error.to_string()))
}

//! The server: its services on the owner's connections, until it is told to stop.
//!
//! It accepts by itself so that every connection and every call has an owner: when it returns,
//! nothing of it runs. There is no keep-alive: a connection on which nothing happens costs no
//! timer. Errors of `accept` never end it.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use moltis_core::admin::{ConfigAdmin, ModelAdmin, ProviderAdmin, SystemAdmin};
use moltis_core::assistant::Assistant;
use moltis_core::code::Highlighter;
use moltis_core::hook::HookAdmin;
use moltis_core::sandbox::Sandbox;
use moltis_core::variable::VariableAdmin;
use moltis_proto::v1::code_server::CodeServer;
use moltis_proto::v1::config_server::ConfigServer;
use moltis_proto::v1::hooks_server::HooksServer;
use moltis_proto::v1::models_server::ModelsServer;
use moltis_proto::v1::providers_server::ProvidersServer;
use moltis_proto::v1::sandbox_server::SandboxServer;
use moltis_proto::v1::sessions_server::SessionsServer;
use moltis_proto::v1::system_server::SystemServer;
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::body::Body;
use tonic::codegen::http::{Request, Response};
use tonic::service::Routes;
use tower::util::{BoxCloneSyncService, MapResponse};

use crate::error::Error;
use crate::peer;
use crate::rpc;
use crate::socket::Bound;
use crate::status::{crowded, with_detail};

/// Connections at a time.
pub(crate) const MOST_CONNECTIONS: usize = 512;

/// Further connections that are told so at a time; those beyond are just closed.
const MOST_REFUSALS: usize = 16;

/// Calls at a time on one connection.
const MOST_CALLS: u32 = 256;

/// Bytes of a request to sessions: 20 MiB of pictures, 4 MiB of text, and what wraps them.
const LARGEST_MESSAGE: usize = 32 << 20;

/// Bytes of any other request.
const LARGEST_REQUEST: usize = 1 << 20;

/// How long calls may go on after the end was asked for.
const GRACE: Duration = Duration::from_secs(2);

/// How long a connection that was one too many may stay to be told so.
const REFUSAL: Duration = Duration::from_secs(1);

/// How long is waited when the system has no descriptor left for a connection.
const PAUSE: Duration = Duration::from_millis(100);

type Service = BoxCloneSyncService<Request<hyper::body::Incoming>, Response<Body>, Infallible>;

/// What is served.
#[derive(Clone)]
pub struct Services {
    /// Sessions.
    pub assistant: Arc<dyn Assistant>,
    /// Looking after models.
    pub models: Arc<dyn ModelAdmin>,
    /// Looking after providers.
    pub providers: Arc<dyn ProviderAdmin>,
    /// Looking after the configuration.
    pub config: Arc<dyn ConfigAdmin>,
    /// Looking after the daemon.
    pub system: Arc<dyn SystemAdmin>,
    /// Looking after hooks.
    pub hooks: Arc<dyn HookAdmin>,
    /// Looking after the place where programs run.
    pub sandbox: Arc<dyn Sandbox>,
    /// Looking after what programs find there in their environment.
    pub variables: Arc<dyn VariableAdmin>,
    /// Telling clients what the pieces of code are.
    pub highlighter: Arc<dyn Highlighter>,
    /// The daemon's version, as `Hello` tells it.
    pub build: String,
}

/// Serves until `until` is ready. Then the socket goes, streams end with `unavailable`, and other
/// calls have two seconds to finish; what is left after that is dropped.
///
/// # Errors
/// The socket can't be used with this runtime.
pub async fn serve(
    bound: Bound,
    services: Services,
    until: impl Future<Output = ()> + Send,
) -> Result<(), Error> {
    serve_at_most(MOST_CONNECTIONS, bound, services, until).await
}

pub(crate) async fn serve_at_most(
    most: usize,
    bound: Bound,
    services: Services,
    until: impl Future<Output = ()> + Send,
) -> Result<(), Error> {
    let Bound { listener, place } = bound;
    let listener = UnixListener::from_std(listener).map_err(Error::io("serve", place.path()))?;
    let mut server = Server::new(most, services);
    tokio::pin!(until);
    loop {
        tokio::select! {
            biased;
            () = &mut until => break,
            Some(ended) = server.connections.join_next() => note(ended),
            Some(ended) = server.refusals.join_next() => note(ended),
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => server.welcome(stream),
                Err(error) => {
                    tracing::warn!(%error, "can't accept a connection");
                    tokio::time::sleep(PAUSE).await;
                }
            },
        }
    }
    // First the file, then the listener: a client finds either a daemon or nothing.
    place.remove();
    drop(listener);
    server.finish().await;
    Ok(())
}

/// The connections and what runs on them.
struct Server {
    most: usize,
    service: Service,
    calls: Calls,
    /// Ends streams and connections in an orderly way.
    stop: CancellationToken,
    connections: JoinSet<()>,
    refusals: JoinSet<()>,
}

impl Server {
    fn new(most: usize, services: Services) -> Self {
        let stop = CancellationToken::new();
        Self {
            most,
            service: service(services, &stop),
            calls: Calls { tracker: TaskTracker::new(), end: CancellationToken::new() },
            stop,
            connections: JoinSet::new(),
            refusals: JoinSet::new(),
        }
    }

    fn welcome(&mut self, stream: UnixStream) {
        if !peer::admitted(&stream) {
            return;
        }
        let (calls, stop) = (self.calls.clone(), self.stop.clone());
        if self.connections.len() < self.most {
            self.connections.spawn(converse(stream, self.service.clone(), calls, stop));
            return;
        }
        tracing::warn!(most = self.most, "refused a connection: too many");
        if self.refusals.len() < MOST_REFUSALS {
            let refusal = converse(stream, refusing_service(), calls, stop);
            self.refusals.spawn(async move {
                // In time or not, the connection is closed.
                let _ = tokio::time::timeout(REFUSAL, refusal).await;
            });
        }
    }

    /// Lets calls finish, for a while.
    async fn finish(mut self) {
        self.stop.cancel();
        let drained = tokio::time::timeout(GRACE, async {
            while let Some(ended) = self.connections.join_next().await {
                note(ended);
            }
        });
        if drained.await.is_err() {
            tracing::warn!(left = self.connections.len(), "dropped connections that did not end");
        }
        self.connections.shutdown().await;
        self.refusals.shutdown().await;
        self.calls.end.cancel();
        self.calls.tracker.close();
        self.calls.tracker.wait().await;
    }
}

/// One connection, until its peer closes it or `stop` asks for its end.
async fn converse(stream: UnixStream, service: Service, calls: Calls, stop: CancellationToken) {
    let mut builder = auto::Builder::new(calls).http2_only();
    builder.http2().max_concurrent_streams(MOST_CALLS).keep_alive_interval(None);
    let service = TowerToHyperService::new(service);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error, "a connection broke");
    }
}

/// A connection's task that ended badly: the panic itself was logged where it happened.
fn note(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a connection's task failed");
    }
}

/// The table of services, each with the ports that it calls.
fn service(services: Services, stop: &CancellationToken) -> Service {
    let Services {
        assistant,
        models,
        providers,
        config,
        system,
        hooks,
        sandbox,
        variables,
        highlighter,
        build,
    } = services;
    let sessions = SessionsServer::new(rpc::Sessions::new(assistant, stop.clone()));
    let models = ModelsServer::new(rpc::Models::new(models, stop.clone()));
    let providers = ProvidersServer::new(rpc::Providers::new(providers));
    let config = ConfigServer::new(rpc::Config::new(config));
    let system = SystemServer::new(rpc::System::new(system, build, stop.clone()));
    let hooks = HooksServer::new(rpc::Hooks::new(hooks));
    let sandbox = SandboxServer::new(rpc::Sandbox::new(sandbox, variables, stop.clone()));
    let code = CodeServer::new(rpc::Code::new(highlighter));
    let routes = Routes::new(sessions.max_decoding_message_size(LARGEST_MESSAGE))
        .add_service(models.max_decoding_message_size(LARGEST_REQUEST))
        .add_service(providers.max_decoding_message_size(LARGEST_REQUEST))
        .add_service(config.max_decoding_message_size(LARGEST_REQUEST))
        .add_service(hooks.max_decoding_message_size(LARGEST_REQUEST))
        .add_service(sandbox.max_decoding_message_size(LARGEST_REQUEST))
        .add_service(code.max_decoding_message_size(LARGEST_REQUEST))
        .add_service(system.max_decoding_message_size(LARGEST_REQUEST))
        .prepare();
    BoxCloneSyncService::new(MapResponse::new(routes, with_detail))
}

/// Answers every call with the reason why there is no place for it.
fn refusing_service() -> Service {
    BoxCloneSyncService::new(tower::service_fn(|_| async { Ok(crowded().into_http()) }))
}

/// Runs the calls of all connections, and knows when the last one has ended.
#[derive(Clone)]
struct Calls {
    tracker: TaskTracker,
    end: CancellationToken,
}

impl<F> hyper::rt::Executor<F> for Calls
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, call: F) {
        let end = self.end.clone();
        self.tracker.spawn(async move { end.run_until_cancelled_owned(call).await });
    }
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;

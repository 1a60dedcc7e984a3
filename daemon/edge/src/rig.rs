//! A real server over fake ports in a folder of its own, and real clients for it.

use std::path::PathBuf;
use std::sync::Arc;

use moltis_core::Error;
use moltis_proto::ERROR_DETAIL_KEY;
use moltis_proto::v1::ErrorDetail;
use prost::Message as _;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};

use crate::fakes::{Fake, Ports};
use crate::server::{MOST_CONNECTIONS, Services, serve_at_most};
use crate::socket;

pub(crate) struct Rig {
    pub(crate) fake: Arc<Fake>,
    pub(crate) socket: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    server: JoinSet<Result<(), crate::Error>>,
    /// Goes last, with everything in it.
    _home: TempDir,
}

impl Rig {
    pub(crate) fn start() -> Self {
        Self::with_at_most(MOST_CONNECTIONS)
    }

    pub(crate) fn with_at_most(connections: usize) -> Self {
        let home = tempfile::tempdir().unwrap();
        let fake = Fake::new();
        let ports = Arc::new(Ports(Arc::clone(&fake)));
        let services = Services {
            assistant: ports.clone(),
            models: ports.clone(),
            providers: ports.clone(),
            config: ports.clone(),
            system: ports.clone(),
            hooks: ports.clone(),
            sandbox: ports.clone(),
            variables: ports.clone(),
            highlighter: ports,
            build: "moltisd 1.2.3".to_owned(),
        };
        let bound = socket::bind(home.path()).unwrap();
        let path = bound.path().to_owned();
        let (stop, stopped) = oneshot::channel();
        let mut server = JoinSet::new();
        server.spawn(serve_at_most(connections, bound, services, async {
            let _ = stopped.await;
        }));
        Self { _home: home, fake, socket: path, stop: Some(stop), server }
    }

    /// A connection of its own.
    pub(crate) async fn channel(&self) -> Channel {
        let address = format!("unix://{}", self.socket.display());
        Endpoint::try_from(address).unwrap().connect().await.unwrap()
    }

    /// Asks the server to stop.
    pub(crate) fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    /// Waits until it has.
    pub(crate) async fn stopped(&mut self) {
        self.server.join_next().await.unwrap().unwrap().unwrap();
    }

    /// Waits until so many of the fake's streams are open.
    pub(crate) async fn until_open(&self, streams: usize) {
        self.fake.open.subscribe().wait_for(|open| *open == streams).await.unwrap();
    }
}

/// The detail that a failed call carries.
pub(crate) fn detail(status: &Status) -> ErrorDetail {
    let value = status.metadata().get_bin(ERROR_DETAIL_KEY).expect("a detail");
    ErrorDetail::decode(value.to_bytes().unwrap()).unwrap()
}

/// gRPC's code, and ours.
pub(crate) fn codes<T: std::fmt::Debug>(answer: Result<T, Status>) -> (tonic::Code, String) {
    let status = answer.unwrap_err();
    (status.code(), detail(&status).code)
}

/// What a call is told when its port fails.
pub(crate) fn told(status: &Status) -> Error {
    moltis_codec::error::error_from_wire(
        &status.metadata().get_bin(ERROR_DETAIL_KEY).unwrap().to_bytes().unwrap(),
    )
    .unwrap()
}

//! The daemon itself: hello, health, logs, usage, upkeep.

use std::path::PathBuf;
use std::sync::Arc;

use futures_util::StreamExt as _;
use moltis_codec::admin as codec;
use moltis_core::admin::{LogLine, SystemAdmin};
use moltis_core::{Code, Error, Timestamp};
use moltis_proto::v1::system_server::System as Service;
use moltis_proto::{PROTOCOL_MAJOR, PROTOCOL_MINOR, v1};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use crate::replies::Replies;
use crate::status::{VERSION_MISMATCH, detailed, to_status};

/// Lines of the log, when the request names no number.
const LINES: u32 = 100;

/// The most past lines.
const MOST_LINES: u32 = 2_000;

/// The longest path in bytes, as the kernel has it.
const LONGEST_PATH: usize = 4096;

/// The service over its port.
pub(crate) struct System {
    system: Arc<dyn SystemAdmin>,
    build: String,
    stop: CancellationToken,
}

impl System {
    pub(crate) fn new(
        system: Arc<dyn SystemAdmin>,
        build: String,
        stop: CancellationToken,
    ) -> Self {
        Self { system, build, stop }
    }

    fn mismatch(&self, theirs: v1::ProtocolVersion, build: &str) -> Status {
        let message = format!(
            "the daemon ({}) speaks protocol {PROTOCOL_MAJOR}.{PROTOCOL_MINOR}, this client ({build}) {}.{}",
            self.build, theirs.major, theirs.minor
        );
        let hint = if theirs.major > PROTOCOL_MAJOR {
            "moltis daemon restart"
        } else {
            "install the moltis that came with the daemon"
        };
        detailed(tonic::Code::FailedPrecondition, VERSION_MISMATCH, &message, hint)
    }
}

/// Where a backup goes. The daemon's working folder is not the client's, so that only an absolute
/// path means the same to both.
fn backup_path(path: String) -> moltis_core::Result<PathBuf> {
    if path.len() > LONGEST_PATH {
        return Err(Error::new(Code::Invalid, "the path of the backup is longer than 4 KiB"));
    }
    let path = PathBuf::from(path);
    if !path.is_absolute() {
        let path = path.display();
        return Err(Error::new(Code::Invalid, format!("`{path}` is not an absolute path")));
    }
    Ok(path)
}

#[tonic::async_trait]
impl Service for System {
    type LogsStream = Replies<LogLine, v1::LogLine>;

    async fn hello(
        &self,
        request: Request<v1::HelloRequest>,
    ) -> Result<Response<v1::HelloResponse>, Status> {
        let request = request.into_inner();
        let theirs = request.protocol.unwrap_or_default();
        if theirs.major != PROTOCOL_MAJOR {
            return Err(self.mismatch(theirs, &request.build));
        }
        tracing::debug!(client = ?request.client, build = ?request.build, "a client said hello");
        let protocol = v1::ProtocolVersion { major: PROTOCOL_MAJOR, minor: PROTOCOL_MINOR };
        Ok(Response::new(v1::HelloResponse {
            protocol: Some(protocol),
            build: self.build.clone(),
            // What was added after the first version, for clients to ask before they use it.
            features: Vec::new(),
            pid: std::process::id(),
        }))
    }

    async fn health(
        &self,
        _: Request<v1::HealthRequest>,
    ) -> Result<Response<v1::HealthResponse>, Status> {
        let health = self.system.health().await.map_err(to_status)?;
        Ok(Response::new(codec::health_to_wire(health)))
    }

    async fn logs(
        &self,
        request: Request<v1::LogsRequest>,
    ) -> Result<Response<Self::LogsStream>, Status> {
        let v1::LogsRequest { last, follow } = request.into_inner();
        let last = if last == 0 { LINES } else { last.min(MOST_LINES) };
        let lines = self.system.logs(last, follow).await.map_err(to_status)?;
        Ok(Response::new(Replies::new(Box::pin(lines.map(Ok)), codec::log_to_wire, &self.stop)))
    }

    async fn read_usage(
        &self,
        request: Request<v1::UsageRequest>,
    ) -> Result<Response<v1::UsageResponse>, Status> {
        let since = match request.into_inner().since {
            None => Timestamp::UNIX_EPOCH,
            since => moltis_codec::event::timestamp_from_wire("since", since).map_err(to_status)?,
        };
        let rows = self.system.usage(since).await.map_err(to_status)?;
        let rows = rows.into_iter().map(codec::usage_row_to_wire).collect();
        Ok(Response::new(v1::UsageResponse { rows }))
    }

    async fn read_budget(
        &self,
        request: Request<v1::BudgetRequest>,
    ) -> Result<Response<v1::BudgetResponse>, Status> {
        let session = match request.into_inner().session {
            none if none.is_empty() => None,
            some => Some(moltis_codec::session::session_from_wire(some).map_err(to_status)?),
        };
        let standings = self.system.budget(session.as_ref()).await.map_err(to_status)?;
        let limits = standings.into_iter().map(codec::standing_to_wire).collect();
        Ok(Response::new(v1::BudgetResponse { limits }))
    }

    async fn backup(
        &self,
        request: Request<v1::BackupRequest>,
    ) -> Result<Response<v1::BackupResponse>, Status> {
        let path = backup_path(request.into_inner().path).map_err(to_status)?;
        let report = self.system.backup(&path).await.map_err(to_status)?;
        Ok(Response::new(codec::backup_to_wire(report)))
    }

    async fn check(
        &self,
        _: Request<v1::CheckRequest>,
    ) -> Result<Response<v1::CheckResponse>, Status> {
        let report = self.system.check().await.map_err(to_status)?;
        Ok(Response::new(codec::check_to_wire(report)))
    }

    async fn rotate_vault(
        &self,
        _: Request<v1::RotateVaultRequest>,
    ) -> Result<Response<v1::RotateVaultResponse>, Status> {
        let secrets = self.system.rotate_vault().await.map_err(to_status)?;
        Ok(Response::new(v1::RotateVaultResponse { secrets }))
    }

    async fn shutdown(
        &self,
        _: Request<v1::ShutdownRequest>,
    ) -> Result<Response<v1::ShutdownResponse>, Status> {
        self.system.shut_down().await.map_err(to_status)?;
        Ok(Response::new(v1::ShutdownResponse {}))
    }
}

#[cfg(test)]
#[path = "system_tests.rs"]
mod tests;

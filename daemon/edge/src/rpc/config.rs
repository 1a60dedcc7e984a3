//! Configuration: show, set, reload.

use std::sync::Arc;

use moltis_codec::admin::{path_to_wire, value_to_wire};
use moltis_codec::session::id_from_wire;
use moltis_core::admin::ConfigAdmin;
use moltis_proto::v1;
use moltis_proto::v1::config_server::Config as Service;
use tonic::{Request, Response, Status};

use crate::status::to_status;

/// The service over its port.
pub(crate) struct Config {
    config: Arc<dyn ConfigAdmin>,
}

impl Config {
    pub(crate) fn new(config: Arc<dyn ConfigAdmin>) -> Self {
        Self { config }
    }
}

#[tonic::async_trait]
impl Service for Config {
    async fn show(
        &self,
        request: Request<v1::ShowConfigRequest>,
    ) -> Result<Response<v1::ShowConfigResponse>, Status> {
        let values = match request.into_inner().key {
            key if key.is_empty() => self.config.show().await.map_err(to_status)?,
            key => {
                let key = id_from_wire("key", key).map_err(to_status)?;
                vec![self.config.get(&key).await.map_err(to_status)?]
            }
        };
        Ok(Response::new(v1::ShowConfigResponse {
            path: path_to_wire(&self.config.path()),
            values: values.into_iter().map(value_to_wire).collect(),
        }))
    }

    async fn set(
        &self,
        request: Request<v1::SetConfigRequest>,
    ) -> Result<Response<v1::SetConfigResponse>, Status> {
        let v1::SetConfigRequest { key, value } = request.into_inner();
        let key = id_from_wire("key", key).map_err(to_status)?;
        let change = self.config.set(&key, &value).await.map_err(to_status)?;
        Ok(Response::new(v1::SetConfigResponse {
            holds: Some(value_to_wire(change.holds)),
            needs_restart: change.needs_restart,
        }))
    }

    async fn reload(
        &self,
        _: Request<v1::ReloadRequest>,
    ) -> Result<Response<v1::ReloadResponse>, Status> {
        let needs_restart = self.config.reload().await.map_err(to_status)?;
        Ok(Response::new(v1::ReloadResponse { needs_restart }))
    }
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;

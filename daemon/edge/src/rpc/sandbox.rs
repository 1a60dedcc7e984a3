//! The sandbox: how it is, its images, the owner's variables in it.

use std::sync::Arc;

use moltis_codec::sandbox::{image_to_wire, sandbox_to_wire};
use moltis_codec::session::{id_from_wire, name_from_wire, step_to_wire};
use moltis_core::admin::Step;
use moltis_core::sandbox::Sandbox as Port;
use moltis_core::variable::{VariableAdmin, check_value};
use moltis_proto::v1;
use moltis_proto::v1::sandbox_server::Sandbox as Service;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use crate::replies::Replies;
use crate::status::to_status;

/// The service over its port. What it can't do is run anything: that is for turns alone.
pub(crate) struct Sandbox {
    sandbox: Arc<dyn Port>,
    variables: Arc<dyn VariableAdmin>,
    stop: CancellationToken,
}

impl Sandbox {
    pub(crate) fn new(
        sandbox: Arc<dyn Port>,
        variables: Arc<dyn VariableAdmin>,
        stop: CancellationToken,
    ) -> Self {
        Self { sandbox, variables, stop }
    }
}

#[tonic::async_trait]
impl Service for Sandbox {
    type BuildStream = Replies<Step, v1::Step>;

    async fn status(
        &self,
        _: Request<v1::SandboxStatusRequest>,
    ) -> Result<Response<v1::SandboxStatus>, Status> {
        Ok(Response::new(sandbox_to_wire(self.sandbox.status())))
    }

    async fn probe(
        &self,
        _: Request<v1::SandboxProbeRequest>,
    ) -> Result<Response<v1::SandboxStatus>, Status> {
        Ok(Response::new(sandbox_to_wire(self.sandbox.probe().await)))
    }

    async fn images(
        &self,
        _: Request<v1::ListImagesRequest>,
    ) -> Result<Response<v1::ListImagesResponse>, Status> {
        let images = self.sandbox.images().await.map_err(to_status)?;
        let images = images.into_iter().map(image_to_wire).collect();
        Ok(Response::new(v1::ListImagesResponse { images }))
    }

    async fn build(
        &self,
        _: Request<v1::BuildImageRequest>,
    ) -> Result<Response<Self::BuildStream>, Status> {
        let steps = self.sandbox.build().await.map_err(to_status)?;
        Ok(Response::new(Replies::new(steps, step_to_wire, &self.stop)))
    }

    async fn remove(
        &self,
        request: Request<v1::RemoveImagesRequest>,
    ) -> Result<Response<v1::RemoveImagesResponse>, Status> {
        let tag = name_from_wire("tag", request.into_inner().tag).map_err(to_status)?;
        let tag = Some(tag.as_str()).filter(|tag| !tag.is_empty());
        let removed = self.sandbox.remove_images(tag).await.map_err(to_status)?;
        Ok(Response::new(v1::RemoveImagesResponse { removed }))
    }

    async fn list_variables(
        &self,
        _: Request<v1::ListVariablesRequest>,
    ) -> Result<Response<v1::ListVariablesResponse>, Status> {
        let names = self.variables.list().await.map_err(to_status)?;
        Ok(Response::new(v1::ListVariablesResponse { names }))
    }

    async fn set_variable(
        &self,
        request: Request<v1::SetVariableRequest>,
    ) -> Result<Response<v1::SetVariableResponse>, Status> {
        let v1::SetVariableRequest { name, value } = request.into_inner();
        // A secret from here on, so that no early return leaves it in memory.
        let value = SecretString::from(value);
        let name = id_from_wire("name", name).map_err(to_status)?;
        check_value(&value).map_err(to_status)?;
        self.variables.set(&name, value).await.map_err(to_status)?;
        Ok(Response::new(v1::SetVariableResponse {}))
    }

    async fn remove_variable(
        &self,
        request: Request<v1::RemoveVariableRequest>,
    ) -> Result<Response<v1::RemoveVariableResponse>, Status> {
        let name = id_from_wire("name", request.into_inner().name).map_err(to_status)?;
        let removed = self.variables.remove(&name).await.map_err(to_status)?;
        Ok(Response::new(v1::RemoveVariableResponse { removed }))
    }
}

#[cfg(test)]
#[path = "sandbox_tests.rs"]
mod tests;

//! Models: list, choose, pull, remove, test.

use std::sync::Arc;

use moltis_codec::admin::{catalog_to_wire, model_to_wire, test_to_wire};
use moltis_codec::event as codec;
use moltis_codec::session::{name_from_wire, step_to_wire};
use moltis_core::admin::{ModelAdmin, Step};
use moltis_core::models::ModelRef;
use moltis_proto::v1;
use moltis_proto::v1::models_server::Models as Service;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use crate::replies::Replies;
use crate::status::to_status;

/// The service over its port.
pub(crate) struct Models {
    models: Arc<dyn ModelAdmin>,
    stop: CancellationToken,
}

impl Models {
    pub(crate) fn new(models: Arc<dyn ModelAdmin>, stop: CancellationToken) -> Self {
        Self { models, stop }
    }
}

/// A name of the catalog, or `file:PATH`.
fn model_name(name: String) -> Result<String, Status> {
    let name = name_from_wire("name", name).map_err(to_status)?;
    let said = !name.is_empty();
    said.then_some(name).ok_or_else(|| to_status(codec::Error::new("name", "is missing")))
}

fn model_ref(model: String) -> Result<ModelRef, Status> {
    let model = name_from_wire("model", model).map_err(to_status)?;
    ModelRef::parse(&model).map_err(to_status)
}

#[tonic::async_trait]
impl Service for Models {
    type PullStream = Replies<Step, v1::Step>;

    async fn list(
        &self,
        request: Request<v1::ListModelsRequest>,
    ) -> Result<Response<v1::ListModelsResponse>, Status> {
        let list = self.models.list(request.into_inner().refresh).await.map_err(to_status)?;
        let default = self.models.default_model().await.map_err(to_status)?;
        let failures = list.failures.into_iter();
        Ok(Response::new(v1::ListModelsResponse {
            models: list.models.into_iter().map(model_to_wire).collect(),
            default: default.map(|model| model.to_string()).unwrap_or_default(),
            failures: failures
                .map(|(provider, reason)| v1::ProviderFailure { provider, reason })
                .collect(),
        }))
    }

    async fn set_default(
        &self,
        request: Request<v1::SetDefaultRequest>,
    ) -> Result<Response<v1::SetDefaultResponse>, Status> {
        let model = model_ref(request.into_inner().model)?;
        self.models.set_default(&model).await.map_err(to_status)?;
        Ok(Response::new(v1::SetDefaultResponse {}))
    }

    async fn catalog(
        &self,
        _: Request<v1::CatalogRequest>,
    ) -> Result<Response<v1::CatalogResponse>, Status> {
        let catalog = self.models.catalog().await.map_err(to_status)?;
        let models = catalog.into_iter().map(catalog_to_wire).collect();
        Ok(Response::new(v1::CatalogResponse { models }))
    }

    async fn pull(
        &self,
        request: Request<v1::PullRequest>,
    ) -> Result<Response<Self::PullStream>, Status> {
        let name = model_name(request.into_inner().name)?;
        let steps = self.models.pull(&name).await.map_err(to_status)?;
        Ok(Response::new(Replies::new(steps, step_to_wire, &self.stop)))
    }

    async fn remove(
        &self,
        request: Request<v1::RemoveModelRequest>,
    ) -> Result<Response<v1::RemoveModelResponse>, Status> {
        let name = model_name(request.into_inner().name)?;
        self.models.remove(&name).await.map_err(to_status)?;
        Ok(Response::new(v1::RemoveModelResponse {}))
    }

    async fn test(
        &self,
        request: Request<v1::TestModelRequest>,
    ) -> Result<Response<v1::TestModelResponse>, Status> {
        let model = model_ref(request.into_inner().model)?;
        let test = self.models.test(&model).await.map_err(to_status)?;
        Ok(Response::new(test_to_wire(test)))
    }
}

#[cfg(test)]
#[path = "models_tests.rs"]
mod tests;

//! Hooks: list, enable, look again, try.

use std::sync::Arc;

use moltis_codec::hook::{hook_name_from_wire, hook_test_to_wire, hook_to_wire, point_from_wire};
use moltis_codec::settings::workspace_from_wire;
use moltis_core::hook::HookAdmin;
use moltis_proto::v1;
use moltis_proto::v1::hooks_server::Hooks as Service;
use tonic::{Request, Response, Status};

use crate::status::to_status;

/// The service over its port.
pub(crate) struct Hooks {
    hooks: Arc<dyn HookAdmin>,
}

impl Hooks {
    pub(crate) fn new(hooks: Arc<dyn HookAdmin>) -> Self {
        Self { hooks }
    }
}

#[tonic::async_trait]
impl Service for Hooks {
    async fn list(
        &self,
        request: Request<v1::ListHooksRequest>,
    ) -> Result<Response<v1::ListHooksResponse>, Status> {
        let workspace = workspace_from_wire(request.into_inner().workspace).map_err(to_status)?;
        let hooks = self.hooks.list(workspace).await.map_err(to_status)?;
        let hooks = hooks.into_iter().map(hook_to_wire).collect();
        Ok(Response::new(v1::ListHooksResponse { hooks }))
    }

    async fn enable(
        &self,
        request: Request<v1::EnableHookRequest>,
    ) -> Result<Response<v1::Hook>, Status> {
        let v1::EnableHookRequest { name, workspace, on } = request.into_inner();
        let name = hook_name_from_wire(name).map_err(to_status)?;
        let workspace = workspace_from_wire(workspace).map_err(to_status)?;
        let hook = self.hooks.enable(&name, workspace, on).await.map_err(to_status)?;
        Ok(Response::new(hook_to_wire(hook)))
    }

    async fn reload(
        &self,
        _: Request<v1::ReloadHooksRequest>,
    ) -> Result<Response<v1::ReloadHooksResponse>, Status> {
        let hooks = self.hooks.reload().await.map_err(to_status)?;
        Ok(Response::new(v1::ReloadHooksResponse { hooks }))
    }

    async fn test(
        &self,
        request: Request<v1::TestHookRequest>,
    ) -> Result<Response<v1::TestHookResponse>, Status> {
        let v1::TestHookRequest { name, workspace, point } = request.into_inner();
        let name = hook_name_from_wire(name).map_err(to_status)?;
        let workspace = workspace_from_wire(workspace).map_err(to_status)?;
        let point = point_from_wire(&point).map_err(to_status)?;
        let test = self.hooks.test(&name, workspace, point).await.map_err(to_status)?;
        Ok(Response::new(hook_test_to_wire(test)))
    }
}

#[cfg(test)]
#[path = "hooks_tests.rs"]
mod tests;

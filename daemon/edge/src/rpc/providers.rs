//! Providers: list, sign in and out, find model servers of this machine.

use std::sync::Arc;

use moltis_codec::admin::{found_from_wire, found_to_wire, provider_to_wire};
use moltis_codec::event::Error;
use moltis_codec::session::{id_from_wire, name_from_wire};
use moltis_core::admin::ProviderAdmin;
use moltis_proto::v1;
use moltis_proto::v1::providers_server::Providers as Service;
use secrecy::{ExposeSecret as _, SecretString};
use tonic::{Request, Response, Status};

use crate::status::to_status;

/// The longest key: service accounts have them as JSON.
const LONGEST_KEY: usize = 16 * 1024;

/// The service over its port.
pub(crate) struct Providers {
    providers: Arc<dyn ProviderAdmin>,
}

impl Providers {
    pub(crate) fn new(providers: Arc<dyn ProviderAdmin>) -> Self {
        Self { providers }
    }
}

#[tonic::async_trait]
impl Service for Providers {
    async fn list(
        &self,
        _: Request<v1::ListProvidersRequest>,
    ) -> Result<Response<v1::ListProvidersResponse>, Status> {
        let providers = self.providers.list().await.map_err(to_status)?;
        let kinds = self.providers.kinds().into_iter();
        Ok(Response::new(v1::ListProvidersResponse {
            providers: providers.into_iter().map(provider_to_wire).collect(),
            kinds: kinds.map(|(name, needs_key)| v1::ProviderKind { name, needs_key }).collect(),
        }))
    }

    async fn login(
        &self,
        request: Request<v1::LoginRequest>,
    ) -> Result<Response<v1::LoginResponse>, Status> {
        let v1::LoginRequest { name, kind, base_url, key } = request.into_inner();
        // A secret from here on, so that no early return leaves it in memory.
        let key = SecretString::from(key);
        let name = id_from_wire("name", name).map_err(to_status)?;
        let kind = name_from_wire("kind", kind).map_err(to_status)?;
        let base_url = name_from_wire("base_url", base_url).map_err(to_status)?;
        // Whether one is needed is the kind's business.
        if key.expose_secret().len() > LONGEST_KEY {
            return Err(to_status(Error::new("key", "is longer than 16 KiB")));
        }
        self.providers.login(&name, &kind, &base_url, key).await.map_err(to_status)?;
        Ok(Response::new(v1::LoginResponse {}))
    }

    async fn logout(
        &self,
        request: Request<v1::LogoutRequest>,
    ) -> Result<Response<v1::LogoutResponse>, Status> {
        let name = id_from_wire("name", request.into_inner().name).map_err(to_status)?;
        let removed = self.providers.logout(&name).await.map_err(to_status)?;
        Ok(Response::new(v1::LogoutResponse { removed }))
    }

    async fn detect(
        &self,
        _: Request<v1::DetectRequest>,
    ) -> Result<Response<v1::DetectResponse>, Status> {
        let found = self.providers.detect().await.map_err(to_status)?;
        let servers = found.into_iter().map(found_to_wire).collect();
        Ok(Response::new(v1::DetectResponse { servers }))
    }

    async fn adopt(
        &self,
        request: Request<v1::AdoptRequest>,
    ) -> Result<Response<v1::AdoptResponse>, Status> {
        let missing = || to_status(Error::new("server", "is missing"));
        let server = request.into_inner().server.ok_or_else(missing)?;
        let found = found_from_wire(server).map_err(to_status)?;
        self.providers.adopt(&found).await.map_err(to_status)?;
        Ok(Response::new(v1::AdoptResponse {}))
    }
}

#[cfg(test)]
#[path = "providers_tests.rs"]
mod tests;

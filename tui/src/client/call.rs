//! Calls of services whose messages are bytes before they reach the wire.
//!
//! The generated clients make all the machinery of a call anew for each pair of messages, some 7 kB
//! of program each. What is asked rarely goes through one [`Caller`] instead. The table of
//! [`Method`]s keeps the types; a test keeps it true to the contract.

use std::marker::PhantomData;

use moltis_proto::v1::{
    AnswerRequest, AnswerResponse, ApprovalsRequest, ApprovalsResponse, BackupRequest,
    BackupResponse, CheckRequest, CheckResponse, ConfigureRequest, DiffRequest, DiffResponse,
    EnableHookRequest, HealthRequest, HealthResponse, Hook, ListHooksRequest, ListHooksResponse,
    ListImagesRequest, ListImagesResponse, LogoutRequest, LogoutResponse, ReloadHooksRequest,
    ReloadHooksResponse, RemoveImagesRequest, RemoveImagesResponse, RemoveModelRequest,
    RemoveModelResponse, RevokeRequest, RotateVaultRequest, RotateVaultResponse,
    SandboxProbeRequest, SandboxStatus, SandboxStatusRequest, SearchRequest, SearchResponse,
    Session, TestHookRequest, TestHookResponse, TestModelRequest, TestModelResponse, UndoRequest,
    UndoResponse, UsageRequest, UsageResponse,
};
use prost::Message;
use prost::bytes::{Buf as _, BufMut as _, Bytes};
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Request, Status};

use super::dial::Wire;
use super::failure::Failure;

/// A method of a service, and what it takes and gives.
pub(crate) struct Method<Q, A> {
    path: &'static str,
    types: PhantomData<fn(Q) -> A>,
}

impl<Q, A> Method<Q, A> {
    const fn at(path: &'static str) -> Self {
        Self { path, types: PhantomData }
    }
}

pub(crate) const APPROVALS: Method<ApprovalsRequest, ApprovalsResponse> =
    Method::at("/moltis.v1.Sessions/Approvals");
pub(crate) const ANSWER: Method<AnswerRequest, AnswerResponse> =
    Method::at("/moltis.v1.Sessions/Answer");
pub(crate) const REVOKE: Method<RevokeRequest, Session> = Method::at("/moltis.v1.Sessions/Revoke");
pub(crate) const CONFIGURE: Method<ConfigureRequest, Session> =
    Method::at("/moltis.v1.Sessions/Configure");
pub(crate) const DIFF: Method<DiffRequest, DiffResponse> = Method::at("/moltis.v1.Sessions/Diff");
pub(crate) const UNDO: Method<UndoRequest, UndoResponse> = Method::at("/moltis.v1.Sessions/Undo");
pub(crate) const HOOKS: Method<ListHooksRequest, ListHooksResponse> =
    Method::at("/moltis.v1.Hooks/List");
pub(crate) const ENABLE_HOOK: Method<EnableHookRequest, Hook> =
    Method::at("/moltis.v1.Hooks/Enable");
pub(crate) const RELOAD_HOOKS: Method<ReloadHooksRequest, ReloadHooksResponse> =
    Method::at("/moltis.v1.Hooks/Reload");
pub(crate) const TEST_HOOK: Method<TestHookRequest, TestHookResponse> =
    Method::at("/moltis.v1.Hooks/Test");
pub(crate) const SANDBOX: Method<SandboxStatusRequest, SandboxStatus> =
    Method::at("/moltis.v1.Sandbox/Status");
pub(crate) const PROBE: Method<SandboxProbeRequest, SandboxStatus> =
    Method::at("/moltis.v1.Sandbox/Probe");
pub(crate) const IMAGES: Method<ListImagesRequest, ListImagesResponse> =
    Method::at("/moltis.v1.Sandbox/Images");
pub(crate) const REMOVE_IMAGES: Method<RemoveImagesRequest, RemoveImagesResponse> =
    Method::at("/moltis.v1.Sandbox/Remove");
pub(crate) const SEARCH: Method<SearchRequest, SearchResponse> =
    Method::at("/moltis.v1.Sessions/Search");
pub(crate) const REMOVE_MODEL: Method<RemoveModelRequest, RemoveModelResponse> =
    Method::at("/moltis.v1.Models/Remove");
pub(crate) const TEST_MODEL: Method<TestModelRequest, TestModelResponse> =
    Method::at("/moltis.v1.Models/Test");
pub(crate) const LOGOUT: Method<LogoutRequest, LogoutResponse> =
    Method::at("/moltis.v1.Providers/Logout");
pub(crate) const HEALTH: Method<HealthRequest, HealthResponse> =
    Method::at("/moltis.v1.System/Health");
pub(crate) const CHECK: Method<CheckRequest, CheckResponse> = Method::at("/moltis.v1.System/Check");
pub(crate) const USAGE: Method<UsageRequest, UsageResponse> =
    Method::at("/moltis.v1.System/ReadUsage");
pub(crate) const BACKUP: Method<BackupRequest, BackupResponse> =
    Method::at("/moltis.v1.System/Backup");
pub(crate) const ROTATE_VAULT: Method<RotateVaultRequest, RotateVaultResponse> =
    Method::at("/moltis.v1.System/RotateVault");

/// Makes calls on a connection.
#[derive(Clone, Debug)]
pub(crate) struct Caller(Grpc<Wire>);

impl Caller {
    /// A caller on that connection; answers may weigh so much.
    pub(super) fn new(wire: Wire, largest: usize) -> Self {
        Self(Grpc::new(wire).max_decoding_message_size(largest))
    }

    /// Calls a method.
    ///
    /// # Errors
    /// What the daemon says, or that the connection broke.
    pub(crate) async fn call<Q: Message, A: Message + Default>(
        &mut self,
        method: &Method<Q, A>,
        request: &Q,
    ) -> Result<A, Failure> {
        let answer = Box::pin(self.send(method.path, request.encode_to_vec().into())).await?;
        let unread = |error| Failure::new("internal", format!("cannot read the answer: {error}"));
        A::decode(answer).map_err(unread)
    }

    async fn send(&mut self, path: &'static str, request: Bytes) -> Result<Bytes, Failure> {
        let broken = || Failure::unavailable("the connection to moltisd broke off");
        self.0.ready().await.map_err(|_| broken())?;
        let path = PathAndQuery::from_static(path);
        Ok(self.0.unary(Request::new(request), path, Whole).await?.into_inner())
    }
}

/// Passes messages on as the bytes that they are.
#[derive(Clone, Copy, Debug, Default)]
struct Whole;

impl Codec for Whole {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Whole {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put(item);
        Ok(())
    }
}

impl Decoder for Whole {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

#[cfg(test)]
#[path = "call_tests.rs"]
mod tests;

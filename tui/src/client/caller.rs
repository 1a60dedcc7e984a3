//! Calls of services whose messages are bytes before they reach the wire.
//!
//! The generated clients make all the machinery of a call anew for each pair of messages, some 7 kB
//! of program each. Here all calls with one answer share it; what streams goes through the generated
//! clients. The [`Method`]s keep the types.

use std::marker::PhantomData;

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
    pub(super) path: &'static str,
    types: PhantomData<fn(Q) -> A>,
}

impl<Q, A> Method<Q, A> {
    pub(super) const fn at(path: &'static str) -> Self {
        Self { path, types: PhantomData }
    }
}

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

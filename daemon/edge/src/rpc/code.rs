//! Code: what its pieces are.

use std::sync::Arc;

use moltis_codec::code::pieces_to_wire;
use moltis_core::code::Highlighter;
use moltis_proto::v1;
use moltis_proto::v1::code_server::Code as Service;
use tonic::{Request, Response, Status};

/// The service over its port.
pub(crate) struct Code {
    highlighter: Arc<dyn Highlighter>,
}

impl Code {
    pub(crate) fn new(highlighter: Arc<dyn Highlighter>) -> Self {
        Self { highlighter }
    }
}

#[tonic::async_trait]
impl Service for Code {
    async fn highlight(
        &self,
        request: Request<v1::HighlightRequest>,
    ) -> Result<Response<v1::HighlightResponse>, Status> {
        let v1::HighlightRequest { language, text } = request.into_inner();
        let pieces = self.highlighter.highlight(language, text).await;
        Ok(Response::new(pieces_to_wire(pieces)))
    }
}

#[cfg(test)]
#[path = "code_tests.rs"]
mod tests;

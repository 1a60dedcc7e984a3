//! Sessions: create, find, say, stop, change, read and follow.

use std::sync::Arc;

use moltis_codec::act::files_to_wire;
use moltis_codec::event::Error;
use moltis_codec::session as codec;
use moltis_codec::summary::summary_to_wire;
use moltis_core::assistant::{Assistant, Caller, Change, Filter, Selector};
use moltis_core::feed::Feed;
use moltis_core::id::{SessionId, TurnId};
use moltis_core::session::Summary;
use moltis_proto::v1;
use moltis_proto::v1::sessions_server::Sessions as Service;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use crate::caller::caller;
use crate::export::{self, Format};
use crate::history;
use crate::replies::Replies;
use crate::rpc::{approvals, typed};
use crate::status::to_status;

/// Hits of a search, when the request names no number.
const HITS: u32 = 20;

/// The most hits of a search.
const MOST_HITS: u32 = 200;

/// The longest query in bytes.
const LONGEST_QUERY: usize = 1024;

/// The service over the driving port.
pub(crate) struct Sessions {
    assistant: Arc<dyn Assistant>,
    stop: CancellationToken,
}

impl Sessions {
    pub(crate) fn new(assistant: Arc<dyn Assistant>, stop: CancellationToken) -> Self {
        Self { assistant, stop }
    }

    async fn change(
        &self,
        caller: Caller,
        op_id: String,
        session: String,
        change: Change,
    ) -> Result<Response<v1::Session>, Status> {
        let op = codec::op_from_wire(op_id).map_err(to_status)?;
        let session = session_id(session)?;
        let changed = self.assistant.change(&caller, op, &session, change).await;
        summary(changed)
    }
}

fn session_id(text: String) -> Result<SessionId, Status> {
    codec::session_from_wire(text).map_err(to_status)
}

fn optional_turn(text: String) -> Result<Option<TurnId>, Status> {
    if text.is_empty() {
        return Ok(None);
    }
    codec::id_from_wire("turn", text).map(|turn| Some(TurnId::new(turn))).map_err(to_status)
}

fn summary(found: moltis_core::Result<Summary>) -> Result<Response<v1::Session>, Status> {
    found.map(|found| Response::new(summary_to_wire(&found))).map_err(to_status)
}

#[tonic::async_trait]
impl Service for Sessions {
    type AttachStream = Replies<Feed, v1::AttachResponse>;
    type ExportStream = Replies<String, v1::ExportChunk>;

    async fn create(
        &self,
        request: Request<v1::CreateRequest>,
    ) -> Result<Response<v1::Session>, Status> {
        let caller = caller(request.metadata())?;
        let new = codec::create_from_wire(request.into_inner()).map_err(to_status)?;
        summary(self.assistant.create(&caller, new).await)
    }

    async fn find(
        &self,
        request: Request<v1::FindRequest>,
    ) -> Result<Response<v1::Session>, Status> {
        let caller = caller(request.metadata())?;
        let name = request.into_inner().name;
        let name = codec::name_from_wire("name", name).map_err(to_status)?;
        summary(self.assistant.find(&caller, &Selector::Name(name)).await)
    }

    async fn list(
        &self,
        request: Request<v1::ListSessionsRequest>,
    ) -> Result<Response<v1::ListSessionsResponse>, Status> {
        let v1::ListSessionsRequest { archived, limit } = request.into_inner();
        let found = self.assistant.list(&Filter { archived, limit }).await.map_err(to_status)?;
        let sessions = found.iter().map(summary_to_wire).collect();
        Ok(Response::new(v1::ListSessionsResponse { sessions }))
    }

    async fn send(
        &self,
        request: Request<v1::SendRequest>,
    ) -> Result<Response<v1::SendResponse>, Status> {
        let caller = caller(request.metadata())?;
        let message = codec::send_from_wire(request.into_inner()).map_err(to_status)?;
        let receipt = self.assistant.send(&caller, message).await.map_err(to_status)?;
        Ok(Response::new(v1::SendResponse {
            session: receipt.session.to_string(),
            turn: receipt.turn.to_string(),
            item: receipt.item.to_string(),
            seq: receipt.seq,
        }))
    }

    async fn stop(
        &self,
        request: Request<v1::StopRequest>,
    ) -> Result<Response<v1::StopResponse>, Status> {
        let caller = caller(request.metadata())?;
        let v1::StopRequest { session, all, turn, op_id } = request.into_inner();
        let op = codec::op_from_wire(op_id).map_err(to_status)?;
        let session = session_id(session)?;
        let scope = codec::stop_from_wire(all, turn).map_err(to_status)?;
        let turns = self.assistant.stop(&caller, op, &session, scope).await.map_err(to_status)?;
        let turns = turns.iter().map(ToString::to_string).collect();
        Ok(Response::new(v1::StopResponse { turns }))
    }

    async fn compact(
        &self,
        request: Request<v1::CompactRequest>,
    ) -> Result<Response<v1::CompactResponse>, Status> {
        let caller = caller(request.metadata())?;
        let v1::CompactRequest { op_id, session } = request.into_inner();
        let op = codec::op_from_wire(op_id).map_err(to_status)?;
        let session = session_id(session)?;
        let asked = self.assistant.compact(&caller, op, &session).await.map_err(to_status)?;
        Ok(Response::new(v1::CompactResponse {
            session: asked.session.to_string(),
            turn: asked.turn.to_string(),
            seq: asked.seq,
        }))
    }

    async fn context(
        &self,
        request: Request<v1::ContextRequest>,
    ) -> Result<Response<v1::ContextResponse>, Status> {
        let session = session_id(request.into_inner().session)?;
        let window = self.assistant.context(&session).await.map_err(to_status)?;
        Ok(Response::new(codec::window_to_wire(&window)))
    }

    async fn rename(
        &self,
        request: Request<v1::RenameRequest>,
    ) -> Result<Response<v1::Session>, Status> {
        let caller = caller(request.metadata())?;
        let v1::RenameRequest { op_id, session, title } = request.into_inner();
        let title = codec::name_from_wire("title", title).map_err(to_status)?;
        self.change(caller, op_id, session, Change::Title(title)).await
    }

    async fn archive(
        &self,
        request: Request<v1::ArchiveRequest>,
    ) -> Result<Response<v1::Session>, Status> {
        let caller = caller(request.metadata())?;
        let v1::ArchiveRequest { op_id, session, archived } = request.into_inner();
        self.change(caller, op_id, session, Change::Archived(archived)).await
    }

    async fn configure(
        &self,
        request: Request<v1::ConfigureRequest>,
    ) -> Result<Response<v1::Session>, Status> {
        let caller = caller(request.metadata())?;
        let v1::ConfigureRequest { op_id, session, settings } = request.into_inner();
        let settings = codec::wanted_settings_from_wire(settings).map_err(to_status)?;
        self.change(caller, op_id, session, Change::Settings(settings)).await
    }

    async fn fork(
        &self,
        request: Request<v1::ForkRequest>,
    ) -> Result<Response<v1::Session>, Status> {
        let caller = caller(request.metadata())?;
        let v1::ForkRequest { op_id, session, seq } = request.into_inner();
        let op = codec::op_from_wire(op_id).map_err(to_status)?;
        let session = session_id(session)?;
        let seq = match seq {
            0 => {
                let selector = Selector::Id(session.clone());
                self.assistant.find(&caller, &selector).await.map_err(to_status)?.last_seq
            }
            seq => seq,
        };
        summary(self.assistant.fork(&caller, op, &session, seq).await)
    }

    async fn delete(
        &self,
        request: Request<v1::DeleteRequest>,
    ) -> Result<Response<v1::DeleteResponse>, Status> {
        let caller = caller(request.metadata())?;
        let session = session_id(request.into_inner().session)?;
        let kept = self.assistant.delete(&caller, &session).await.map_err(to_status)?;
        Ok(Response::new(v1::DeleteResponse { kept: kept.unwrap_or_default() }))
    }

    async fn history(
        &self,
        request: Request<v1::HistoryRequest>,
    ) -> Result<Response<v1::HistoryResponse>, Status> {
        let request = request.into_inner();
        let page = codec::page_from_wire(&request).map_err(to_status)?;
        let session = session_id(request.session)?;
        let events = history::read(&*self.assistant, &session, page).await.map_err(to_status)?;
        Ok(Response::new(v1::HistoryResponse { events }))
    }

    async fn search(
        &self,
        request: Request<v1::SearchRequest>,
    ) -> Result<Response<v1::SearchResponse>, Status> {
        let v1::SearchRequest { query, limit } = request.into_inner();
        if query.len() > LONGEST_QUERY {
            return Err(to_status(Error::new("query", "is longer than 1 KiB")));
        }
        let limit = if limit == 0 { HITS } else { limit.min(MOST_HITS) };
        let hits = self.assistant.search(&query, limit).await.map_err(to_status)?;
        let hits = hits.into_iter().map(codec::hit_to_wire).collect();
        Ok(Response::new(v1::SearchResponse { hits }))
    }

    async fn attach(
        &self,
        request: Request<v1::AttachRequest>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        let request = request.into_inner();
        let from = codec::from_from_wire(&request);
        let session = session_id(request.session)?;
        let feed = self.assistant.attach(&session, from).await.map_err(to_status)?;
        Ok(Response::new(Replies::new(feed, codec::feed_to_wire, &self.stop)))
    }

    async fn answer(
        &self,
        request: Request<v1::AnswerRequest>,
    ) -> Result<Response<v1::AnswerResponse>, Status> {
        let caller = caller(request.metadata())?;
        approvals::answer(&*self.assistant, &caller, request.into_inner()).await
    }

    async fn approvals(
        &self,
        request: Request<v1::ApprovalsRequest>,
    ) -> Result<Response<v1::ApprovalsResponse>, Status> {
        approvals::list(&*self.assistant, &request.into_inner().session).await
    }

    async fn revoke(
        &self,
        request: Request<v1::RevokeRequest>,
    ) -> Result<Response<v1::Session>, Status> {
        let caller = caller(request.metadata())?;
        let v1::RevokeRequest { op_id, session, pattern } = request.into_inner();
        let op = codec::op_from_wire(op_id).map_err(to_status)?;
        let session = session_id(session)?;
        let pattern = codec::name_from_wire("pattern", pattern).map_err(to_status)?;
        summary(self.assistant.revoke(&caller, op, &session, pattern).await)
    }

    async fn diff(
        &self,
        request: Request<v1::DiffRequest>,
    ) -> Result<Response<v1::DiffResponse>, Status> {
        let v1::DiffRequest { session, turn } = request.into_inner();
        let (session, turn) = (session_id(session)?, optional_turn(turn)?);
        let changes = self.assistant.changes(&session, turn).await.map_err(to_status)?;
        Ok(Response::new(v1::DiffResponse {
            turn: changes.turn.to_string(),
            files: files_to_wire(&changes.files),
            text: changes.diff,
        }))
    }

    async fn undo(
        &self,
        request: Request<v1::UndoRequest>,
    ) -> Result<Response<v1::UndoResponse>, Status> {
        let caller = caller(request.metadata())?;
        let v1::UndoRequest { op_id, session, turn } = request.into_inner();
        let op = codec::op_from_wire(op_id).map_err(to_status)?;
        let (session, turn) = (session_id(session)?, optional_turn(turn)?);
        let undo = self.assistant.undo(&caller, op, &session, turn).await.map_err(to_status)?;
        Ok(Response::new(v1::UndoResponse {
            turn: undo.turn.to_string(),
            files: files_to_wire(&undo.files),
            kept: undo.kept,
        }))
    }

    async fn commands(
        &self,
        _request: Request<v1::CommandsRequest>,
    ) -> Result<Response<v1::CommandsResponse>, Status> {
        Ok(typed::list(&*self.assistant))
    }

    async fn command(
        &self,
        request: Request<v1::CommandRequest>,
    ) -> Result<Response<v1::CommandResponse>, Status> {
        let caller = caller(request.metadata())?;
        typed::run(&*self.assistant, &caller, request.into_inner()).await
    }

    async fn export(
        &self,
        request: Request<v1::ExportRequest>,
    ) -> Result<Response<Self::ExportStream>, Status> {
        let caller = caller(request.metadata())?;
        let request = request.into_inner();
        let format = match request.format() {
            v1::ExportFormat::Unspecified => {
                return Err(to_status(Error::new("format", "is missing")));
            }
            v1::ExportFormat::Markdown => Format::Markdown,
            v1::ExportFormat::Jsonl => Format::Jsonl,
        };
        let selector = Selector::Id(session_id(request.session)?);
        let summary = self.assistant.find(&caller, &selector).await.map_err(to_status)?;
        let pieces = export::pieces(Arc::clone(&self.assistant), &summary, format);
        let to_wire = |text| v1::ExportChunk { text };
        Ok(Response::new(Replies::new(pieces, to_wire, &self.stop)))
    }
}

#[cfg(test)]
#[path = "sessions_tests.rs"]
mod tests;

//! Questions whether calls may be made: which wait, and how a person answers them.

use moltis_codec::act::optional_word;
use moltis_codec::event::Error;
use moltis_codec::session as codec;
use moltis_codec::summary::pending_to_wire;
use moltis_core::assistant::{Answer, Assistant, Caller};
use moltis_core::id::{ApprovalId, SessionId};
use moltis_core::policy::Reach;
use moltis_core::session::Pending;
use moltis_core::{Code, Error as CoreError};
use moltis_proto::v1;
use tonic::{Response, Status};

use crate::status::to_status;

/// The longest reason in bytes.
const LONGEST_REASON: usize = 4 << 10;

/// The questions that wait, of one session or, where none is named, of all.
pub(super) async fn list(
    assistant: &dyn Assistant,
    session: &str,
) -> Result<Response<v1::ApprovalsResponse>, Status> {
    let waiting = assistant.approvals().await.map_err(to_status)?;
    let wanted = waiting.iter().filter(|(of, _)| session.is_empty() || of.as_str() == session);
    let approvals = wanted.map(|(of, pending)| pending_to_wire(of, pending)).collect();
    Ok(Response::new(v1::ApprovalsResponse { approvals }))
}

/// Takes an answer.
pub(super) async fn answer(
    assistant: &dyn Assistant,
    caller: &Caller,
    request: v1::AnswerRequest,
) -> Result<Response<v1::AnswerResponse>, Status> {
    let v1::AnswerRequest { op_id, approval, allow, digest, reach, reason, session } = request;
    let op = codec::op_from_wire(op_id).map_err(to_status)?;
    let approval = codec::id_from_wire("approval", approval).map_err(to_status)?;
    let digest = codec::id_from_wire("digest", digest).map_err(to_status)?;
    let reach = optional_word("reach", &reach, Reach::parse).map_err(to_status)?;
    if reason.len() > LONGEST_REASON {
        return Err(to_status(Error::new("reason", "is longer than 4 KiB")));
    }
    let (session, approval) = match session.is_empty() {
        true => {
            find(&assistant.approvals().await.map_err(to_status)?, &approval).map_err(to_status)?
        }
        false => {
            let session = codec::session_from_wire(session).map_err(to_status)?;
            (session, ApprovalId::new(approval))
        }
    };
    let reach = reach.unwrap_or_default();
    let answer = Answer { approval, digest, allow, reach, reason };
    let done = assistant.answer(caller, op, &session, answer).await.map_err(to_status)?;
    Ok(Response::new(v1::AnswerResponse {
        session: done.session.to_string(),
        turn: done.turn.to_string(),
        seq: done.seq,
        pattern: done.pattern.unwrap_or_default(),
    }))
}

/// The one question whose id begins so.
fn find(
    waiting: &[(SessionId, Pending)],
    wanted: &str,
) -> Result<(SessionId, ApprovalId), CoreError> {
    let fits = |(_, pending): &&(SessionId, Pending)| pending.approval.as_str().starts_with(wanted);
    let mut found = waiting.iter().filter(fits);
    match (found.next(), found.next()) {
        (Some((session, pending)), None) => Ok((session.clone(), pending.approval.clone())),
        (Some(_), Some(_)) => {
            let message = format!("several questions begin with `{wanted}`");
            Err(CoreError::new(Code::Invalid, message).with_hint("moltis approvals"))
        }
        (None, _) => {
            let message = format!("no question that waits begins with `{wanted}`");
            Err(CoreError::new(Code::NotFound, message).with_hint("moltis approvals"))
        }
    }
}

#[cfg(test)]
#[path = "approvals_tests.rs"]
mod tests;

//! Commands that are typed into a session: which there are, and doing one.

use moltis_codec::event::Error;
use moltis_codec::session as codec;
use moltis_core::assistant::{Assistant, Caller, CommandInfo};
use moltis_proto::v1;
use tonic::{Response, Status};

use crate::status::to_status;

/// The longest line in bytes.
const LONGEST_LINE: usize = 64 << 10;

/// The commands that there are.
pub(super) fn list(assistant: &dyn Assistant) -> Response<v1::CommandsResponse> {
    let command = |one: &CommandInfo| v1::CommandInfo {
        name: one.name.to_owned(),
        argument: one.argument.to_owned(),
        help: one.help.to_owned(),
    };
    let commands = assistant.commands().iter().map(command).collect();
    Response::new(v1::CommandsResponse { commands })
}

/// Does one.
pub(super) async fn run(
    assistant: &dyn Assistant,
    caller: &Caller,
    request: v1::CommandRequest,
) -> Result<Response<v1::CommandResponse>, Status> {
    let v1::CommandRequest { op_id, session, line } = request;
    let op = codec::op_from_wire(op_id).map_err(to_status)?;
    let session = codec::session_from_wire(session).map_err(to_status)?;
    let wrong = match line.trim() {
        "" | "/" => Some("is empty"),
        _ if line.len() > LONGEST_LINE => Some("is longer than 64 KiB"),
        _ => None,
    };
    if let Some(wrong) = wrong {
        return Err(to_status(Error::new("line", wrong)));
    }
    let reply = assistant.command(caller, op, &session, &line).await.map_err(to_status)?;
    Ok(Response::new(v1::CommandResponse {
        text: reply.text,
        session: reply.session.map(|id| id.to_string()).unwrap_or_default(),
        turn: reply.turn.map(|id| id.to_string()).unwrap_or_default(),
    }))
}

#[cfg(test)]
#[path = "typed_tests.rs"]
mod tests;

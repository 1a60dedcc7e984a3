//! `moltis sessions command`: a command as it is typed into a chat, run from a script.
//!
//! What there is, and what each does, is the daemon's. A turn that the command opens is waited for;
//! whoever leaves before does not stop it.

use moltis_proto::v1::attach_response::Feed as Fed;
use moltis_proto::v1::event::Kind;
use moltis_proto::v1::{CommandRequest, CommandResponse, CommandsRequest};
use serde_json::{Value, json};

use super::context::{Context, find};
use super::follow;
use super::shape::{some, text_of};
use crate::client::{Begin, Client, Failure, Feed, call, op_id};
use crate::output::{Side, Table};

/// What a program that a command ran gave.
struct Ran {
    ending: String,
    output: String,
}

/// Runs it, and waits for the end of the turn that it opens. Without one they are listed.
pub(super) async fn run(
    context: &Context,
    client: &mut Client,
    name: &str,
    words: &[String],
) -> Result<(), Failure> {
    if words.is_empty() {
        return list(context, client).await;
    }
    let session = find(client, name).await?;
    let line = words.join(" ");
    let line = if line.starts_with('/') { line } else { format!("/{line}") };
    let request = CommandRequest { op_id: op_id(), session: session.id.clone(), line };
    let reply = client.caller.call(&call::COMMAND, &request).await?;
    if reply.turn.is_empty() {
        return tell(context, &session.id, &reply, None);
    }
    let begin = Begin::After(session.last_seq);
    let mut feed = Feed::attach(&context.connector, client, &session.id, begin).await?;
    let mut ran = None;
    loop {
        match feed.next().await? {
            Fed::Progress(progress) if progress.turn == reply.turn && !context.output.json => {
                context.output.progress(&progress.text);
            }
            Fed::Event(event) if event.turn == reply.turn => match event.kind {
                Some(Kind::ToolFinished(finished)) => {
                    let output = text_of(&finished.parts);
                    ran = Some(Ran { ending: finished.ending, output });
                }
                Some(Kind::Notice(notice)) if !context.output.json => {
                    context.output.progress("");
                    context.output.note(&notice.text);
                }
                Some(Kind::TurnEnded(ended)) => {
                    context.output.progress("");
                    let failure = follow::failure_of(&ended);
                    if failure.is_none() || ran.is_some() {
                        tell(context, &session.id, &reply, ran.as_ref())?;
                    }
                    return failure.map_or(Ok(()), Err);
                }
                _ => {}
            },
            _ => {}
        }
    }
}

fn tell(
    context: &Context,
    session: &str,
    reply: &CommandResponse,
    ran: Option<&Ran>,
) -> Result<(), Failure> {
    let document = json!({
        "session": session,
        "text": reply.text,
        "made": some(&reply.session),
        "turn": some(&reply.turn),
        "output": ran.map(|ran| &ran.output),
        "ending": ran.map(|ran| &ran.ending),
    });
    let said = ran.map_or(&reply.text, |ran| &ran.output);
    if said.is_empty() && !context.output.json {
        return Ok(());
    }
    context.output.either(&document, said.trim_end_matches('\n'))
}

/// Lists the commands that there are.
async fn list(context: &Context, client: &mut Client) -> Result<(), Failure> {
    let all = client.caller.call(&call::COMMANDS, &CommandsRequest {}).await?.commands;
    if context.output.json {
        let document = |one: &moltis_proto::v1::CommandInfo| json!({ "name": one.name, "argument": one.argument, "help": one.help });
        return context.output.json(&Value::Array(all.iter().map(document).collect()));
    }
    let mut table = Table::new(&[("COMMAND", Side::Left), ("WHAT IT DOES", Side::Left)]);
    for one in &all {
        let typed = format!("/{} {}", one.name, one.argument);
        table.row([typed.trim_end(), one.help.as_str()]);
    }
    context.output.table(&table)
}

//! `moltis sessions compact` and `context`: what the model is told, and making that shorter.

use moltis_proto::v1::attach_response::Feed as Fed;
use moltis_proto::v1::event::Kind;
use moltis_proto::v1::{CompactRequest, Compacted, ContextRequest, ContextResponse, Fragment};
use serde_json::{Value, json};

use super::context::Context;
use super::{follow, shape};
use crate::client::{Begin, Client, Failure, Feed, call, op_id};
use crate::output::{Side, Table};

/// Asks for a summary and waits until it is there. Whoever leaves before does not stop it.
pub(super) async fn compact(
    context: &Context,
    client: &mut Client,
    session: String,
) -> Result<(), Failure> {
    let request = CompactRequest { op_id: op_id(), session: session.clone() };
    let asked = client.caller.call(&call::COMPACT, &request).await?;
    let begin = Begin::After(asked.seq);
    let mut feed = Feed::attach(&context.connector, client, &session, begin).await?;
    let mut done = None;
    loop {
        match feed.next().await? {
            Fed::Progress(progress) if progress.turn == asked.turn && !context.output.json => {
                context.output.progress(&progress.text);
            }
            Fed::Event(event) if event.turn == asked.turn => match event.kind {
                Some(Kind::Compacted(compacted)) => done = Some(compacted),
                Some(Kind::Notice(notice)) if !context.output.json => {
                    context.output.progress("");
                    context.output.note(&notice.text);
                }
                Some(Kind::TurnEnded(ended)) => {
                    context.output.progress("");
                    return match follow::failure_of(&ended) {
                        Some(failure) => Err(failure),
                        None => tell(context, &session, &asked.turn, done),
                    };
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
    turn: &str,
    done: Option<Compacted>,
) -> Result<(), Failure> {
    let Some(done) = done else {
        return Err(Failure::new("conflict", "there was nothing to compact any more"));
    };
    let document = json!({
        "session": session,
        "turn": turn,
        "before_tokens": done.before_tokens,
        "after_tokens": done.after_tokens,
        "summary": done.summary,
        "model": shape::some(&done.model),
        "usage": shape::usage(&done.usage.unwrap_or_default()),
    });
    let (before, after) = (done.before_tokens, done.after_tokens);
    context.output.either(&document, &format!("compacted: {before} → {after} tokens"))
}

/// Shows what the model is told.
pub(super) async fn show(
    context: &Context,
    client: &mut Client,
    session: String,
) -> Result<(), Failure> {
    let request = ContextRequest { session: session.clone() };
    let told = client.caller.call(&call::CONTEXT, &request).await?;
    if context.output.json {
        return context.output.json(&window(&session, &told));
    }
    let about = if told.guessed { ", which is a guess" } else { "" };
    context.output.line(&format!("{} holds {} tokens{about}", told.model, told.window))?;
    let (left, right) = (Side::Left, Side::Right);
    let mut table =
        Table::new(&[("PART", left), ("COUNT", right), ("TOKENS", right), ("NAME", left)]);
    for part in &told.fragments {
        let name = format!("{}{}", part.name, if part.cut { " (cut)" } else { "" });
        table.row([&part.kind, &part.count.to_string(), &part.tokens.to_string(), &name]);
    }
    table.row(["together", "", &together(&told).to_string(), ""]);
    table.row(["left", "", &told.left.to_string(), ""]);
    context.output.table(&table)?;
    context.output.line(match told.counted {
        true => "the tokens are weighed by what the vendor counted of the last answer",
        false => "the tokens are estimated",
    })?;
    context.output.line(&match told.compact_at {
        0 => "it is never compacted by itself".to_owned(),
        at => format!("it is compacted above {at} tokens"),
    })?;
    if told.due {
        context.output.note("it is compacted before the next answer");
    } else if told.left_out {
        context.output.note("older messages do not fit and are left out");
    }
    Ok(())
}

fn together(told: &ContextResponse) -> u64 {
    told.fragments.iter().map(|part| part.tokens).sum()
}

fn window(session: &str, told: &ContextResponse) -> Value {
    let part = |part: &Fragment| {
        json!({
            "kind": part.kind,
            "name": part.name,
            "count": part.count,
            "tokens": part.tokens,
            "cut": part.cut,
        })
    };
    json!({
        "session": session,
        "model": told.model,
        "window": told.window,
        "guessed": told.guessed,
        "counted": told.counted,
        "fragments": told.fragments.iter().map(part).collect::<Vec<_>>(),
        "tokens": together(told),
        "left": told.left,
        "compact_at": Some(told.compact_at).filter(|at| *at > 0),
        "due": told.due,
        "left_out": told.left_out,
    })
}

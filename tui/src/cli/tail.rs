//! `moltis tail`: follow a session's events until Ctrl-C.

use clap::Args;
use clap_complete::ArgValueCandidates;
use moltis_proto::v1::attach_response::Feed as Fed;
use moltis_proto::v1::{Delta, Progress, Strand};
use serde_json::{Value, json};

use super::context::{Context, find, interrupts};
use super::transcript::Transcript;
use super::{complete, shape};
use crate::client::{Begin, Failure, Feed};

/// Words of `moltis tail`.
#[derive(Args, Debug)]
pub(crate) struct TailArgs {
    /// Key, id, beginning of an id, or title
    #[arg(add = ArgValueCandidates::new(complete::sessions))]
    session: String,
    /// Begin with this event; 0 is the beginning [default: what happens from now on]
    #[arg(long, value_name = "SEQ")]
    from: Option<u64>,
    /// Show all of what tools gave, also on a terminal
    #[arg(long)]
    full: bool,
}

/// Follows until Ctrl-C, which is its normal end; fails when the session is gone or the daemon does
/// not come back.
pub(super) async fn run(context: &Context, args: TailArgs) -> Result<(), Failure> {
    let mut client = context.connect().await?;
    let session = find(&mut client, &args.session).await?.id;
    let begin = args.from.map_or(Begin::Now, |seq| Begin::After(seq.saturating_sub(1)));
    let mut feed = Feed::attach(&context.connector, &client, &session, begin).await?;
    let mut transcript = Transcript::new(&context.output, args.full);
    let mut interrupt = interrupts()?;
    loop {
        let fed = tokio::select! {
            fed = feed.next() => fed,
            _ = interrupt.recv() => return transcript.end(),
        };
        let fed = match fed {
            Ok(fed) => fed,
            Err(failure) => {
                transcript.end()?;
                return Err(failure);
            }
        };
        if context.output.json {
            if let Some(line) = line(&session, &fed) {
                context.output.json(&line)?;
            }
        } else {
            match &fed {
                Fed::Event(event) => transcript.event(event)?,
                Fed::Delta(delta) => transcript.delta(delta)?,
                Fed::Snapshot(_) | Fed::CaughtUp(_) | Fed::Progress(_) => {}
            }
        }
    }
}

/// What is given as a line of a stream; `None` for what only the protocol needs.
pub(super) fn line(session: &str, fed: &Fed) -> Option<Value> {
    match fed {
        Fed::Event(event) => Some(shape::event_line(session, event)),
        Fed::Delta(delta) => Some(delta_line(session, delta)),
        Fed::Progress(progress) => Some(progress_line(session, progress)),
        Fed::Snapshot(_) | Fed::CaughtUp(_) => None,
    }
}

/// Only text of the answer is a `delta`: who joins the deltas has the answer.
fn delta_line(session: &str, delta: &Delta) -> Value {
    let kind = match delta.strand() {
        Strand::Unspecified | Strand::Text => "delta",
        strand @ (Strand::Reasoning | Strand::Arguments | Strand::Output) => shape::strand(strand),
    };
    let mut line = json!({
        "type": kind,
        "session": session,
        "turn": delta.turn,
        "item": delta.item,
        "offset": delta.offset,
        "text": delta.text,
    });
    if !delta.call.is_empty() {
        line["call"] = json!(delta.call);
        line["tool"] = json!(delta.tool);
    }
    line
}

fn progress_line(session: &str, progress: &Progress) -> Value {
    json!({
        "type": "progress",
        "session": session,
        "turn": progress.turn,
        "text": progress.text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_text_of_the_answer_is_a_delta() {
        let kind = |strand: Strand| {
            let delta = Delta { strand: strand.into(), ..Delta::default() };
            line("s", &Fed::Delta(delta)).unwrap()["type"].clone()
        };
        assert_eq!(kind(Strand::Text), "delta");
        assert_eq!(kind(Strand::Reasoning), "reasoning");
        assert_eq!(kind(Strand::Arguments), "arguments");
    }

    #[test]
    fn what_a_tool_prints_is_told_with_its_call() {
        let delta = Delta {
            strand: Strand::Output.into(),
            call: "c1".to_owned(),
            tool: "exec".to_owned(),
            ..Delta::default()
        };
        let line = line("s", &Fed::Delta(delta)).unwrap();
        assert_eq!((&line["type"], &line["call"]), (&json!("output"), &json!("c1")));
        assert_eq!(line["tool"], "exec");
    }
}

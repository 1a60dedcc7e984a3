//! `moltis send`: say something, print the answer as it comes, exit as the turn ended.
//!
//! The message has an op id, so that it is sent again after a broken connection without being said
//! twice. Ctrl-C stops the turn and waits for its end; a second one leaves at once.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum, ValueHint};
use clap_complete::ArgValueCandidates;
use moltis_proto::v1::attach_response::Feed as Fed;
use moltis_proto::v1::event::Kind;
use moltis_proto::v1::{
    CreateRequest, Ending, QueueMode, SendRequest, SendResponse, StopRequest, TurnEnded,
};
use serde_json::json;
use tokio::signal::unix::Signal;
use tokio::time::Instant;

use super::answer::Answer;
use super::context::{Context, find, interrupts};
use super::transcript::Writer;
use super::{complete, files, shape, tail};
use crate::client::{Begin, Client, Connector, EXIT_TURN, Failure, Feed, op_id};
use crate::output::{error_json, reported};

/// How long a message is sent again when the daemon is away.
const PATIENCE: Duration = Duration::from_secs(60);

/// Words of `moltis send`.
#[derive(Args, Debug)]
pub(crate) struct SendArgs {
    /// In this session: key, id, beginning of an id, or title
    #[arg(long, short, value_name = "SESSION", default_value = "main", add = ArgValueCandidates::new(complete::sessions))]
    session: String,
    /// In a session of its own
    #[arg(long, conflicts_with = "session")]
    new: bool,
    /// Ask this model from now on in the session: `provider/model`
    #[arg(long, short, value_name = "MODEL", add = ArgValueCandidates::new(complete::models))]
    model: Option<String>,
    /// Send along a picture or a text file; may be given several times
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: Vec<PathBuf>,
    /// What becomes of the message while a turn is running [default: as the session has it]
    #[arg(long, value_name = "MODE")]
    queue: Option<Queue>,
    /// Print the ids and leave; the turn goes on
    #[arg(long)]
    detach: bool,
    /// What to say; `-` is standard input, which is read as well when nothing is given
    #[arg(value_name = "TEXT")]
    text: Vec<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Queue {
    /// It waits and then has a turn of its own
    Followup,
    /// It joins the other waiting messages
    Collect,
    /// It joins the running turn before the next call of the model
    Steer,
}

/// Sends, and unless detached, prints until the turn has ended.
pub(super) async fn run(context: &Context, args: SendArgs) -> Result<(), Failure> {
    let parts = files::parts(&args.text, &args.file)?;
    let mut interrupt = interrupts()?;
    let queue = match args.queue {
        None => QueueMode::Unspecified,
        Some(Queue::Followup) => QueueMode::Followup,
        Some(Queue::Collect) => QueueMode::Collect,
        Some(Queue::Steer) => QueueMode::Steer,
    };
    let request = SendRequest {
        op_id: op_id(),
        session: String::new(),
        parts,
        queue: queue.into(),
        model: args.model.unwrap_or_default(),
    };
    let begin = async {
        let mut client = context.connect().await?;
        let session = open_session(&mut client, args.new, &args.session).await?;
        Ok::<_, Failure>((client, session))
    };
    let (mut client, session) = tokio::select! {
        begun = Box::pin(begin) => begun?,
        _ = interrupt.recv() => return Err(cancelled()),
    };
    // From here on the message may have arrived: Ctrl-C waits for the receipt and stops the turn.
    let mut stopping = false;
    let receipt = {
        let mut submit = Box::pin(submit(context, &mut client, SendRequest { session, ..request }));
        loop {
            tokio::select! {
                receipt = &mut submit => break receipt?,
                _ = interrupt.recv() => {
                    if stopping {
                        return Err(cancelled());
                    }
                    stopping = true;
                }
            }
        }
    };
    if args.detach && stopping {
        Box::pin(stop(&context.connector, client, &receipt, &mut interrupt)).await?;
        return Err(cancelled());
    }
    if args.detach {
        return print_receipt(context, &receipt);
    }
    if args.new && !context.output.json {
        context.output.note(&format!("session {}", receipt.session));
    }
    let begin = Begin::After(receipt.seq.saturating_sub(1));
    let attach = Feed::attach(&context.connector, &client, &receipt.session, begin);
    let feed = tokio::select! {
        feed = Box::pin(attach) => feed?,
        _ = interrupt.recv() => {
            Box::pin(stop(&context.connector, client, &receipt, &mut interrupt)).await?;
            return Err(cancelled());
        }
    };
    let follower = Follower {
        context,
        receipt,
        writer: Writer::new(&context.output),
        answer: Answer::default(),
        doing: "queued".to_owned(),
        silent: true,
    };
    Box::pin(follower.follow(feed, interrupt, stopping)).await
}

async fn open_session(client: &mut Client, new: bool, name: &str) -> Result<String, Failure> {
    if !new {
        return Ok(find(client, name).await?.id);
    }
    let request = CreateRequest { op_id: op_id(), ..CreateRequest::default() };
    Ok(client.sessions.create(request).await?.into_inner().id)
}

/// Sends the message, again and again while the daemon is away: the op id makes it one message.
async fn submit(
    context: &Context,
    client: &mut Client,
    request: SendRequest,
) -> Result<SendResponse, Failure> {
    let begun = Instant::now();
    loop {
        let failure = match client.sessions.send(request.clone()).await {
            Ok(receipt) => return Ok(receipt.into_inner()),
            Err(status) => Failure::from(status),
        };
        if !failure.is_unavailable() || begun.elapsed() > PATIENCE {
            return Err(failure);
        }
        *client = Box::pin(context.connector.come_back()).await?;
    }
}

/// Stops the turn, also when the connection breaks meanwhile: the turn may go on without it. A second
/// Ctrl-C leaves without the daemon's answer.
async fn stop(
    connector: &Connector,
    mut client: Client,
    receipt: &SendResponse,
    interrupt: &mut Signal,
) -> Result<(), Failure> {
    let request = StopRequest {
        op_id: op_id(),
        session: receipt.session.clone(),
        all: false,
        turn: receipt.turn.clone(),
    };
    let begun = Instant::now();
    let stopped = async {
        loop {
            match client.sessions.stop(request.clone()).await.map_err(Failure::from) {
                Err(failure) if failure.is_unavailable() && begun.elapsed() < PATIENCE => {
                    client = Box::pin(connector.come_back()).await?;
                }
                stopped => return stopped.map(drop),
            }
        }
    };
    tokio::select! {
        stopped = stopped => stopped,
        _ = interrupt.recv() => Err(cancelled()),
    }
}

fn print_receipt(context: &Context, receipt: &SendResponse) -> Result<(), Failure> {
    let SendResponse { session, turn, item, seq } = receipt;
    let document = json!({ "session": session, "turn": turn, "item": item, "seq": seq });
    context.output.either(&document, &format!("{session} {turn}"))
}

fn cancelled() -> Failure {
    Failure::new("cancelled", "stopped").with_exit(EXIT_TURN)
}

/// Prints one turn until its end.
struct Follower<'a> {
    context: &'a Context,
    receipt: SendResponse,
    writer: Writer<'a>,
    answer: Answer,
    /// What it waits for, for people.
    doing: String,
    /// Whether nothing of the answer was printed yet.
    silent: bool,
}

impl Follower<'_> {
    async fn follow(
        mut self,
        mut feed: Feed,
        mut interrupt: Signal,
        mut stopping: bool,
    ) -> Result<(), Failure> {
        let begun = Instant::now();
        let connector = &self.context.connector;
        if stopping {
            stop(connector, feed.client().clone(), &self.receipt, &mut interrupt).await?;
        }
        loop {
            let what = Some(self.doing.as_str()).filter(|_| self.silent);
            let fed = tokio::select! {
                fed = self.context.output.waiting(what, begun, feed.next()) => fed,
                _ = interrupt.recv() => {
                    if stopping {
                        return self.leave(Err(cancelled()));
                    }
                    stopping = true;
                    let client = feed.client().clone();
                    let stopped = stop(connector, client, &self.receipt, &mut interrupt).await;
                    if stopped.is_err() {
                        return self.leave(stopped);
                    }
                    continue;
                }
            };
            let fed = match fed {
                Ok(fed) => fed,
                Err(failure) => return self.leave(Err(failure)),
            };
            if let Some(ended) = self.show(fed)? {
                return self.done(&ended);
            }
        }
    }

    /// Prints one thing; the turn's end is given back.
    fn show(&mut self, fed: Fed) -> Result<Option<TurnEnded>, Failure> {
        let turn = match &fed {
            Fed::Event(event) => &event.turn,
            Fed::Delta(delta) => &delta.turn,
            Fed::Progress(progress) => &progress.turn,
            Fed::Snapshot(_) | Fed::CaughtUp(_) => return Ok(None),
        };
        if *turn != self.receipt.turn {
            return Ok(None);
        }
        let output = &self.context.output;
        if output.json
            && let Some(line) = tail::line(&self.receipt.session, &fed)
        {
            output.json(&line)?;
        }
        match fed {
            Fed::Delta(delta) => {
                let is_new = self.answer.is_new(&delta.item);
                let fresh = self.answer.delta(&delta);
                "waiting for the model".clone_into(&mut self.doing);
                if !output.json && !fresh.is_empty() {
                    if is_new {
                        self.writer.end_line()?;
                    }
                    self.begin_text();
                    self.writer.piece(fresh)?;
                }
                Ok(None)
            }
            Fed::Event(event) => match event.kind {
                Some(Kind::AssistantMessage(message)) => {
                    let is_new = self.answer.is_new(&message.item);
                    let fresh = self.answer.message(&message);
                    if !output.json && !fresh.is_empty() {
                        if is_new {
                            self.writer.end_line()?;
                        }
                        self.begin_text();
                        self.writer.piece(&fresh)?;
                    }
                    Ok(None)
                }
                Some(Kind::TurnStarted(_)) => {
                    "waiting for the model".clone_into(&mut self.doing);
                    Ok(None)
                }
                Some(Kind::Notice(notice)) if !output.json => {
                    self.writer.end_line()?;
                    output.note(&notice.text);
                    Ok(None)
                }
                Some(Kind::TurnEnded(ended)) => Ok(Some(ended)),
                _ => Ok(None),
            },
            Fed::Progress(progress) if !output.json => {
                self.writer.end_line()?;
                output.progress(&progress.text);
                self.doing = progress.text;
                self.silent = true;
                Ok(None)
            }
            Fed::Progress(_) | Fed::Snapshot(_) | Fed::CaughtUp(_) => Ok(None),
        }
    }

    /// Clears what was shown while nothing of the answer was: later that would take a half line along.
    fn begin_text(&mut self) {
        if self.silent {
            self.context.output.progress("");
            self.silent = false;
        }
    }

    fn leave(&mut self, ended: Result<(), Failure>) -> Result<(), Failure> {
        if self.silent {
            self.context.output.progress("");
        }
        if !self.context.output.json {
            self.writer.end_line()?;
        }
        ended
    }

    fn done(mut self, ended: &TurnEnded) -> Result<(), Failure> {
        let failure = failure_of(ended);
        if self.context.output.json {
            let mut line = json!({
                "type": "done",
                "session": self.receipt.session,
                "turn": self.receipt.turn,
                "state": shape::ending(ended.ending()),
                "text": self.answer.text(),
                "usage": shape::usage(&ended.usage.unwrap_or_default()),
            });
            if let Some(failure) = &failure {
                line["error"] = error_json(failure);
            }
            self.context.output.json(&line)?;
            // The line has it for scripts and is the last one.
            return failure
                .map_or(Ok(()), |failure| Err(reported("cannot get an answer", &failure)));
        }
        self.leave(failure.map_or(Ok(()), Err))
    }
}

/// What is wrong with how the turn ended, if anything is.
pub(super) fn failure_of(ended: &TurnEnded) -> Option<Failure> {
    let (code, message) = match ended.ending() {
        Ending::Done => return None,
        Ending::Cancelled => ("cancelled", "the turn was stopped"),
        Ending::Interrupted => ("interrupted", "the turn was interrupted: moltisd stopped"),
        Ending::Failed | Ending::Unspecified => ("provider", "the turn failed"),
    };
    let mut failure = Failure::new(code, message).with_exit(EXIT_TURN);
    if let Some(told) = &ended.failure {
        failure.message.clone_from(&told.message);
        failure.hint = Some(told.hint.clone()).filter(|hint| !hint.is_empty());
    }
    Some(failure)
}

#[cfg(test)]
mod tests {
    use moltis_proto::v1::TurnFailure;

    use super::*;

    #[test]
    fn every_end_but_done_is_exit_five() {
        let end = |ending: Ending| {
            failure_of(&TurnEnded { ending: ending.into(), ..TurnEnded::default() })
        };
        assert_eq!(end(Ending::Done), None);
        for ending in [Ending::Failed, Ending::Cancelled, Ending::Interrupted] {
            assert_eq!(end(ending).map(|failure| failure.exit), Some(EXIT_TURN));
        }
    }

    #[test]
    fn a_failed_turn_says_why_and_what_mends_it() {
        let failure = TurnFailure {
            kind: "auth".to_owned(),
            message: "the key was refused".to_owned(),
            hint: "moltis providers login work".to_owned(),
        };
        let ended = TurnEnded {
            ending: Ending::Failed.into(),
            failure: Some(failure),
            ..TurnEnded::default()
        };
        let failure = failure_of(&ended).unwrap();
        assert_eq!(failure.message, "the key was refused");
        assert_eq!(failure.hint.as_deref(), Some("moltis providers login work"));
    }
}

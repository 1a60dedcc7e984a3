//! Following one turn to its end: its answer, what it does, and the questions that it waits with.
//!
//! A person is asked right there. Where nobody is there to be asked, a turn that waits is left
//! waiting, and the command ends by saying how it is answered: nothing hangs for ever.

use std::time::Duration;

use moltis_proto::json::approval as approval_json;
use moltis_proto::v1::attach_response::Feed as Fed;
use moltis_proto::v1::event::Kind;
use moltis_proto::v1::{
    Approval, ApprovalAnswered, AssistantMessage, Delta, Ending, Event, SendResponse, StopRequest,
    TurnEnded,
};
use serde_json::{Value, json};
use tokio::signal::unix::Signal;
use tokio::time::Instant;

use super::acts::Acts;
use super::answer::Answer;
use super::asking::Asking;
use super::context::{Context, is_interactive};
use super::question::{self, Choice};
use super::transcript::Writer;
use super::{shape, tail};
use crate::client::{Client, Connector, EXIT_TURN, Failure, Feed, call, op_id};
use crate::output::{error_json, reported};

/// How long the daemon is told to stop a turn when it is away.
const PATIENCE: Duration = Duration::from_secs(60);

/// Stops the turn, also when the connection breaks meanwhile: the turn may go on without it. A second
/// Ctrl-C leaves without the daemon's answer.
pub(super) async fn stop(
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
            match client.caller.call(&call::STOP, &request).await {
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

/// Ctrl-C ended it.
pub(super) fn cancelled() -> Failure {
    Failure::new("cancelled", "stopped").with_exit(EXIT_TURN)
}

/// Prints one turn until its end.
pub(super) struct Follower<'a> {
    context: &'a Context,
    receipt: SendResponse,
    writer: Writer<'a>,
    answer: Answer,
    acts: Acts,
    /// Absent where nobody is there to be asked.
    asking: Option<Asking<'a>>,
    /// What it waits for, for people.
    doing: String,
    /// Whether nothing of the answer was printed yet.
    silent: bool,
}

/// What happens next.
enum Next {
    Fed(Result<Box<Fed>, Failure>),
    Typed(Option<String>),
    Interrupted,
}

/// What is to be done about something that was given.
enum Shown {
    /// Nothing more.
    All,
    /// There is a new question.
    Asked,
    /// These questions wait.
    Waiting(Vec<Approval>),
    /// The turn has ended.
    Ended(TurnEnded),
}

impl<'a> Follower<'a> {
    /// A follower of the turn that a message is answered by.
    pub(super) fn new(context: &'a Context, receipt: SendResponse) -> Self {
        let output = &context.output;
        Self {
            context,
            receipt,
            writer: Writer::new(output),
            answer: Answer::default(),
            acts: Acts::new(false),
            asking: (is_interactive() && !output.json).then(|| Asking::new(output)),
            doing: "queued".to_owned(),
            silent: true,
        }
    }

    /// Prints until the end. The first Ctrl-C stops the turn; so does one that came before.
    pub(super) async fn follow(
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
            let asks = self.asking.as_ref().is_some_and(Asking::asks);
            let what = Some(self.doing.as_str()).filter(|_| self.silent && !asks);
            let next = tokio::select! {
                fed = self.context.output.waiting(what, begun, feed.next()) => Next::Fed(fed.map(Box::new)),
                line = typed(&mut self.asking) => Next::Typed(line),
                _ = interrupt.recv() => Next::Interrupted,
            };
            let done = match next {
                Next::Fed(Ok(fed)) => match self.show(*fed)? {
                    Shown::All => Ok(()),
                    Shown::Asked if stopping => Ok(()),
                    Shown::Asked => self.look(feed.client().clone()).await,
                    Shown::Waiting(_) if stopping => Ok(()),
                    Shown::Waiting(questions) => self.ask(questions),
                    Shown::Ended(ended) => return self.done(&ended),
                },
                Next::Fed(Err(failure)) => Err(failure),
                Next::Typed(line) => self.take(line, feed.client().clone()).await,
                Next::Interrupted if stopping => Err(cancelled()),
                Next::Interrupted => {
                    stopping = true;
                    let client = feed.client().clone();
                    stop(connector, client, &self.receipt, &mut interrupt).await
                }
            };
            if done.is_err() {
                return self.leave(done);
            }
        }
    }

    /// Prints one thing.
    fn show(&mut self, fed: Fed) -> Result<Shown, Failure> {
        let turn = match &fed {
            Fed::Event(event) => &event.turn,
            Fed::Delta(delta) => &delta.turn,
            Fed::Progress(progress) => &progress.turn,
            Fed::Snapshot(snapshot) => {
                // Also another turn that stands before this one may wait.
                let pending = snapshot.session.as_ref().map(|session| session.pending.clone());
                return Ok(Shown::Waiting(pending.unwrap_or_default()));
            }
            Fed::CaughtUp(_) => return Ok(Shown::All),
        };
        let output = &self.context.output;
        let own = *turn == self.receipt.turn;
        if own
            && output.json
            && let Some(line) = tail::line(&self.receipt.session, &fed)
        {
            output.json(&line)?;
        }
        match fed {
            Fed::Event(event) => self.event(event, own),
            Fed::Delta(delta) if own => self.delta(&delta).map(|()| Shown::All),
            Fed::Progress(progress) if own && !output.json => {
                self.writer.end_line()?;
                output.progress(&progress.text);
                self.doing = progress.text;
                self.silent = true;
                Ok(Shown::All)
            }
            _ => Ok(Shown::All),
        }
    }

    fn event(&mut self, event: Event, own: bool) -> Result<Shown, Failure> {
        let Some(kind) = event.kind else { return Ok(Shown::All) };
        match &kind {
            Kind::ApprovalAsked(_) => return Ok(Shown::Asked),
            Kind::ApprovalAnswered(answered) => self.answered(answered)?,
            _ if !own => {}
            Kind::AssistantMessage(message) => self.message(message)?,
            Kind::TurnStarted(_) => "waiting for the model".clone_into(&mut self.doing),
            Kind::Notice(notice) if !self.context.output.json => {
                self.writer.end_line()?;
                self.context.output.note(&notice.text);
            }
            Kind::TurnEnded(ended) => return Ok(Shown::Ended(ended.clone())),
            Kind::ToolStarted(_) | Kind::ToolFinished(_) | Kind::WorkspaceChanged(_)
                if !self.context.output.json =>
            {
                self.act(&kind)?;
            }
            _ => {}
        }
        Ok(Shown::All)
    }

    fn delta(&mut self, delta: &Delta) -> Result<(), Failure> {
        let is_new = self.answer.is_new(&delta.item);
        let fresh = self.answer.delta(delta);
        "waiting for the model".clone_into(&mut self.doing);
        if self.context.output.json || fresh.is_empty() {
            return Ok(());
        }
        if is_new {
            self.writer.end_line()?;
        }
        self.begin_text();
        self.writer.piece(fresh)
    }

    fn message(&mut self, message: &AssistantMessage) -> Result<(), Failure> {
        let is_new = self.answer.is_new(&message.item);
        let fresh = self.answer.message(message);
        if self.context.output.json || fresh.is_empty() {
            return Ok(());
        }
        if is_new {
            self.writer.end_line()?;
        }
        self.begin_text();
        self.writer.piece(&fresh)
    }

    /// Says what the agent does: between the text for a person, beside it for a script.
    fn act(&mut self, kind: &Kind) -> Result<(), Failure> {
        let Some(act) = self.acts.tell(kind) else { return Ok(()) };
        let output = &self.context.output;
        if output.terminal {
            self.begin_text();
            self.writer.act(&act)?;
        } else if !matches!(kind, Kind::ToolStarted(_)) {
            // Its end says which call it was.
            self.writer.end_line()?;
            output.note(&act.line);
        }
        self.doing = match kind {
            Kind::ToolStarted(_) => act.line,
            _ => "waiting for the model".to_owned(),
        };
        self.silent = true;
        Ok(())
    }

    /// Looks which questions wait.
    async fn look(&mut self, mut client: Client) -> Result<(), Failure> {
        match question::waiting(&mut client, &self.receipt.session).await {
            Ok(waiting) => self.ask(waiting),
            // The feed comes back with a snapshot, which has them.
            Err(failure) if failure.is_unavailable() => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    /// Asks a person, or gives up where nobody is there to be asked.
    fn ask(&mut self, questions: Vec<Approval>) -> Result<(), Failure> {
        if questions.is_empty() {
            return Ok(());
        }
        if self.silent {
            self.context.output.progress("");
        }
        match &mut self.asking {
            Some(asking) => {
                self.writer.end_line()?;
                asking.add(questions)
            }
            None => self.give_up(&questions),
        }
    }

    /// The turn goes on waiting, without this command.
    fn give_up(&self, questions: &[Approval]) -> Result<(), Failure> {
        let output = &self.context.output;
        let failure = question::unanswered(questions);
        if output.json {
            let mut line = self.last_line("waiting".into(), &TurnEnded::default(), Some(&failure));
            line["approvals"] = questions.iter().map(approval_json).collect();
            output.json(&line)?;
            return Err(reported("cannot get an answer", &failure));
        }
        if questions.len() > 1 {
            for question in questions {
                output.note(&format!("{} waits: {}", question.id, question::line(question)));
            }
        }
        Err(failure)
    }

    /// A question has its answer, from whomever.
    fn answered(&mut self, answered: &ApprovalAnswered) -> Result<(), Failure> {
        let Some(asking) = &mut self.asking else { return Ok(()) };
        if asking.knows(&answered.approval) {
            let word = if answered.allowed { "allowed" } else { "denied" };
            self.context.output.tell(&format!("\n{word} elsewhere"));
        }
        asking.answered(&answered.approval)
    }

    /// Takes what a person typed.
    async fn take(&mut self, line: Option<String>, mut client: Client) -> Result<(), Failure> {
        let Some(asking) = self.asking.as_mut().filter(|asking| asking.asks()) else {
            return Ok(());
        };
        let Some(line) = line else {
            let left = asking.left();
            return self.give_up(&left);
        };
        let Some(asked) = asking.current().cloned() else { return Ok(()) };
        let Some(choice) = Choice::parse(&line, !asked.pattern.is_empty()) else {
            return asking.ask();
        };
        match question::answer(&mut client, &asked, choice, String::new()).await {
            Ok(_) => asking.answered(&asked.id),
            Err(failure) => {
                self.context.output.note(&failure.message);
                // What can't be answered any more is not asked again.
                if failure.is_unavailable() { asking.ask() } else { asking.answered(&asked.id) }
            }
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

    /// The last line of the stream, for scripts.
    fn last_line(&self, state: Value, ended: &TurnEnded, failure: Option<&Failure>) -> Value {
        let mut line = json!({
            "type": "done",
            "session": self.receipt.session,
            "turn": self.receipt.turn,
            "state": state,
            "text": self.answer.text(),
            "usage": shape::usage(&ended.usage.unwrap_or_default()),
        });
        if let Some(failure) = failure {
            line["error"] = error_json(failure);
        }
        line
    }

    fn done(mut self, ended: &TurnEnded) -> Result<(), Failure> {
        let failure = failure_of(ended);
        if self.context.output.json {
            let state = shape::ending(ended.ending());
            self.context.output.json(&self.last_line(state, ended, failure.as_ref()))?;
            // The line has it for scripts and is the last one.
            return failure
                .map_or(Ok(()), |failure| Err(reported("cannot get an answer", &failure)));
        }
        self.leave(failure.map_or(Ok(()), Err))
    }
}

/// What a person types next, if one is asked.
async fn typed(asking: &mut Option<Asking<'_>>) -> Option<String> {
    match asking {
        Some(asking) => asking.line().await,
        None => std::future::pending().await,
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

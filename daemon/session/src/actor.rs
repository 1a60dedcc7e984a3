//! One session's actor: takes commands and what comes back from its turn, one at a time.
//!
//! Everything that changes the session happens in this loop, so that its order is the order of
//! the log. The loop waits for the journal, never for a reader, a model or a title.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use moltis_agent::conversation::Conversation;
use moltis_agent::prompt::UNKNOWN_WINDOW;
use moltis_agent::turn::{Input, Turn};
use moltis_core::error::{Code, Error, Result};
use moltis_core::id::TurnId;
use moltis_core::journal::Draft;
use moltis_core::message::Usage;
use moltis_core::models::ModelInfo;
use moltis_core::provider::{Failure, FailureKind};
use moltis_core::session::{Purpose, Summary};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::call::{self, Chosen, Outcome, What};
use crate::live::{Closed, Live};
use crate::log::Log;
use crate::mailbox::Command;
use crate::registry::{Leave, Shared};
use crate::running::Running;

/// How long an actor that has nothing to do stays awake.
const IDLE: Duration = Duration::from_secs(60);

/// How long it waits before it tries a store again that failed; doubled up to the bound.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(15);

pub(crate) struct Actor {
    pub(crate) shared: Arc<Shared>,
    pub(crate) live: Arc<Live>,
    pub(crate) log: Log,
    pub(crate) commands: mpsc::Receiver<Command>,
    /// A command that was taken from the mailbox too early.
    pub(crate) stashed: Option<Command>,
    pub(crate) running: Option<Running>,
    /// Titles that models are asked for.
    pub(crate) chores: JoinSet<Option<(String, Usage)>>,
    pub(crate) title_tried: bool,
    /// When to try a store again that failed, and how long that wait was.
    retry: Option<(Instant, Duration)>,
    /// The session was deleted.
    pub(crate) gone: bool,
    pub(crate) epoch: Instant,
    pub(crate) nothing: Conversation,
    /// What a person was told is missing; `None` before the first turn that offers tools.
    pub(crate) missing: Option<String>,
    outcomes: Vec<Outcome>,
}

enum Wake {
    Command(Command),
    /// Outcomes were put into the batch.
    Outcomes,
    /// A task of the turn panicked.
    Died,
    Saved(Result<()>),
    Timer,
    Title(Option<(String, Usage)>),
    Idle,
    /// Look again at what there is to wait for.
    Again,
    Closing,
}

impl Actor {
    pub(crate) fn new(
        shared: Arc<Shared>,
        live: Arc<Live>,
        summary: Summary,
        commands: mpsc::Receiver<Command>,
    ) -> Self {
        let log = Log::new(shared.journal.clone(), shared.env.clone(), live.clone(), summary);
        Self {
            shared,
            live,
            log,
            commands,
            stashed: None,
            running: None,
            chores: JoinSet::new(),
            title_tried: false,
            retry: None,
            gone: false,
            epoch: Instant::now(),
            nothing: Conversation::new(0),
            missing: None,
            outcomes: Vec::new(),
        }
    }

    pub(crate) async fn run(mut self) {
        let _leave = Leave {
            shared: self.shared.clone(),
            session: self.log.session.clone(),
            live: self.live.clone(),
        };
        self.settle().await;
        while !self.gone {
            // One that asks no model may be over at once.
            while self.begin_next().await && self.running.is_none() {}
            match self.wait().await {
                Wake::Command(command) => self.command(command).await,
                Wake::Outcomes => self.hear().await,
                Wake::Died => self.died().await,
                Wake::Saved(result) => {
                    if let Some(running) = &mut self.running {
                        running.saving = None;
                    }
                    if let Err(error) = result {
                        tracing::debug!(session = %self.log.session, %error, "failed to save a draft");
                    }
                }
                Wake::Timer => self.timer().await,
                Wake::Title(title) => self.title(title).await,
                Wake::Idle => {
                    if self.shared.retire(&self.log.session, &self.live, &self.commands) {
                        return;
                    }
                }
                Wake::Again => {}
                Wake::Closing => {
                    self.shut_down().await;
                    return;
                }
            }
        }
    }

    async fn wait(&mut self) -> Wake {
        if let Some(command) = self.stashed.take() {
            return Wake::Command(command);
        }
        let idle = self.running.is_none() && self.log.is_settled() && self.chores.is_empty();
        let attached = idle && self.live.is_attached();
        let retry = self.retry.map(|(at, _)| at).filter(|_| self.running.is_none());
        tokio::select! {
            () = self.shared.closing.cancelled() => Wake::Closing,
            command = self.commands.recv() => command.map_or(Wake::Closing, Wake::Command),
            wake = hear(self.running.as_mut(), &mut self.outcomes) => wake,
            Some(title) = self.chores.join_next(), if !self.chores.is_empty() => {
                Wake::Title(title.ok().flatten())
            }
            () = until(retry) => Wake::Timer,
            () = self.live.left(), if attached => Wake::Again,
            () = tokio::time::sleep(IDLE), if idle && !attached => Wake::Idle,
        }
    }

    /// Starts the oldest turn that waits, if none runs; says whether it did.
    async fn begin_next(&mut self) -> bool {
        if self.running.is_some() || !self.log.is_settled() {
            return false;
        }
        // One that started and is still open waits for a person: it comes first.
        let open = &self.log.summary.open_turns;
        let Some(next) = open.iter().find(|open| open.started).or(open.first()) else {
            return false;
        };
        let (id, started) = (next.turn.clone(), next.started);
        let purpose = next.purpose.clone();
        let rules = self.shared.rules();
        let scene = self.scene(&id, &rules);
        let tools = self.tools_for(&purpose, &scene);
        let instructions = self.instructions(&rules, &scene, &tools);
        let account = match self.shared.budget.open(&rules.budget, &self.log.summary, &id).await {
            Ok(account) => account,
            Err(error) => return self.not_begun(&error),
        };
        if purpose == Purpose::Clear
            && let Err(error) = self.log.load_conversation(2 * UNKNOWN_WINDOW).await
        {
            return self.not_begun(&error);
        }
        let mut turn = Turn::new(self.log.session.clone(), instructions, purpose, seed(&id));
        if started {
            match self.log.resumed(&id).await {
                Ok(resumed) => {
                    account.went_on(&resumed.usage, resumed.calls);
                    turn = turn.resumed(resumed, &|| self.fresh_item());
                }
                Err(error) => return self.not_begun(&error),
            }
        }
        let count = self.shared.running.clone();
        self.running = Some(Running::new(turn, scene, tools, account, rules.timeout, count));
        self.pace_questions();
        self.drive_on(Input::Begin).await;
        true
    }

    /// Tries again later to begin or to go on with a turn of which the log could not be read.
    fn not_begun(&mut self, error: &Error) -> bool {
        tracing::warn!(session = %self.log.session, %error, "failed to begin a turn");
        self.retry_later();
        false
    }

    /// Feeds what came back from the turn's tasks.
    async fn hear(&mut self) {
        let mut outcomes = std::mem::take(&mut self.outcomes);
        for Outcome { call, what } in outcomes.drain(..) {
            if self.running.as_ref().is_none_or(|running| running.call != call) {
                continue;
            }
            if let Some(running) = &mut self.running {
                running.hear(&what);
            }
            let input = match what {
                What::Chunk(chunk) => Input::Chunk(chunk),
                What::Ended(end) => Input::StreamEnded(end),
                What::Refused(failure) => Input::CallFailed(failure),
                What::Prepared(prepared) => Input::Prepared(prepared),
                What::Printed(id, text) => Input::Printed(id, text),
                What::ToolDone(id, outcome) => {
                    if let Some(running) = &mut self.running {
                        running.acting = running.acting.saturating_sub(1);
                    }
                    Input::ToolDone(id, outcome)
                }
                What::Candidates(Ok(chosen)) => match self.chosen(chosen).await {
                    Ok(input) => input,
                    Err(error) => {
                        self.give_up(Vec::new(), &error).await;
                        continue;
                    }
                },
                What::Candidates(Err(error)) => Input::Candidates(Err(error)),
            };
            self.drive_on(input).await;
        }
        self.outcomes = outcomes;
        // Once for the whole batch: readers see it as one piece.
        self.live.wake();
        self.pace_draft();
    }

    async fn chosen(&mut self, Chosen { candidates, files, kind }: Chosen) -> Result<Input> {
        let infos: Vec<_> = candidates.iter().map(|candidate| candidate.info.clone()).collect();
        let room = infos.iter().map(room_for).max().unwrap_or_default();
        let Some(running) = &mut self.running else { return Ok(Input::Candidates(Ok(infos))) };
        running.scene.images = infos.first().is_some_and(|first| first.images);
        running.candidates = candidates;
        running.turn.learn(files);
        if let Some(kind) = kind {
            running.tools.retain(|tool| kind.has(&tool.spec().name));
            running.turn.works_as(kind.fragment(), |tool| kind.has(tool));
        }
        self.log.load_conversation(room).await?;
        Ok(Input::Candidates(Ok(infos)))
    }

    async fn died(&mut self) {
        // What the task said before it panicked is heard first.
        if let Some(running) = &mut self.running {
            while let Ok(outcome) = running.inbox.try_recv() {
                self.outcomes.push(outcome);
            }
        }
        self.hear().await;
        tracing::error!(session = %self.log.session, "a task of a turn panicked");
        let failure = Failure::new(FailureKind::Malformed, "the provider's code failed");
        let chosen = self.running.as_ref().is_some_and(|running| !running.candidates.is_empty());
        let input = if chosen {
            Input::CallFailed(failure)
        } else {
            Input::Candidates(Err(Error::new(Code::Internal, failure.message)))
        };
        self.drive_on(input).await;
    }

    pub(crate) async fn finish(&mut self) {
        let Some(mut running) = self.running.take() else { return };
        running.paid = None;
        if let Some(candidate) = running.candidates.first().cloned() {
            self.ask_for_title(candidate, &running.account);
        }
        running.end().await;
    }

    async fn timer(&mut self) {
        let now = Instant::now();
        let Some(running) = &mut self.running else {
            self.settle().await;
            return;
        };
        if let Some((_, limit)) = running.deadline.filter(|(at, _)| *at <= now) {
            running.deadline = None;
            self.drive_on(Input::TimedOut(limit)).await;
        } else if let Some((_, approval)) = running.answer_by.take_if(|(at, _)| *at <= now) {
            self.drive_on(Input::Expired(approval)).await;
        } else if running.wake.is_some_and(|at| at <= now) {
            running.wake = None;
            self.drive_on(Input::SleepDone).await;
        } else {
            self.pace_draft();
        }
    }

    /// Begins to save the unfinished item if it is time to. Goes on without waiting for it.
    fn pace_draft(&mut self) {
        let Some(running) = &mut self.running else { return };
        let due = running.draft.grew_to(running.turn.unfinished_bytes(), Instant::now());
        if !due || running.saving.is_some() {
            return;
        }
        running.draft.saved();
        if let Some((item, model, parts)) = running.turn.unfinished() {
            let draft = Draft { turn: running.id.clone(), item, model: model.id.clone(), parts };
            let (journal, session) = (self.shared.journal.clone(), self.log.session.clone());
            running.saving =
                Some(Box::pin(async move { journal.checkpoint(&session, draft).await }));
        }
    }

    /// Brings the log in order; tries again later where that fails.
    pub(crate) async fn settle(&mut self) {
        match self.log.settle().await {
            Ok(()) => self.retry = None,
            Err(error) if error.code == Code::NotFound => self.gone = true,
            Err(error) => {
                tracing::warn!(session = %self.log.session, %error, "failed to settle a session");
                self.retry_later();
            }
        }
    }

    pub(crate) fn retry_later(&mut self) {
        let wait = self.retry.map_or(FIRST_RETRY, |(_, last)| (last * 2).min(LONGEST_RETRY));
        self.retry = Some((Instant::now() + wait, wait));
    }

    async fn shut_down(&mut self) {
        self.drive_on(Input::ShutDown).await;
        self.settle().await;
        self.live.close(Closed::Stopping);
    }
}

/// Tokens of a conversation that are held for a model. Twice its window: thoughts are held and not
/// told, and what is held no longer can't be summed up.
pub(crate) fn room_for(model: &ModelInfo) -> u64 {
    model.context_window.unwrap_or(UNKNOWN_WINDOW).saturating_mul(2)
}

/// Waits for whatever the running turn gives: for ever, when none runs.
async fn hear(running: Option<&mut Running>, outcomes: &mut Vec<Outcome>) -> Wake {
    let Some(running) = running else { return pending().await };
    let timer = running.next_timer();
    tokio::select! {
        // A stream that always has something must not keep the turn from its timers.
        biased;
        () = until(timer) => Wake::Timer,
        _ = running.inbox.recv_many(outcomes, call::INBOX) => Wake::Outcomes,
        ended = running.tasks.join_next(), if !running.tasks.is_empty() => match ended {
            Some(Err(error)) if error.is_panic() => Wake::Died,
            _ => Wake::Again,
        },
        result = saved(running.saving.as_mut()) => Wake::Saved(result),
    }
}

async fn saved(saving: Option<&mut crate::running::Saving>) -> Result<()> {
    match saving {
        Some(saving) => saving.await,
        None => pending().await,
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => pending().await,
    }
}

/// A number that differs between turns, for their jitter.
fn seed(turn: &TurnId) -> u64 {
    // FNV-1a.
    turn.as_str().bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
#[path = "actor_tests.rs"]
mod tests;

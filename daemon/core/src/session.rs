//! What is known of a session as a whole; all of it follows from its events.

use std::time::Duration;

use jiff::Timestamp;

use crate::budget::Limits;
use crate::event::{Cause, Ending, Event, EventKind};
use crate::id::{ApprovalId, CallId, SessionId, TurnId};
use crate::message::Usage;
use crate::models::ModelRef;
use crate::policy::{Grant, Label, Mode, Pattern, Principal, Reach};
use crate::provider::Effort;
use crate::sandbox::{Mount, Network};
use crate::worktree::{Tree, Worktree};

/// What becomes of a message that arrives while a turn is running.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum QueueMode {
    /// It waits and then has a turn of its own.
    #[default]
    Followup,
    /// It joins the other waiting messages; they have one turn together.
    Collect,
    /// It joins the running turn before the next call of the model.
    Steer,
}

/// What holds for the turns of a session. `None` means: as configured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The model to ask.
    pub model: Option<ModelRef>,
    /// How hard it is to think.
    pub effort: Option<Effort>,
    /// The queue mode of messages that name none.
    pub queue: Option<QueueMode>,
    /// The directory that it works on, absolute.
    pub workspace: Option<String>,
    /// What is done without asking.
    pub approvals: Option<Mode>,
    /// How the sandbox sees the workspace.
    pub mount: Option<Mount>,
    /// What the sandbox can reach.
    pub network: Option<Network>,
    /// Where it works, given a directory that is a git repository.
    pub tree: Option<Tree>,
    /// The kind of agent that its model works as: the name of a preset; `None` is none.
    pub preset: Option<String>,
}

/// An agent's session that another agent's call began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spawned {
    /// The session of the call.
    pub parent: SessionId,
    /// Its turn: the spawned one is stopped with it.
    pub turn: TurnId,
    /// The call.
    pub call: CallId,
    /// How many agents stand above it: 1 for one that a person's session began.
    pub depth: u32,
    /// The tools that it has; empty is those of its parent.
    pub tools: Vec<String>,
    /// What it is told first of all, instead of what is configured; empty is that.
    pub system: String,
    /// The agent that began it knows of the person's own things, and may have told it some.
    pub sensitive: bool,
    /// No person asked for the turn that began it: none can be asked in its name either.
    pub unattended: bool,
}

/// What a session is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum State {
    /// Nothing.
    #[default]
    Idle,
    /// A turn is running or queued.
    Running,
    /// A turn waits for a person's answer.
    Waiting,
}

/// A question that waits for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The question.
    pub approval: ApprovalId,
    /// The turn that waits.
    pub turn: TurnId,
    /// The call.
    pub call: CallId,
    /// The tool.
    pub tool: String,
    /// Its arguments, a JSON document.
    pub arguments: String,
    /// What it does in a line.
    pub subject: String,
    /// Why it is asked.
    pub reason: String,
    /// What an answer must echo.
    pub digest: String,
    /// What would cover this and calls like it.
    pub pattern: Option<String>,
    /// Others had a say in what is asked.
    pub tainted: bool,
    /// When it was asked.
    pub asked_at: Timestamp,
    /// When it is denied for want of an answer.
    pub expires_at: Timestamp,
}

/// What a turn is for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// To answer what was said.
    #[default]
    Answer,
    /// To compact the conversation.
    Compact,
    /// To leave what was said out of what a model is told.
    Clear,
    /// To run this program at the owner's own word.
    Run(String),
}

/// A turn that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenTurn {
    /// The turn.
    pub turn: TurnId,
    /// Whether it has started; if not, it is queued.
    pub started: bool,
    /// The model that the last of its messages that names one asks for.
    pub model: Option<ModelRef>,
    /// What it is for.
    pub purpose: Purpose,
    /// A person had a say in it: one of its messages came from a client.
    pub asked: bool,
    /// The agent whose result opened it, if one did.
    pub report: Option<SessionId>,
}

impl OpenTurn {
    /// One that waits, of which nothing is known yet.
    pub fn new(turn: TurnId) -> Self {
        Self {
            turn,
            started: false,
            model: None,
            purpose: Purpose::Answer,
            asked: false,
            report: None,
        }
    }
}

/// What the id of a command begins with by which an agent in the background tells its result; its
/// session's id comes after it.
pub const REPORT: &str = "report:";

/// A session at a glance: the projection that lists show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The session.
    pub id: SessionId,
    /// Its fixed name, if it has one.
    pub key: Option<String>,
    /// Its title; empty until it has one.
    pub title: String,
    /// The title was given by a person.
    pub title_by_person: bool,
    /// The agent that it belongs to.
    pub agent: String,
    /// What holds for its turns.
    pub settings: Settings,
    /// The model that answered last.
    pub last_model: Option<ModelRef>,
    /// When it began.
    pub created_at: Timestamp,
    /// When its last event was committed.
    pub updated_at: Timestamp,
    /// Messages of people and models in it.
    pub messages: u64,
    /// The seq of its last event.
    pub last_seq: u64,
    /// What its answers, its summaries and its title used, without what was copied into it by a fork.
    pub usage: Usage,
    /// The tokens that the last answer's model had before it, and its answer, or what a compaction
    /// left of them: the fill of the context window.
    pub context_tokens: u64,
    /// The seq of its last compaction or clearing; 0 when it has none.
    pub compacted_seq: u64,
    /// The session that it was forked from, and the last seq copied.
    pub parent: Option<(SessionId, u64)>,
    /// The call that it was begun by, if an agent began it.
    pub spawned: Option<Spawned>,
    /// Where it works, if that is a git worktree of its own.
    pub worktree: Option<Worktree>,
    /// Whether it is put away.
    pub archived: bool,
    /// Its turns that have not ended, oldest first.
    pub open_turns: Vec<OpenTurn>,
    /// How its last ended turn ended.
    pub last_ending: Option<Ending>,
    /// Questions that wait for a person, oldest first.
    pub pending: Vec<Pending>,
    /// What was allowed for the rest of it.
    pub grants: Vec<Grant>,
    /// How far what was said in it can be trusted. It never becomes better: what a model was told
    /// stays in what it says, and in summaries.
    pub label: Label,
}

/// What the turn is for that this event opens.
fn purpose(kind: &EventKind) -> Purpose {
    match kind {
        EventKind::CompactionAsked => Purpose::Compact,
        EventKind::ClearAsked => Purpose::Clear,
        EventKind::ProgramAsked { command } => Purpose::Run(command.clone()),
        _ => Purpose::Answer,
    }
}

impl Summary {
    /// The summary of a session that has no events yet.
    pub fn empty(id: SessionId) -> Self {
        Self {
            id,
            key: None,
            title: String::new(),
            title_by_person: false,
            agent: String::new(),
            settings: Settings::default(),
            last_model: None,
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
            messages: 0,
            last_seq: 0,
            usage: Usage::default(),
            context_tokens: 0,
            compacted_seq: 0,
            parent: None,
            spawned: None,
            worktree: None,
            archived: false,
            open_turns: Vec::new(),
            last_ending: None,
            pending: Vec::new(),
            grants: Vec::new(),
            label: Label::CLEAN,
        }
    }

    /// What the session is doing.
    pub fn state(&self) -> State {
        match (self.pending.is_empty(), self.open_turns.is_empty()) {
            (false, _) => State::Waiting,
            (true, false) => State::Running,
            (true, true) => State::Idle,
        }
    }

    /// On whose behalf an open turn acts: the owner's, where it runs what they typed. Where no person asked for it, nobody is there to be asked: it
    /// came of an agent's result that was told in the background or of the daemon's start, or belongs
    /// to an agent that such a turn began. A message of a person's that joins it changes that.
    pub fn principal(&self, turn: &TurnId) -> Principal {
        let open = self.open_turns.iter().find(|open| open.turn == *turn);
        let attended = self.spawned.as_ref().is_some_and(|spawned| !spawned.unattended);
        match open {
            Some(OpenTurn { purpose: Purpose::Run(_), .. }) => Principal::Owner,
            Some(open) if open.asked || (attended && open.report.is_none()) => Principal::Model,
            Some(_) | None => Principal::Unattended,
        }
    }

    /// Takes the next event into account. Folding a session's events over [`Summary::empty`] gives
    /// its summary: there is no other source of it.
    pub fn apply(&mut self, event: &Event) {
        self.last_seq = event.seq;
        self.updated_at = event.at;
        match &event.kind {
            EventKind::SessionCreated { agent, key, settings, spawned } => {
                self.spawned.clone_from(spawned);
                let knows = spawned.as_ref().is_some_and(|spawned| spawned.sensitive);
                self.label = self.label.and(event.origin, knows);
                self.created_at = event.at;
                self.agent.clone_from(agent);
                self.key.clone_from(key);
                self.settings.clone_from(settings);
            }
            EventKind::SessionForked { parent, parent_seq } => {
                self.parent = Some((parent.clone(), *parent_seq));
                self.created_at = event.at;
                self.key = None;
                self.spawned = None;
                self.worktree = None;
                self.archived = false;
                self.usage = Usage::default();
                self.open_turns.clear();
                // What was allowed there was not allowed here.
                self.pending.clear();
                self.grants.clear();
            }
            EventKind::TitleChanged { title, automatic, usage } => {
                self.usage = self.usage.plus(*usage);
                self.title.clone_from(title);
                self.title_by_person = !automatic;
            }
            EventKind::ArchivedChanged { archived } => self.archived = *archived,
            EventKind::SettingsChanged { settings } => self.settings.clone_from(settings),
            EventKind::UserMessage { .. } => self.hear(event),
            EventKind::WorktreeSet { worktree } => self.worktree.clone_from(worktree),
            EventKind::TurnStarted { .. } => self.start(event.turn.as_ref()),
            EventKind::AssistantMessage { answer, .. } => {
                self.messages += 1;
                self.last_model = Some(answer.model.clone());
                self.usage = self.usage.plus(answer.usage);
                let fill = answer.usage.prompt_tokens().saturating_add(answer.usage.output_tokens);
                if fill > 0 {
                    self.context_tokens = fill;
                }
            }
            EventKind::Notice { .. }
            | EventKind::ToolStarted { .. }
            | EventKind::WorkspaceChanged { .. }
            | EventKind::WorkspaceRestored { .. }
            | EventKind::StateSet { .. } => {}
            EventKind::ToolFinished { .. }
            | EventKind::ApprovalAsked { .. }
            | EventKind::ApprovalAnswered { .. }
            | EventKind::GrantRevoked { .. } => self.act(event),
            EventKind::CompactionAsked | EventKind::ClearAsked | EventKind::ProgramAsked { .. } => {
                self.ask_for(event);
            }
            EventKind::Cleared { .. } => self.shorten(event.seq, 0),
            EventKind::Compacted { after_tokens, usage, .. } => {
                self.usage = self.usage.plus(*usage);
                self.shorten(event.seq, *after_tokens);
            }
            EventKind::TurnEnded { ending, .. } => {
                self.open_turns.retain(|open| Some(&open.turn) != event.turn.as_ref());
                self.pending.retain(|pending| Some(&pending.turn) != event.turn.as_ref());
                self.last_ending = Some(*ending);
            }
        }
    }

    /// A model is told less from this event on: so many tokens.
    fn shorten(&mut self, seq: u64, tokens: u64) {
        self.context_tokens = tokens;
        self.compacted_seq = seq;
    }

    /// Takes into account what the agent did and asked.
    fn act(&mut self, event: &Event) {
        match &event.kind {
            EventKind::ToolFinished { sensitive, .. } => {
                self.label = self.label.and(event.origin, *sensitive);
            }
            EventKind::ApprovalAsked { .. } => self.ask(event),
            EventKind::ApprovalAnswered { approval, allowed, reach, .. } => {
                self.answer(approval, *allowed, *reach);
            }
            EventKind::GrantRevoked { pattern } => {
                self.grants.retain(|grant| grant.pattern.line() != *pattern);
            }
            _ => {}
        }
    }

    fn ask(&mut self, event: &Event) {
        let EventKind::ApprovalAsked {
            approval,
            call,
            tool,
            arguments,
            subject,
            reason,
            digest,
            pattern,
            expires_at,
        } = &event.kind
        else {
            return;
        };
        let Some(turn) = &event.turn else { return };
        self.pending.push(Pending {
            approval: approval.clone(),
            turn: turn.clone(),
            call: call.clone(),
            tool: tool.clone(),
            arguments: arguments.clone(),
            subject: subject.clone(),
            reason: reason.clone(),
            digest: digest.clone(),
            pattern: pattern.clone(),
            tainted: self.label.is_tainted(),
            asked_at: event.at,
            expires_at: *expires_at,
        });
    }

    fn answer(&mut self, approval: &ApprovalId, allowed: bool, reach: Reach) {
        let Some(at) = self.pending.iter().position(|pending| pending.approval == *approval) else {
            return;
        };
        let Pending { pattern, tainted, .. } = self.pending.remove(at);
        if allowed
            && reach == Reach::Session
            && let Some(pattern) = pattern.and_then(|line| Pattern::parse(&line).ok())
        {
            self.grants.retain(|grant| grant.pattern != pattern);
            // A grant covers a leak only if it was given for one.
            let tainted = tainted && self.label.sensitive;
            self.grants.push(Grant { pattern, tainted });
        }
    }

    /// Takes into account what was said to the agent.
    fn hear(&mut self, event: &Event) {
        let EventKind::UserMessage { op, model, sensitive, .. } = &event.kind else { return };
        self.messages += 1;
        self.label = self.label.and(event.origin, *sensitive);
        let opens = !self.open_turns.iter().any(|open| Some(&open.turn) == event.turn.as_ref());
        let Some(open) = self.open(event.turn.as_ref(), model.as_ref()) else { return };
        open.asked |= matches!(event.cause, Cause::Client(_));
        if opens && event.cause == Cause::Model {
            open.report = op.as_str().strip_prefix(REPORT).map(SessionId::from);
        }
    }

    /// Takes into account that a person asked for a turn which answers nothing.
    fn ask_for(&mut self, event: &Event) {
        if let Some(open) = self.open(event.turn.as_ref(), None) {
            open.purpose = purpose(&event.kind);
            open.asked = true;
        }
    }

    /// The open turn of that name, opened if it is not.
    fn open(&mut self, turn: Option<&TurnId>, model: Option<&ModelRef>) -> Option<&mut OpenTurn> {
        let turn = turn?;
        let at = self.open_turns.iter().position(|open| open.turn == *turn);
        let at = at.unwrap_or_else(|| {
            self.open_turns.push(OpenTurn::new(turn.clone()));
            self.open_turns.len() - 1
        });
        let open = self.open_turns.get_mut(at)?;
        open.model = model.or(open.model.as_ref()).cloned();
        Some(open)
    }

    fn start(&mut self, turn: Option<&TurnId>) {
        for open in &mut self.open_turns {
            if Some(&open.turn) == turn {
                open.started = true;
            }
        }
    }
}

/// The configured rules of turns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurnRules {
    /// The longest that a turn may take; `None` is for ever.
    pub timeout: Option<Duration>,
    /// The queue mode of messages that name none, in sessions that name none.
    pub queue: QueueMode,
    /// The effort of sessions that name none.
    pub effort: Option<Effort>,
    /// What the model is told first of all; empty is nothing.
    pub system_prompt: String,
    /// Models are told the files of the workspace that say how it is worked on.
    pub project_files: bool,
    /// How a session gets its title.
    pub titles: Titles,
    /// Messages that may wait in one session.
    pub max_queued: usize,
    /// Of a model's window, in hundredths: a longer conversation is compacted. 0 is never.
    pub compact_at: u64,
    /// Rounds of calls that a turn may go through.
    pub max_rounds: u32,
    /// What may be spent.
    pub budget: Limits,
    /// What is done without asking, in sessions that say nothing else.
    pub approvals: Mode,
    /// Calls that are allowed beforehand.
    pub allow: Vec<Pattern>,
    /// Calls that are forbidden.
    pub deny: Vec<Pattern>,
    /// How long a question waits for an answer.
    pub answer_within: Duration,
    /// The directory of sessions that name none, absolute.
    pub workspace: Option<String>,
    /// Where sessions work on a git repository that say nothing of that.
    pub tree: Tree,
    /// How the sandbox sees the workspace, in sessions that say nothing else.
    pub mount: Mount,
    /// What the sandbox can reach, in sessions that say nothing else.
    pub network: Network,
    /// The hosts that a network reaches which is listed, as the configuration writes them.
    pub hosts: Vec<String>,
}

impl Default for TurnRules {
    fn default() -> Self {
        Self {
            timeout: None,
            queue: QueueMode::default(),
            effort: None,
            system_prompt: String::new(),
            project_files: true,
            titles: Titles::default(),
            max_queued: 100,
            compact_at: 95,
            max_rounds: 25,
            budget: Limits::default(),
            approvals: Mode::default(),
            allow: Vec::new(),
            deny: Vec::new(),
            answer_within: Duration::from_hours(1),
            workspace: None,
            tree: Tree::Shared,
            mount: Mount::default(),
            network: Network::default(),
            hosts: Vec::new(),
        }
    }
}

/// How a session without a title gets one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Titles {
    /// The first line of the first message, shortened: free and at once.
    #[default]
    FirstLine,
    /// A short request to the session's model after the first answer; the first line until then.
    Model,
    /// Not at all.
    Off,
}

//! Everything that the client knows.

use std::collections::{HashMap, HashSet};

use moltis_proto::v1;

use super::agents::Agents;
use super::asked::Asked;
use super::browse::{Find, Mode};
use super::budget::Left;
use super::card::Card;
use super::cmd::{Cmd, Target};
use super::commanding::Commanding;
use super::context::Told;
use super::editor::{Draft, Editor};
use super::help::Help;
use super::history::History;
use super::models::Models;
use super::msg::{Moment, Trouble};
use super::pager::Pager;
use super::palette::Palette;
use super::prompt::{Confirm, Prompt};
use super::sessions::Sessions;
use super::transcript::Transcript;
use super::welcome::Welcome;
use crate::keymap::Key;
use crate::widget::{Highlights, Hue, SafeText, Span};

/// Drafts of other sessions that are kept.
pub(super) const MAX_DRAFTS: usize = 64;
/// Panes above one another.
const MAX_OVERLAYS: usize = 4;

/// Everything that the client knows.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) width: u16,
    pub(crate) height: u16,
    pub(crate) focused: bool,
    pub(crate) now: Moment,
    /// Seconds that local time is ahead of UTC.
    pub(crate) east: i64,
    pub(crate) link: Link,
    /// The session that is shown; its numbers follow its events.
    pub(crate) session: Option<v1::Session>,
    /// When the running turn started, in seconds since 1970.
    pub(crate) turn_since: Option<i64>,
    /// What is going on in the turn, if something is to be said about it.
    pub(crate) progress: SafeText,
    /// Grows with every attachment; what belongs to an older one is not taken.
    pub(crate) epoch: u64,
    /// Everything that had happened when we attached is here.
    pub(crate) caught_up: bool,
    pub(crate) transcript: Transcript,
    pub(super) loading_older: bool,
    pub(crate) highlights: Highlights,
    pub(super) coloring: HashSet<u64>,
    pub(crate) composer: Editor,
    pub(crate) history: History,
    pub(super) drafts: HashMap<String, Draft>,
    /// What was sent and is not in the session's feed yet.
    pub(crate) sending: Vec<Sending>,
    /// The question that is shown.
    pub(crate) card: Card,
    pub(crate) mode: Mode,
    pub(crate) find: Find,
    pub(crate) overlays: Vec<Overlay>,
    /// Keys of a sequence that is not complete.
    pub(crate) chord: Vec<Key>,
    pub(crate) toast: Option<Toast>,
    pub(crate) models: Option<v1::ListModelsResponse>,
    /// The commands that the daemon knows.
    pub(crate) commands: Vec<v1::CommandInfo>,
    /// Commands that the daemon is doing.
    pub(super) commanding: Vec<Commanding>,
    /// Every line is a program for the sandbox.
    pub(crate) shell: bool,
    /// The agents of the shown session.
    pub(super) agents: Agents,
    /// What is written goes along into the session that is made next.
    pub(super) carry_draft: bool,
    pub(super) asked_first_run: bool,
    pub(super) last_interrupt: Option<u64>,
    pub(super) last_clear: Option<u64>,
    pub(super) ops: Ops,
    /// The build of the connected daemon.
    pub(crate) build: String,
}

/// How the connection is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// Not there yet, for the first time.
    Connecting,
    /// There.
    Up,
    /// Gone, and tried again.
    Down {
        /// Since when, in milliseconds.
        since: u64,
        /// Why.
        trouble: Trouble,
    },
}

/// A message on its way.
#[derive(Clone, Debug)]
pub(crate) struct Sending {
    pub(crate) op: String,
    pub(crate) session: String,
    pub(crate) text: String,
    /// As it was written, to have it back when it cannot be sent.
    pub(super) draft: Draft,
    /// It is on disk; only its event has not come yet.
    pub(crate) acked: bool,
}

/// A pane above the chat; the last one has the keys.
#[derive(Debug)]
pub(crate) enum Overlay {
    Help(Help),
    Palette(Palette),
    Sessions(Box<Sessions>),
    Models(Box<Models>),
    Told(Box<Told>),
    Pager(Box<Pager>),
    Asked(Box<Asked>),
    /// What is left of the limits.
    Left(Box<Left>),
    Prompt(Prompt),
    Confirm(Confirm),
    Welcome(Box<Welcome>),
    /// The daemon cannot be reached at all.
    Refused(Trouble),
}

/// A remark that goes away by itself.
#[derive(Clone, Debug)]
pub(crate) struct Toast {
    pub(crate) text: SafeText,
    /// What may mend it.
    pub(crate) hint: SafeText,
    pub(crate) bad: bool,
    pub(super) until: u64,
}

impl Toast {
    /// The remark, with its sign.
    pub(crate) fn spans(&self) -> Vec<Span> {
        let (sign, hue) = if self.bad { ("✗ ", Hue::Bad) } else { ("· ", Hue::Accent) };
        let mut spans = vec![Span::new(sign, hue), Span::new(self.text.clone(), Hue::Text)];
        if !self.hint.is_empty() {
            spans.push(Span::new(format!(" · hint: {}", self.hint.as_str()), Hue::Dim));
        }
        spans
    }
}

/// Names of commands, made without chance: a random beginning and a number.
#[derive(Debug)]
pub(super) struct Ops {
    seed: String,
    count: u64,
}

impl Ops {
    pub(super) fn next(&mut self) -> String {
        self.count += 1;
        format!("{}{:04}", self.seed, self.count)
    }
}

impl Model {
    /// A client that knows nothing yet. `seed` makes its commands' names unlike any other's.
    pub(crate) fn new(width: u16, height: u16, east: i64, seed: String) -> Self {
        Self {
            width,
            height,
            focused: true,
            now: Moment::default(),
            east,
            link: Link::Connecting,
            session: None,
            turn_since: None,
            progress: SafeText::default(),
            epoch: 0,
            caught_up: false,
            transcript: Transcript::new(1),
            loading_older: false,
            highlights: Highlights::default(),
            coloring: HashSet::new(),
            composer: Editor::default(),
            history: History::default(),
            drafts: HashMap::new(),
            sending: Vec::new(),
            card: Card::default(),
            mode: Mode::Write,
            find: Find::default(),
            overlays: Vec::new(),
            chord: Vec::new(),
            toast: None,
            models: None,
            commands: Vec::new(),
            commanding: Vec::new(),
            shell: false,
            agents: Agents::default(),
            carry_draft: false,
            asked_first_run: false,
            last_interrupt: None,
            last_clear: None,
            ops: Ops { seed, count: 0 },
            build: String::new(),
        }
    }

    /// The first things to do.
    pub(crate) fn begin(&mut self, session: Option<String>) -> Vec<Cmd> {
        self.epoch += 1;
        let name = session.unwrap_or_else(|| "main".to_owned());
        vec![Cmd::Attach { epoch: self.epoch, target: Target::Name(name) }]
    }

    /// The id of the session that is shown.
    pub(crate) fn session_id(&self) -> Option<&str> {
        self.session.as_ref().map(|session| session.id.as_str())
    }

    /// The messages to this session that are on their way.
    pub(crate) fn sending_here(&self) -> impl Iterator<Item = &Sending> {
        let here = self.session_id();
        self.sending.iter().filter(move |sending| here == Some(sending.session.as_str()))
    }

    /// Whether the daemon cannot be had; nothing is tried until the person wants it.
    pub(crate) fn is_refused(&self) -> bool {
        self.overlays.iter().any(|overlay| matches!(overlay, Overlay::Refused(_)))
    }

    /// Whether a turn is running.
    pub(crate) fn is_running(&self) -> bool {
        self.transcript.running().is_some()
    }

    /// The questions of the session that wait for a person, oldest first.
    pub(crate) fn pending(&self) -> &[v1::Approval] {
        self.session.as_ref().map_or(&[], |session| &session.pending)
    }

    /// Whether nothing goes on until a person answers.
    pub(crate) fn waits_for_person(&self) -> bool {
        let busy = || self.transcript.is_calling() || self.transcript.is_growing();
        !self.pending().is_empty() && !busy()
    }

    /// Cells of a row of the composer.
    pub(crate) fn composer_width(&self) -> usize {
        usize::from(self.width).saturating_sub(4).max(1)
    }

    pub(super) fn open(&mut self, overlay: Overlay) {
        self.overlays.truncate(MAX_OVERLAYS - 1);
        self.overlays.push(overlay);
    }

    pub(super) fn close(&mut self) {
        self.overlays.pop();
    }

    pub(super) fn say(&mut self, text: impl Into<SafeText>) {
        let until = self.now.ms + 3_000;
        self.toast =
            Some(Toast { text: text.into(), hint: SafeText::default(), bad: false, until });
    }

    pub(super) fn complain(&mut self, what: &str, trouble: &Trouble) {
        let text = if what.is_empty() {
            trouble.message.clone()
        } else {
            format!("{what}: {}", trouble.message)
        };
        self.toast = Some(Toast {
            text: SafeText::one_line(&text),
            hint: SafeText::one_line(&trouble.hint),
            bad: true,
            until: self.now.ms + 8_000,
        });
    }
}

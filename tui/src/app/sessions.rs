//! The list of sessions: finding one, and what can be done with it.

use std::collections::{HashMap, HashSet};

use moltis_proto::v1::{self, event::Kind as Fact};

use super::cmd::Cmd;
use super::model::{Model, Overlay};
use super::picker::Picker;
use super::prompt::Confirm;
use super::session::{switch, title_of, title_or};
use super::tree::{self, Row};
use super::{chat, prompt};
use crate::keymap::Action;
use crate::widget::{Hue, SafeText};

/// Previews that are kept.
const MAX_PREVIEWS: usize = 200;
/// What a preview shows of a message.
const MAX_PREVIEW: usize = 2_000;

/// The list of sessions.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    /// Its list.
    pub(crate) picker: Picker,
    /// Those that wait for a person first, then those that work, then the most recent.
    all: Vec<v1::Session>,
    /// The rows: a tree, or those that fit what was typed.
    entries: Vec<Row>,
    /// Sessions whose agents are all shown.
    opened: HashSet<String>,
    /// Those that were put away are shown too.
    pub(crate) archived: bool,
    /// The list has arrived.
    pub(crate) loaded: bool,
    /// The last words of sessions.
    previews: HashMap<String, Vec<(bool, SafeText)>>,
}

impl Sessions {
    /// Looks anew which sessions fit, and chooses that one if it does.
    pub(super) fn rank(&mut self, keep: Option<&str>) {
        self.entries = match self.picker.query.is_empty() {
            true => tree::rows(&self.all, &self.opened),
            // What is looked for is found wherever it stands.
            false => {
                let row =
                    |session: &v1::Session| Row { session: session.clone(), ..Row::default() };
                self.all.iter().map(row).collect()
            }
        };
        let keep = keep.and_then(|id| self.entries.iter().position(|row| row.session.id == id));
        let label = |Row { session, .. }: &Row| {
            format!("{} {} {}", title_of(session), session.key, session.last_model)
        };
        let labels: Vec<String> = self.entries.iter().map(label).collect();
        self.picker.rank(labels.iter().map(String::as_str), keep);
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.all.len()
    }

    /// The chosen session.
    pub(crate) fn chosen(&self) -> Option<&v1::Session> {
        Some(&self.entries.get(self.picker.chosen()?)?.session)
    }

    /// The sessions that fit, best first.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.picker.ranked().iter().filter_map(|index| self.entries.get(*index))
    }

    /// Shows or hides the agents of the chosen session that have ended, or of the one that began it.
    fn unfold(&mut self) {
        let Some(chosen) = self.chosen().cloned() else { return };
        let begins = |one: &v1::Session| {
            one.spawned.as_ref().is_some_and(|spawned| spawned.parent == chosen.id)
        };
        let own = self.all.iter().any(begins);
        let parent = chosen.spawned.as_ref().map(|spawned| spawned.parent.clone());
        let of = if own { Some(chosen.id.clone()) } else { parent };
        let Some(of) = of else { return };
        if !self.opened.remove(&of) {
            self.opened.insert(of.clone());
        }
        let stays = self.opened.contains(&of) || own;
        self.rank(Some(if stays { &chosen.id } else { &of }));
    }

    /// The last words of the chosen session: whether the person said them, and what.
    pub(crate) fn preview(&self) -> Option<&[(bool, SafeText)]> {
        self.previews.get(&self.chosen()?.id).map(Vec::as_slice)
    }

    fn take(&mut self, mut entries: Vec<v1::Session>, keep: Option<&str>) {
        entries.sort_by_key(|session| (session.pending.is_empty(), session.open_turns.is_empty()));
        self.all = entries;
        self.loaded = true;
        self.rank(keep);
    }
}

/// How long ago something was: `now`, `4m`, `3h`, `12d`.
pub(crate) fn age(at: Option<prost_types::Timestamp>, now: i64) -> String {
    let Some(at) = at else { return String::new() };
    match now.saturating_sub(at.seconds) {
        ..60 => "now".to_owned(),
        seconds @ 60..3_600 => format!("{}m", seconds / 60),
        seconds @ 3_600..172_800 => format!("{}h", seconds / 3_600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

/// What a session is doing, as a sign and a word.
pub(crate) fn state(session: &v1::Session) -> (&'static str, &'static str, Hue) {
    if !session.pending.is_empty() {
        return ("?", "waits for you", Hue::Warn);
    }
    if session.open_turns.iter().any(|turn| turn.started) {
        return ("●", "running", Hue::Good);
    }
    if !session.open_turns.is_empty() {
        return ("◌", "queued", Hue::Warn);
    }
    match v1::Ending::try_from(session.last_ending).unwrap_or_default() {
        v1::Ending::Failed => ("✗", "failed", Hue::Bad),
        v1::Ending::Interrupted => ("⚠", "interrupted", Hue::Warn),
        v1::Ending::Cancelled => ("■", "stopped", Hue::Dim),
        v1::Ending::Done | v1::Ending::Unspecified => (" ", "idle", Hue::Dim),
    }
}

/// Opens the list.
pub(super) fn open(model: &mut Model, query: &str) -> Vec<Cmd> {
    let mut sessions = Sessions::default();
    sessions.picker.query.insert(query);
    model.open(Overlay::Sessions(Box::new(sessions)));
    vec![Cmd::ListSessions { archived: false }]
}

fn pane(model: &mut Model) -> Option<&mut Sessions> {
    model.overlays.iter_mut().rev().find_map(|overlay| match overlay {
        Overlay::Sessions(sessions) => Some(&mut **sessions),
        _ => None,
    })
}

/// The list has arrived.
pub(super) fn arrived(model: &mut Model, entries: Vec<v1::Session>) -> Vec<Cmd> {
    let shown = model.session_id().map(str::to_owned);
    let Some(sessions) = pane(model) else { return Vec::new() };
    let before = sessions.chosen().map(|session| session.id.clone());
    let first = !sessions.loaded;
    let keep = if first { shown } else { before };
    sessions.take(entries, keep.as_deref());
    peek(model)
}

/// Reads the chosen session's last words, if they are not known.
pub(super) fn peek(model: &mut Model) -> Vec<Cmd> {
    let Some(sessions) = pane(model) else { return Vec::new() };
    let unknown = sessions.chosen().filter(|chosen| !sessions.previews.contains_key(&chosen.id));
    unknown.map(|chosen| Cmd::Peek { session: chosen.id.clone() }).into_iter().collect()
}

/// A session's last words have arrived.
pub(super) fn peeked(model: &mut Model, session: String, events: Vec<v1::Event>) {
    let Some(sessions) = pane(model) else { return };
    if sessions.previews.len() >= MAX_PREVIEWS {
        sessions.previews.clear();
    }
    let words = events.into_iter().filter_map(|event| {
        let (person, parts) = match event.kind? {
            Fact::UserMessage(message) => (true, message.parts),
            Fact::AssistantMessage(message) => (false, message.parts),
            _ => return None,
        };
        let text: String = parts
            .into_iter()
            .filter_map(|part| match part.part {
                Some(v1::part::Part::Text(text)) => Some(text),
                _ => None,
            })
            .collect();
        let text: String = text.chars().take(MAX_PREVIEW).collect();
        (!text.is_empty()).then(|| (person, text.into()))
    });
    sessions.previews.insert(session, words.collect());
}

pub(super) fn act(model: &mut Model, action: Action) -> Vec<Cmd> {
    let Some(sessions) = pane(model) else { return Vec::new() };
    if sessions.picker.act(action) {
        return peek(model);
    }
    let archived = sessions.archived;
    let chosen = sessions.chosen().cloned();
    match (action, chosen) {
        (Action::Leave, _) => model.close(),
        (Action::SessionNew, _) => {
            model.close();
            return chat::create(model, "");
        }
        (Action::SessionAgents, _) => {
            sessions.unfold();
            return peek(model);
        }
        (Action::SessionsArchived, _) => {
            sessions.archived = !archived;
            return vec![Cmd::ListSessions { archived: !archived }];
        }
        (Action::Accept, Some(chosen)) => {
            model.close();
            return switch(model, chosen);
        }
        (Action::SessionRename, Some(chosen)) => {
            let title = title_of(&chosen).to_owned();
            prompt::ask_title(model, chosen.id, &title);
        }
        (Action::SessionFork, Some(chosen)) => {
            model.close();
            return vec![Cmd::Fork { op: model.ops.next(), session: chosen.id, seq: 0 }];
        }
        (Action::SessionArchive, Some(chosen)) => {
            let (op, archived) = (model.ops.next(), !chosen.archived);
            return vec![Cmd::Archive { op, session: chosen.id, archived }];
        }
        (Action::SessionDelete, Some(chosen)) => {
            let title = title_or(&chosen, "this session").to_owned();
            let count = chosen.messages;
            let question = format!("delete `{title}` and its {count} messages for good?");
            let yes = Cmd::Delete { session: chosen.id };
            model.open(Overlay::Confirm(Confirm { question: SafeText::one_line(&question), yes }));
        }
        _ => {}
    }
    Vec::new()
}

/// Asks for the list again, if it is open.
pub(super) fn refresh(model: &mut Model) -> Vec<Cmd> {
    let Some(sessions) = pane(model) else { return Vec::new() };
    vec![Cmd::ListSessions { archived: sessions.archived }]
}

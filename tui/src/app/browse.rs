//! Selecting messages, and finding text in the transcript.
//!
//! Finding goes backwards from the newest message and reads older ones as it needs them, so that it
//! sees the whole session and not only what is loaded.

use super::agents;
use super::cmd::Cmd;
use super::editor::Editor;
use super::model::Model;
use super::transcript::{Block, Kind, Move};
use crate::keymap::Action;

/// Where the keys of the chat go.
#[derive(Debug, Default)]
pub(crate) enum Mode {
    /// Into the composer.
    #[default]
    Write,
    /// To the selected message.
    Browse {
        /// The selected block, if there is any.
        selected: Option<i64>,
    },
    /// Into the field of a search.
    Find,
    /// To the question that waits.
    Card,
}

/// A search in the transcript; goes on while messages are selected.
#[derive(Clone, Debug, Default)]
pub(crate) struct Find {
    /// What is looked for.
    pub(crate) query: Editor,
    /// The block that has it.
    pub(crate) found: Option<i64>,
    /// Older messages are being read to go on.
    pub(crate) reading: bool,
}

impl Model {
    /// The selected message.
    pub(crate) fn selected(&self) -> Option<i64> {
        match &self.mode {
            Mode::Browse { selected } => *selected,
            Mode::Find => self.find.found,
            Mode::Write | Mode::Card => None,
        }
    }

    fn select(&mut self, block: Option<i64>) {
        if let Some(block) = block {
            self.transcript.scroll.wish(Move::Show(block));
            self.mode = Mode::Browse { selected: Some(block) };
        }
    }
}

/// Begins to select messages, with the last one on the screen.
pub(super) fn enter(model: &mut Model) {
    let last = model.transcript.last_visible(usize::from(model.height));
    let blocks = model.transcript.blocks();
    let upto = last.and_then(|last| model.transcript.index_of(last)).unwrap_or(0);
    let message = blocks.range(..blocks.len().min(upto + 1)).rev().find(|block| block.is_message());
    let selected = message.map(|block| block.id);
    model.mode = Mode::Browse { selected };
}

/// The nearest block before or after the selected one that is of the kind that is wanted.
fn neighbor(model: &Model, down: bool, wanted: impl Fn(&Block) -> bool) -> Option<i64> {
    let blocks = model.transcript.blocks();
    let at = model.selected().and_then(|id| model.transcript.index_of(id));
    let found = match (at, down) {
        (Some(at), true) => blocks.range(at + 1..).find(|block| wanted(block)),
        (Some(at), false) => blocks.range(..at).rev().find(|block| wanted(block)),
        (None, _) => blocks.iter().rev().find(|block| wanted(block)),
    };
    found.map(|block| block.id)
}

pub(super) fn act(model: &mut Model, action: Action) -> Vec<Cmd> {
    match action {
        Action::ToAgent => {
            let selected = model.selected().and_then(|id| model.transcript.block(id));
            let call = selected.and_then(|block| match &block.kind {
                Kind::Call(call) if call.begins_agent() => Some(call.place()),
                _ => None,
            });
            return agents::visit(model, call);
        }
        Action::ToParent => return agents::leave(model),
        Action::Leave => model.mode = Mode::Write,
        Action::BlockUp => model.select(neighbor(model, false, Block::is_message)),
        Action::BlockDown => model.select(neighbor(model, true, Block::is_message)),
        Action::TurnUp => model.select(neighbor(model, false, Block::is_person)),
        Action::TurnDown => model.select(neighbor(model, true, Block::is_person)),
        Action::AnswerQuestion => super::card::focus(model),
        Action::CopyBlock => return copy(model),
        Action::ForkBlock => return fork(model, false),
        Action::EditBlock => return fork(model, true),
        Action::FindNext | Action::FindPrevious if model.find.query.is_empty() => {
            model.say("nothing is looked for yet: / finds");
        }
        Action::FindNext => return search(model, Direction::Older),
        Action::FindPrevious => return search(model, Direction::Newer),
        _ => return super::chat::scroll(model, action),
    }
    Vec::new()
}

fn copy(model: &mut Model) -> Vec<Cmd> {
    let block = model.selected().and_then(|id| model.transcript.block(id));
    let Some(text) = block.map(|block| block.text().to_owned()) else { return Vec::new() };
    model.say("copied the message");
    vec![Cmd::Copy(text)]
}

/// Forks after the selected message, or before it to write it anew.
fn fork(model: &mut Model, rewrite: bool) -> Vec<Cmd> {
    let Some(session) = model.session_id().map(str::to_owned) else { return Vec::new() };
    let block = model.selected().and_then(|id| model.transcript.block(id));
    let Some((seq, person, text)) =
        block.map(|block| (block.seq, block.is_person(), block.text().to_owned()))
    else {
        model.say("select a message first");
        return Vec::new();
    };
    if rewrite && !person {
        model.say("only a message of yours can be written anew");
        return Vec::new();
    }
    let seq = if rewrite { seq.saturating_sub(1) } else { seq };
    if seq == 0 {
        model.say("there is nothing before it to fork");
        return Vec::new();
    }
    if rewrite {
        model.composer.set(&text);
        model.carry_draft = true;
    }
    model.mode = Mode::Write;
    vec![Cmd::Fork { op: model.ops.next(), session, seq }]
}

/// Begins a search.
pub(super) fn start_find(model: &mut Model) {
    model.find = Find::default();
    model.mode = Mode::Find;
}

pub(super) fn find_act(model: &mut Model, action: Action) -> Vec<Cmd> {
    match action {
        Action::Leave => model.mode = Mode::Write,
        Action::Accept => {
            model.mode = match model.find.found {
                Some(found) => Mode::Browse { selected: Some(found) },
                None => Mode::Write,
            };
        }
        Action::FindNext => return search(model, Direction::Older),
        Action::FindPrevious => return search(model, Direction::Newer),
        _ => {}
    }
    Vec::new()
}

/// Which way a search goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// From the newest message backwards, after the query was changed.
    Anew,
    Older,
    Newer,
}

/// Goes to the next block that has the query in it; reads older ones where the loaded ones end.
pub(super) fn search(model: &mut Model, direction: Direction) -> Vec<Cmd> {
    let at = model.selected().and_then(|id| model.transcript.index_of(id));
    let find = &mut model.find;
    let query = find.query.text().to_lowercase();
    find.reading = false;
    if query.is_empty() {
        find.found = None;
        return Vec::new();
    }
    let blocks = model.transcript.blocks();
    let fits = |block: &&Block| block.text().to_lowercase().contains(&query);
    let found = match (direction, at) {
        (Direction::Anew, _) | (Direction::Older, None) => blocks.iter().rev().find(fits),
        (Direction::Older, Some(at)) => blocks.range(..at).rev().find(fits),
        (Direction::Newer, at) => blocks.range(at.map_or(0, |at| at + 1)..).find(fits),
    };
    match found.map(|block| block.id) {
        Some(id) => {
            find.found = Some(id);
            model.transcript.scroll.wish(Move::Show(id));
            if let Mode::Browse { selected } = &mut model.mode {
                *selected = Some(id);
            }
        }
        None if direction != Direction::Newer && model.transcript.has_older() => {
            find.reading = true;
            return super::chat::load_older(model, 1_000);
        }
        None => {
            if direction == Direction::Anew {
                find.found = None;
            }
            let text = if find.found.is_some() { "no further find" } else { "not found" };
            model.say(text);
        }
    }
    Vec::new()
}

/// Goes on with a search that waited for older messages.
pub(super) fn search_on(model: &mut Model) -> Vec<Cmd> {
    match model.mode {
        Mode::Find | Mode::Browse { .. } if model.find.reading => search(model, Direction::Older),
        _ => Vec::new(),
    }
}

//! The list of the questions that wait, in all sessions.

use moltis_proto::v1;

use super::card;
use super::cmd::Cmd;
use super::model::{Model, Overlay};
use super::picker::Picker;
use super::session::switch;
use crate::keymap::Action;

/// The list.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// Its list.
    pub(crate) picker: Picker,
    entries: Vec<v1::Approval>,
    labels: Vec<String>,
    /// The list has arrived.
    pub(crate) loaded: bool,
}

impl Asked {
    /// Looks anew which questions fit.
    pub(super) fn rank(&mut self) {
        self.picker.rank(self.labels.iter().map(String::as_str), None);
    }

    /// The questions that fit.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &v1::Approval> {
        self.picker.ranked().iter().filter_map(|index| self.entries.get(*index))
    }
}

pub(super) fn open(model: &mut Model) -> Vec<Cmd> {
    model.open(Overlay::Asked(Box::default()));
    vec![Cmd::ListApprovals]
}

pub(super) fn arrived(model: &mut Model, entries: Vec<v1::Approval>) {
    let asked = model.overlays.iter_mut().find_map(|overlay| match overlay {
        Overlay::Asked(asked) => Some(asked),
        _ => None,
    });
    if let Some(asked) = asked {
        let label = |entry: &v1::Approval| format!("{} {}", entry.tool, entry.subject);
        asked.labels = entries.iter().map(label).collect();
        (asked.entries, asked.loaded) = (entries, true);
        asked.rank();
    }
}

pub(super) fn act(model: &mut Model, action: Action) -> Vec<Cmd> {
    let Some(Overlay::Asked(asked)) = model.overlays.last_mut() else { return Vec::new() };
    if asked.picker.act(action) {
        return Vec::new();
    }
    let chosen = asked.picker.chosen().and_then(|index| asked.entries.get(index));
    let chosen = chosen.map(|entry| (entry.session.clone(), entry.id.clone()));
    match (action, chosen) {
        (Action::Accept, Some((session, id))) => {
            model.close();
            if model.session_id() == Some(session.as_str()) {
                card::show(model, &id);
                return Vec::new();
            }
            switch(model, v1::Session { id: session, ..v1::Session::default() })
        }
        (Action::Leave | Action::Accept, _) => {
            model.close();
            Vec::new()
        }
        _ => Vec::new(),
    }
}

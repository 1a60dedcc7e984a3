//! A list that is narrowed by typing: the query, the entries that fit, the chosen one.

use crate::app::editor::Editor;
use crate::keymap::Action;
use crate::widget::Fuzzy;

/// Rows that a page moves by.
const PAGE: usize = 10;

/// The state of a list; the entries themselves belong to its owner.
#[derive(Clone, Debug, Default)]
pub(crate) struct Picker {
    /// What was typed.
    pub(crate) query: Editor,
    /// The entries that fit, best first, as indexes.
    ranked: Vec<usize>,
    selected: usize,
}

impl Picker {
    /// Looks anew which entries fit; the chosen one stays chosen if it still fits and nothing was
    /// typed, otherwise the best fit is chosen.
    pub(crate) fn rank<'a>(&mut self, entries: impl Iterator<Item = &'a str>, keep: Option<usize>) {
        self.ranked = Fuzzy::rank(self.query.text(), entries);
        let place = keep.and_then(|keep| self.ranked.iter().position(|index| *index == keep));
        self.selected = place.unwrap_or(0);
    }

    /// The entries that fit, best first.
    pub(crate) fn ranked(&self) -> &[usize] {
        &self.ranked
    }

    /// The place of the chosen entry among those that fit.
    pub(crate) fn place(&self) -> usize {
        self.selected
    }

    /// The chosen entry.
    pub(crate) fn chosen(&self) -> Option<usize> {
        self.ranked.get(self.selected).copied()
    }

    /// Chooses another entry; false when the action is not about that.
    pub(crate) fn act(&mut self, action: Action) -> bool {
        let last = self.ranked.len().saturating_sub(1);
        self.selected = match action {
            Action::ListUp => self.selected.saturating_sub(1),
            Action::ListDown => (self.selected + 1).min(last),
            Action::ListPageUp => self.selected.saturating_sub(PAGE),
            Action::ListPageDown => (self.selected + PAGE).min(last),
            Action::ListFirst => 0,
            Action::ListLast => last,
            _ => return false,
        };
        true
    }
}

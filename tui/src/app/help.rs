//! The help screen: the key table as it is, and the commands that are typed.

use moltis_proto::v1;

use super::slash;
use crate::keymap::{Action, Binding, Context, table};
use crate::widget::{Hue, Line, SafeText, Span, wrap};

/// The widest that it becomes.
pub(crate) const WIDEST: u16 = 84;
/// Columns of the keys.
const KEYS: usize = 24;

/// The help screen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Help {
    /// Rows above the screen.
    pub(crate) top: usize,
    /// How the daemon's commands are typed, and what they do.
    typed: Vec<(SafeText, SafeText)>,
}

/// A row of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HelpRow {
    /// The name of a part.
    Heading(&'static str),
    /// Keys, and what they do. Each may go on in the next row.
    Keys(Line, Line),
}

impl Help {
    /// The keys, and these commands of the daemon.
    pub(super) fn new(commands: &[v1::CommandInfo]) -> Self {
        let typed = slash::daemons(commands).map(|one| (one.call, one.help)).collect();
        Self { top: 0, typed }
    }

    /// Its rows at a width.
    pub(crate) fn rows(&self, width: usize) -> Vec<HelpRow> {
        let keys_width = Self::keys_width(width);
        let words_width = width.saturating_sub(keys_width);
        let mut rows = Vec::new();
        let mut part = |title, entries: &mut dyn Iterator<Item = (SafeText, SafeText)>| {
            if !rows.is_empty() {
                rows.push(HelpRow::Keys(Line::blank(), Line::blank()));
            }
            rows.push(HelpRow::Heading(title));
            for (keys, help) in entries {
                let keys = wrap(&[Span::new(keys, Hue::Accent)], keys_width.saturating_sub(1));
                let words = wrap(&[Span::new(help, Hue::Text)], words_width);
                for at in 0..keys.len().max(words.len()) {
                    let row = |rows: &[Vec<Span>]| {
                        rows.get(at).cloned().map(Line::from).unwrap_or_default()
                    };
                    rows.push(HelpRow::Keys(row(&keys), row(&words)));
                }
            }
        };
        for context in Context::ALL {
            let row = |binding: &Binding| (binding.keys.join(", ").into(), binding.help.into());
            let mine = table().iter().filter(|binding| binding.context == context);
            part(context.title(), &mut mine.map(row));
            if context == Context::Chat {
                let own = slash::TABLE.iter();
                let own = own.map(|slash| (slash.call().into(), slash.help.into()));
                let mut typed = own.chain(self.typed.iter().cloned());
                part("Typed", &mut typed);
            }
        }
        rows
    }

    /// Columns of the keys at a width.
    pub(crate) fn keys_width(width: usize) -> usize {
        KEYS.min(width / 2)
    }

    /// Moves on a screen of that size; false when the action is not about that.
    pub(super) fn act(&mut self, action: Action, (width, height): (u16, u16)) -> bool {
        let page = usize::from(height).saturating_sub(4).max(1);
        let inside = usize::from(width.min(WIDEST)).saturating_sub(4);
        let last = self.rows(inside).len().saturating_sub(page);
        let moved = turn(self.top.min(last), last, page, action);
        self.top = moved.unwrap_or(self.top);
        moved.is_some()
    }
}

/// Where a text that is read stands next; `None` when the action is not about that.
pub(super) fn turn(top: usize, last: usize, page: usize, action: Action) -> Option<usize> {
    Some(match action {
        Action::ListUp => top.saturating_sub(1),
        Action::ListDown => (top + 1).min(last),
        Action::ListPageUp => top.saturating_sub(page),
        Action::ListPageDown => (top + page).min(last),
        Action::ListFirst => 0,
        Action::ListLast => last,
        _ => return None,
    })
}

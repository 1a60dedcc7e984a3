//! The help screen: the key table as it is.

use crate::keymap::{Action, Context, table};

/// Rows that a page moves by.
const PAGE: usize = 10;

/// The help screen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Help {
    /// Rows above the screen.
    pub(crate) top: usize,
}

impl Help {
    /// Its rows: a heading, or the keys and what they do.
    pub(crate) fn rows() -> Vec<(String, &'static str)> {
        let mut rows = Vec::new();
        for context in Context::ALL {
            if !rows.is_empty() {
                rows.push((String::new(), ""));
            }
            rows.push((String::new(), context.title()));
            for binding in table().iter().filter(|binding| binding.context == context) {
                rows.push((binding.keys.join(", "), binding.help));
            }
        }
        rows
    }

    /// Moves; false when the action is not about that.
    pub(super) fn act(&mut self, action: Action) -> bool {
        let last = Self::rows().len().saturating_sub(1);
        self.top = match action {
            Action::ListUp => self.top.saturating_sub(1),
            Action::ListDown => (self.top + 1).min(last),
            Action::ListPageUp => self.top.saturating_sub(PAGE),
            Action::ListPageDown => (self.top + PAGE).min(last),
            Action::ListFirst => 0,
            Action::ListLast => last,
            _ => return false,
        };
        true
    }
}

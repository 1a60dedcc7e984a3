//! The palette: every command of the chat, found by its words.

use super::cmd::Cmd;
use super::model::{Model, Overlay};
use super::picker::Picker;
use super::slash;
use crate::keymap::{Action, Context, table};

/// The palette.
#[derive(Debug)]
pub(crate) struct Palette {
    /// Its list.
    pub(crate) picker: Picker,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    does: Does,
    /// What it does.
    help: &'static str,
    /// The key that does it, or how it is typed.
    key: String,
}

#[derive(Clone, Copy, Debug)]
enum Does {
    /// At once.
    Action(Action),
    /// When its argument is typed.
    Typed(&'static str),
}

impl Palette {
    /// All commands.
    pub(super) fn new() -> Self {
        let offered = |context| matches!(context, Context::Chat | Context::Anywhere);
        let typed = slash::TABLE.iter().filter(|slash| slash.has_no_key()).map(|slash| Entry {
            does: Does::Typed(slash.name),
            help: slash.help,
            key: format!("/{}", slash.name),
        });
        let entries = table()
            .iter()
            .filter(|binding| offered(binding.context) && is_offered(binding.action))
            .filter_map(|binding| {
                let key = (*binding.keys.first()?).to_owned();
                Some(Entry { does: Does::Action(binding.action), help: binding.help, key })
            })
            .chain(typed)
            .collect();
        let mut palette = Self { picker: Picker::default(), entries };
        palette.rank();
        palette
    }

    /// Looks anew which commands fit.
    pub(super) fn rank(&mut self) {
        self.picker.rank(self.entries.iter().map(|entry| entry.help), None);
    }

    /// The commands that fit: what they do, and their keys.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let ranked = self.picker.ranked().iter();
        ranked
            .filter_map(|index| self.entries.get(*index))
            .map(|entry| (entry.help, entry.key.as_str()))
    }
}

/// Whether a command makes sense when it is picked from a list.
fn is_offered(action: Action) -> bool {
    use Action as A;
    !matches!(
        action,
        A::Send
            | A::Newline
            | A::Complete
            | A::ClearOrQuit
            | A::QuitIfEmpty
            | A::HelpIfEmpty
            | A::Palette
            | A::Interrupt
    )
}

pub(super) fn act(model: &mut Model, action: Action) -> Vec<Cmd> {
    let Some(Overlay::Palette(palette)) = model.overlays.last_mut() else { return Vec::new() };
    if palette.picker.act(action) {
        return Vec::new();
    }
    let chosen = palette.picker.chosen().and_then(|index| palette.entries.get(index));
    let chosen = chosen.map(|entry| entry.does);
    match (action, chosen) {
        (Action::Accept, Some(Does::Action(chosen))) => {
            model.close();
            super::keys::act(model, chosen)
        }
        (Action::Accept, Some(Does::Typed(name))) => {
            model.close();
            if model.composer.is_empty() {
                model.composer.set(&format!("/{name} "));
            } else {
                model.say("send or clear what you wrote first");
            }
            Vec::new()
        }
        (Action::Leave | Action::Accept, _) => {
            model.close();
            Vec::new()
        }
        _ => Vec::new(),
    }
}

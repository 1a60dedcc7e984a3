//! The one key table: what every key does, where, and how help says it.
//!
//! Input, the help screen, the palette, the hints and the man page all read [`table()`]; no other file
//! names a key. A binding is a sequence of keys (`C-x l`); the first context of those that apply
//! wins. Not bound on purpose: `C-b` and `C-a` beyond editing (prefixes of terminal multiplexers)
//! and `C-q`, `C-s` outside of searches (flow control).

mod key;
mod table;

pub(crate) use key::{Code, Key};
pub(crate) use table::table;

use std::sync::OnceLock;

/// Where a binding applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Context {
    /// Everywhere.
    Anywhere,
    /// While writing a message.
    Chat,
    /// While text is edited, in the composer or in any one-line field.
    Editing,
    /// While a message is selected in the transcript.
    Browse,
    /// While looking for text in the transcript.
    Find,
    /// While looking for an earlier message.
    History,
    /// In every list.
    List,
    /// In the list of sessions.
    Sessions,
    /// In the list of models.
    Models,
    /// In the card of a question of an agent.
    Card,
    /// In a question that is answered yes or no.
    Confirm,
    /// In a field that asks for one line.
    Prompt,
    /// On the help screen.
    Help,
    /// On the screen of the first run.
    Welcome,
}

impl Context {
    /// All of them, in the order of the help.
    pub(crate) const ALL: [Self; 14] = [
        Self::Chat,
        Self::Editing,
        Self::Browse,
        Self::Find,
        Self::History,
        Self::List,
        Self::Sessions,
        Self::Models,
        Self::Card,
        Self::Confirm,
        Self::Prompt,
        Self::Help,
        Self::Welcome,
        Self::Anywhere,
    ];

    /// The heading of its part of the help.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Anywhere => "Everywhere",
            Self::Chat => "Chat",
            Self::Editing => "Editing",
            Self::Browse => "Browsing the transcript",
            Self::Find => "Finding",
            Self::History => "Earlier messages",
            Self::List => "Lists",
            Self::Sessions => "Sessions",
            Self::Models => "Models",
            Self::Card => "What an agent asks",
            Self::Confirm => "Questions",
            Self::Prompt => "Fields",
            Self::Help => "Help",
            Self::Welcome => "First run",
        }
    }
}

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    Send,
    Newline,
    Complete,
    Interrupt,
    ClearOrQuit,
    QuitIfEmpty,
    Detach,
    Suspend,
    Repaint,
    Help,
    HelpIfEmpty,
    Palette,
    OpenSessions,
    OpenModels,
    NewSession,
    RenameSession,
    ForkHere,
    Compact,
    AnswerQuestion,
    OpenApprovals,
    ToAgent,
    ToParent,
    ShowDiff,
    UndoTurn,
    ShowContext,
    CopyAnswer,
    Editor,
    ToggleFold,
    EnterBrowse,
    StartFind,
    ScrollUp,
    ScrollDown,
    PageUp,
    PageDown,
    ScrollTop,
    ScrollEnd,
    TakeQueued,
    HistoryBack,
    HistoryForward,
    EffortDown,
    EffortUp,
    Stop,
    Left,
    Right,
    Up,
    Down,
    WordLeft,
    WordRight,
    LineStart,
    LineEnd,
    Backspace,
    Delete,
    KillWordBack,
    KillWord,
    KillToEnd,
    KillToStart,
    Yank,
    Undo,
    Redo,
    BlockUp,
    BlockDown,
    TurnUp,
    TurnDown,
    CopyBlock,
    ForkBlock,
    EditBlock,
    FindNext,
    FindPrevious,
    Leave,
    Accept,
    ListUp,
    ListDown,
    ListPageUp,
    ListPageDown,
    ListFirst,
    ListLast,
    SessionNew,
    SessionRename,
    SessionFork,
    SessionArchive,
    SessionDelete,
    SessionsArchived,
    SessionAgents,
    ModelDefault,
    ModelRefresh,
    AllowOnce,
    AllowSession,
    AllowAlways,
    Deny,
    DenyWhy,
    QuestionNext,
    QuestionBefore,
    Yes,
    No,
}

/// A row of the key table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Binding {
    /// Where it applies.
    pub(crate) context: Context,
    /// The keys, each a sequence that does it; the first is the one that help shows.
    pub(crate) keys: &'static [&'static str],
    /// What it does.
    pub(crate) action: Action,
    /// What it does, in words: `send the message`.
    pub(crate) help: &'static str,
}

/// What a sequence of keys means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// Do this.
    Action(Action),
    /// The beginning of something longer.
    Prefix,
    /// Nothing.
    Nothing,
}

/// What the keys pressed so far mean in these contexts, the first of them first.
pub(crate) fn resolve(contexts: &[Context], pressed: &[Key]) -> Meaning {
    let mut prefix = false;
    for context in contexts {
        for (_, keys, action) in parsed().iter().filter(|(place, ..)| place == context) {
            if keys == pressed {
                return Meaning::Action(*action);
            }
            prefix |= keys.starts_with(pressed);
        }
    }
    if prefix { Meaning::Prefix } else { Meaning::Nothing }
}

/// The keys that begin with those pressed, and what they do: the hint after `C-x`.
pub(crate) fn continuations(contexts: &[Context], pressed: &[Key]) -> Vec<(String, &'static str)> {
    let mut out = Vec::new();
    for binding in table().iter().filter(|binding| contexts.contains(&binding.context)) {
        for keys in binding.keys {
            let sequence: Vec<Key> = keys.split(' ').filter_map(Key::parse).collect();
            if sequence.len() > pressed.len() && sequence.starts_with(pressed) {
                let rest: Vec<&str> = keys.split(' ').skip(pressed.len()).collect();
                out.push((rest.join(" "), binding.help));
            }
        }
    }
    out
}

/// The first key of an action, as help shows it.
pub(crate) fn key_of(action: Action) -> Option<&'static str> {
    table().iter().find(|binding| binding.action == action)?.keys.first().copied()
}

type Parsed = Vec<(Context, Vec<Key>, Action)>;

fn parsed() -> &'static Parsed {
    static PARSED: OnceLock<Parsed> = OnceLock::new();
    PARSED.get_or_init(|| {
        let mut parsed = Parsed::new();
        for binding in table() {
            for keys in binding.keys {
                let sequence = keys.split(' ').filter_map(Key::parse).collect();
                parsed.push((binding.context, sequence, binding.action));
            }
        }
        parsed
    })
}

#[cfg(test)]
#[path = "keymap_tests.rs"]
mod tests;

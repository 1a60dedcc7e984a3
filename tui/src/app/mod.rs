//! The client's state and how it changes: `update(&mut Model, Msg) -> Vec<Cmd>`, and nothing else.
//!
//! Nothing here draws, talks to the daemon or reads a clock: times come in messages, effects leave as
//! commands. One file per pane. The invariant that a property test keeps: whatever messages come in
//! whatever order, the model can be drawn, and drawing it from scratch gives the same screen.

mod agents;
mod areas;
mod asked;
mod browse;
mod budget;
mod card;
mod chat;
mod cmd;
mod commanding;
mod context;
pub(crate) mod editor;
mod help;
mod history;
mod holds;
mod keys;
mod model;
mod models;
mod msg;
mod net;
mod pager;
mod palette;
mod picker;
mod prompt;
mod question;
mod session;
mod sessions;
mod slash;
mod status;
mod transcript;
mod tree;
mod update;
mod welcome;

pub(crate) use areas::SMALLEST;
pub(crate) use asked::Asked;
pub(crate) use browse::Mode;
pub(crate) use budget::{Left, Limit};
pub(crate) use cmd::{Cmd, Target};
pub(crate) use context::{Part, Told};
pub(crate) use help::{Help, HelpRow, WIDEST as HELP_WIDEST};
pub(crate) use history::{MAX_ENTRIES, MAX_ENTRY};
pub(crate) use keys::contexts;
pub(crate) use model::{Link, Model, Overlay, Toast};
pub(crate) use models::{EFFORTS, Models};
pub(crate) use msg::{Moment, Msg, Reply, Said, Trouble, Wanted};
pub(crate) use pager::{Pager, WIDEST as PAGER_WIDEST};
pub(crate) use palette::Palette;
pub(crate) use picker::Picker;
pub(crate) use prompt::{Confirm, Prompt};
pub(crate) use question::{COVERS, covers_programs};
pub(crate) use session::title_or;
pub(crate) use sessions::{Sessions, age, state};
pub(crate) use slash::matching;
pub(crate) use status::{Status, elapsed, remaining, status, turning};
pub(crate) use transcript::{Kind, Stage, money, tokens};
pub(crate) use tree::{Row, order as tree_order};
pub(crate) use update::{next_wake, update};
pub(crate) use welcome::{Offer, Step, Welcome};

#[cfg(test)]
#[path = "card_tests.rs"]
mod card_tests;
#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
#[path = "app_tests.rs"]
mod tests;

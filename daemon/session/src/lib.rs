//! Sessions: who is asked what, in which order, and who is told.
//!
//! [`Sessions`] implements the driving port [`moltis_core::assistant::Assistant`]. Each session
//! that is in use has one actor with a bounded mailbox; the actor feeds the pure machine of
//! `agent` and runs what it wants done. What happened is appended to the journal first and shown
//! to readers then; readers are cursors that never hold anybody up.
//!
//! Not here: what a turn does (that is `agent`), where events are kept, how models are spoken
//! to. The invariants: nothing is acknowledged before it is on disk; an actor is the only writer
//! of its session; every turn has exactly one end.

mod acting;
mod actor;
mod asked;
mod beginning;
mod budget;
mod call;
mod commands;
mod compaction;
mod context;
mod cursor;
mod driving;
mod find;
mod hands;
mod live;
mod log;
mod mailbox;
mod missing;
mod own;
mod paying;
mod registry;
mod resume;
mod running;
mod secrets;
mod sessions;
mod stray;
mod telling;
mod titles;
mod typed;
mod undo;
mod worktrees;

pub use hands::{AllowList, Hands};
pub use own::{Preset, Presets};
pub use secrets::Secrets;
pub use sessions::{Activity, Sessions};

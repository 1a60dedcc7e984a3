//! The words of Moltis and its ports, on one page.
//!
//! A person's message enters through the one driving port, [`assistant::Assistant`].
//! What the daemon needs of the world it asks of driven ports: [`provider::Provider`] and
//! [`models::Models`] to think, [`journal::Journal`] to remember, [`vault::Vault`] to keep
//! secrets, [`env::Env`] for time and fresh ids, [`tool::Toolbox`] and [`sandbox::Sandbox`] to act,
//! [`hook::Hooks`] to let the person's programs have a say, [`checkpoint::Checkpoints`] to take
//! back what was done to a workspace, [`context::ContextFiles`] for what a model is told first of
//! all. Nothing acts on the world but what passed [`policy`]. The ports in [`admin`] are how the owner looks after the daemon itself.
//!
//! This crate is no place for I/O, runtimes, clocks or wire formats: it must stay possible to
//! say what Moltis means without saying how it is done. Its one invariant: every type here can
//! be built, compared and printed in a test without touching the machine.

pub mod admin;
pub mod assistant;
pub mod budget;
pub mod checkpoint;
pub mod code;
pub mod context;
pub mod env;
pub mod error;
pub mod event;
pub mod feed;
pub mod hook;
pub mod id;
pub mod journal;
pub mod message;
pub mod models;
pub mod policy;
pub mod provider;
pub mod sandbox;
pub mod session;
pub mod tool;
pub mod variable;
pub mod vault;
pub mod worktree;

pub use error::{Code, Error, Result};
pub use id::{ApprovalId, CallId, ItemId, OpId, SessionId, TurnId};
pub use jiff::Timestamp;

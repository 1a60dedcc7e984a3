//! The tools that Moltis brings along.
//!
//! [`Builtin`] is the explicit table of them: file tools on the workspace, programs in the sandbox,
//! and what is handed in from the web. [`Catalogue`] puts several toolboxes together and adds
//! `tool_search` where they are too many for a prompt.
//!
//! Not here: deciding whether a call may be made (`core::policy`), containing programs (`sandbox`),
//! what acts on the session itself (`session_state`, `spawn_agent`: the session's own). The
//! invariants: a tool acts on nothing but what its authorized call names; files are reached through
//! the jail alone; whatever blocks runs off the reactor, under a limit.

mod builtin;
mod catalogue;
#[cfg(test)]
mod fakes;
mod files;
mod jail;
mod off;
mod programs;
pub mod replace;
pub mod schema;
mod search;
pub mod web;

pub use builtin::Builtin;
pub use catalogue::Catalogue;
pub use search::{ToolSearch, search};

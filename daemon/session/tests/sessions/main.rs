//! Sessions as their callers see them, over a scripted provider and a journal in memory.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helper functions too"
)]

mod acting;
mod breaking;
mod budget;
mod compaction;
mod context;
mod feeds;
mod harness;
mod own;
mod properties;
mod queue;
mod recovery;
mod registry;
mod secrets;
mod store;
mod turns;
mod typed;

//! Sessions as their callers see them, over a scripted provider and a journal in memory.

mod feeds;
mod harness;
mod properties;
mod queue;
mod recovery;
mod registry;
mod store;
mod turns;

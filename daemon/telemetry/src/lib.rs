//! Logs: what the daemon says of itself.
//!
//! INFO tells the story of a day in a page, DEBUG explains one turn. Never a prompt, a token or a
//! secret at INFO: messages are constant, and fields hold ids, kinds, counts and times. Not here:
//! metrics and traces for other programs. The invariant: logging never fails, never waits for a
//! reader, and has no thread and no timer.

mod file;
mod layer;
mod level;
mod ring;
mod start;
mod text;

pub use start::{Error, LogHandle, LogOptions, check_level, init};

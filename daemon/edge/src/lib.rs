//! The gRPC services of the daemon over its unix socket.
//!
//! A call is told who asks ([`caller`]), made a word of core ([`moltis_codec`]), handed to a port
//! and answered; nothing is decided here. Not here: HTTP for browsers, which comes with its own
//! guards. The invariants: only the owner of the daemon (or root) is served, every failed call
//! carries an error detail, and every message, page, connection and wait has a bound.

mod caller;
mod error;
mod export;
#[cfg(test)]
mod fakes;
mod folder;
mod history;
mod lock;
mod peer;
mod replies;
#[cfg(test)]
mod rig;
mod rpc;
mod server;
pub mod socket;
mod status;

pub use error::Error;
pub use lock::Lock;
pub use server::{Services, serve};

//! The way to the daemon: find its socket, start it if it is not there, say hello, follow a feed.
//!
//! Nothing here prints or asks; what goes wrong is a [`Failure`] with a stable code and a hint. One
//! [`Client`] is one connection, shared by the clients of all services.

mod autostart;
pub(crate) mod call;
mod caller;
mod dial;
mod exit;
mod failure;
mod feed;
mod op;
mod place;
mod unit;

pub(crate) use autostart::daemon_program;
pub(crate) use dial::{Client, Connector, Wire};
pub(crate) use exit::Watch;
pub(crate) use failure::{EXIT_TURN, EXIT_UNREACHABLE, EXIT_WAITING, Failure};
pub(crate) use feed::{Begin, Feed};
pub(crate) use op::op_id;
pub(crate) use unit::Unit;

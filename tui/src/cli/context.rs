//! What every command has at hand.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use jiff::Timestamp;
use moltis_proto::v1::{FindRequest, Session};

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::GlobalFlags;
use crate::client::{Client, Connector, Failure, call};
use crate::output::Output;

/// The daemon's place and the way to print.
pub(super) struct Context {
    pub(super) connector: Connector,
    pub(super) output: Output,
}

impl Context {
    /// As the flags have it.
    pub(super) fn new(global: &GlobalFlags) -> Self {
        Self {
            connector: Connector::new(global, "cli"),
            output: Output::new(global.json, global.color),
        }
    }

    /// A connection; the daemon is started if that is allowed.
    pub(super) async fn connect(&self) -> Result<Client, Failure> {
        self.connector.connect().await
    }

    /// Asks for consent before something that can't be taken back.
    ///
    /// # Errors
    /// When there is nobody to ask, or the answer is no.
    pub(super) fn consent(&self, given: bool, question: &str) -> Result<(), Failure> {
        if given {
            return Ok(());
        }
        if !is_interactive() || self.output.json {
            return Err(Failure::usage("this must be confirmed").with_hint("add --yes"));
        }
        let asked = write!(io::stderr(), "{question} [y/N] ").and_then(|()| {
            let mut line = String::new();
            io::stdin().lock().read_line(&mut line).map(|_| line)
        });
        let line = asked.map_err(|error| Failure::io("cannot ask", &error))?;
        if matches!(line.trim().to_lowercase().as_str(), "y" | "yes") {
            Ok(())
        } else {
            Err(Failure::new("cancelled", "left as it was"))
        }
    }
}

/// Ctrl-C from now on, in place of the process's end.
pub(super) fn interrupts() -> Result<Signal, Failure> {
    signal(SignalKind::interrupt()).map_err(|error| Failure::io("cannot listen for Ctrl-C", &error))
}

/// Whether there is a person to ask and to show something to.
pub(super) fn is_interactive() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// The session that a person names.
pub(super) async fn find(client: &mut Client, name: &str) -> Result<Session, Failure> {
    let request = FindRequest { name: name.to_owned() };
    client.caller.call(&call::FIND, &request).await
}

/// A time of the wire; the epoch when there is none.
pub(super) fn time(at: Option<prost_types::Timestamp>) -> Timestamp {
    at.and_then(|at| Timestamp::new(at.seconds, at.nanos).ok()).unwrap_or_default()
}

//! `moltis` and `moltis attach`: the full-screen chat.

use std::io::IsTerminal as _;

use clap::Args;
use clap_complete::ArgValueCandidates;

use super::GlobalFlags;
use super::complete;
use super::context::is_interactive;
use crate::client::{Connector, Failure};
use crate::runtime::{self, Start};

/// Which session is shown.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct AttachArgs {
    /// The session: a key, an id or the beginning of one, or a title [default: main]
    #[arg(value_name = "SESSION", add = ArgValueCandidates::new(complete::sessions))]
    session: Option<String>,
}

/// Shows the chat until the person leaves.
///
/// # Errors
/// When there is no terminal, or it is gone.
pub(super) async fn run(global: &GlobalFlags, args: AttachArgs) -> Result<(), Failure> {
    if !is_interactive() {
        let failure = Failure::usage("the full-screen chat needs a terminal");
        return Err(failure.with_hint("moltis send TEXT, or moltis --help"));
    }
    let color = global.color.holds(std::io::stdout().is_terminal());
    let start = Start { session: args.session, color };
    runtime::run(Connector::new(global, "tui"), start)
        .await
        .map_err(|error| Failure::new("internal", format!("{error:#}")))
}

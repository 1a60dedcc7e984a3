//! `moltis sandbox`: the place where programs run that a model wants run.

use clap::Subcommand;

use super::context::Context;
use super::variables::{self, EnvCommand};
use crate::client::Failure;

/// Words of `moltis sandbox`.
#[derive(Debug, Subcommand)]
pub(crate) enum SandboxCommand {
    /// Look after the variables that programs in it find; no model is shown their values
    #[command(subcommand)]
    Env(EnvCommand),
}

impl SandboxCommand {
    /// What could not be done when this fails.
    pub(super) fn purpose(&self) -> &'static str {
        match self {
            Self::Env(command) => command.purpose(),
        }
    }
}

/// Does what was asked.
pub(super) async fn run(context: &Context, command: SandboxCommand) -> Result<(), Failure> {
    match command {
        SandboxCommand::Env(command) => variables::run(context, command).await,
    }
}

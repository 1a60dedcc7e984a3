//! `moltis vault`: look after the stored secrets.

use clap::Subcommand;
use moltis_proto::v1::RotateVaultRequest;
use serde_json::json;

use super::context::Context;
use crate::client::{Failure, call};

/// Words of `moltis vault`.
#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum VaultCommand {
    /// Make a new key for the vault and encrypt every secret anew
    Rotate,
}

/// Does what was asked.
pub(super) async fn run(context: &Context, command: VaultCommand) -> Result<(), Failure> {
    match command {
        VaultCommand::Rotate => {
            let mut client = context.connect().await?;
            let answer = client.caller.call(&call::ROTATE_VAULT, &RotateVaultRequest {}).await?;
            let line =
                format!("the vault has a new key; secrets encrypted anew: {}", answer.secrets);
            context.output.either(&json!({ "secrets": answer.secrets }), &line)
        }
    }
}

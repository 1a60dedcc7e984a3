//! `moltis restore`: replace the store by a backup's.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use serde_json::json;

use super::context::Context;
use super::offline;
use crate::client::Failure;

/// Words of `moltis restore`.
#[derive(Args, Debug)]
pub(crate) struct RestoreArgs {
    /// The backup
    #[arg(value_hint = ValueHint::FilePath)]
    file: PathBuf,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

/// Stops a running daemon, lets `moltisd` restore, and starts the daemon again if one ran.
pub(super) async fn run(context: &Context, args: RestoreArgs) -> Result<(), Failure> {
    context.connector.is_own("moltis restore")?;
    let shown = args.file.display();
    let file = std::fs::canonicalize(&args.file)
        .map_err(|error| Failure::io(format!("cannot read `{shown}`"), &error))?;
    let file = file.to_str().ok_or_else(|| Failure::usage("the path is not UTF-8"))?;
    let data_dir = context.connector.data_dir().display();
    context.consent(args.yes, &format!("Replace everything in {data_dir} by {shown}?"))?;
    let words = ["--restore", file, "--json"];
    let (mut document, ran) = offline::json_while_stopped(context, "restoring", &words).await?;
    let count = |name: &str| document[name].as_u64().unwrap_or_default();
    let line = format!("restored {} sessions, {} events", count("sessions"), count("events"));
    document["daemon"] = json!(if ran { "restarted" } else { "not running" });
    context.output.either(&document, &line)
}

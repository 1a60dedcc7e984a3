//! `moltis backup`: a complete copy of the store, while running.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;

use clap::{Args, ValueHint};
use jiff::Timestamp;
use moltis_proto::v1::BackupRequest;
use serde_json::json;

use super::context::Context;
use crate::client::{Failure, call};
use crate::output::bytes;

/// Words of `moltis backup`.
#[derive(Args, Debug)]
pub(crate) struct BackupArgs {
    /// The file to write [default: one in `backups` of the data directory]
    #[arg(value_hint = ValueHint::FilePath)]
    path: Option<PathBuf>,
}

/// Writes the backup and says what is in it.
pub(super) async fn run(context: &Context, args: BackupArgs) -> Result<(), Failure> {
    let path = match args.path {
        Some(path) => std::path::absolute(&path)
            .map_err(|error| Failure::io(format!("cannot use `{}`", path.display()), &error))?,
        None => {
            let own = context.connector.is_own("moltis backup");
            own.map_err(|failure| failure.with_hint("moltis backup FILE"))?;
            default_path(context)?
        }
    };
    let path = path.to_str().ok_or_else(|| Failure::usage("the path is not UTF-8"))?.to_owned();
    let mut client = context.connect().await?;
    let request = BackupRequest { path: path.clone() };
    let backup = client.caller.call(&call::BACKUP, &request);
    let answer = context.output.taking("writing the backup", backup).await?;
    let document = json!({
        "path": path,
        "sessions": answer.sessions,
        "events": answer.events,
        "bytes": answer.bytes,
        "problems": answer.problems,
    });
    let line = format!(
        "{path}: {} sessions, {} events, {}",
        answer.sessions,
        answer.events,
        bytes(answer.bytes)
    );
    context.output.either(&document, &line)?;
    for problem in &answer.problems {
        context.output.note(problem);
    }
    match answer.problems.len() {
        0 => Ok(()),
        count => Err(Failure::new("storage", format!("{count} sessions are damaged"))
            .with_hint("moltis fsck")),
    }
}

fn default_path(context: &Context) -> Result<PathBuf, Failure> {
    let folder = context.connector.data_dir().join("backups");
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)
        .map_err(|error| Failure::io(format!("cannot make `{}`", folder.display()), &error))?;
    let stamp = Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
    Ok(folder.join(format!("moltis-{stamp}.backup")))
}

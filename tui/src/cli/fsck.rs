//! `moltis fsck`: check the store, whether the daemon runs or not.

use moltis_proto::v1::{CheckRequest, CheckResponse};
use serde::Deserialize;
use serde_json::json;

use super::context::Context;
use super::offline;
use crate::client::Failure;
use crate::output::reported;

const CHECKING: &str = "checking the store";

/// Checks, prints what was found, and fails when something is wrong.
pub(super) async fn run(context: &Context) -> Result<(), Failure> {
    let report = check(context).await?;
    let CheckResponse { sessions, events, problems } = &report;
    let document = json!({ "sessions": sessions, "events": events, "problems": problems });
    if context.output.json {
        context.output.json(&document)?;
    } else {
        for problem in problems {
            context.output.line(problem)?;
        }
        let well = if problems.is_empty() { "all is well" } else { "not all is well" };
        context.output.line(&format!("{sessions} sessions, {events} events: {well}"))?;
    }
    if problems.is_empty() {
        return Ok(());
    }
    let failure = Failure::new("storage", format!("{} problems", problems.len()))
        .with_hint("moltis restore FILE brings a backup back");
    Err(if context.output.json { reported("cannot trust the store", &failure) } else { failure })
}

/// Lets a running daemon check, else `moltisd` itself.
async fn check(context: &Context) -> Result<CheckResponse, Failure> {
    // A socket that was named leads to the only store that can be meant.
    let own = context.connector.is_own("moltis fsck").is_ok();
    let client =
        if own { context.connector.running().await? } else { Some(context.connect().await?) };
    if let Some(mut client) = client {
        let check = client.system.check(CheckRequest {});
        return Ok(context.output.taking(CHECKING, check).await?.into_inner());
    }
    let check = offline::json(&context.connector, &["--fsck", "--json"]);
    let said = context.output.taking(CHECKING, check).await?;
    #[derive(Deserialize)]
    struct Report {
        sessions: u64,
        events: u64,
        problems: Vec<String>,
    }
    let Report { sessions, events, problems } = serde_json::from_value(said)
        .map_err(|error| Failure::new("internal", format!("moltisd's answer: {error}")))?;
    Ok(CheckResponse { sessions, events, problems })
}

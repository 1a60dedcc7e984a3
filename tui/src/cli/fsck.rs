//! `moltis fsck`: check the store, whether the daemon runs or not.

use clap::Args;
use moltis_proto::v1::{CheckRequest, CheckResponse};
use serde::Deserialize;
use serde_json::{Value, json};

use super::context::Context;
use super::offline;
use crate::client::{Failure, call};
use crate::output::reported;

const CHECKING: &str = "checking the store";

/// Words of `moltis fsck`.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct FsckArgs {
    /// Before that, make lists, sums and the search index anew; a running moltisd is restarted
    #[arg(long)]
    rebuild: bool,
}

/// Checks, prints what was found, and fails when something is wrong.
pub(super) async fn run(context: &Context, args: FsckArgs) -> Result<(), Failure> {
    let report = check(context, args.rebuild).await?;
    let CheckResponse { sessions, events, problems, rebuild_mends } = &report;
    let document = json!({
        "sessions": sessions,
        "events": events,
        "problems": problems,
        "rebuild_mends": rebuild_mends,
    });
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
    let hint = if *rebuild_mends {
        "moltis fsck --rebuild mends that: the events are sound"
    } else {
        "moltis restore FILE brings a backup back"
    };
    let failure = Failure::new("storage", format!("{} problems", problems.len())).with_hint(hint);
    Err(if context.output.json { reported("cannot trust the store", &failure) } else { failure })
}

/// Lets a running daemon check, else `moltisd` itself; only the latter can rebuild.
async fn check(context: &Context, rebuild: bool) -> Result<CheckResponse, Failure> {
    if rebuild {
        context.connector.is_own("moltis fsck --rebuild")?;
        let words = ["--fsck", "--rebuild", "--json"];
        return report(offline::json_while_stopped(context, "rebuilding", &words).await?.0);
    }
    // A socket that was named leads to the only store that can be meant.
    let own = context.connector.is_own("moltis fsck").is_ok();
    let client =
        if own { context.connector.running().await? } else { Some(context.connect().await?) };
    if let Some(mut client) = client {
        let check = client.caller.call(&call::CHECK, &CheckRequest {});
        return context.output.taking(CHECKING, check).await;
    }
    let check = offline::json(&context.connector, &["--fsck", "--json"]);
    report(context.output.taking(CHECKING, check).await?)
}

fn report(said: Value) -> Result<CheckResponse, Failure> {
    #[derive(Deserialize)]
    struct Report {
        sessions: u64,
        events: u64,
        problems: Vec<String>,
        rebuild_mends: bool,
    }
    let Report { sessions, events, problems, rebuild_mends } = serde_json::from_value(said)
        .map_err(|error| Failure::new("internal", format!("moltisd's answer: {error}")))?;
    Ok(CheckResponse { sessions, events, problems, rebuild_mends })
}

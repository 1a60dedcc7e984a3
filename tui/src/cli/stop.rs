//! `moltis stop`: cancel what a session is doing.

use clap::Args;
use clap_complete::ArgValueCandidates;
use moltis_proto::v1::StopRequest;
use serde_json::json;

use super::complete;
use super::context::{Context, find};
use crate::client::{Failure, call, op_id};

/// Words of `moltis stop`.
#[derive(Args, Debug)]
pub(crate) struct StopArgs {
    /// Key, id, beginning of an id, or title
    #[arg(default_value = "main", add = ArgValueCandidates::new(complete::sessions))]
    session: String,
    /// Stop the turns that wait as well, and agents in the background
    #[arg(long)]
    all: bool,
}

/// Stops, and names the turns that were.
pub(super) async fn run(context: &Context, args: StopArgs) -> Result<(), Failure> {
    let mut client = context.connect().await?;
    let session = find(&mut client, &args.session).await?.id;
    let request = StopRequest {
        op_id: op_id(),
        session: session.clone(),
        all: args.all,
        turn: String::new(),
    };
    let turns = client.caller.call(&call::STOP, &request).await?.turns;
    let line = match turns.as_slice() {
        [] if args.all => "no turn was running".to_owned(),
        [] => "nothing was running".to_owned(),
        turns => format!("stopped {}", turns.join(" ")),
    };
    context.output.either(&json!({ "session": session, "stopped": turns }), &line)
}

//! `moltis approvals`, `approve` and `deny`: what waits for an answer, and answering it.
//!
//! The answer is bound to what was shown: the digest of the question that is fetched here is the one
//! that the daemon must still have. With `--digest`, it is the one that somebody saw before.

use clap::Args;
use clap_complete::ArgValueCandidates;
use jiff::Timestamp;
use moltis_proto::json::approval as approval_json;
use moltis_proto::v1::Approval;
use serde_json::{Value, json};

use super::complete;
use super::context::{Context, find, is_interactive, time};
use super::question::{self, Choice};
use super::shape::some;
use crate::client::Failure;
use crate::output::{Side, Table, ago};

/// Words of `moltis approvals`.
#[derive(Args, Debug)]
pub(crate) struct ApprovalsArgs {
    /// Only of this session: key, id, beginning of an id, or title
    #[arg(add = ArgValueCandidates::new(complete::sessions))]
    session: Option<String>,
}

/// Words of `moltis approve`.
#[derive(Args, Debug)]
pub(crate) struct ApproveArgs {
    #[command(flatten)]
    asked: Asked,
    /// Allow calls like it for the rest of the session
    #[arg(long, conflicts_with = "always")]
    session: bool,
    /// Allow calls like it in every session: the configuration gets a line
    #[arg(long)]
    always: bool,
}

/// Words of `moltis deny`.
#[derive(Args, Debug)]
pub(crate) struct DenyArgs {
    #[command(flatten)]
    asked: Asked,
}

/// Which question, and why it is answered so.
#[derive(Args, Debug)]
struct Asked {
    /// The question's id, or a beginning that fits no other
    #[arg(add = ArgValueCandidates::new(complete::approvals))]
    id: String,
    /// Only if the question has this digest; 12 digits or more of it
    #[arg(long, value_name = "DIGEST")]
    digest: Option<String>,
    /// Why, for the model and the record
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: String,
}

/// Lists what waits.
pub(super) async fn list(context: &Context, args: ApprovalsArgs) -> Result<(), Failure> {
    let mut client = context.connect().await?;
    let session = match args.session {
        Some(name) => find(&mut client, &name).await?.id,
        None => String::new(),
    };
    let waiting = question::waiting(&mut client, &session).await?;
    let output = &context.output;
    if output.json {
        return output.json(&Value::Array(waiting.iter().map(approval_json).collect()));
    }
    if waiting.is_empty() {
        output.note("nothing waits for an answer");
        return Ok(());
    }
    output.table(&table(&waiting, Timestamp::now()))
}

fn table(waiting: &[Approval], now: Timestamp) -> Table {
    let mut table = Table::new(&[
        ("ID", Side::Left),
        ("SESSION", Side::Left),
        ("TOOL", Side::Left),
        ("WHAT", Side::Cut),
        ("WHY", Side::Cut),
        ("ASKED", Side::Left),
        ("DIGEST", Side::Left),
    ]);
    for question in waiting {
        table.row([
            &question.id,
            &question.session,
            &question.tool,
            &question.subject,
            &question.reason,
            &ago(time(question.asked_at), now),
            question::beginning(&question.digest),
        ]);
    }
    table
}

/// Allows a call.
pub(super) async fn approve(context: &Context, args: ApproveArgs) -> Result<(), Failure> {
    let choice = match (args.session, args.always) {
        (true, _) => Choice::Session,
        (_, true) => Choice::Always,
        (false, false) => Choice::Once,
    };
    answer(context, args.asked, choice).await
}

/// Denies a call.
pub(super) async fn deny(context: &Context, args: DenyArgs) -> Result<(), Failure> {
    answer(context, args.asked, Choice::No).await
}

async fn answer(context: &Context, asked: Asked, choice: Choice) -> Result<(), Failure> {
    let mut client = context.connect().await?;
    let question = question::find(&mut client, &asked.id).await?;
    let output = &context.output;
    match &asked.digest {
        Some(digest) => question::check_digest(&question, digest)?,
        None if !output.json => output.tell(&question::text(&question)),
        None => {}
    }
    if choice != Choice::No && choice != Choice::Once && question.pattern.is_empty() {
        let failure = Failure::new("invalid", "nothing would cover this call and others like it");
        return Err(failure.with_hint(format!("moltis approve {}", question.id)));
    }
    let may_ask = is_interactive() && !output.json && asked.digest.is_none();
    if choice != Choice::No && may_ask {
        context.consent(false, "Approve?")?;
    }
    let done = question::answer(&mut client, &question, choice, asked.reason).await?;
    let allowed = choice != Choice::No;
    let document = json!({
        "approval": question.id,
        "session": done.session,
        "turn": done.turn,
        "seq": done.seq,
        "allowed": allowed,
        "reach": choice.reach(),
        "pattern": some(&done.pattern),
        "question": approval_json(&question),
    });
    let word = if allowed { "allowed" } else { "denied" };
    output.either(&document, &format!("{word}: {}", question::line(&question)))?;
    if allowed && !done.pattern.is_empty() && !output.json {
        output.note(&format!("from now on `{}` is not asked any more", done.pattern));
    }
    Ok(())
}

//! `moltis send`: say something, print the answer as it comes, exit as the turn ended.
//!
//! The message has an op id, so that it is sent again after a broken connection without being said
//! twice. Ctrl-C stops the turn and waits for its end; a second one leaves at once. How the turn is
//! printed is [`super::follow`]'s.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum, ValueHint};
use clap_complete::ArgValueCandidates;
use moltis_proto::v1::{CreateRequest, QueueMode, SendRequest, SendResponse, Settings};
use serde_json::json;
use tokio::time::Instant;

use super::context::{Context, find, interrupts};
use super::follow::{Follower, cancelled, stop};
use super::{complete, files, settings};
use crate::client::{Begin, Client, Failure, Feed, call, op_id};

/// How long a message is sent again when the daemon is away.
const PATIENCE: Duration = Duration::from_secs(60);

/// Words of `moltis send`.
#[derive(Args, Debug)]
pub(crate) struct SendArgs {
    /// In this session: key, id, beginning of an id, or title
    #[arg(long, short, value_name = "SESSION", default_value = "main", add = ArgValueCandidates::new(complete::sessions))]
    session: String,
    /// In a session of its own
    #[arg(long, conflicts_with = "session")]
    new: bool,
    /// The directory that the new session works on
    #[arg(long, value_name = "DIR", requires = "new", value_hint = ValueHint::DirPath)]
    workspace: Option<String>,
    /// The new session works in a git worktree of its own of that directory
    #[arg(long, requires = "new")]
    worktree: bool,
    /// Ask this model from now on in the session: `provider/model`
    #[arg(long, short, value_name = "MODEL", add = ArgValueCandidates::new(complete::models))]
    model: Option<String>,
    /// Send along a picture or a text file; may be given several times
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: Vec<PathBuf>,
    /// What becomes of the message while a turn is running [default: as the session has it]
    #[arg(long, value_name = "MODE")]
    queue: Option<Queue>,
    /// Print the ids and leave; the turn goes on
    #[arg(long)]
    detach: bool,
    /// What to say; `-` is standard input, which is read as well when nothing is given
    #[arg(value_name = "TEXT")]
    text: Vec<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Queue {
    /// It waits and then has a turn of its own
    Followup,
    /// It joins the other waiting messages
    Collect,
    /// It joins the running turn before the next call of the model
    Steer,
}

/// What holds in a session that is begun.
fn new_settings(workspace: Option<&str>, worktree: bool) -> Result<Settings, Failure> {
    let workspace = workspace.map(settings::workspace).transpose()?.unwrap_or_default();
    let tree = if worktree { settings::OWN.to_owned() } else { String::new() };
    Ok(Settings { workspace, tree, ..Settings::default() })
}

/// Sends, and unless detached, prints until the turn has ended.
pub(super) async fn run(context: &Context, args: SendArgs) -> Result<(), Failure> {
    let parts = files::parts(&args.text, &args.file)?;
    let mut interrupt = interrupts()?;
    let queue = match args.queue {
        None => QueueMode::Unspecified,
        Some(Queue::Followup) => QueueMode::Followup,
        Some(Queue::Collect) => QueueMode::Collect,
        Some(Queue::Steer) => QueueMode::Steer,
    };
    let request = SendRequest {
        op_id: op_id(),
        session: String::new(),
        parts,
        queue: queue.into(),
        model: args.model.unwrap_or_default(),
    };
    let settings = args.new.then(|| new_settings(args.workspace.as_deref(), args.worktree));
    let settings = settings.transpose()?;
    let begin = async {
        let mut client = context.connect().await?;
        let session = open_session(context, &mut client, &args.session, settings).await?;
        Ok::<_, Failure>((client, session))
    };
    let (mut client, session) = tokio::select! {
        begun = Box::pin(begin) => begun?,
        _ = interrupt.recv() => return Err(cancelled()),
    };
    // From here on the message may have arrived: Ctrl-C waits for the receipt and stops the turn.
    let mut stopping = false;
    let receipt = {
        let mut submit = Box::pin(submit(context, &mut client, SendRequest { session, ..request }));
        loop {
            tokio::select! {
                receipt = &mut submit => break receipt?,
                _ = interrupt.recv() => {
                    if stopping {
                        return Err(cancelled());
                    }
                    stopping = true;
                }
            }
        }
    };
    if args.detach && stopping {
        Box::pin(stop(&context.connector, client, &receipt, &mut interrupt)).await?;
        return Err(cancelled());
    }
    if args.detach {
        return print_receipt(context, &receipt);
    }
    if args.new && !context.output.json {
        context.output.note(&format!("session {}", receipt.session));
    }
    let begin = Begin::After(receipt.seq.saturating_sub(1));
    let attach = Feed::attach(&context.connector, &client, &receipt.session, begin);
    let feed = tokio::select! {
        feed = Box::pin(attach) => feed?,
        _ = interrupt.recv() => {
            Box::pin(stop(&context.connector, client, &receipt, &mut interrupt)).await?;
            return Err(cancelled());
        }
    };
    let follower = Follower::new(context, receipt);
    Box::pin(follower.follow(feed, interrupt, stopping)).await
}

/// The session of that name, or a new one with those settings.
async fn open_session(
    context: &Context,
    client: &mut Client,
    name: &str,
    new: Option<Settings>,
) -> Result<String, Failure> {
    if new.is_none() {
        return Ok(find(client, name).await?.id);
    }
    let request = CreateRequest { op_id: op_id(), settings: new, ..CreateRequest::default() };
    let makes = request.settings.as_ref().is_some_and(|settings| settings.tree == settings::OWN);
    Ok(settings::told(context, makes, client.caller.call(&call::CREATE, &request)).await?.id)
}

/// Sends the message, again and again while the daemon is away: the op id makes it one message.
async fn submit(
    context: &Context,
    client: &mut Client,
    request: SendRequest,
) -> Result<SendResponse, Failure> {
    let begun = Instant::now();
    loop {
        let failure = match client.caller.call(&call::SEND, &request).await {
            Ok(receipt) => return Ok(receipt),
            Err(failure) => failure,
        };
        if !failure.is_unavailable() || begun.elapsed() > PATIENCE {
            return Err(failure);
        }
        *client = Box::pin(context.connector.come_back()).await?;
    }
}

fn print_receipt(context: &Context, receipt: &SendResponse) -> Result<(), Failure> {
    let SendResponse { session, turn, item, seq } = receipt;
    let document = json!({ "session": session, "turn": turn, "item": item, "seq": seq });
    context.output.either(&document, &format!("{session} {turn}"))
}

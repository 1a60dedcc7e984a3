//! `moltis sessions`: list, read, and look after sessions.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum, ValueHint};
use clap_complete::ArgValueCandidates;
use jiff::Timestamp;
use moltis_proto::v1::{
    ArchiveRequest, DeleteRequest, ExportFormat, ExportRequest, ForkRequest, HistoryRequest,
    ListSessionsRequest, RenameRequest, SearchHit, SearchRequest, Session,
};
use serde_json::{Value, json};

use super::context::{Context, find, time};
use super::transcript::Transcript;
use super::{changes, compaction, complete, settings, shape, show, typed};
use crate::client::{Client, Failure, call, op_id};
use crate::output::{Side, Table, ago, count, dollars, reported};

/// Words of `moltis sessions`.
#[derive(Debug, Subcommand)]
pub(crate) enum SessionsCommand {
    /// List sessions, the most recently changed first
    List {
        /// Also those that are put away
        #[arg(long)]
        archived: bool,
        /// At most so many
        #[arg(long, short = 'n', value_name = "N", default_value_t = 0, hide_default_value = true)]
        limit: u32,
    },
    /// Show all that is known of a session
    Show(Named),
    /// Print what was said in a session
    History {
        #[command(flatten)]
        named: Named,
        /// Only events after this one
        #[arg(long, value_name = "SEQ")]
        after: Option<u64>,
        /// Only events before this one
        #[arg(long, value_name = "SEQ", conflicts_with = "after")]
        before: Option<u64>,
        /// At most so many events, the last ones unless `--after` is given; 0 is all
        #[arg(long, short = 'n', value_name = "N", default_value_t = 0, hide_default_value = true)]
        limit: u32,
        /// Show all of what tools gave, also on a terminal
        #[arg(long)]
        full: bool,
    },
    /// Set what holds for a session's turns
    Set(settings::SetArgs),
    /// Run a command as it is typed into a chat: `/sh ls`, `/clear`
    Command {
        #[command(flatten)]
        named: Named,
        /// The command and what follows it; without it the commands are listed
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        line: Vec<String>,
    },
    /// Show what a turn changed in the workspace
    Diff(OfTurn),
    /// Undo what a turn changed in the workspace, but for what was changed since
    Undo(OfTurn),
    /// Give a session a title
    Rename {
        #[command(flatten)]
        named: Named,
        /// The title
        title: String,
    },
    /// Put a session away
    Archive {
        #[command(flatten)]
        named: Named,
        /// Take it out again
        #[arg(long)]
        undo: bool,
    },
    /// Delete a session for good
    Delete {
        #[command(flatten)]
        named: Named,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// Begin a new session with a copy of another one's past
    Fork {
        #[command(flatten)]
        named: Named,
        /// The last event to take along [default: all]
        #[arg(long, value_name = "SEQ")]
        at: Option<u64>,
    },
    /// Put a summary in the place of the older part of a conversation
    Compact(Named),
    /// Show what the model is told, and how much room that takes
    Context(Named),
    /// Search what was said in all sessions
    Search {
        /// Words
        #[arg(required = true)]
        query: Vec<String>,
        /// At most so many finds
        #[arg(long, short = 'n', value_name = "N", default_value_t = 20)]
        limit: u32,
    },
    /// Write a session as a document
    Export {
        #[command(flatten)]
        named: Named,
        /// As what
        #[arg(long, default_value = "markdown")]
        format: Format,
        /// Into this new file instead of standard output
        #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
        output: Option<PathBuf>,
    },
}

/// A session, as a person names it.
#[derive(Args, Debug)]
pub(crate) struct Named {
    /// Key, id, beginning of an id, or title
    #[arg(add = ArgValueCandidates::new(complete::sessions))]
    pub(super) session: String,
}

/// A turn of a session.
#[derive(Args, Debug)]
pub(crate) struct OfTurn {
    #[command(flatten)]
    named: Named,
    /// The turn [default: the last one that changed something]
    #[arg(default_value = "", hide_default_value = true)]
    turn: String,
}

/// A document's format.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Markdown,
    /// An event a line
    Jsonl,
}

impl SessionsCommand {
    /// What could not be done when this fails.
    pub(super) fn purpose(&self) -> &'static str {
        match self {
            Self::List { .. } => "cannot list the sessions",
            Self::Show(_) => "cannot show the session",
            Self::History { .. } => "cannot read the session",
            Self::Set(_) => "cannot set up the session",
            Self::Command { .. } => "cannot run the command",
            Self::Diff(_) => "cannot show what was changed",
            Self::Undo(_) => "cannot undo what was changed",
            Self::Rename { .. } => "cannot rename the session",
            Self::Archive { .. } => "cannot put the session away",
            Self::Delete { .. } => "cannot delete the session",
            Self::Fork { .. } => "cannot fork the session",
            Self::Compact(_) => "cannot compact the conversation",
            Self::Context(_) => "cannot show what the model is told",
            Self::Search { .. } => "cannot search",
            Self::Export { .. } => "cannot export the session",
        }
    }
}

/// Does what was asked.
pub(super) async fn run(context: &Context, command: SessionsCommand) -> Result<(), Failure> {
    let mut client = context.connect().await?;
    let client = &mut client;
    match command {
        SessionsCommand::List { archived, limit } => list(context, client, archived, limit).await,
        SessionsCommand::Show(named) => {
            let session = find(client, &named.session).await?;
            show::show(context, client, &session).await
        }
        SessionsCommand::History { named, after, before, limit, full } => {
            let session = find(client, &named.session).await?.id;
            let request = HistoryRequest { session, after_seq: after, before_seq: before, limit };
            history(context, client, request, full).await
        }
        SessionsCommand::Set(args) => {
            let session = find(client, &args.named.session).await?;
            let session = settings::set(context, client, session, args).await?;
            done(context, &session, &format!("{} is set", session.id))
        }
        SessionsCommand::Command { named, line } => {
            typed::run(context, client, &named.session, &line).await
        }
        SessionsCommand::Diff(OfTurn { named, turn }) => {
            let session = find(client, &named.session).await?.id;
            changes::diff(context, client, &session, turn).await
        }
        SessionsCommand::Undo(OfTurn { named, turn }) => {
            let session = find(client, &named.session).await?.id;
            changes::undo(context, client, &session, turn).await
        }
        SessionsCommand::Rename { named, title } => {
            let session = find(client, &named.session).await?.id;
            let request = RenameRequest { op_id: op_id(), session, title };
            let session = client.caller.call(&call::RENAME, &request).await?;
            done(context, &session, &format!("{} is now \"{}\"", session.id, session.title))
        }
        SessionsCommand::Archive { named, undo } => {
            let session = find(client, &named.session).await?.id;
            let request = ArchiveRequest { op_id: op_id(), session, archived: !undo };
            let session = client.caller.call(&call::ARCHIVE, &request).await?;
            let what = if session.archived { "is put away" } else { "is taken out again" };
            done(context, &session, &format!("{} {what}", session.id))
        }
        SessionsCommand::Delete { named, yes } => {
            let session = find(client, &named.session).await?;
            delete(context, client, &session, yes).await
        }
        SessionsCommand::Fork { named, at } => {
            let session = find(client, &named.session).await?.id;
            fork(context, client, session, at).await
        }
        SessionsCommand::Compact(named) => {
            let session = find(client, &named.session).await?.id;
            compaction::compact(context, client, session).await
        }
        SessionsCommand::Context(named) => {
            let session = find(client, &named.session).await?.id;
            compaction::show(context, client, session).await
        }
        SessionsCommand::Search { query, limit } => {
            let request = SearchRequest { query: query.join(" "), limit };
            let hits = client.caller.call(&call::SEARCH, &request).await?.hits;
            show_hits(context, &hits)
        }
        SessionsCommand::Export { named, format, output } => {
            let session = find(client, &named.session).await?.id;
            export(context, client, session, format, output.as_deref()).await
        }
    }
}

async fn delete(
    context: &Context,
    client: &mut Client,
    session: &Session,
    yes: bool,
) -> Result<(), Failure> {
    let question = format!(
        "Delete \"{}\" ({}, {} messages) for good?",
        session.title, session.id, session.messages
    );
    context.consent(yes, &question)?;
    let request = DeleteRequest { op_id: op_id(), session: session.id.clone() };
    let kept = client.caller.call(&call::DELETE, &request).await?.kept;
    let mut line = format!("{} is deleted", session.id);
    if !kept.is_empty() {
        line = format!("{line}; {kept}");
    }
    context.output.either(&json!({ "deleted": session.id, "kept": shape::some(&kept) }), &line)
}

async fn fork(
    context: &Context,
    client: &mut Client,
    session: String,
    at: Option<u64>,
) -> Result<(), Failure> {
    if at == Some(0) {
        return Err(Failure::usage("event 0 does not exist: the first one is 1"));
    }
    let request = ForkRequest { op_id: op_id(), session, seq: at.unwrap_or_default() };
    let session = client.caller.call(&call::FORK, &request).await?;
    done(context, &session, &session.id)
}

fn done(context: &Context, session: &Session, line: &str) -> Result<(), Failure> {
    context.output.either(&shape::session(session), line)
}

async fn list(
    context: &Context,
    client: &mut Client,
    archived: bool,
    limit: u32,
) -> Result<(), Failure> {
    let request = ListSessionsRequest { archived, limit };
    let sessions = client.caller.call(&call::SESSIONS, &request).await?.sessions;
    if context.output.json {
        let all = sessions.iter().map(shape::session).collect();
        return context.output.json(&Value::Array(all));
    }
    if sessions.is_empty() {
        context.output.note("there are no sessions; `moltis send TEXT` begins one");
        return Ok(());
    }
    context.output.table(&table(&tree(sessions), Timestamp::now()))
}

/// Agents under the sessions that began them, with how deep they stand there.
fn tree(sessions: Vec<Session>) -> Vec<(usize, Session)> {
    let order = crate::app::tree_order(&sessions);
    let mut sessions: Vec<Option<Session>> = sessions.into_iter().map(Some).collect();
    let taken = |(depth, at): (usize, usize)| Some((depth, sessions[at].take()?));
    order.into_iter().filter_map(taken).collect()
}

fn table(sessions: &[(usize, Session)], now: Timestamp) -> Table {
    let mut table = Table::new(&[
        ("SESSION", Side::Left),
        ("TITLE", Side::Cut),
        ("STATE", Side::Left),
        ("CHANGED", Side::Left),
        ("MESSAGES", Side::Right),
        ("TOKENS", Side::Right),
        ("COST", Side::Right),
        ("MODEL", Side::Cut),
    ]);
    for (depth, session) in sessions {
        let mark = if *depth > 0 { "└ " } else { "" };
        let title = format!("{}{mark}{}", "  ".repeat(depth.saturating_sub(1)), session.title);
        let usage = session.usage.unwrap_or_default();
        table.row([
            if session.key.is_empty() { &session.id } else { &session.key },
            &title,
            if session.archived { "archived" } else { shape::state(session) },
            &ago(time(session.updated_at), now),
            &session.messages.to_string(),
            &count(usage.input_tokens + usage.output_tokens),
            &dollars(usage.cost_microusd),
            &session.last_model,
        ]);
    }
    table
}

/// How many events are asked for at once.
const PAGE: u32 = 1_000;

/// Prints events page by page, the oldest first; nothing is gathered but a page.
async fn history(
    context: &Context,
    client: &mut Client,
    request: HistoryRequest,
    full: bool,
) -> Result<(), Failure> {
    let mut left = if request.limit == 0 { u32::MAX } else { request.limit };
    let end = request.before_seq.unwrap_or(u64::MAX);
    // The last events of a session are found by going back from its end.
    let mut after = match request.after_seq {
        Some(after) => after,
        None if left < u32::MAX => begin_of_last(client, &request, end).await?,
        None => 0,
    };
    let mut transcript = Transcript::new(&context.output, full);
    let mut first = true;
    'pages: while left > 0 {
        let page = HistoryRequest {
            session: request.session.clone(),
            after_seq: Some(after),
            before_seq: None,
            limit: left.min(PAGE),
        };
        let events = match client.caller.call(&call::HISTORY, &page).await {
            Ok(page) => page.events,
            Err(failure) if context.output.json && !first => {
                // What is printed already stays one document.
                context.output.raw("]\n")?;
                return Err(reported("cannot read the session", &failure));
            }
            Err(failure) => return Err(failure),
        };
        if events.is_empty() {
            break;
        }
        for event in &events {
            if event.seq >= end || left == 0 {
                break 'pages;
            }
            after = event.seq;
            left -= 1;
            if context.output.json {
                let comma = if first { "[" } else { ",\n" };
                context.output.raw(&format!("{comma}{}", shape::flat_event(event)))?;
            } else {
                transcript.event(event)?;
            }
            first = false;
        }
    }
    match (context.output.json, first) {
        (true, true) => context.output.raw("[]\n"),
        (true, false) => context.output.raw("]\n"),
        (false, _) => transcript.end(),
    }
}

/// The seq before the first of the last `limit` events before `end`: seqs have no gaps.
async fn begin_of_last(
    client: &mut Client,
    request: &HistoryRequest,
    end: u64,
) -> Result<u64, Failure> {
    let page = HistoryRequest {
        session: request.session.clone(),
        after_seq: None,
        before_seq: Some(end).filter(|end| *end < u64::MAX),
        limit: 1,
    };
    let events = client.caller.call(&call::HISTORY, &page).await?.events;
    let last = events.last().map_or(0, |event| event.seq);
    Ok(last.saturating_sub(u64::from(request.limit)))
}

fn show_hits(context: &Context, hits: &[SearchHit]) -> Result<(), Failure> {
    let output = &context.output;
    if output.json {
        return output.json(&Value::Array(hits.iter().map(hit_json).collect()));
    }
    if hits.is_empty() {
        output.note("nothing was found");
    }
    let now = Timestamp::now();
    for hit in hits {
        let who = if hit.by_person { "you" } else { "model" };
        let title = if hit.title.is_empty() { &hit.session } else { &hit.title };
        let at = ago(time(hit.at), now);
        output.line(&format!("{title} ({} at {}, {who}, {at})", hit.session, hit.seq))?;
        let snippet = hit.snippet.split_whitespace().collect::<Vec<_>>().join(" ");
        output.line(&format!("    {snippet}"))?;
    }
    Ok(())
}

fn hit_json(hit: &SearchHit) -> Value {
    json!({
        "session": hit.session,
        "title": hit.title,
        "seq": hit.seq,
        "at": shape::at(hit.at),
        "by": if hit.by_person { "user" } else { "assistant" },
        "snippet": hit.snippet,
        "score": hit.score,
    })
}

async fn export(
    context: &Context,
    client: &mut Client,
    session: String,
    format: Format,
    path: Option<&Path>,
) -> Result<(), Failure> {
    let (format, name) = match format {
        Format::Markdown => (ExportFormat::Markdown, "markdown"),
        Format::Jsonl => (ExportFormat::Jsonl, "jsonl"),
    };
    let request = ExportRequest { session: session.clone(), format: format.into() };
    let mut pieces = client.sessions.export(request).await?.into_inner();
    let Some(path) = path else {
        let mut text = String::new();
        while let Some(piece) = pieces.message().await? {
            if context.output.json {
                text.push_str(&piece.text);
            } else {
                context.output.raw(&piece.text)?;
            }
        }
        if !context.output.json {
            return Ok(());
        }
        return context.output.json(&json!({ "session": session, "format": name, "text": text }));
    };
    let shown = path.display().to_string();
    let failed = |error: std::io::Error| Failure::io(format!("cannot write `{shown}`"), &error);
    let mut file = std::fs::File::create_new(path).map_err(failed)?;
    let mut bytes = 0;
    while let Some(piece) = pieces.message().await? {
        file.write_all(piece.text.as_bytes()).map_err(failed)?;
        bytes += piece.text.len();
    }
    let document = json!({ "path": shown, "bytes": bytes });
    context.output.either(&document, &format!("{shown}: {bytes} bytes"))
}

#[cfg(test)]
#[path = "sessions_tests.rs"]
mod tests;

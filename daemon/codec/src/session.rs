//! What is asked of sessions, and what readers are given, as protobuf.
//!
//! Requests are checked here for meaning (a page, a scope, a picture's kind), not for permission.

use moltis_core::admin::Step;
use moltis_core::assistant::{FragmentKind, Hit, NewMessage, NewSession, Page, StopScope, Window};
use moltis_core::feed::{Delta, Feed, From, Strand};
use moltis_core::id::{OpId, SessionId, TurnId};
use moltis_core::message::Part;
use moltis_core::session::Settings;
use moltis_proto::v1;

use crate::event::{Error, Result, event_to_wire, optional_model_from_wire, timestamp_to_wire};
use crate::part::parts_from_wire;
use crate::settings::{queue_from_wire, settings_from_wire, workspace_from_wire};
use crate::summary::summary_to_wire;

/// The longest id that is believed to be one.
const LONGEST_ID: usize = 128;

/// The longest name or title in bytes.
const LONGEST_NAME: usize = 1024;

/// Pictures that models are shown.
const IMAGE_TYPES: [&str; 4] = ["image/png", "image/jpeg", "image/gif", "image/webp"];

/// Events of a page, when the request names no number.
const PAGE: u32 = 200;

/// The most events of a page.
const LARGEST_PAGE: u32 = 1_000;

/// An id that a client sent: visible ASCII, neither empty nor endless.
///
/// # Errors
/// One that can't be an id.
pub fn id_from_wire(field: &str, text: String) -> Result<String> {
    if text.is_empty() {
        return Err(Error::new(field, "is missing"));
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::new(field, "has a character that no id has"));
    }
    bounded(field, text, LONGEST_ID)
}

fn bounded(field: &str, text: String, most: usize) -> Result<String> {
    if text.len() > most {
        return Err(Error::new(field, format!("is longer than {most} bytes")));
    }
    Ok(text)
}

/// A session's id.
///
/// # Errors
/// As [`id_from_wire`].
pub fn session_from_wire(text: String) -> Result<SessionId> {
    Ok(SessionId::new(id_from_wire("session", text)?))
}

/// A command's id.
///
/// # Errors
/// As [`id_from_wire`].
pub fn op_from_wire(text: String) -> Result<OpId> {
    Ok(OpId::new(id_from_wire("op_id", text)?))
}

/// A name or a title: may be empty.
///
/// # Errors
/// One that is longer than 1 KiB.
pub fn name_from_wire(field: &str, text: String) -> Result<String> {
    bounded(field, text, LONGEST_NAME)
}

/// A session to begin.
///
/// # Errors
/// A field without meaning.
pub fn create_from_wire(request: v1::CreateRequest) -> Result<NewSession> {
    let key = name_from_wire("key", request.key)?;
    Ok(NewSession {
        op: op_from_wire(request.op_id)?,
        key: (!key.is_empty()).then_some(key),
        title: name_from_wire("title", request.title)?,
        settings: wanted_settings_from_wire(request.settings)?,
    })
}

/// Settings that a client wants.
///
/// # Errors
/// A field without meaning; a workspace that is no absolute path: the daemon's own directory is
/// nobody's business.
pub fn wanted_settings_from_wire(settings: Option<v1::Settings>) -> Result<Settings> {
    if let Some(settings) = &settings
        && settings.model.len() > LONGEST_NAME
    {
        return Err(Error::new("settings.model", format!("is longer than {LONGEST_NAME} bytes")));
    }
    let settings = settings_from_wire(settings).and_then(|settings| {
        workspace_from_wire(settings.workspace.clone().unwrap_or_default()).map(|_| settings)
    });
    settings.map_err(|error| error.within("settings"))
}

/// A message for a session.
///
/// # Errors
/// A field without meaning; a picture of an unknown kind.
pub fn send_from_wire(request: v1::SendRequest) -> Result<NewMessage> {
    let parts = parts_from_wire(request.parts)?;
    check_pictures(&parts)?;
    Ok(NewMessage {
        op: op_from_wire(request.op_id)?,
        session: session_from_wire(request.session)?,
        parts,
        queue: queue_from_wire("queue", request.queue)?,
        model: optional_model_from_wire("model", &name_from_wire("model", request.model)?)?,
    })
}

fn check_pictures(parts: &[Part]) -> Result<()> {
    for (index, part) in parts.iter().enumerate() {
        if let Part::Image { media_type, .. } = part
            && !IMAGE_TYPES.contains(&media_type.as_str())
        {
            let reason = format!("`{media_type}` is not one of {}", IMAGE_TYPES.join(", "));
            return Err(Error::new(format!("parts[{index}].image.media_type"), reason));
        }
    }
    Ok(())
}

/// What is to be stopped.
///
/// # Errors
/// Both everything and one turn.
pub fn stop_from_wire(all: bool, turn: String) -> Result<StopScope> {
    match (all, turn.is_empty()) {
        (true, true) => Ok(StopScope::All),
        (false, true) => Ok(StopScope::Running),
        (false, false) => Ok(StopScope::Turn(TurnId::new(id_from_wire("turn", turn)?))),
        (true, false) => Err(Error::new("turn", "contradicts `all`")),
    }
}

/// The page of a history.
///
/// # Errors
/// Both ends at once.
pub fn page_from_wire(request: &v1::HistoryRequest) -> Result<Page> {
    let limit = if request.limit == 0 { PAGE } else { request.limit.min(LARGEST_PAGE) };
    match (request.after_seq, request.before_seq) {
        (Some(seq), None) => Ok(Page::After { seq, limit }),
        (None, Some(seq)) => Ok(Page::Before { seq, limit }),
        (None, None) => Ok(Page::Before { seq: u64::MAX, limit }),
        (Some(_), Some(_)) => Err(Error::new("before_seq", "contradicts `after_seq`")),
    }
}

/// Where a reader begins.
pub fn from_from_wire(request: &v1::AttachRequest) -> From {
    match (request.after_seq, request.tail) {
        (Some(seq), _) => From::Seq(seq),
        (None, 0) => From::Tail(u64::from(PAGE)),
        (None, tail) => From::Tail(tail),
    }
}

/// One thing that a reader is given.
pub fn feed_to_wire(feed: Feed) -> v1::AttachResponse {
    use v1::attach_response::Feed as Wire;
    let feed = match feed {
        Feed::Snapshot { summary, first_seq } => {
            Wire::Snapshot(v1::Snapshot { session: Some(summary_to_wire(&summary)), first_seq })
        }
        Feed::Event(event) => Wire::Event(event_to_wire(&event)),
        Feed::CaughtUp => Wire::CaughtUp(v1::CaughtUp {}),
        Feed::Delta(delta) => Wire::Delta(delta_to_wire(delta)),
        Feed::Progress(progress) => Wire::Progress(v1::Progress {
            session: progress.session.to_string(),
            turn: progress.turn.to_string(),
            text: progress.text,
        }),
    };
    v1::AttachResponse { feed: Some(feed) }
}

fn delta_to_wire(delta: Delta) -> v1::Delta {
    let (strand, call, tool) = match delta.strand {
        Strand::Text => (v1::Strand::Text, String::new(), String::new()),
        Strand::Reasoning => (v1::Strand::Reasoning, String::new(), String::new()),
        Strand::Arguments { call, name } => (v1::Strand::Arguments, call.to_string(), name),
        Strand::Output { call, name } => (v1::Strand::Output, call.to_string(), name),
    };
    v1::Delta {
        session: delta.session.to_string(),
        turn: delta.turn.to_string(),
        item: delta.item.to_string(),
        strand: strand.into(),
        offset: delta.offset,
        text: delta.text,
        call,
        tool,
    }
}

/// What a model would be told.
pub fn window_to_wire(window: &Window) -> v1::ContextResponse {
    let fragments = window.fragments.iter().map(|fragment| {
        let kind = match fragment.kind {
            FragmentKind::System => "system",
            FragmentKind::Tools => "tools",
            FragmentKind::Summary => "summary",
            FragmentKind::Messages => "messages",
            FragmentKind::Images => "images",
        };
        v1::Fragment {
            kind: kind.to_owned(),
            count: fragment.count,
            tokens: fragment.tokens,
            name: fragment.name.clone(),
            cut: fragment.cut,
        }
    });
    v1::ContextResponse {
        model: window.model.to_string(),
        window: window.size,
        guessed: window.guessed,
        fragments: fragments.collect(),
        left: window.left,
        compact_at: window.compact_at.unwrap_or_default(),
        left_out: window.left_out,
        due: window.due,
        counted: window.counted,
    }
}

/// A place where a search found something.
pub fn hit_to_wire(hit: Hit) -> v1::SearchHit {
    v1::SearchHit {
        session: hit.session.to_string(),
        title: hit.title,
        seq: hit.seq,
        at: Some(timestamp_to_wire(hit.at)),
        by_person: hit.by_person,
        snippet: hit.snippet,
        score: hit.score,
    }
}

/// A step of something that takes a while.
pub fn step_to_wire(step: Step) -> v1::Step {
    v1::Step { phase: step.phase, done: step.done, total: step.total, finished: step.finished }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;

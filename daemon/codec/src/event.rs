//! Events, and what they are made of, as protobuf: the same messages on the wire and on the disk.
//!
//! `…_to_wire` never fails; `…_from_wire` refuses what has no meaning and names the field. Nothing
//! here performs I/O or panics, whatever the bytes are. The invariant: what was made of a word
//! reads back as the same word. An empty string stands for an absent one, so an optional text that
//! is there but empty reads back as absent.

use std::time::Duration;

use jiff::Timestamp;
use moltis_core::event::{
    Answer, Cause, Ending, Event, EventKind, Level, NewEvent, Origin, TurnFailure,
};
use moltis_core::id::{ItemId, OpId, SessionId, TurnId};
use moltis_core::message::{Part, Usage};
use moltis_core::models::ModelRef;
use moltis_core::provider::{FailureKind, FinishReason};
use moltis_core::session::QueueMode;
use moltis_proto::v1;

use crate::act::{self, act_to_wire, spawned_to_wire};
pub use crate::field::{Error, Result};
use crate::part::{parts_from_wire, parts_to_wire};
use crate::settings::{queue_from_wire, queue_to_wire, settings_from_wire, settings_to_wire};

/// The event for the wire.
pub fn event_to_wire(event: &Event) -> v1::Event {
    v1::Event {
        session: event.session.to_string(),
        seq: event.seq,
        at: Some(timestamp_to_wire(event.at)),
        turn: event.turn.as_ref().map(TurnId::to_string).unwrap_or_default(),
        cause: Some(cause_to_wire(&event.cause)),
        origin: origin_to_wire(event.origin).into(),
        op_id: event.op.as_ref().map(OpId::to_string).unwrap_or_default(),
        kind: kind_to_wire(&event.kind),
    }
}

/// The event of the wire.
///
/// # Errors
/// A field that has no meaning.
pub fn event_from_wire(event: v1::Event) -> Result<Event> {
    if event.session.is_empty() {
        return Err(Error::new("session", "is empty"));
    }
    if event.seq == 0 {
        return Err(Error::new("seq", "is 0"));
    }
    let session = SessionId::from(event.session.as_str());
    let seq = event.seq;
    Ok(new_event_from_wire(event)?.committed(session, seq))
}

/// Usage for the wire.
pub fn usage_to_wire(usage: Usage) -> v1::Usage {
    v1::Usage {
        input_tokens: usage.input_tokens,
        output_tokens: usage.output_tokens,
        cache_read_tokens: usage.cache_read_tokens,
        cache_write_tokens: usage.cache_write_tokens,
        cost_microusd: usage.cost_microusd,
    }
}

/// Usage of the wire; absent is none.
pub fn usage_from_wire(usage: Option<v1::Usage>) -> Usage {
    let usage = usage.unwrap_or_default();
    Usage {
        input_tokens: usage.input_tokens,
        output_tokens: usage.output_tokens,
        cache_read_tokens: usage.cache_read_tokens,
        cache_write_tokens: usage.cache_write_tokens,
        cost_microusd: usage.cost_microusd,
    }
}

/// An ending for the wire; `None` is unspecified.
pub fn ending_to_wire(ending: Option<Ending>) -> v1::Ending {
    match ending {
        None => v1::Ending::Unspecified,
        Some(Ending::Done) => v1::Ending::Done,
        Some(Ending::Failed) => v1::Ending::Failed,
        Some(Ending::Cancelled) => v1::Ending::Cancelled,
        Some(Ending::Interrupted) => v1::Ending::Interrupted,
    }
}

/// The ending of the wire's number.
///
/// # Errors
/// At `field`, a number without meaning.
pub fn ending_from_wire(field: &str, number: i32) -> Result<Option<Ending>> {
    match v1::Ending::try_from(number) {
        Ok(v1::Ending::Unspecified) => Ok(None),
        Ok(v1::Ending::Done) => Ok(Some(Ending::Done)),
        Ok(v1::Ending::Failed) => Ok(Some(Ending::Failed)),
        Ok(v1::Ending::Cancelled) => Ok(Some(Ending::Cancelled)),
        Ok(v1::Ending::Interrupted) => Ok(Some(Ending::Interrupted)),
        Err(_) => Err(unknown_number(field, number)),
    }
}

/// A cause for the wire.
pub fn cause_to_wire(cause: &Cause) -> v1::Cause {
    let (kind, name) = match cause {
        Cause::Client(name) => (v1::CauseKind::Client, name.clone()),
        Cause::Daemon => (v1::CauseKind::Daemon, String::new()),
        Cause::Model => (v1::CauseKind::Model, String::new()),
    };
    v1::Cause { kind: kind.into(), name }
}

/// The cause of the wire.
///
/// # Errors
/// A kind that is none.
pub fn cause_from_wire(cause: v1::Cause) -> Result<Cause> {
    match v1::CauseKind::try_from(cause.kind) {
        Ok(v1::CauseKind::Client) => Ok(Cause::Client(cause.name)),
        Ok(v1::CauseKind::Daemon) => Ok(Cause::Daemon),
        Ok(v1::CauseKind::Model) => Ok(Cause::Model),
        Ok(v1::CauseKind::Unspecified) | Err(_) => Err(unknown_number("kind", cause.kind)),
    }
}

/// An origin for the wire.
pub fn origin_to_wire(origin: Origin) -> v1::Origin {
    match origin {
        Origin::Owner => v1::Origin::Owner,
        Origin::Config => v1::Origin::Config,
        Origin::Workspace => v1::Origin::Workspace,
        Origin::Peer => v1::Origin::Peer,
        Origin::Tool => v1::Origin::Tool,
        Origin::Web => v1::Origin::Web,
    }
}

/// The origin of the wire's number.
///
/// # Errors
/// A number that is none: a text without an origin is not trusted by guessing.
pub fn origin_from_wire(number: i32) -> Result<Origin> {
    match v1::Origin::try_from(number) {
        Ok(v1::Origin::Owner) => Ok(Origin::Owner),
        Ok(v1::Origin::Config) => Ok(Origin::Config),
        Ok(v1::Origin::Workspace) => Ok(Origin::Workspace),
        Ok(v1::Origin::Peer) => Ok(Origin::Peer),
        Ok(v1::Origin::Tool) => Ok(Origin::Tool),
        Ok(v1::Origin::Web) => Ok(Origin::Web),
        Ok(v1::Origin::Unspecified) | Err(_) => Err(unknown_number("origin", number)),
    }
}

/// A time for the wire.
pub fn timestamp_to_wire(at: Timestamp) -> prost_types::Timestamp {
    // Before 1970 jiff counts both parts down; protobuf always counts nanoseconds up.
    let (mut seconds, mut nanos) = (at.as_second(), at.subsec_nanosecond());
    if nanos < 0 {
        seconds -= 1;
        nanos += 1_000_000_000;
    }
    prost_types::Timestamp { seconds, nanos }
}

/// The time of the wire.
///
/// # Errors
/// At `field`, when it is absent or outside of the years that there are.
pub fn timestamp_from_wire(field: &str, at: Option<prost_types::Timestamp>) -> Result<Timestamp> {
    let at = at.ok_or_else(|| Error::new(field, "is missing"))?;
    if !(0..1_000_000_000).contains(&at.nanos) {
        return Err(Error::new(field, "has nanoseconds outside of a second"));
    }
    Timestamp::new(at.seconds, at.nanos).map_err(|_| Error::new(field, "is out of range"))
}

/// The model named on the wire.
///
/// # Errors
/// At `field`, text that is not `provider/model`.
pub fn model_from_wire(field: &str, text: &str) -> Result<ModelRef> {
    ModelRef::parse(text).map_err(|error| Error::new(field, error.message))
}

/// The model named on the wire, if one is.
///
/// # Errors
/// At `field`, text that is not `provider/model`.
pub fn optional_model_from_wire(field: &str, text: &str) -> Result<Option<ModelRef>> {
    if text.is_empty() { Ok(None) } else { model_from_wire(field, text).map(Some) }
}

/// The event of the wire without its place: session and seq are not examined.
///
/// # Errors
/// A field that has no meaning.
pub(crate) fn new_event_from_wire(event: v1::Event) -> Result<NewEvent> {
    let cause = event.cause.ok_or_else(|| Error::new("cause", "is missing"))?;
    let kind = event.kind.ok_or_else(|| Error::new("kind", "is missing or unknown"))?;
    Ok(NewEvent {
        at: timestamp_from_wire("at", event.at)?,
        turn: non_empty(event.turn).map(TurnId::new),
        cause: cause_from_wire(cause).map_err(|error| error.within("cause"))?,
        origin: origin_from_wire(event.origin)?,
        op: non_empty(event.op_id).map(OpId::new),
        kind: kind_from_wire(kind)?,
    })
}

/// The kind for the wire: there always is one.
pub(crate) fn kind_to_wire(kind: &EventKind) -> Option<v1::event::Kind> {
    spoken_to_wire(kind).or_else(|| act_to_wire(kind))
}

/// The kind for the wire; `None` for those of [`crate::act`].
fn spoken_to_wire(kind: &EventKind) -> Option<v1::event::Kind> {
    use v1::event::Kind;
    Some(match kind {
        EventKind::SessionCreated { agent, key, settings, spawned } => {
            Kind::SessionCreated(v1::SessionCreated {
                agent: agent.clone(),
                key: key.clone().unwrap_or_default(),
                settings: Some(settings_to_wire(settings)),
                spawned: spawned.as_ref().map(spawned_to_wire),
            })
        }
        EventKind::SessionForked { parent, parent_seq } => Kind::SessionForked(v1::SessionForked {
            parent: parent.to_string(),
            parent_seq: *parent_seq,
        }),
        EventKind::TitleChanged { title, automatic, usage } => {
            Kind::TitleChanged(v1::TitleChanged {
                title: title.clone(),
                automatic: *automatic,
                usage: Some(usage_to_wire(*usage)),
            })
        }
        EventKind::ArchivedChanged { archived } => {
            Kind::ArchivedChanged(v1::ArchivedChanged { archived: *archived })
        }
        EventKind::SettingsChanged { settings } => Kind::SettingsChanged(v1::SettingsChanged {
            settings: Some(settings_to_wire(settings)),
        }),
        EventKind::UserMessage { item, op, parts, queue, model, sensitive } => {
            let said = said_to_wire(item, op, parts, *queue, model.as_ref());
            Kind::UserMessage(v1::UserMessage { sensitive: *sensitive, ..said })
        }
        EventKind::TurnStarted { model } => {
            let model = model.as_ref().map(ModelRef::to_string).unwrap_or_default();
            Kind::TurnStarted(v1::TurnStarted { model })
        }
        EventKind::AssistantMessage { item, parts, answer, partial } => {
            Kind::AssistantMessage(answer_to_wire(item, parts, answer, *partial))
        }
        EventKind::Notice { item, level, text } => Kind::Notice(v1::Notice {
            item: item.to_string(),
            level: level_to_wire(*level).into(),
            text: text.clone(),
        }),
        EventKind::CompactionAsked => Kind::CompactionAsked(v1::CompactionAsked {}),
        EventKind::Compacted { .. } => return compacted_to_wire(kind),
        EventKind::TurnEnded { ending, failure, usage } => Kind::TurnEnded(v1::TurnEnded {
            ending: ending_to_wire(Some(*ending)).into(),
            failure: failure.as_ref().map(failure_to_wire),
            usage: Some(usage_to_wire(*usage)),
        }),
        EventKind::ProgramAsked { .. }
        | EventKind::ClearAsked
        | EventKind::Cleared { .. }
        | EventKind::ToolStarted { .. }
        | EventKind::ToolFinished { .. }
        | EventKind::ApprovalAsked { .. }
        | EventKind::ApprovalAnswered { .. }
        | EventKind::GrantRevoked { .. }
        | EventKind::WorkspaceChanged { .. }
        | EventKind::WorkspaceRestored { .. }
        | EventKind::WorktreeSet { .. }
        | EventKind::StateSet { .. } => return None,
    })
}

fn compacted_to_wire(kind: &EventKind) -> Option<v1::event::Kind> {
    let EventKind::Compacted {
        item,
        summary,
        upto,
        since,
        before_tokens,
        after_tokens,
        automatic,
        model,
        usage,
    } = kind
    else {
        return None;
    };
    Some(v1::event::Kind::Compacted(v1::Compacted {
        item: item.to_string(),
        summary: summary.clone(),
        upto: *upto,
        since: *since,
        before_tokens: *before_tokens,
        after_tokens: *after_tokens,
        automatic: *automatic,
        model: model.as_ref().map(ModelRef::to_string).unwrap_or_default(),
        usage: Some(usage_to_wire(*usage)),
    }))
}

fn kind_from_wire(kind: v1::event::Kind) -> Result<EventKind> {
    use v1::event::Kind;
    match kind {
        Kind::SessionCreated(created) => {
            session_created(created).map_err(|error| error.within("session_created"))
        }
        Kind::SessionForked(forked) => {
            session_forked(forked).map_err(|error| error.within("session_forked"))
        }
        Kind::TitleChanged(changed) => Ok(EventKind::TitleChanged {
            title: changed.title,
            automatic: changed.automatic,
            usage: usage_from_wire(changed.usage),
        }),
        Kind::ArchivedChanged(changed) => {
            Ok(EventKind::ArchivedChanged { archived: changed.archived })
        }
        Kind::SettingsChanged(changed) => Ok(EventKind::SettingsChanged {
            settings: settings_from_wire(changed.settings)
                .map_err(|error| error.within("settings_changed.settings"))?,
        }),
        Kind::UserMessage(message) => {
            user_message(message).map_err(|error| error.within("user_message"))
        }
        Kind::TurnStarted(started) => Ok(EventKind::TurnStarted {
            model: optional_model_from_wire("turn_started.model", &started.model)?,
        }),
        Kind::AssistantMessage(message) => {
            assistant_message(message).map_err(|error| error.within("assistant_message"))
        }
        Kind::Notice(notice) => notice_of(notice).map_err(|error| error.within("notice")),
        Kind::CompactionAsked(_) => Ok(EventKind::CompactionAsked),
        Kind::Compacted(compacted) => {
            self::compacted(compacted).map_err(|error| error.within("compacted"))
        }
        Kind::TurnEnded(ended) => turn_ended(ended).map_err(|error| error.within("turn_ended")),
        Kind::ProgramAsked(asked) => act::program_asked(asked),
        Kind::ClearAsked(_) => Ok(EventKind::ClearAsked),
        Kind::Cleared(cleared) => {
            Ok(EventKind::Cleared { upto: cleared.upto, since: cleared.since })
        }
        Kind::ToolStarted(started) => {
            act::tool_started(started).map_err(|error| error.within("tool_started"))
        }
        Kind::ToolFinished(finished) => {
            act::tool_finished(finished).map_err(|error| error.within("tool_finished"))
        }
        Kind::ApprovalAsked(asked) => {
            act::approval_asked(asked).map_err(|error| error.within("approval_asked"))
        }
        Kind::ApprovalAnswered(answered) => {
            act::approval_answered(answered).map_err(|error| error.within("approval_answered"))
        }
        Kind::GrantRevoked(revoked) => Ok(EventKind::GrantRevoked { pattern: revoked.pattern }),
        Kind::WorkspaceChanged(changed) => {
            act::workspace_changed(changed).map_err(|error| error.within("workspace_changed"))
        }
        Kind::WorkspaceRestored(restored) => {
            act::workspace_restored(restored).map_err(|error| error.within("workspace_restored"))
        }
        Kind::WorktreeSet(set) => {
            act::worktree_set(set).map_err(|error| error.within("worktree_set"))
        }
        Kind::StateSet(state) => Ok(EventKind::StateSet {
            namespace: state.namespace,
            key: state.key,
            value: state.value,
        }),
    }
}

fn session_forked(forked: v1::SessionForked) -> Result<EventKind> {
    let parent = SessionId::new(filled("parent", forked.parent)?);
    Ok(EventKind::SessionForked { parent, parent_seq: forked.parent_seq })
}

fn session_created(created: v1::SessionCreated) -> Result<EventKind> {
    Ok(EventKind::SessionCreated {
        agent: created.agent,
        key: non_empty(created.key),
        settings: settings_from_wire(created.settings).map_err(|error| error.within("settings"))?,
        spawned: created
            .spawned
            .map(act::spawned_from_wire)
            .transpose()
            .map_err(|error| error.within("spawned"))?,
    })
}

fn said_to_wire(
    item: &ItemId,
    op: &OpId,
    parts: &[Part],
    queue: QueueMode,
    model: Option<&ModelRef>,
) -> v1::UserMessage {
    v1::UserMessage {
        item: item.to_string(),
        op_id: op.to_string(),
        parts: parts_to_wire(parts),
        queue: queue_to_wire(Some(queue)).into(),
        model: model.map(ModelRef::to_string).unwrap_or_default(),
        sensitive: false,
    }
}

fn user_message(message: v1::UserMessage) -> Result<EventKind> {
    Ok(EventKind::UserMessage {
        item: ItemId::new(filled("item", message.item)?),
        op: OpId::new(filled("op_id", message.op_id)?),
        parts: parts_from_wire(message.parts)?,
        queue: queue_from_wire("queue", message.queue)?
            .ok_or_else(|| unknown_number("queue", message.queue))?,
        model: optional_model_from_wire("model", &message.model)?,
        sensitive: message.sensitive,
    })
}

fn answer_to_wire(
    item: &ItemId,
    parts: &[Part],
    answer: &Answer,
    partial: bool,
) -> v1::AssistantMessage {
    let finish = match answer.finish {
        None => v1::FinishReason::Unspecified,
        Some(FinishReason::Stop) => v1::FinishReason::Stop,
        Some(FinishReason::Length) => v1::FinishReason::Length,
        Some(FinishReason::ToolCalls) => v1::FinishReason::ToolCalls,
        Some(FinishReason::Filtered) => v1::FinishReason::Filtered,
    };
    v1::AssistantMessage {
        item: item.to_string(),
        parts: parts_to_wire(parts),
        model: answer.model.to_string(),
        usage: Some(usage_to_wire(answer.usage)),
        finish: finish.into(),
        first_token: answer.first_token.map(duration_to_wire),
        took: Some(duration_to_wire(answer.took)),
        partial,
        estimated_tokens: answer.estimated,
    }
}

fn assistant_message(message: v1::AssistantMessage) -> Result<EventKind> {
    let finish = match v1::FinishReason::try_from(message.finish) {
        Ok(v1::FinishReason::Unspecified) => None,
        Ok(v1::FinishReason::Stop) => Some(FinishReason::Stop),
        Ok(v1::FinishReason::Length) => Some(FinishReason::Length),
        Ok(v1::FinishReason::ToolCalls) => Some(FinishReason::ToolCalls),
        Ok(v1::FinishReason::Filtered) => Some(FinishReason::Filtered),
        Err(_) => return Err(unknown_number("finish", message.finish)),
    };
    let first_token = match message.first_token {
        Some(duration) => Some(duration_from_wire("first_token", duration)?),
        None => None,
    };
    Ok(EventKind::AssistantMessage {
        item: ItemId::new(filled("item", message.item)?),
        parts: parts_from_wire(message.parts)?,
        answer: Answer {
            model: model_from_wire("model", &message.model)?,
            usage: usage_from_wire(message.usage),
            estimated: message.estimated_tokens,
            finish,
            first_token,
            took: duration_from_wire("took", message.took.unwrap_or_default())?,
        },
        partial: message.partial,
    })
}

fn level_to_wire(level: Level) -> v1::Level {
    match level {
        Level::Info => v1::Level::Info,
        Level::Warning => v1::Level::Warning,
    }
}

fn notice_of(notice: v1::Notice) -> Result<EventKind> {
    let level = match v1::Level::try_from(notice.level) {
        Ok(v1::Level::Info) => Level::Info,
        Ok(v1::Level::Warning) => Level::Warning,
        Ok(v1::Level::Unspecified) | Err(_) => return Err(unknown_number("level", notice.level)),
    };
    Ok(EventKind::Notice {
        item: ItemId::new(filled("item", notice.item)?),
        level,
        text: notice.text,
    })
}

fn compacted(compacted: v1::Compacted) -> Result<EventKind> {
    Ok(EventKind::Compacted {
        item: ItemId::new(filled("item", compacted.item)?),
        summary: compacted.summary,
        upto: compacted.upto,
        since: compacted.since,
        before_tokens: compacted.before_tokens,
        after_tokens: compacted.after_tokens,
        automatic: compacted.automatic,
        model: optional_model_from_wire("model", &compacted.model)?,
        usage: usage_from_wire(compacted.usage),
    })
}

fn turn_ended(ended: v1::TurnEnded) -> Result<EventKind> {
    Ok(EventKind::TurnEnded {
        ending: ending_from_wire("ending", ended.ending)?
            .ok_or_else(|| unknown_number("ending", ended.ending))?,
        failure: ended
            .failure
            .map(failure_from_wire)
            .transpose()
            .map_err(|error| error.within("failure"))?,
        usage: usage_from_wire(ended.usage),
    })
}

fn failure_to_wire(failure: &TurnFailure) -> v1::TurnFailure {
    v1::TurnFailure {
        kind: failure.kind.map(FailureKind::as_str).unwrap_or_default().to_owned(),
        message: failure.message.clone(),
        hint: failure.hint.clone().unwrap_or_default(),
    }
}

fn failure_from_wire(failure: v1::TurnFailure) -> Result<TurnFailure> {
    const ALL: [FailureKind; 8] = [
        FailureKind::Auth,
        FailureKind::RateLimit,
        FailureKind::Overload,
        FailureKind::ContextOverflow,
        FailureKind::Billing,
        FailureKind::BadRequest,
        FailureKind::Transport,
        FailureKind::Malformed,
    ];
    let kind = match failure.kind.as_str() {
        "" => None,
        name => Some(
            ALL.into_iter()
                .find(|kind| kind.as_str() == name)
                .ok_or_else(|| Error::new("kind", format!("`{name}` is no kind of failure")))?,
        ),
    };
    Ok(TurnFailure { kind, message: failure.message, hint: non_empty(failure.hint) })
}

pub(crate) fn duration_to_wire(duration: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(duration.subsec_nanos()).unwrap_or_default(),
    }
}

pub(crate) fn duration_from_wire(field: &str, duration: prost_types::Duration) -> Result<Duration> {
    let seconds = u64::try_from(duration.seconds);
    let nanos = u32::try_from(duration.nanos).ok().filter(|nanos| *nanos < 1_000_000_000);
    match (seconds, nanos) {
        (Ok(seconds), Some(nanos)) => Ok(Duration::new(seconds, nanos)),
        _ => Err(Error::new(field, "is not a length of time")),
    }
}

pub(crate) fn filled(field: &str, text: String) -> Result<String> {
    if text.is_empty() { Err(Error::new(field, "is empty")) } else { Ok(text) }
}

pub(crate) fn non_empty(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

pub(crate) fn unknown_number(field: &str, number: i32) -> Error {
    Error::new(field, format!("has no value {number}"))
}

#[cfg(test)]
#[path = "event_tests.rs"]
mod tests;

//! Tests of the store as a whole, and what they share.

mod concurrency;
mod crash;
mod damage;
mod disk;
mod failures;
mod fixture;
mod journal;
mod offline;
mod projections;
mod searching;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use moltis_core::assistant::Page;
use moltis_core::env::Env;
use moltis_core::event::{Answer, Cause, Ending, Event, EventKind, NewEvent, Origin};
use moltis_core::id::SessionId;
use moltis_core::journal::{Draft, Journal};
use moltis_core::message::{Part, Usage};
use moltis_core::models::ModelRef;
use moltis_core::provider::FinishReason;
use moltis_core::session::{QueueMode, Settings};

use crate::Store;
use crate::projector::Settle;

/// A clock that stands still and ids that count.
#[derive(Default)]
pub(crate) struct StillEnv {
    ids: AtomicU64,
}

impl Env for StillEnv {
    fn now(&self) -> Timestamp {
        at(0)
    }

    fn fresh_id(&self) -> String {
        format!("id{:018}", self.ids.fetch_add(1, Ordering::Relaxed))
    }
}

pub(crate) fn env() -> Arc<dyn Env> {
    Arc::new(StillEnv::default())
}

pub(crate) fn open(dir: &Path) -> Store {
    Store::open(dir, env()).expect("the store opens")
}

/// Seconds after a fixed moment.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::new(1_795_500_000 + seconds, 0).expect("a time")
}

pub(crate) fn event(seconds: i64, turn: Option<&str>, kind: EventKind) -> NewEvent {
    NewEvent {
        at: at(seconds),
        turn: turn.map(Into::into),
        cause: Cause::Client("cli".into()),
        origin: Origin::Owner,
        op: None,
        kind,
    }
}

pub(crate) fn created(seconds: i64, key: Option<&str>) -> NewEvent {
    event(
        seconds,
        None,
        EventKind::SessionCreated {
            agent: "main".into(),
            key: key.map(Into::into),
            settings: Settings::default(),
            spawned: None,
        },
    )
}

pub(crate) fn said(seconds: i64, op: &str, text: &str) -> NewEvent {
    event(
        seconds,
        Some(&format!("turn-{op}")),
        EventKind::UserMessage {
            item: format!("item-{op}").into(),
            op: op.into(),
            parts: vec![Part::Text(text.into())],
            queue: QueueMode::Followup,
            model: None,
        },
    )
}

pub(crate) fn model() -> ModelRef {
    ModelRef::new("mock", "small")
}

pub(crate) fn answered(seconds: i64, op: &str, text: &str) -> NewEvent {
    event(
        seconds,
        Some(&format!("turn-{op}")),
        EventKind::AssistantMessage {
            item: format!("answer-{op}").into(),
            parts: vec![Part::Text(text.into())],
            answer: Answer {
                model: model(),
                usage: Usage { input_tokens: 10, output_tokens: 5, ..Usage::default() },
                estimated: 0,
                finish: Some(FinishReason::Stop),
                first_token: Some(Duration::from_millis(12)),
                took: Duration::from_millis(345),
            },
            partial: false,
        },
    )
}

pub(crate) fn ended(seconds: i64, op: &str) -> NewEvent {
    event(
        seconds,
        Some(&format!("turn-{op}")),
        EventKind::TurnEnded { ending: Ending::Done, failure: None, usage: Usage::default() },
    )
}

pub(crate) fn forked(seconds: i64, parent: &str, seq: u64) -> NewEvent {
    event(seconds, None, EventKind::SessionForked { parent: parent.into(), parent_seq: seq })
}

pub(crate) fn draft(op: &str, text: &str) -> Draft {
    Draft {
        turn: format!("turn-{op}").into(),
        item: format!("answer-{op}").into(),
        model: model(),
        parts: vec![Part::Text(text.into())],
    }
}

/// A session with one answered message, and its events.
pub(crate) async fn conversation(journal: &dyn Journal, id: &str, text: &str) -> Vec<Event> {
    let events = vec![
        created(0, None),
        said(1, &format!("op-{id}"), text),
        answered(2, &format!("op-{id}"), &format!("about {text}: it is so")),
        ended(3, &format!("op-{id}")),
    ];
    journal.append(&id.into(), 0, events).await.expect("the append is acknowledged")
}

pub(crate) async fn history(journal: &dyn Journal, id: &str) -> Vec<Event> {
    let page = Page::After { seq: 0, limit: u32::MAX };
    journal.read(&SessionId::from(id), page).await.expect("the session is read")
}

/// Waits until the background has done everything.
pub(crate) async fn settle(store: &Store) {
    store.parts().signal.settle(Settle::Everything).await.expect("the projector is there");
}

//! A log to write by hand, and models, for this crate's tests.

use std::time::Duration;

use moltis_core::Timestamp;
use moltis_core::event::{Answer, Cause, Ending, Event, EventKind, Level, Origin, ToolEnding};
use moltis_core::id::{CallId, ItemId, OpId, SessionId, TurnId};
use moltis_core::message::{Part, Usage, text_of};
use moltis_core::models::{ModelInfo, ModelRef};
use moltis_core::provider::Request;
use moltis_core::session::QueueMode;

use crate::conversation::Conversation;

/// A session's log that grows line by line: `user t1 hello`, `start t1`, `answer t1 hi`,
/// `partial t1 h`, `end t1`, `cancel t1`, `fail t1`, `fork`, `notice text`, `calls t1 x y` (an answer
/// that makes these calls), `result x text`.
pub(crate) struct Log {
    pub(crate) events: Vec<Event>,
}

impl Log {
    pub(crate) fn of(lines: &str) -> Self {
        let mut log = Self { events: Vec::new() };
        for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            let (turn, text) = rest.split_once(' ').unwrap_or((rest, ""));
            log.push(word, turn, text);
        }
        log
    }

    fn push(&mut self, word: &str, turn: &str, text: &str) {
        let item = ItemId::new(format!("i{}", self.events.len()));
        let parts = if text.is_empty() { vec![] } else { vec![Part::Text(text.to_owned())] };
        let end = |ending| EventKind::TurnEnded { ending, failure: None, usage: Usage::default() };
        let kind = match word {
            "user" => {
                let (op, queue) = (OpId::new(item.as_str()), QueueMode::Followup);
                EventKind::UserMessage { item, op, parts, queue, model: None, sensitive: false }
            }
            "start" => EventKind::TurnStarted { model: Some(model("p/m").id) },
            "answer" | "partial" => EventKind::AssistantMessage {
                item,
                parts,
                answer: answer("p/m"),
                partial: word == "partial",
            },
            "calls" => EventKind::AssistantMessage {
                item,
                parts: text.split(' ').map(call).collect(),
                answer: answer("p/m"),
                partial: false,
            },
            "result" => {
                let (call, tool) = (CallId::from(turn), "look".to_owned());
                let (ending, sensitive) = (ToolEnding::Done, false);
                EventKind::ToolFinished { item, call, tool, ending, parts, sensitive, took: None }
            }
            "end" => end(Ending::Done),
            "cancel" => end(Ending::Cancelled),
            "fail" => end(Ending::Failed),
            "fork" => EventKind::SessionForked { parent: SessionId::from("parent"), parent_seq: 1 },
            "notice" => EventKind::Notice {
                item,
                level: Level::Info,
                text: format!("{turn} {text}").trim().to_owned(),
            },
            other => panic!("no such line: {other}"),
        };
        self.keep(Some(TurnId::from(turn)), kind);
    }

    /// An answer of turn `a` whose prompt was estimated at, and used, so much.
    pub(crate) fn answer_counted(&mut self, model: &str, estimated: u64, usage: Usage) {
        let kind = EventKind::AssistantMessage {
            item: ItemId::from("counted"),
            parts: vec![Part::Text("yes".to_owned())],
            answer: Answer { usage, estimated, ..answer(model) },
            partial: false,
        };
        self.keep(Some(TurnId::from("a")), kind);
    }

    pub(crate) fn keep(&mut self, turn: Option<TurnId>, kind: EventKind) {
        self.events.push(Event {
            session: SessionId::from("s"),
            seq: self.events.len() as u64 + 1,
            at: Timestamp::UNIX_EPOCH,
            turn,
            cause: Cause::Daemon,
            origin: Origin::Owner,
            op: None,
            kind,
        });
    }

    pub(crate) fn conversation(&self) -> Conversation {
        let mut conversation = Conversation::new(100_000);
        self.events.iter().for_each(|event| conversation.apply(event));
        conversation
    }
}

fn call(id: &str) -> Part {
    Part::ToolCall { id: CallId::from(id), name: "look".to_owned(), arguments: "{}".to_owned() }
}

pub(crate) fn answer(model_name: &str) -> Answer {
    Answer {
        model: model(model_name).id,
        usage: Usage::default(),
        estimated: 0,
        finish: None,
        first_token: None,
        took: Duration::ZERO,
    }
}

pub(crate) fn model(name: &str) -> ModelInfo {
    ModelInfo {
        id: ModelRef::parse(name).unwrap(),
        name: name.to_owned(),
        context_window: Some(100_000),
        output_limit: Some(4_000),
        images: true,
        tools: true,
        reasoning: false,
        price: None,
        local: false,
    }
}

/// The messages of a request, a line each.
pub(crate) fn shown(request: &Request) -> String {
    request
        .messages
        .iter()
        .map(|message| format!("{:?}: {}\n", message.role, text_of(&message.parts)))
        .collect()
}

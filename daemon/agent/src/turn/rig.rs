//! A turn run by hand, for this module's tests: it writes down what the turn wants.

use super::Context;
use super::Effect;
use super::Input;
use super::Turn;
use crate::prompt::Instructions;
use crate::testing::Log;
use crate::testing::model;
use crate::testing::shown;
use expect_test::Expect;
use moltis_core::Timestamp;
use moltis_core::event::Ending;
use moltis_core::event::EventKind;
use moltis_core::feed::Strand;
use moltis_core::id::CallId;
use moltis_core::id::ItemId;
use moltis_core::id::TurnId;
use moltis_core::message::text_of;
use moltis_core::models::ModelInfo;
use moltis_core::policy::Grants;
use moltis_core::policy::Label;
use moltis_core::policy::Principal;
use moltis_core::provider::Chunk;
use moltis_core::provider::Failure;
use moltis_core::provider::FailureKind;
use moltis_core::provider::FinishReason;
use moltis_core::provider::{Request, ToolSpec};
use moltis_core::session::Purpose;
use std::cell::Cell;
use std::time::Duration;

/// A turn over a log, run by hand. Writes down what it wants.
pub(super) struct Run {
    pub(super) turn: Turn,
    pub(super) log: Log,
    pub(super) at: Duration,
    pub(super) items: Cell<u32>,
    pub(super) seen: String,
    pub(super) ends: Vec<Ending>,
    pub(super) finished: u32,
    pub(super) keeps: bool,
    pub(super) label: Label,
    pub(super) principal: Principal,
    pub(super) grants: Grants,
    /// What the model was asked last.
    pub(super) request: Option<Box<Request>>,
    /// Whether the budget holds another call.
    pub(super) pay: Result<(), String>,
}

impl Run {
    pub(super) fn new() -> Self {
        Self {
            turn: Turn::new("s".into(), Instructions::default(), Purpose::Answer, 7),
            log: Log::of("user t hello"),
            at: Duration::ZERO,
            items: Cell::new(0),
            seen: String::new(),
            ends: Vec::new(),
            finished: 0,
            keeps: true,
            label: Label::CLEAN,
            principal: Principal::Model,
            grants: Grants::default(),
            request: None,
            pay: Ok(()),
        }
    }

    /// A turn that has called the first of these models.
    pub(super) fn calling(models: &[&str]) -> Self {
        let infos = models.iter().map(|name| model(name)).collect();
        Self::calling_all(infos)
    }

    pub(super) fn calling_all(infos: Vec<ModelInfo>) -> Self {
        let mut run = Self::new();
        run.on(Input::Begin);
        run.on(Input::Candidates(Ok(infos)));
        run.seen.clear();
        run
    }

    pub(super) fn on(&mut self, input: Input) {
        let conversation = self.log.conversation();
        let context = Context {
            at: self.at,
            conversation: &conversation,
            label: self.label,
            principal: self.principal,
            grants: &|| self.grants.clone(),
            pay: &|| self.pay.clone(),
            answer_by: &|| Timestamp::UNIX_EPOCH,
            fresh: &|| {
                self.items.set(self.items.get() + 1);
                ItemId::new(format!("item{}", self.items.get()))
            },
        };
        for effect in self.turn.on(input, &context) {
            self.note(&effect);
            match effect {
                Effect::Append(kinds) | Effect::AppendFrom(_, kinds) if self.keeps => {
                    for kind in kinds {
                        if let EventKind::TurnEnded { ending, .. } = &kind {
                            self.ends.push(*ending);
                        }
                        self.log.keep(Some(TurnId::from("t")), kind);
                    }
                    self.on(Input::Committed);
                }
                Effect::Append(kinds) | Effect::AppendFrom(_, kinds) => {
                    // From now on it is owed, and the store takes it.
                    self.keeps = true;
                    self.seen.push_str("  not kept\n");
                    self.on(Input::NotKept(kinds, "disk full".to_owned()));
                    return;
                }
                Effect::Finish => self.finished += 1,
                Effect::CallModel { request, .. } => self.request = Some(request),
                _ => {}
            }
        }
    }

    fn note(&mut self, effect: &Effect) {
        let line = match effect {
            Effect::CallModel { candidate, request } => {
                let messages = shown(request).trim_end().replace('\n', " | ");
                format!("call {candidate} ({messages})")
            }
            Effect::Append(kinds) => {
                let kinds: Vec<String> = kinds.iter().map(kind).collect();
                format!("append {}", kinds.join(" + "))
            }
            Effect::Paint { strand, text, .. } => match strand {
                Strand::Arguments { call, .. } => format!("paint {call} {text:?}"),
                other => format!("paint {other:?} {text:?}"),
            },
            Effect::Sleep(_) => "sleep".to_owned(),
            Effect::AppendFrom(origin, kinds) => {
                let kinds: Vec<String> = kinds.iter().map(kind).collect();
                format!("append from {origin:?} {}", kinds.join(" + "))
            }
            Effect::Prepare(wishes) => {
                let wishes: Vec<String> =
                    wishes.iter().map(|wish| format!("{} {}", wish.id, wish.tool)).collect();
                format!("prepare {}", wishes.join(", "))
            }
            Effect::RunTool { call, .. } => format!("run {}", call.what().id),
            Effect::Report { candidate, failure } => {
                format!("report {candidate} {:?}", failure.map(FailureKind::as_str))
            }
            other => format!("{other:?}").to_lowercase(),
        };
        self.seen.push_str(&line);
        self.seen.push('\n');
    }

    /// A turn that has called a model which is offered tools.
    pub(super) fn with_tools() -> Self {
        let mut run = Self::new();
        let tool = ToolSpec {
            name: "look".to_owned(),
            description: String::new(),
            parameters: serde_json::Value::Null,
        };
        let instructions =
            Instructions { tools: vec![tool], max_rounds: 5, ..Instructions::default() };
        run.turn = Turn::new("s".into(), instructions, Purpose::Answer, 7);
        run.on(Input::Begin);
        run.on(Input::Candidates(Ok(vec![model("p/m")])));
        run.seen.clear();
        run
    }

    /// The model answers with calls: ids and arguments.
    pub(super) fn calls(&mut self, calls: &[(&str, &str)]) {
        for (index, (id, arguments)) in (0..).zip(calls) {
            let (id, name) = (CallId::from(*id), "look".to_owned());
            self.on(Input::Chunk(Chunk::ToolCallStarted { index, id, name }));
            let fragment = (*arguments).to_owned();
            self.on(Input::Chunk(Chunk::ToolCallArguments { index, fragment }));
            self.on(Input::Chunk(Chunk::ToolCallEnded { index }));
        }
        self.on(Input::Chunk(Chunk::Finished(FinishReason::ToolCalls)));
        self.on(Input::StreamEnded(Ok(())));
    }

    pub(super) fn text(&mut self, text: &str) {
        self.on(Input::Chunk(Chunk::Text(text.to_owned())));
    }

    pub(super) fn done(&mut self) {
        self.on(Input::Chunk(Chunk::Finished(FinishReason::Stop)));
        self.on(Input::StreamEnded(Ok(())));
    }

    pub(super) fn check(&mut self, expected: &Expect) {
        expected.assert_eq(&std::mem::take(&mut self.seen));
    }
}

fn kind(kind: &EventKind) -> String {
    match kind {
        EventKind::TurnStarted { model } => {
            let model = model.as_ref().map_or_else(|| "no model".to_owned(), ToString::to_string);
            format!("started {model}")
        }
        EventKind::AssistantMessage { parts, partial, answer, .. } => {
            let partial = if *partial { " partial" } else { "" };
            format!("message by {} {:?}{partial}", answer.model, text_of(parts))
        }
        EventKind::Notice { text, .. } => format!("notice {text:?}"),
        EventKind::Compacted { summary, upto, since, automatic, model, .. } => {
            let by = model.as_ref().map_or("itself".to_owned(), ToString::to_string);
            let how = if *automatic { "automatic" } else { "asked for" };
            format!("compacted upto {upto} since {since} by {by}, {how}: {summary:?}")
        }
        EventKind::TurnEnded { ending, failure, .. } => {
            let why = failure.as_ref().map(|failure| {
                let hint = failure.hint.as_deref().unwrap_or("none");
                format!(" ({}; hint: {hint})", failure.message)
            });
            format!("end {ending:?}{}", why.unwrap_or_default())
        }
        EventKind::ToolStarted { tool, arguments, why, .. } => {
            format!("start {tool} {arguments} ({why})")
        }
        EventKind::ToolFinished { call, ending, parts, .. } => {
            format!("finish {call} {} {:?}", ending.as_str(), text_of(parts))
        }
        EventKind::ApprovalAsked { tool, subject, reason, pattern, .. } => {
            format!("ask {tool} {subject:?} ({reason}; {pattern:?})")
        }
        EventKind::ApprovalAnswered { allowed, reason, .. } => {
            format!("answer {allowed} {reason:?}")
        }
        other => format!("{other:?}"),
    }
}

pub(super) fn failure(kind: FailureKind) -> Failure {
    Failure::new(kind, "trouble")
}

#[test]
fn a_turn_that_the_budget_does_not_hold_ends_as_failed_with_what_mends_it() {
    let mut run = Run::calling(&["p/m"]);
    let (message, hint) = ("the day's budget is used up".to_owned(), Some("raise it".to_owned()));
    let failure = moltis_core::event::TurnFailure { kind: None, message, hint };
    run.on(Input::OverBudget(failure.clone()));
    assert!(run.turn.is_over());
    let ended = |kind: &EventKind| matches!(kind, EventKind::TurnEnded { ending: Ending::Failed, failure: Some(why), .. } if *why == failure);
    assert!(run.log.events.iter().any(|event| ended(&event.kind)), "{}", run.seen);
}

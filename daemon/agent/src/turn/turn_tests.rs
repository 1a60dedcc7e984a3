use std::cell::Cell;
use std::time::Duration;

use expect_test::{Expect, expect};
use moltis_core::Timestamp;
use moltis_core::error::{Code, Error};
use moltis_core::event::{Ending, EventKind};
use moltis_core::feed::Strand;
use moltis_core::id::{CallId, ItemId, TurnId};
use moltis_core::message::{Usage, text_of};
use moltis_core::models::{ModelInfo, Price};
use moltis_core::policy::{Grants, Label};
use moltis_core::provider::{Chunk, Failure, FailureKind, FinishReason, Request, ToolSpec};
use proptest::prelude::*;

use super::{Context, Effect, Input, Purpose, Turn};
use crate::prompt::Instructions;
use crate::testing::{Log, model, shown};

/// A turn over a log, run by hand. Writes down what it wants.
pub(super) struct Run {
    pub(super) turn: Turn,
    pub(super) log: Log,
    at: Duration,
    items: Cell<u32>,
    pub(super) seen: String,
    pub(super) ends: Vec<Ending>,
    finished: u32,
    keeps: bool,
    pub(super) label: Label,
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
            grants: Grants::default(),
            request: None,
            pay: Ok(()),
        }
    }

    /// A turn that has called the first of these models.
    fn calling(models: &[&str]) -> Self {
        let infos = models.iter().map(|name| model(name)).collect();
        Self::calling_all(infos)
    }

    fn calling_all(infos: Vec<ModelInfo>) -> Self {
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
        EventKind::TurnStarted { model } => format!("started {model}"),
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

#[test]
fn a_turn_from_its_message_to_its_end() {
    let mut run = Run::new();
    run.on(Input::Begin);
    run.on(Input::Candidates(Ok(vec![model("p/m")])));
    run.text("Hi");
    run.text(" there");
    run.done();
    run.on(Input::Stop);
    run.check(&expect![[r#"
        choose
        append started p/m
        call 0 (User: hello)
        paint Text "Hi"
        paint Text " there"
        report 0 None
        append message by p/m "Hi there" + end Done
        finish
    "#]]);
}

#[test]
fn without_a_model_the_turn_fails_with_what_mends_it() {
    let mut run = Run::new();
    run.on(Input::Begin);
    let error = Error::new(Code::NotConfigured, "no provider is set up").with_hint("mend it");
    run.on(Input::Candidates(Err(error)));
    run.check(&expect![[r#"
        choose
        append end Failed (no provider is set up; hint: mend it)
        finish
    "#]]);
}

#[test]
fn an_overloaded_vendor_is_asked_again_until_the_budget_is_spent() {
    let mut run = Run::calling(&["p/m"]);
    for _ in 0..2 {
        run.on(Input::CallFailed(failure(FailureKind::Overload)));
        run.on(Input::SleepDone);
    }
    run.seen = run.seen.replace(char::is_numeric, "N");
    run.on(Input::CallFailed(failure(FailureKind::Overload)));
    run.check(&expect![[r#"
        report N Some("overload")
        progress("retrying in N s: trouble")
        sleep
        call N (User: hello)
        progress("")
        report N Some("overload")
        progress("retrying in N s: trouble")
        sleep
        call N (User: hello)
        progress("")
        report 0 Some("overload")
        append end Failed (trouble; hint: choose another model: moltis models list)
        finish
    "#]]);
}

#[test]
fn a_retry_that_goes_well_leaves_no_trace() {
    let mut run = Run::calling(&["p/m"]);
    run.on(Input::CallFailed(failure(FailureKind::Transport)));
    run.on(Input::SleepDone);
    run.seen.clear();
    run.text("Hi");
    run.done();
    run.check(&expect![[r#"
        paint Text "Hi"
        report 0 None
        append message by p/m "Hi" + end Done
        finish
    "#]]);
}

#[test]
fn a_wrong_key_fails_over_at_once() {
    let mut run = Run::calling(&["p/m", "q/n"]);
    run.on(Input::CallFailed(failure(FailureKind::Auth)));
    run.text("Hi");
    run.done();
    run.check(&expect![[r#"
        report 0 Some("auth")
        call 1 (User: hello)
        append notice "p/m failed (trouble); asking q/n"
        paint Text "Hi"
        report 1 None
        append message by q/n "Hi" + end Done
        finish
    "#]]);
}

#[test]
fn what_one_vendor_refuses_the_next_is_asked_and_no_one_twice() {
    let mut run = Run::calling(&["p/m", "q/n"]);
    run.on(Input::CallFailed(failure(FailureKind::BadRequest)));
    run.on(Input::CallFailed(failure(FailureKind::BadRequest)));
    run.check(&expect![[r#"
        report 0 Some("bad_request")
        call 1 (User: hello)
        append notice "p/m failed (trouble); asking q/n"
        report 1 Some("bad_request")
        append end Failed (trouble; hint: none)
        finish
    "#]]);
}

#[test]
fn what_was_shown_is_kept_when_the_stream_breaks() {
    let mut run = Run::calling(&["p/m", "q/n"]);
    run.text("Hal");
    run.on(Input::StreamEnded(Err(failure(FailureKind::Transport))));
    run.check(&expect![[r#"
        paint Text "Hal"
        report 0 Some("transport")
        append message by p/m "Hal" partial + end Failed (trouble; hint: moltis doctor)
        finish
    "#]]);
}

#[test]
fn a_stream_without_terminator_is_an_error() {
    let mut run = Run::calling(&["p/m"]);
    run.text("Hal");
    run.on(Input::StreamEnded(Ok(())));
    run.check(&expect![[r#"
        paint Text "Hal"
        report 0 Some("malformed")
        append message by p/m "Hal" partial + end Failed (the stream ended without its terminator; hint: none)
        finish
    "#]]);
}

#[test]
fn a_connection_that_breaks_after_the_terminator_takes_nothing_back() {
    let mut run = Run::calling(&["p/m"]);
    run.text("Hi");
    run.on(Input::Chunk(Chunk::Finished(FinishReason::Stop)));
    run.on(Input::StreamEnded(Err(failure(FailureKind::Transport))));
    assert_eq!(run.ends, [Ending::Done]);
}

#[test]
fn a_message_that_joins_gets_another_call_of_the_model() {
    let mut run = Run::calling(&["p/m"]);
    run.text("Hi");
    run.log.events.extend(Log::of("user t more").events);
    run.done();
    run.text("Yes");
    run.done();
    run.check(&expect![[r#"
        paint Text "Hi"
        report 0 None
        append message by p/m "Hi"
        call 0 (User: hello | Assistant: Hi | User: more)
        paint Text "Yes"
        report 0 None
        append message by p/m "Yes" + end Done
        finish
    "#]]);
}

#[test]
fn a_prompt_that_does_not_fit_is_halved() {
    let mut run = Run::new();
    let earlier = (0..8)
        .map(|n| format!("user o{n} question{n}\nstart o{n}\nanswer o{n} answer{n}\nend o{n}\n"));
    run.log = Log::of(&(earlier.collect::<String>() + "user t hello"));
    run.on(Input::Begin);
    run.on(Input::Candidates(Ok(vec![model("p/m"), model("q/n")])));
    run.seen.clear();
    run.on(Input::CallFailed(failure(FailureKind::ContextOverflow)));
    run.on(Input::CallFailed(failure(FailureKind::ContextOverflow)));
    run.on(Input::CallFailed(failure(FailureKind::ContextOverflow)));
    run.on(Input::CallFailed(failure(FailureKind::ContextOverflow)));
    run.check(&expect![[r#"
        report 0 Some("context_overflow")
        call 0 (User: question5 | Assistant: answer5 | User: question6 | Assistant: answer6 | User: question7 | Assistant: answer7 | User: hello)
        append notice "older messages no longer fit p/m and are left out of what it is told"
        report 0 Some("context_overflow")
        call 0 (User: question7 | Assistant: answer7 | User: hello)
        report 0 Some("context_overflow")
        call 0 (User: hello)
        report 0 Some("context_overflow")
        append end Failed (trouble; hint: begin a new session: moltis send --new)
        finish
    "#]]);
}

#[test]
fn an_answer_that_calls_tools_keeps_its_text() {
    let mut run = Run::calling(&["p/m"]);
    let name = "look".to_owned();
    run.text("Let me see.");
    run.on(Input::Chunk(Chunk::ToolCallStarted { index: 0, id: CallId::from("c"), name }));
    let fragment = "{}".to_owned();
    run.on(Input::Chunk(Chunk::ToolCallArguments { index: 0, fragment }));
    run.on(Input::Chunk(Chunk::ToolCallEnded { index: 0 }));
    run.on(Input::Chunk(Chunk::Finished(FinishReason::ToolCalls)));
    run.on(Input::StreamEnded(Ok(())));
    run.check(&expect![[r#"
        paint Text "Let me see."
        paint c "{}"
        report 0 None
        append message by p/m "Let me see." + notice "the model called `look`, but it has no tools" + end Done
        finish
    "#]]);
}

#[test]
fn a_price_is_put_on_usage_that_has_none() {
    let price = Price { input: 3_000_000, output: 15_000_000, ..Price::default() };
    let mut run = Run::calling_all(vec![ModelInfo { price: Some(price), ..model("p/m") }]);
    let usage = Usage { input_tokens: 10, output_tokens: 2, ..Usage::default() };
    run.at = Duration::from_millis(40);
    run.text("Hi");
    run.on(Input::Chunk(Chunk::Usage(usage)));
    run.at = Duration::from_millis(90);
    run.done();
    let answer = run.log.events.iter().find_map(|event| match &event.kind {
        EventKind::AssistantMessage { answer, .. } => Some(answer.clone()),
        _ => None,
    });
    let answer = answer.unwrap();
    assert_eq!(answer.usage.cost_microusd, 60);
    assert_eq!(answer.first_token, Some(Duration::from_millis(40)));
    assert_eq!(answer.took, Duration::from_millis(90));
}

#[test]
fn a_turn_tells_what_all_its_calls_used() {
    let price = Price { input: 1_000_000, ..Price::default() };
    let dear = Price { input: 5_000_000, ..Price::default() };
    let priced = |name, price| ModelInfo { price: Some(price), ..model(name) };
    let mut run = Run::calling_all(vec![priced("p/m", price), priced("q/n", dear)]);
    let used =
        |input_tokens| Input::Chunk(Chunk::Usage(Usage { input_tokens, ..Usage::default() }));
    run.on(used(1));
    run.on(Input::StreamEnded(Err(failure(FailureKind::Overload))));
    run.on(Input::SleepDone);
    run.on(used(10));
    run.on(Input::StreamEnded(Err(failure(FailureKind::Billing))));
    run.on(used(100));
    run.on(Input::Stop);
    let total = run.log.events.iter().find_map(|event| match &event.kind {
        EventKind::TurnEnded { usage, .. } => Some(*usage),
        _ => None,
    });
    let total = total.unwrap();
    assert_eq!((total.input_tokens, total.cost_microusd), (111, 511));
}

/// Steps of a turn, each of which may be its last.
fn at_step(step: usize) -> Run {
    let mut run = Run::new();
    let steps: [fn(&mut Run); 6] = [
        |run| run.on(Input::Begin),
        |run| run.on(Input::Candidates(Ok(vec![model("p/m")]))),
        |run| run.on(Input::CallFailed(failure(FailureKind::Overload))),
        |run| run.on(Input::SleepDone),
        |run| run.text("Hi"),
        |run| run.on(Input::Chunk(Chunk::Finished(FinishReason::Stop))),
    ];
    steps.iter().take(step).for_each(|step| step(&mut run));
    run.seen.clear();
    run
}

#[test]
fn a_turn_can_be_stopped_at_every_step() {
    let mut all = String::new();
    for step in 0..=6 {
        let mut run = at_step(step);
        run.on(Input::Stop);
        all.push_str(&format!("{step}: {}", run.seen.replace('\n', "; ").trim_end()));
        all.push('\n');
        assert_eq!((run.ends.as_slice(), run.finished), (&[Ending::Cancelled][..], 1));
    }
    expect![[r#"
        0: append end Cancelled; finish;
        1: append end Cancelled; finish;
        2: append end Cancelled; finish;
        3: append end Cancelled; finish;
        4: append end Cancelled; finish;
        5: append message by p/m "Hi" partial + end Cancelled; finish;
        6: append message by p/m "Hi" + end Cancelled; finish;
    "#]]
    .assert_eq(&all);
}

#[test]
fn a_daemon_that_stops_leaves_turns_that_had_not_started_queued() {
    for step in 0..=6 {
        let mut run = at_step(step);
        run.on(Input::ShutDown);
        let expected: &[Ending] = if step < 2 { &[] } else { &[Ending::Interrupted] };
        assert_eq!((run.ends.as_slice(), run.finished), (expected, 1), "step {step}");
        assert_eq!(run.seen.contains("notice"), step >= 2, "its person is told: step {step}");
    }
}

#[test]
fn a_turn_that_takes_too_long_fails_with_what_it_has() {
    let mut run = at_step(5);
    run.on(Input::TimedOut(Duration::from_secs(600)));
    run.check(&expect![[r#"
        append message by p/m "Hi" partial + end Failed (the turn took longer than 600 s; hint: a longer limit can be set: moltis config edit)
        finish
    "#]]);
}

#[test]
fn a_store_that_fails_ends_the_turn_and_loses_nothing() {
    let mut run = at_step(6);
    run.keeps = false;
    run.on(Input::StreamEnded(Ok(())));
    run.check(&expect![[r#"
        report 0 None
        append message by p/m "Hi" + end Done
          not kept
        append message by p/m "Hi" + end Done
        finish
    "#]]);
    let mut run = at_step(1);
    run.keeps = false;
    run.on(Input::Candidates(Ok(vec![model("p/m")])));
    run.check(&expect![[r#"
        append started p/m
          not kept
        append end Failed (the store failed: disk full; hint: moltis doctor)
        finish
    "#]]);
}

fn any_input() -> impl Strategy<Value = u8> {
    0_u8..14
}

proptest! {
    #[test]
    fn a_turn_ends_once_whatever_happens(
        inputs in prop::collection::vec(any_input(), 0..60),
        loses in prop::option::of(0_usize..60),
    ) {
        let mut run = Run::new();
        run.on(Input::Begin);
        for (at, input) in inputs.into_iter().enumerate() {
            if loses == Some(at) {
                run.keeps = false;
            }
            match input {
                0 => run.on(Input::Candidates(Ok(vec![model("p/m"), model("q/n")]))),
                1 => run.on(Input::Candidates(Err(Error::new(Code::NotFound, "none")))),
                2..=4 => run.text("x"),
                5 => run.on(Input::Chunk(Chunk::Finished(FinishReason::Stop))),
                6 => run.on(Input::StreamEnded(Ok(()))),
                7 => run.on(Input::StreamEnded(Err(failure(FailureKind::Transport)))),
                8 => run.on(Input::CallFailed(failure(FailureKind::RateLimit))),
                9 => run.on(Input::CallFailed(failure(FailureKind::ContextOverflow))),
                10 => run.on(Input::SleepDone),
                11 => run.log.events.extend(Log::of("user t more").events),
                12 => run.on(Input::Chunk(Chunk::ToolCallEnded { index: 9 })),
                _ => run.on(Input::Committed),
            }
            prop_assert!(run.ends.len() <= 1);
        }
        run.on(Input::Stop);
        prop_assert_eq!(run.ends.len(), 1);
        prop_assert!(run.turn.is_over());
    }
}

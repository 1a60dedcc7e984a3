use super::Input;
use super::rig::{Run, failure};
use crate::testing::Log;
use crate::testing::model;
use expect_test::expect;
use moltis_core::error::Code;
use moltis_core::error::Error;
use moltis_core::event::Ending;
use moltis_core::event::EventKind;
use moltis_core::id::CallId;
use moltis_core::message::Usage;
use moltis_core::models::ModelInfo;
use moltis_core::models::Price;
use moltis_core::provider::Chunk;
use moltis_core::provider::FailureKind;
use moltis_core::provider::FinishReason;
use proptest::prelude::*;
use std::time::Duration;

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

use std::time::Duration;

use expect_test::{Expect, expect};
use moltis_core::event::{Ending, EventKind};
use moltis_core::message::{Usage, text_of};
use moltis_core::models::ModelInfo;
use moltis_core::provider::{Chunk, FailureKind, FinishReason};
use moltis_core::session::Purpose;

use super::rig::{Run, failure};
use super::{Input, Turn};
use crate::prompt::Instructions;
use crate::testing::{Log, model};

fn small() -> ModelInfo {
    ModelInfo { context_window: Some(4_000), output_limit: Some(500), ..model("p/m") }
}

/// A turn over a conversation that does not fit its model any more.
fn full(purpose: Purpose) -> Run {
    let mut run = Run::new();
    let instructions = Instructions { compact_at: 50, ..Instructions::default() };
    run.turn = Turn::new("s".into(), instructions, purpose.clone(), 7);
    let said = "word ".repeat(100);
    let turn =
        |n| format!("user o{n} ask{n} {said}\nstart o{n}\nanswer o{n} say{n} {said}\nend o{n}\n");
    let earlier: String = (0..10).map(turn).collect();
    let last = if purpose == Purpose::Answer { "user t hello" } else { "" };
    run.log = Log::of(&format!("{earlier}{last}"));
    run.on(Input::Begin);
    run.on(Input::Candidates(Ok(vec![small()])));
    run
}

/// What was asked is long; of it only the beginning is looked at.
fn brief(run: &mut Run, expected: &Expect) {
    let lines: Vec<String> = std::mem::take(&mut run.seen)
        .replace(&"word ".repeat(100), "")
        .lines()
        .map(|line| line.chars().take(150).collect::<String>().trim_end().to_owned() + "\n")
        .collect();
    expected.assert_eq(&lines.concat());
}

#[test]
fn what_does_not_fit_is_summed_up_before_the_answer() {
    let mut run = full(Purpose::Answer);
    run.text("They said words.");
    run.done();
    run.text("Hi");
    run.done();
    brief(
        &mut run,
        &expect![[r#"
            choose
            append started p/m
            call 0 (User: <conversation> | Person: ask0 word word word word word word word word word word word word word word word word word word word word word w
            progress("compacting 3k tokens")
            report 0 None
            append compacted upto 37 since 37 by p/m, automatic: "They said words."
            call 0 (User: [Summary of the conversation so far] | They said words. | [End of the summary] |  | ask9 | Assistant: say9 | User: hello)
            progress("")
            paint Text "Hi"
            report 0 None
            append message by p/m "Hi" + end Done
            finish
        "#]],
    );
}

#[test]
fn an_answer_that_is_no_summary_is_replaced_by_one_that_fits() {
    let cases: [fn(&mut Run); 4] = [
        |run| run.done(),
        |run| {
            run.text(&"long ".repeat(5_000));
            run.done();
        },
        |run| {
            run.text("cut o");
            run.on(Input::Chunk(Chunk::Finished(FinishReason::Length)));
            run.on(Input::StreamEnded(Ok(())));
        },
        |run| run.on(Input::CallFailed(failure(FailureKind::Auth))),
    ];
    for case in cases {
        let mut run = full(Purpose::Answer);
        case(&mut run);
        assert!(run.seen.contains("by itself, automatic"), "{}", run.seen);
        assert!(run.seen.contains("a short one was made without it"), "{}", run.seen);
        assert!(!run.seen.contains("paint"), "an unfinished summary is no answer: {}", run.seen);
        run.seen.clear();
        run.text("Hi");
        run.done();
        assert_eq!(run.ends, [Ending::Done]);
    }
}

#[test]
fn a_summary_that_fails_is_tried_again_as_an_answer_is() {
    let mut run = full(Purpose::Answer);
    run.seen.clear();
    run.on(Input::CallFailed(failure(FailureKind::Overload)));
    run.on(Input::SleepDone);
    run.seen = run.seen.replace(char::is_numeric, "N");
    brief(
        &mut run,
        &expect![[r#"
            report N Some("overload")
            progress("retrying in N s: trouble")
            sleep
            call N (User: <conversation> | Person: askN word word word word word word word word word word word word word word word word word word word word word w
            progress("compacting Nk tokens")
        "#]],
    );
}

#[test]
fn a_summary_that_is_being_written_is_dropped_when_the_turn_is_stopped() {
    let mut run = full(Purpose::Answer);
    run.text("They sa");
    assert!(run.turn.unfinished().is_none(), "it is no draft of an answer");
    run.seen.clear();
    run.on(Input::Stop);
    brief(
        &mut run,
        &expect![[r#"
        append end Cancelled
        finish
    "#]],
    );
}

#[test]
fn a_compaction_that_was_asked_for_ends_with_its_summary() {
    let mut run = full(Purpose::Compact);
    run.seen.clear();
    let usage = Usage { input_tokens: 9, ..Usage::default() };
    run.on(Input::Chunk(Chunk::Usage(usage)));
    run.text("They said words.");
    run.done();
    let used = run.log.events.iter().find_map(|event| match &event.kind {
        EventKind::Compacted { usage, .. } => Some(*usage),
        _ => None,
    });
    assert_eq!(used, Some(usage));
    brief(
        &mut run,
        &expect![[r#"
        report 0 None
        append compacted upto 33 since 33 by p/m, asked for: "They said words." + end Done
        finish
    "#]],
    );
}

#[test]
fn a_compaction_that_was_asked_for_and_fails_loses_nothing() {
    let mut run = full(Purpose::Compact);
    let before = text_of(&run.log.conversation().entries()[0].parts);
    run.seen.clear();
    run.on(Input::CallFailed(failure(FailureKind::Auth)));
    assert_eq!(text_of(&run.log.conversation().entries()[0].parts), before);
    brief(
        &mut run,
        &expect![[r#"
        report 0 Some("auth")
        append end Failed (trouble; hint: moltis providers login p)
        finish
    "#]],
    );
}

#[test]
fn with_nothing_to_compact_the_turn_says_so() {
    let mut run = full(Purpose::Compact);
    run.turn = Turn::new("s".into(), Instructions::default(), Purpose::Compact, 7);
    run.log = Log::of("user o hello\nstart o\nanswer o hi\nend o");
    run.seen.clear();
    run.on(Input::Begin);
    run.on(Input::Candidates(Ok(vec![small()])));
    brief(
        &mut run,
        &expect![[r#"
        choose
        append started p/m
        append notice "there is nothing to compact" + end Done
        finish
    "#]],
    );
}

#[test]
fn what_a_vendor_finds_too_long_is_compacted_before_it_is_cut() {
    let mut run = full(Purpose::Answer);
    let instructions = Instructions { compact_at: 100, ..Instructions::default() };
    run.turn = Turn::new("s".into(), instructions, Purpose::Answer, 7);
    let said = "word ".repeat(100);
    let turn =
        |n| format!("user o{n} ask{n} {said}\nstart o{n}\nanswer o{n} say{n} {said}\nend o{n}\n");
    run.log = Log::of(&format!("{}user t hello", (0..8).map(turn).collect::<String>()));
    run.on(Input::Begin);
    run.on(Input::Candidates(Ok(vec![ModelInfo { context_window: Some(4_000), ..small() }])));
    run.seen.clear();
    run.on(Input::CallFailed(failure(FailureKind::ContextOverflow)));
    brief(
        &mut run,
        &expect![[r#"
            report 0 Some("context_overflow")
            call 0 (User: <conversation> | [4 older messages are not shown] |  | Person: ask2 word word word word word word word word word word word word word wor
            progress("compacting 2k tokens")
        "#]],
    );
}

#[test]
fn a_summary_that_takes_too_long_is_made_without_the_model_for_the_next_turn() {
    let mut run = full(Purpose::Answer);
    run.text("They sa");
    run.seen.clear();
    run.on(Input::TimedOut(Duration::from_secs(600)));
    assert!(run.seen.contains("by itself, automatic"), "{}", run.seen);
    assert_eq!(run.ends, [Ending::Failed]);
    assert!(run.log.conversation().summary().is_some());
    let mut run = full(Purpose::Compact);
    run.on(Input::TimedOut(Duration::from_secs(600)));
    assert!(run.log.conversation().summary().is_none(), "who asked for it loses nothing");
}

#[test]
fn another_model_sums_up_when_the_first_one_fails() {
    let mut run = full(Purpose::Answer);
    let instructions = Instructions { compact_at: 50, ..Instructions::default() };
    run.turn = Turn::new("s".into(), instructions, Purpose::Answer, 7);
    run.on(Input::Begin);
    run.on(Input::Candidates(Ok(vec![small(), ModelInfo { id: model("q/n").id, ..small() }])));
    run.seen.clear();
    run.on(Input::CallFailed(failure(FailureKind::Auth)));
    run.text("They said words.");
    run.done();
    brief(
        &mut run,
        &expect![[r#"
        report 0 Some("auth")
        call 1 (User: <conversation> | Person: ask0 word word word word word word word word word word word word word word word word word word word word word w
        progress("compacting 3k tokens")
        append notice "p/m failed (trouble); asking q/n"
        report 1 None
        append compacted upto 37 since 37 by q/n, automatic: "They said words."
        call 1 (User: [Summary of the conversation so far] | They said words. | [End of the summary] |  | ask9 | Assistant: say9 | User: hello)
        progress("")
    "#]],
    );
}

use moltis_core::message::{Part, text_of};
use proptest::prelude::*;

use super::Conversation;
use crate::testing::Log;

fn order(lines: &str) -> String {
    let conversation = Log::of(lines).conversation();
    let texts: Vec<String> =
        conversation.entries().iter().map(|entry| text_of(&entry.parts)).collect();
    texts.join(" ")
}

#[test]
fn a_message_that_waited_comes_after_the_turn_that_it_waited_for() {
    let log = "user a U1
        start a
        user b U2
        answer a A1
        end a
        start b";
    assert_eq!(order(log), "U1 A1 U2");
}

/// The results that a model is told, in order.
fn results(lines: &str) -> String {
    let conversation = Log::of(lines).conversation();
    let result = |part: &Part| match part {
        Part::ToolResult { id, text, .. } => Some(format!("{id}: {text}")),
        _ => None,
    };
    let parts = conversation.entries().iter().flat_map(|entry| &entry.parts);
    parts.filter_map(result).collect::<Vec<_>>().join(", ")
}

#[test]
fn results_are_told_in_the_order_of_the_calls_whichever_was_done_first() {
    let log = "user a U1\nstart a\ncalls a x y z\nresult z third\nresult x first";
    assert_eq!(results(log), "x: first", "what comes after one that is missing waits");
    assert_eq!(results(&format!("{log}\nresult y second")), "x: first, y: second, z: third");
    let cancelled = results(&format!("{log}\ncancel a"));
    assert_eq!(
        cancelled, "x: first, y: [no result: the turn ended before there was one], z: third",
        "what was done is told also where another call was not"
    );
}

#[test]
fn a_message_that_waits_is_not_told_yet() {
    assert_eq!(order("user a U1\nstart a\nuser b U2"), "U1");
}

#[test]
fn a_message_that_joined_comes_after_the_answer_that_did_not_know_it() {
    let log = "user a U1
        start a
        user a S1
        answer a A1
        user a S2
        answer a A2
        end a";
    assert_eq!(order(log), "U1 A1 S1 A2 S2");
}

#[test]
fn collected_messages_are_told_together() {
    assert_eq!(order("user a U1\nstart a\nuser b U2\nuser b U3\nend a\nstart b"), "U1 U2 U3");
}

#[test]
fn a_turn_cancelled_before_its_start_was_never_said() {
    assert_eq!(order("user a U1\nuser b U2\ncancel b\nstart a\nanswer a A1"), "U1 A1");
}

#[test]
fn a_turn_that_failed_before_its_start_was_said() {
    assert_eq!(order("user a U1\nfail a\nuser b U2\nstart b"), "U1 U2");
}

#[test]
fn a_fork_in_the_middle_of_a_turn_keeps_what_was_said() {
    assert_eq!(order("user a U1\nstart a\nuser b U2\nuser a S1\nfork"), "U1 S1 U2");
}

#[test]
fn empty_answers_are_skipped_and_partial_ones_kept() {
    assert_eq!(order("user a U1\nstart a\nanswer a\nend a"), "U1");
    assert_eq!(order("user a U1\nstart a\npartial a A1\ncancel a"), "U1 A1");
}

#[test]
fn the_oldest_messages_are_forgotten_beyond_the_capacity() {
    let mut conversation = Conversation::new(30);
    for event in &Log::of("user a one\nstart a\nanswer a two\nend a\nuser b three\nstart b").events
    {
        conversation.apply(event);
    }
    assert!(!conversation.is_cut());
    let more = "user c ".to_owned() + &"x".repeat(100) + "\nstart c";
    Log::of(&more).events.iter().for_each(|event| conversation.apply(event));
    assert!(conversation.is_cut());
    assert_eq!(conversation.entries().len(), 1);
}

proptest! {
    /// Whatever the order of events, nothing that was said in a turn that was not cancelled
    /// before its start is lost, and nothing is told twice.
    #[test]
    fn nothing_is_lost_or_doubled(
        words in prop::collection::vec((0_usize..4, 0_usize..3), 0..40)
    ) {
        let mut lines = String::new();
        let mut said = 0;
        for (word, turn) in words {
            let word = ["user", "start", "answer", "end"][word];
            if matches!(word, "user" | "answer") {
                said += 1;
                lines.push_str(&format!("{word} t{turn} M{said}\n"));
            } else {
                lines.push_str(&format!("{word} t{turn}\n"));
            }
        }
        lines.push_str("fork");
        let order = order(&lines);
        let mut told: Vec<&str> = order.split(' ').filter(|word| !word.is_empty()).collect();
        told.sort_unstable();
        told.dedup();
        prop_assert_eq!(told.len(), said);
    }
}

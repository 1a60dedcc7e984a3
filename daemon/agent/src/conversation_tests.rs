use moltis_core::event::{EventKind, ToolEnding};
use moltis_core::id::{CallId, ItemId, TurnId};
use moltis_core::message::{Message, Part, Role, Usage, text_of};
use moltis_core::provider::ToolSpec;
use proptest::prelude::*;

use super::Conversation;
use crate::prompt::{Instructions, assemble};
use crate::testing::{Log, answer, model};

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
    let before = "user a one\nstart a\nanswer a two\nend a\nuser b three\nstart b";
    let log = Log::of(&format!("{before}\nend b\nuser c {}\nstart c", "x".repeat(100)));
    let (before, after) = log.events.split_at(before.lines().count());
    before.iter().for_each(|event| conversation.apply(event));
    assert!(!conversation.is_cut());
    after.iter().for_each(|event| conversation.apply(event));
    assert!(conversation.is_cut());
    assert_eq!(conversation.entries().len(), 1);
}

fn call(id: &str, arguments: &str) -> Part {
    let (name, arguments) = ("look".to_owned(), arguments.to_owned());
    Part::ToolCall { id: id.into(), name, arguments }
}

/// What a model is told that may call.
fn tools() -> Instructions {
    let (name, description) = ("look".to_owned(), String::new());
    let tools = vec![ToolSpec { name, description, parameters: serde_json::Value::Null }];
    Instructions { tools, ..Instructions::default() }
}

fn answered(parts: Vec<Part>) -> EventKind {
    let (item, answer) = (ItemId::from("i"), answer("p/m"));
    EventKind::AssistantMessage { item, parts, answer, partial: false }
}

fn finished(id: &str, text: &str) -> EventKind {
    EventKind::ToolFinished {
        item: ItemId::from("i"),
        call: id.into(),
        tool: "look".to_owned(),
        ending: ToolEnding::Done,
        parts: vec![Part::Text(text.to_owned())],
        sensitive: false,
        took: None,
    }
}

#[test]
fn large_results_side_by_side_push_out_neither_the_question_nor_their_calls() {
    let mut log = Log::of("user o old\nstart o\nanswer o yes\nend o\nuser t question\nstart t");
    let ids: Vec<String> = (0..6).map(|n| format!("c{n}")).collect();
    let turn = Some(TurnId::from("t"));
    log.keep(turn.clone(), answered(ids.iter().map(|id| call(id, "{}")).collect()));
    for id in &ids {
        log.keep(turn.clone(), finished(id, &"x".repeat(2_000)));
    }
    let mut conversation = Conversation::new(1_200);
    log.events.iter().for_each(|event| conversation.apply(event));
    let told = assemble(&conversation, &"s".into(), &model("p/m"), &tools(), 100_000, 0);
    assert!(conversation.is_cut());
    let messages = told.request.messages;
    assert_eq!(text_of(&messages[0].parts), "question");
    assert_eq!(unpaired(&messages), None);
    let results: Vec<&str> = messages[2]
        .parts
        .iter()
        .filter_map(|part| match part {
            Part::ToolResult { text, .. } => Some(text.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(results.len(), 6);
    assert_eq!(results[0], "[a result of 2000 bytes, left out to make room]");
    assert_eq!(results[5].len(), 2_000);
}

/// What of these messages no vendor takes: a result without its call before it, or a call whose
/// result does not follow.
fn unpaired(messages: &[Message]) -> Option<String> {
    let mut open: Vec<&CallId> = Vec::new();
    for message in messages {
        if message.role != Role::Tool && !open.is_empty() {
            return Some(format!("no results of {open:?}"));
        }
        for part in &message.parts {
            match part {
                Part::ToolCall { id, .. } => open.push(id),
                Part::ToolResult { id, .. } => match open.iter().position(|call| *call == id) {
                    Some(at) => drop(open.remove(at)),
                    None => return Some(format!("no call {id}")),
                },
                _ => {}
            }
        }
    }
    (!open.is_empty()).then(|| format!("no results of {open:?} at the end"))
}

/// Something that happens in a session whose turns call tools.
#[derive(Clone, Debug)]
enum Happens {
    Said(usize, usize),
    Started(usize),
    /// Calls of these ids, in an answer of so many bytes.
    Called(Vec<usize>, usize),
    Gave(usize, usize),
    Ended(usize, bool),
    Undone,
    Forked,
    /// So many events before the newest are summed up up to there.
    Compacted(u64),
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        3 => (0_usize..4, 0_usize..400).prop_map(|(turn, size)| Happens::Said(turn, size)),
        2 => (0_usize..3).prop_map(Happens::Started),
        4 => (prop::collection::vec(0_usize..6, 0..4), 0_usize..600)
            .prop_map(|(ids, size)| Happens::Called(ids, size)),
        8 => (0_usize..6, 0_usize..3_000).prop_map(|(id, size)| Happens::Gave(id, size)),
        1 => (0_usize..3, any::<bool>()).prop_map(|(turn, well)| Happens::Ended(turn, well)),
        1 => Just(Happens::Undone),
        1 => Just(Happens::Forked),
        1 => (0_u64..12).prop_map(Happens::Compacted),
    ]
}

impl Happens {
    fn keep(self, log: &mut Log) {
        let now = log.events.len() as u64;
        let line = match self {
            // The last one belongs to no turn.
            Self::Said(turn, size) => format!("user t{turn} {}", "s".repeat(size + 1)),
            Self::Started(turn) => format!("start t{turn}"),
            Self::Ended(turn, true) => format!("end t{turn}"),
            Self::Ended(turn, false) => format!("cancel t{turn}"),
            Self::Forked => "fork".to_owned(),
            Self::Called(ids, size) => {
                let arguments = format!("{{\"text\":\"{}\"}}", "a".repeat(size));
                let calls = ids.iter().map(|id| call(&format!("c{id}"), &arguments));
                let said = Part::Text("w".repeat(size));
                return log.keep(None, answered([said].into_iter().chain(calls).collect()));
            }
            Self::Gave(id, size) => {
                return log.keep(None, finished(&format!("c{id}"), &"r".repeat(size)));
            }
            Self::Undone => {
                let (undone, files, kept) = ("u".into(), Vec::new(), Vec::new());
                return log.keep(None, EventKind::WorkspaceRestored { undone, files, kept });
            }
            Self::Compacted(before) => {
                let kind = EventKind::Compacted {
                    item: "c".into(),
                    upto: now.saturating_sub(before),
                    since: 0,
                    before_tokens: 0,
                    after_tokens: 0,
                    summary: "They talked.".to_owned(),
                    automatic: true,
                    model: None,
                    usage: Usage::default(),
                };
                return log.keep(None, kind);
            }
        };
        log.events.extend(Log::of(&line).events);
        if let Some(last) = log.events.last_mut() {
            last.seq = now + 1;
            if last.turn.as_ref().is_some_and(|turn| turn.as_str() == "t3") {
                last.turn = None;
            }
        }
    }
}

proptest! {
    #[test]
    fn whatever_happens_each_call_has_its_result_and_each_result_its_call(
        all in prop::collection::vec(happens(), 0..60),
        capacity in 100_u64..3_000,
        budget in 0_u64..2_000,
        pruned in prop::option::of(0_u64..60),
    ) {
        let mut log = Log::of("user t0 first\nstart t0");
        all.into_iter().for_each(|one| one.keep(&mut log));
        let mut conversation = Conversation::new(capacity);
        let (model, instructions) = (model("p/m"), tools());
        for event in &log.events {
            conversation.apply(event);
            // The model is asked, and shown anything, when all calls have their results.
            if !conversation.is_open() {
                let pruned = pruned.unwrap_or(u64::MAX);
                let told =
                    assemble(&conversation, &"s".into(), &model, &instructions, budget, pruned);
                prop_assert_eq!(unpaired(&told.request.messages), None);
            }
        }
    }

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

use std::collections::BTreeSet;

use expect_test::expect;
use moltis_core::event::EventKind;
use moltis_core::id::TurnId;
use moltis_core::message::{Part, Usage, text_of};
use moltis_core::models::ModelInfo;
use proptest::prelude::*;

use super::{Plan, is_worth_it, plan};
use crate::conversation::Conversation;
use crate::prompt::{Instructions, assemble, budget, compact_above, newest};
use crate::scale::Scale;
use crate::testing::{Log, model, shown};

fn sized(window: u64) -> ModelInfo {
    ModelInfo { context_window: Some(window), output_limit: None, ..model("p/m") }
}

fn instructions() -> Instructions {
    Instructions { compact_at: 95, ..Instructions::default() }
}

fn compacted(plan: &Plan, summary: String) -> EventKind {
    EventKind::Compacted {
        item: "c".into(),
        upto: plan.upto,
        since: plan.since,
        before_tokens: plan.before_tokens,
        after_tokens: plan.after_tokens(&summary),
        summary,
        automatic: true,
        model: None,
        usage: Usage::default(),
    }
}

fn planned(log: &Log, model: &ModelInfo) -> Option<Plan> {
    let above = compact_above(model, &instructions(), Scale::NONE).unwrap();
    plan(&log.conversation(), model, &instructions(), above, 0)
}

/// What is said in long conversations.
fn words() -> String {
    vec!["word"; 60].join(" ")
}

fn long(turns: usize) -> Log {
    let said = words();
    let turn =
        |n| format!("user o{n} ask{n} {said}\nstart o{n}\nanswer o{n} say{n} {said}\nend o{n}\n");
    Log::of(&(0..turns).map(turn).collect::<String>())
}

#[test]
fn the_most_recent_messages_stay() {
    let mut log = long(12);
    log.events.extend(Log::of("user t now\nstart t").events);
    for (event, seq) in log.events.iter_mut().zip(1..) {
        event.seq = seq;
    }
    let model = sized(2_400);
    let plan = planned(&log, &model).unwrap();
    log.keep(Some(TurnId::from("t")), compacted(&plan, "They talked.".to_owned()));
    let told = assemble(&log.conversation(), &"s".into(), &model, &instructions(), 1_800, 0);
    let told = shown(&told.request).replace(&words(), "…");
    expect![[r#"
        User: [Summary of the conversation so far]
        They talked.
        [End of the summary]

        ask10 …
        Assistant: say10 …
        User: ask11 …
        Assistant: say11 …
        User: now
    "#]]
    .assert_eq(&told);
}

#[test]
fn a_short_conversation_is_not_worth_a_summary() {
    assert!(!is_worth_it(&Log::of("user a hello\nstart a\nanswer a hi\nend a").conversation()));
    assert!(is_worth_it(&long(3).conversation()));
}

#[test]
fn without_a_model_the_summary_says_how_much_there_was_and_what_was_asked() {
    let mut log = long(12);
    let plan = planned(&log, &sized(2_400)).unwrap();
    let summary = plan.fallback(&log.conversation());
    expect![[r#"
        10 messages of the person and 10 answers are not shown.
        First request: ask0 word word word word word word word word wo … rd word word word word word word word word word
        Later request: ask8 word word word word wo … rd word word word word word
        Later request: ask9 word word word word wo … rd word word word word word"#]].assert_eq(&summary.replace(&"word ".repeat(10), ""));
    log.keep(None, compacted(&plan, summary));
    log.events.extend(long(12).events);
    for (event, seq) in log.events.iter_mut().zip(1..) {
        event.seq = seq;
    }
    let again = planned(&log, &sized(2_400)).unwrap().fallback(&log.conversation());
    assert!(again.contains("Before them: "), "{again}");
    assert!(again.chars().count() <= 1_200);
}

#[test]
fn what_is_to_be_summed_up_is_cut_to_what_fits() {
    let mut lines = String::new();
    for n in 0..30 {
        lines.push_str(&format!("user o{n} ask{n} {}\nstart o{n}\n", "long ".repeat(2_000)));
        lines.push_str(&format!("answer o{n} say{n}\nend o{n}\n"));
    }
    let log = Log::of(&lines);
    let model = sized(8_192);
    let plan = planned(&log, &model).unwrap();
    let budget = budget(&model, &instructions(), Scale::NONE);
    let request = plan.request(&log.conversation(), &"s".into(), &model, budget).unwrap();
    let text = text_of(&request.messages[0].parts);
    assert!(text.len() as u64 / 4 + request.max_output.unwrap() <= budget);
    assert!(text.contains("Person: ask0 long") && text.contains("Assistant: say28"), "{text}");
    assert_eq!(plan.request(&log.conversation(), &"s".into(), &model, 300), None);
}

/// A log of turns that wait, join and end in every order, compacted now and then.
#[derive(Clone, Debug)]
enum Act {
    Say(usize, usize),
    Start,
    Answer(usize),
    End(u8),
    Fork,
    Compact(u64, bool),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => (0_usize..3, 0_usize..80).prop_map(|(ahead, words)| Act::Say(ahead, words)),
        3 => Just(Act::Start),
        3 => (0_usize..120).prop_map(Act::Answer),
        3 => (0_u8..5).prop_map(Act::End),
        1 => Just(Act::Fork),
        2 => (60_u64..3_000, any::<bool>()).prop_map(|(window, all)| Act::Compact(window, all)),
    ];
    prop::collection::vec(act, 1..80)
}

struct Story {
    log: Log,
    running: Option<usize>,
    next: usize,
    said: BTreeSet<usize>,
}

impl Story {
    fn of(acts: Vec<Act>) -> Self {
        let mut story = Self { log: Log::of(""), running: None, next: 0, said: BTreeSet::new() };
        acts.into_iter().for_each(|act| story.act(act));
        story
    }

    fn line(&mut self, line: &str) {
        let event = Log::of(line).events.remove(0);
        self.log.keep(event.turn, event.kind);
    }

    fn act(&mut self, act: Act) {
        match (act, self.running) {
            (Act::Say(ahead, words), _) => {
                let turn = self.running.unwrap_or(self.next) + ahead;
                self.said.insert(turn);
                let text = "w ".repeat(words);
                self.line(&format!("user t{turn} said{} {text}", self.log.events.len()));
            }
            (Act::Start, None) => {
                if let Some(turn) = self.said.range(self.next..).next().copied() {
                    (self.running, self.next) = (Some(turn), turn + 1);
                    self.line(&format!("start t{turn}"));
                }
            }
            (Act::Answer(words), Some(turn)) => {
                let text = "v ".repeat(words);
                self.line(&format!("answer t{turn} answer{} {text}", self.log.events.len()));
            }
            (Act::End(how), Some(turn)) => {
                let how = ["end", "end", "end", "cancel", "fail"][usize::from(how)];
                self.running = None;
                self.line(&format!("{how} t{turn}"));
            }
            (Act::Fork, _) => {
                self.next = self.said.last().map_or(0, |last| last + 1);
                self.running = None;
                self.line("fork");
            }
            (Act::Compact(window, own), _) => {
                if let Some(plan) = planned(&self.log, &sized(window)) {
                    let conversation = self.log.conversation();
                    let summary =
                        if own { plan.fallback(&conversation) } else { "short".to_owned() };
                    self.log.keep(None, compacted(&plan, summary));
                }
            }
            (Act::Start, Some(_)) | (Act::Answer(_) | Act::End(_), None) => {}
        }
    }
}

proptest! {
    #[test]
    fn a_prompt_fits_after_a_compaction(
        acts in acts(),
        window in 64_u64..2_000,
        longest in any::<bool>(),
    ) {
        let mut log = Story::of(acts).log;
        let model = sized(window);
        if let Some(plan) = planned(&log, &model) {
            let summary = plan.fallback(&log.conversation());
            let text = "s".repeat(usize::try_from(plan.most * 4).unwrap());
            let accepted = plan.accept(&[Part::Text(text)]).unwrap_or_default();
            let summary = if longest { accepted } else { summary };
            log.keep(None, compacted(&plan, summary));
        }
        let conversation = log.conversation();
        let room = budget(&model, &instructions(), Scale::NONE);
        let told = assemble(&conversation, &"s".into(), &model, &instructions(), room, 0);
        let entries = conversation.entries();
        let pinned: u64 = entries.iter().skip(newest(entries)).map(|entry| entry.tokens).sum();
        prop_assert!(told.tokens <= room.max(pinned), "{} of {room}", told.tokens);
        let bytes = |part: &Part| part.as_text().map_or(0, str::len) as u64;
        let messages = told.request.messages.iter().flat_map(|message| &message.parts);
        prop_assert!(messages.map(bytes).sum::<u64>() / 4 <= told.tokens + 8);
    }

    #[test]
    fn what_a_model_is_told_follows_from_what_a_compaction_names(acts in acts()) {
        let log = Story::of(acts).log;
        let whole = log.conversation();
        let since = log.events.iter().rev().find_map(|event| match &event.kind {
            EventKind::Compacted { since, .. } => Some(*since),
            _ => None,
        });
        let mut part = Conversation::new(whole.capacity());
        let rest = log.events.iter().filter(|event| event.seq >= since.unwrap_or(1));
        rest.for_each(|event| part.apply(event));
        prop_assert_eq!(part, whole);
    }
}

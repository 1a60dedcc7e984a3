use std::sync::Arc;

use moltis_core::context::{SystemFragment, SystemKind};
use moltis_core::event::{EventKind, Origin};
use moltis_core::id::{ItemId, TurnId};
use moltis_core::message::{Part, Role, text_of};
use moltis_core::models::ModelInfo;
use proptest::prelude::*;

use super::{Assembled, Instructions, NO_IMAGES, TINY_SYSTEM, assemble, budget};
use crate::scale::Scale;
use crate::system::{intro, ordered};
use crate::testing::{Log, answer, model, shown};

fn ask(log: &Log, model: &ModelInfo, budget: u64) -> Assembled {
    let instructions = Instructions::default();
    assemble(&log.conversation(), &"s".into(), model, &instructions, budget, 0)
}

const LONG: &str = "user a one
    start a
    answer a two
    end a
    user b three
    start b
    answer b four
    end b
    user c five
    start c";

#[test]
fn what_fits_is_told_in_order() {
    let all = ask(&Log::of(LONG), &model("p/m"), 1_000);
    expect_test::expect![[r#"
        User: one
        Assistant: two
        User: three
        Assistant: four
        User: five
    "#]]
    .assert_eq(&shown(&all.request));
    assert!(!all.left_out);
    assert!(all.shrinks);
}

#[test]
fn the_oldest_are_left_out_first_and_the_first_told_is_the_persons() {
    let some = ask(&Log::of(LONG), &model("p/m"), 20);
    expect_test::expect![[r#"
        User: three
        Assistant: four
        User: five
    "#]]
    .assert_eq(&shown(&some.request));
    assert!(some.left_out);
    let fewer = ask(&Log::of(LONG), &model("p/m"), 12);
    assert_eq!(shown(&fewer.request), "User: five\n");
}

#[test]
fn the_newest_message_is_told_whole_even_if_it_does_not_fit() {
    let log = Log::of("user a one\nstart a\nanswer a two\nend a\nuser b x\nuser b y\nstart b");
    let least = ask(&log, &model("p/m"), 0);
    assert_eq!(shown(&least.request), "User: x\n\ny\n");
    assert!(!least.shrinks);
}

#[test]
fn a_long_conversation_begins_with_the_same_message_for_many_turns() {
    let said = "word ".repeat(40);
    let mut lines = String::new();
    let mut beginnings = Vec::new();
    for turn in 0..200 {
        lines.push_str(&format!("user t{turn} {turn} {said}\nstart t{turn}\n"));
        let asked = ask(&Log::of(&lines), &model("p/m"), 4_000);
        assert!(asked.tokens <= 4_000);
        assert!(!asked.left_out || asked.tokens >= 2_200, "{} are too few", asked.tokens);
        beginnings.push(text_of(&asked.request.messages[0].parts));
        lines.push_str(&format!("answer t{turn} {said}\nend t{turn}\n"));
    }
    let answers = beginnings.len();
    beginnings.dedup();
    assert!(beginnings.len() * 4 < answers, "{} beginnings", beginnings.len());
}

#[test]
fn how_much_of_the_log_was_read_does_not_change_the_beginning() {
    let said = "word ".repeat(40);
    let turn = |turn: usize| format!("user t{turn} {turn} {said}\nanswer t{turn} {said}\n");
    let told = |from: usize| {
        let lines: String = (from..60).map(turn).collect();
        let log = Log::of(&format!("{lines}user last now\nstart last"));
        shown(&ask(&log, &model("p/m"), 2_000).request)
    };
    assert_eq!(told(0), told(7));
}

#[test]
fn speakers_take_turns() {
    let log = Log::of(
        "user a one\nstart a\nfail a\nuser b two\nstart b\npartial b th\nfail b
        user c four\nstart c",
    );
    expect_test::expect![[r#"
        User: one

        two
        Assistant: th
        User: four
    "#]]
    .assert_eq(&shown(&ask(&log, &model("p/m"), 1_000).request));
}

#[test]
fn thoughts_go_back_only_to_the_model_that_had_them() {
    let mut log = Log::of("user a one\nstart a");
    let thought = |signature: Option<&str>| Part::Reasoning {
        text: "hm".to_owned(),
        signature: signature.map(str::to_owned),
    };
    log.keep(
        Some(TurnId::from("a")),
        EventKind::AssistantMessage {
            item: ItemId::from("i"),
            parts: vec![thought(Some("proof")), thought(None), Part::Text("two".to_owned())],
            answer: answer("p/m"),
            partial: false,
        },
    );
    log.events.extend(Log::of("end a\nuser b next\nstart b").events);
    let thoughts = |name: &str| {
        let request = ask(&log, &model(name), 1_000).request;
        request.messages[1].parts.iter().filter(|part| part.as_text().is_none()).count()
    };
    assert_eq!(thoughts("p/m"), 1);
    assert_eq!(thoughts("p/other"), 0);
}

#[test]
fn thoughts_without_a_proof_go_back_while_their_calls_are_answered() {
    let thought = Part::Reasoning { text: "hm".to_owned(), signature: None };
    let kept = EventKind::AssistantMessage {
        item: ItemId::from("i"),
        parts: vec![thought.clone()],
        answer: answer("p/m"),
        partial: false,
    };
    let mut log = Log::of("user a one\nstart a");
    log.keep(Some(TurnId::from("a")), kept);
    let asked = ask(&log, &model("p/m"), 1_000).request;
    assert_eq!(asked.messages.last().unwrap().parts, [thought]);
}

#[test]
fn a_model_that_does_not_see_is_told_that_a_picture_was_there() {
    let mut log = Log::of("");
    let picture = Part::Image { media_type: "image/png".to_owned(), data: Arc::from([1_u8, 2]) };
    log.keep(
        None,
        EventKind::UserMessage {
            item: "i".into(),
            op: "o".into(),
            parts: vec![picture.clone()],
            queue: Default::default(),
            model: None,
        },
    );
    let blind = ModelInfo { images: false, ..model("p/m") };
    assert_eq!(ask(&log, &model("p/m"), 1_000).request.messages[0].parts, [picture]);
    let told = ask(&log, &blind, 1_000).request;
    assert_eq!(told.messages[0].parts, [Part::Text(NO_IMAGES.to_owned())]);
}

#[test]
fn a_tiny_model_gets_tiny_instructions() {
    let system = |model: &ModelInfo, system: &str| {
        let file = SystemFragment::new("F", SystemKind::Soul, "be kind".to_owned(), Origin::Config);
        let system = ordered(vec![file, intro(system)]);
        let instructions = Instructions { system, ..Instructions::default() };
        let conversation = Log::of(LONG).conversation();
        assemble(&conversation, &"s".into(), model, &instructions, 1_000, 0).request.system
    };
    let long = "be good ".repeat(100);
    let tiny = ModelInfo { context_window: Some(2_048), ..model("p/m") };
    let local = ModelInfo { local: true, ..model("p/m") };
    assert_eq!(system(&model("p/m"), &long), format!("{long}\n\nbe kind"));
    assert_eq!(system(&tiny, &long), TINY_SYSTEM);
    assert_eq!(system(&local, &long), TINY_SYSTEM);
    assert_eq!(system(&tiny, "rhyme"), "rhyme");
    assert_eq!(system(&tiny, ""), "");
}

#[test]
fn room_for_the_answer_is_kept_free() {
    let system = vec![intro(&"x".repeat(400))];
    let instructions = Instructions { system, ..Instructions::default() };
    assert_eq!(budget(&model("p/m"), &instructions, Scale::NONE), 100_000 - 4_000 - 100);
    let small = ModelInfo { context_window: Some(2_048), ..model("p/m") };
    assert_eq!(budget(&small, &Instructions::default(), Scale::NONE), 2_048 - 512);
}

proptest! {
    #[test]
    fn a_request_alternates_and_ends_with_the_person(
        words in prop::collection::vec(0_usize..4, 0..30),
        budget in 0_u64..200,
    ) {
        let mut lines = String::new();
        for (turn, word) in words.into_iter().enumerate() {
            let end = ["answer T A\nend", "partial T AA\nfail", "cancel", "answer T\nend"][word];
            let turn = format!("t{turn}");
            lines.push_str(&format!("user {turn} said\nstart {turn}\n"));
            lines.push_str(&format!("{} {turn}\n", end.replace('T', &turn)));
        }
        lines.push_str("user last now\nstart last");
        let request = ask(&Log::of(&lines), &model("p/m"), budget).request;
        let roles: Vec<Role> = request.messages.iter().map(|message| message.role).collect();
        prop_assert_eq!(roles.first(), Some(&Role::User));
        prop_assert_eq!(roles.last(), Some(&Role::User));
        prop_assert!(roles.windows(2).all(|pair| pair[0] != pair[1]));
    }
}

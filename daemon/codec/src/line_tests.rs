use expect_test::expect;
use moltis_core::Timestamp;
use moltis_core::event::{Cause, Origin};

use super::*;

fn line(kind: EventKind) -> String {
    let event = Event {
        session: "s".into(),
        seq: 3,
        at: Timestamp::UNIX_EPOCH,
        turn: Some("t".into()),
        cause: Cause::Client("cli".to_owned()),
        origin: Origin::Owner,
        op: None,
        kind,
    };
    event_to_json(&event).to_string()
}

#[test]
fn a_message_of_a_person_is_a_line() {
    let picture = Part::Image { media_type: "image/png".to_owned(), data: vec![1, 2].into() };
    let kind = EventKind::UserMessage {
        item: "i".into(),
        op: "o".into(),
        parts: vec![Part::Text("hello".to_owned()), picture],
        queue: QueueMode::Collect,
        model: None,
    };
    expect![[r#"{"at":"1970-01-01T00:00:00Z","images":[{"bytes":2,"media_type":"image/png"}],"item":"i","kind":"user","op_id":"o","queue":"collect","seq":3,"text":"hello","turn":"t"}"#]]
        .assert_eq(&line(kind));
}

#[test]
fn the_end_of_a_turn_names_its_reason_and_its_price() {
    let failure = TurnFailure { kind: None, message: "too slow".to_owned(), hint: None };
    let usage = Usage { input_tokens: 5, cost_microusd: 1_250_000, ..Usage::default() };
    let kind = EventKind::TurnEnded { ending: Ending::Failed, failure: Some(failure), usage };
    expect![[r#"{"at":"1970-01-01T00:00:00Z","error":{"code":null,"hint":null,"message":"too slow"},"kind":"turn_ended","seq":3,"state":"failed","turn":"t","usage":{"cache_read":0,"cache_write":0,"cost_usd":1.25,"input":5,"output":0}}"#]]
        .assert_eq(&line(kind));
}

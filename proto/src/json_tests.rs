use expect_test::expect;

use super::*;
use crate::v1::{Compacted, TurnEnded, TurnFailure};

fn happened(kind: Kind) -> Event {
    Event {
        seq: 7,
        at: Some(prost_types::Timestamp { seconds: 1_795_521_600, nanos: 5_000_000 }),
        turn: "t1".to_owned(),
        cause: Some(Cause { kind: CauseKind::Client.into(), name: "cli".to_owned() }),
        origin: Origin::Owner.into(),
        kind: Some(kind),
        ..Event::default()
    }
}

#[test]
fn a_person_s_message_in_a_history() {
    let parts = vec![Part { part: Some(Inner::Text("hello".to_owned())) }];
    let message = UserMessage {
        item: "i1".to_owned(),
        op_id: "o1".to_owned(),
        parts,
        queue: QueueMode::Steer.into(),
        ..UserMessage::default()
    };
    expect![[r#"
        {
          "at": "2026-11-24T12:00:00.005Z",
          "cause": "cli",
          "images": [],
          "item": "i1",
          "kind": "user",
          "model": null,
          "op_id": "o1",
          "origin": "owner",
          "queue": "steer",
          "seq": 7,
          "text": "hello",
          "turn": "t1"
        }"#]]
    .assert_eq(&format!("{:#}", super::event(&happened(Kind::UserMessage(message)))));
}

#[test]
fn the_end_of_a_turn_says_why() {
    let failure = TurnFailure {
        kind: "auth".to_owned(),
        message: "the key was refused".to_owned(),
        hint: String::new(),
    };
    let ended = TurnEnded { ending: Ending::Failed.into(), failure: Some(failure), usage: None };
    let line = super::event(&happened(Kind::TurnEnded(ended)));
    assert_eq!(line["kind"], "turn_ended");
    assert_eq!(line["state"], "failed");
    assert_eq!(
        line["failure"].to_string(),
        r#"{"hint":null,"kind":"auth","message":"the key was refused"}"#
    );
}

#[test]
fn a_compaction_tells_what_it_saved_and_who_wrote_its_summary() {
    let compacted = Compacted {
        item: "c1".to_owned(),
        summary: "They spoke.".to_owned(),
        upto: 4,
        since: 5,
        before_tokens: 900,
        after_tokens: 40,
        automatic: true,
        ..Compacted::default()
    };
    let line = super::event(&happened(Kind::Compacted(compacted)));
    assert_eq!((&line["kind"], &line["model"]), (&json!("compacted"), &Value::Null));
    assert_eq!([&line["before_tokens"], &line["after_tokens"]], [&json!(900), &json!(40)]);
    assert_eq!(line["usage"]["input_tokens"], 0);
}

#[test]
fn an_event_of_a_newer_daemon_is_unknown_not_an_error() {
    let event = Event { seq: 1, ..Event::default() };
    assert_eq!(super::event(&event)["kind"], "unknown");
}

#[test]
fn money_is_exact_to_the_millionth() {
    assert_eq!(
        [0, 1, 1_250_000, u32::MAX.into()].map(|micro| json!(usd(micro)).to_string()),
        ["0.0", "1e-6", "1.25", "4294.967295"]
    );
}

//! The shapes that scripts rely on.

use expect_test::expect;
use moltis_proto::v1::{Reasoning, TurnEnded, TurnFailure};

use super::*;

fn event(kind: Kind) -> Event {
    Event {
        seq: 7,
        at: Some(prost_types::Timestamp { seconds: 1_795_521_600, nanos: 5_000_000 }),
        turn: "t1".to_owned(),
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
          "images": [],
          "item": "i1",
          "kind": "user",
          "op_id": "o1",
          "queue": "steer",
          "seq": 7,
          "text": "hello",
          "turn": "t1"
        }"#]]
    .assert_eq(&format!("{:#}", flat_event(&event(Kind::UserMessage(message)))));
}

#[test]
fn an_answer_in_a_stream() {
    let reasoning = Reasoning { text: "hm".to_owned(), signature: "secret".to_owned() };
    let message = AssistantMessage {
        item: "i2".to_owned(),
        parts: vec![
            Part { part: Some(Inner::Reasoning(reasoning)) },
            Part { part: Some(Inner::Text("hi".to_owned())) },
        ],
        model: "work/gpt-5".to_owned(),
        usage: Some(Usage { input_tokens: 3, output_tokens: 1, ..Usage::default() }),
        finish: FinishReason::Stop.into(),
        first_token: Some(prost_types::Duration { seconds: 1, nanos: 250_000_000 }),
        took: Some(prost_types::Duration { seconds: 2, nanos: 0 }),
        partial: false,
    };
    expect![[r#"
        {
          "at": "2026-11-24T12:00:00.005Z",
          "event": {
            "finish": "stop",
            "first_token_ms": 1250,
            "item": "i2",
            "kind": "assistant",
            "model": "work/gpt-5",
            "partial": false,
            "reasoning": "hm",
            "text": "hi",
            "took_ms": 2000,
            "tool_calls": [],
            "usage": {
              "cache_read_tokens": 0,
              "cache_write_tokens": 0,
              "cost_usd": 0.0,
              "input_tokens": 3,
              "output_tokens": 1
            }
          },
          "seq": 7,
          "session": "s1",
          "turn": "t1",
          "type": "event"
        }"#]]
    .assert_eq(&format!("{:#}", event_line("s1", &event(Kind::AssistantMessage(message)))));
}

#[test]
fn the_end_of_a_turn_says_why() {
    let failure = TurnFailure {
        kind: "auth".to_owned(),
        message: "the key was refused".to_owned(),
        hint: String::new(),
    };
    let ended = TurnEnded { ending: Ending::Failed.into(), failure: Some(failure), usage: None };
    let line = flat_event(&event(Kind::TurnEnded(ended)));
    assert_eq!(line["kind"], "turn_ended");
    assert_eq!(line["state"], "failed");
    assert_eq!(
        line["failure"].to_string(),
        r#"{"hint":null,"kind":"auth","message":"the key was refused"}"#
    );
}

#[test]
fn an_event_of_a_newer_daemon_is_unknown_not_an_error() {
    let event = Event { seq: 1, ..Event::default() };
    assert_eq!(flat_event(&event)["kind"], "unknown");
}

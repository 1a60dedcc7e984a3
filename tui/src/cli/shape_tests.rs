//! The shapes that scripts rely on.

use expect_test::expect;
use moltis_proto::v1::event::Kind;
use moltis_proto::v1::part::Part as Inner;
use moltis_proto::v1::{AssistantMessage, FinishReason, Part, Reasoning, Usage};

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
        estimated_tokens: 0,
    };
    expect![[r#"
        {
          "at": "2026-11-24T12:00:00.005Z",
          "cause": null,
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
          "origin": null,
          "seq": 7,
          "session": "s1",
          "turn": "t1",
          "type": "event"
        }"#]]
    .assert_eq(&format!("{:#}", event_line("s1", &event(Kind::AssistantMessage(message)))));
}

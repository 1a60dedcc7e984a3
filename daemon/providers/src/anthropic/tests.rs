use expect_test::expect;
use moltis_core::message::Part;
use moltis_core::provider::Effort;
use proptest::prelude::*;
use serde_json::json;

use super::{call, read_models};
use crate::testing::{check, check_request, endpoint, plain, read_anything, rich, thinker};

macro_rules! recorded {
    ($name:literal) => {
        include_bytes!(concat!("../../fixtures/", $name))
    };
}

#[test]
fn thoughts_text_and_calls_arrive_in_order_with_their_proofs() {
    check(
        &endpoint("anthropic"),
        "claude-sonnet-5",
        recorded!("anthropic_thinking_tools.sse"),
        &expect![[r#"
            usage in=25 out=1 read=1200 write=400 cost=147
            reasoning "Which "
            reasoning "city?"
            signature anthropic:EqQBCg==
            signature anthropic-redacted:ZGF0YQ==
            text "Ich schaue nach… "
            text "☀"
            call 0 toolu_01 weather
            arguments 0 {"city": "Bo
            arguments 0 nn"}
            call 0 ends
            call 1 toolu_02 time
            arguments 1 {}
            call 1 ends
            usage in=25 out=89 read=1200 write=400 cost=323
            finished ToolCalls"#]],
    );
}

#[test]
fn a_refusal_was_filtered_and_an_overload_breaks_off() {
    check(
        &endpoint("anthropic"),
        "claude-sonnet-5",
        recorded!("anthropic_refusal.sse"),
        &expect![[r#"
            usage in=10 out=1 read=0 write=0 cost=12
            text "I"
            usage in=10 out=2 read=0 write=0 cost=14
            finished Filtered"#]],
    );
    check(
        &endpoint("anthropic"),
        "claude-sonnet-5",
        recorded!("anthropic_overloaded.sse"),
        &expect![[r#"
            usage in=10 out=1 read=0 write=0 cost=12
            text "Well"
            failed overload: the vendor broke off: Overloaded"#]],
    );
}

#[test]
fn a_conversation_is_told_with_cache_marks_and_signed_thoughts() {
    let endpoint = endpoint("anthropic");
    let mut request = rich(&endpoint, "claude-sonnet-4-5", Some("anthropic:EqQBCg=="));
    request.effort = Some(Effort::Medium);
    check_request(
        &endpoint,
        &request,
        &expect![[r#"
        /v1/messages
        max_tokens: 64000
        messages:
        - {"content":[{"text":"What is this?","type":"text"},{"source":{"data":"UE5H","media_type":"image/png","type":"base64"},"type":"image"}],"role":"user"}
        - {"content":[{"text":"A map.","type":"text"}],"role":"assistant"}
        - {"content":[{"text":"And the weather?","type":"text"}],"role":"user"}
        - {"content":[{"signature":"EqQBCg==","thinking":"two cities","type":"thinking"},{"text":"Let me see.","type":"text"},{"id":"call_a","input":{"city":"Bonn"},"name":"weather","type":"tool_use"},{"id":"a-very-long-id-of-some-other-vendor-0123456789","input":{"city":"Köln"},"name":"weather","type":"tool_use"}],"role":"assistant"}
        - {"content":[{"content":"sunny","tool_use_id":"call_a","type":"tool_result"},{"cache_control":{"type":"ephemeral"},"content":"no such city","is_error":true,"tool_use_id":"a-very-long-id-of-some-other-vendor-0123456789","type":"tool_result"}],"role":"user"}
        model: "claude-sonnet-4-5"
        stream: true
        system:
        - {"cache_control":{"type":"ephemeral"},"text":"Be brief.","type":"text"}
        thinking: {"budget_tokens":10240,"type":"enabled"}
        tools:
        - {"description":"Tells the weather.","input_schema":{"properties":{"city":{"type":"string"}},"type":"object"},"name":"weather"}"#]],
    );
}

#[test]
fn thinking_is_said_as_the_version_of_the_model_wants_it() {
    let endpoint = endpoint("anthropic");
    let limits = |model: &str, limit: u64, effort, most| {
        let mut request = plain(&endpoint, model);
        request.model = thinker(request.model, limit);
        request.effort = effort;
        request.max_output = most;
        let body = call(&request, &endpoint).body;
        format!("{} {} {}", body["max_tokens"], body["thinking"], body["output_config"])
    };
    let shown = [
        limits("claude-sonnet-5", 128_000, None, None),
        limits("claude-opus-4-7", 128_000, Some(Effort::Minimal), None),
        limits("claude-sonnet-5", 128_000, Some(Effort::High), Some(1_000)),
        limits("claude-sonnet-4-5", 64_000, Some(Effort::High), None),
        limits("claude-sonnet-4-5", 64_000, Some(Effort::High), Some(1_000)),
        limits("claude-opus-4-1", 32_000, Some(Effort::High), None),
        limits("claude-3-7-sonnet", 8_192, Some(Effort::Minimal), Some(100)),
        limits("claude-3-7-sonnet", 1_200, Some(Effort::Low), None),
    ];
    expect![[r#"
        128000 null null
        128000 {"display":"summarized","type":"adaptive"} {"effort":"low"}
        1000 {"display":"summarized","type":"adaptive"} {"effort":"high"}
        64000 {"budget_tokens":32768,"type":"enabled"} null
        33768 {"budget_tokens":32768,"type":"enabled"} null
        32000 {"budget_tokens":24000,"type":"enabled"} null
        1124 {"budget_tokens":1024,"type":"enabled"} null
        1200 null null"#]]
    .assert_eq(&shown.join("\n"));
}

#[test]
fn prompt_and_answer_fit_the_window_together() {
    let endpoint = endpoint("anthropic");
    let most = |letters: usize| {
        let mut request = plain(&endpoint, "claude-sonnet-4-5");
        request.model.context_window = Some(200_000);
        request.messages[0].parts = vec![Part::Text("x".repeat(letters))];
        call(&request, &endpoint).body["max_tokens"].as_u64().unwrap()
    };
    assert_eq!(most(30_000), 64_000);
    assert!((35_000..=50_000).contains(&most(480_000)));
    assert_eq!(most(3_000_000), 1_024);
}

#[test]
fn an_unknown_model_may_write_more_than_four_thousand_tokens() {
    let endpoint = endpoint("anthropic");
    let body = call(&plain(&endpoint, "somebody-elses-model"), &endpoint).body;
    assert_eq!(body["max_tokens"], 32_000);
}

#[test]
fn without_signed_thoughts_before_open_calls_there_is_no_thinking() {
    let endpoint = endpoint("anthropic");
    for signature in [None, Some("gemini:CtQB")] {
        let mut request = rich(&endpoint, "claude-sonnet-4-5", signature);
        request.effort = Some(Effort::High);
        let body = call(&request, &endpoint).body;
        assert_eq!(body.get("thinking"), None);
        assert_eq!(body["messages"][3]["content"][0]["type"], "text");
    }
}

#[test]
fn lists_take_the_vendors_word_before_the_table() {
    let list = json!({"data": [
        {"type": "model", "id": "claude-sonnet-5", "display_name": "Claude Sonnet 5"},
        {"type": "model", "id": "claude-next", "display_name": "Claude Next",
         "max_input_tokens": 2_000_000, "max_tokens": 256_000},
    ], "has_more": false});
    let shown: Vec<String> = read_models(&endpoint("anthropic"), &list)
        .iter()
        .map(|info| {
            format!("{} {:?} {:?} {:?}", info.id, info.name, info.context_window, info.output_limit)
        })
        .collect();
    expect![[r#"
        anthropic/claude-sonnet-5 "Claude Sonnet 5" Some(1000000) Some(128000)
        anthropic/claude-next "Claude Next" Some(2000000) Some(256000)"#]]
    .assert_eq(&shown.join("\n"));
}

proptest! {
    #[test]
    fn no_answer_panics_or_breaks_its_promises(
        pieces in proptest::collection::vec(
            prop_oneof![
                Just(r#"data: {"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"a","name":"f","input":{"x":1}}}"#.to_owned()),
                Just(r#"data: {"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{"}}"#.to_owned()),
                Just(r#"data: {"type":"content_block_stop","index":0}"#.to_owned()),
                Just(r#"data: {"type":"message_stop"}"#.to_owned()),
                "[ -~é]{0,20}",
            ],
            0..12,
        ),
    ) {
        read_anything(&endpoint("anthropic"), pieces.join("\n\n").as_bytes());
    }
}

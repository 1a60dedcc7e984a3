use expect_test::expect;
use moltis_core::provider::Effort;
use proptest::prelude::*;

use super::call;
use crate::testing::{check, check_request, endpoint, plain, read_anything, rich};

macro_rules! recorded {
    ($name:literal) => {
        include_bytes!(concat!("../../fixtures/", $name))
    };
}

#[test]
fn reasoning_text_and_calls_arrive_in_order_with_the_encrypted_item() {
    check(
        &endpoint("openai-responses"),
        "gpt-5.5",
        recorded!("responses_reasoning_tools.sse"),
        &expect![[r#"
            reasoning "**Looking** at it"
            reasoning "\n\nThen more"
            signature responses:{"encrypted_content":"gAAAA==","id":"rs_1","summary":[{"text":"**Looking** at it","type":"summary_text"},{"text":"Then more","type":"summary_text"}],"type":"reasoning"}
            text "Für "
            text "Bonn:"
            call 0 call_9 weather
            arguments 0 {"city":
            arguments 0 "Bonn"}
            call 0 ends
            usage in=26 out=55 read=64 write=0 cost=143
            finished ToolCalls"#]],
    );
}

#[test]
fn an_incomplete_answer_ended_for_length_and_a_refusal_was_filtered() {
    check(
        &endpoint("openai-responses"),
        "gpt-5.5",
        recorded!("responses_incomplete.sse"),
        &expect![[r#"
            text "cut"
            usage in=26 out=55 read=64 write=0 cost=143
            finished Length"#]],
    );
    check(
        &endpoint("openai-responses"),
        "gpt-5.5",
        recorded!("responses_refusal.sse"),
        &expect![[r#"
            text "No."
            usage in=26 out=55 read=64 write=0 cost=143
            finished Filtered"#]],
    );
}

#[test]
fn failures_inside_the_stream_have_their_kind() {
    check(
        &endpoint("openai-responses"),
        "gpt-5.5",
        recorded!("responses_failed.sse"),
        &expect![[r#"
            text "x"
            failed rate_limit: the vendor broke off: Rate limit reached for gpt-5.5. Please try again in 1.5s"#]],
    );
    check(
        &endpoint("openai-responses"),
        "gpt-5.5",
        recorded!("responses_error.sse"),
        &expect![
            "failed context_overflow: the vendor broke off: Your input exceeds the context window of this model"
        ],
    );
}

#[test]
fn nothing_is_stored_and_reasoning_travels_encrypted() {
    let endpoint = endpoint("openai-responses");
    let proof =
        r#"responses:{"encrypted_content":"gAAAA==","id":"rs_1","summary":[],"type":"reasoning"}"#;
    let mut request = rich(&endpoint, "gpt-5.5", Some(proof));
    request.effort = Some(Effort::Medium);
    request.max_output = Some(500);
    check_request(
        &endpoint,
        &request,
        &expect![[r#"
        /responses
        include:
        - "reasoning.encrypted_content"
        input:
        - {"content":[{"text":"What is this?","type":"input_text"},{"detail":"auto","image_url":"data:image/png;base64,UE5H","type":"input_image"}],"role":"user","type":"message"}
        - {"content":[{"annotations":[],"text":"A map.","type":"output_text"}],"role":"assistant","type":"message"}
        - {"content":[{"text":"And the weather?","type":"input_text"}],"role":"user","type":"message"}
        - {"encrypted_content":"gAAAA==","id":"rs_1","summary":[],"type":"reasoning"}
        - {"content":[{"annotations":[],"text":"Let me see.","type":"output_text"}],"role":"assistant","type":"message"}
        - {"arguments":"{\"city\":\"Bonn\"}","call_id":"call_a","name":"weather","type":"function_call"}
        - {"arguments":"{\"city\":\"Köln\"}","call_id":"a-very-long-id-of-some-other-vendor-0123456789","name":"weather","type":"function_call"}
        - {"call_id":"call_a","output":"sunny","type":"function_call_output"}
        - {"call_id":"a-very-long-id-of-some-other-vendor-0123456789","output":"error: no such city","type":"function_call_output"}
        instructions: "Be brief."
        max_output_tokens: 500
        model: "gpt-5.5"
        prompt_cache_key: "session-1"
        reasoning: {"effort":"medium","summary":"auto"}
        store: false
        stream: true
        tools:
        - {"description":"Tells the weather.","name":"weather","parameters":{"properties":{"city":{"type":"string"}},"type":"object"},"strict":false,"type":"function"}"#]],
    );
}

#[test]
fn a_thought_that_nothing_follows_is_left_out() {
    let endpoint = endpoint("openai-responses");
    let proof =
        r#"responses:{"encrypted_content":"gAAAA==","id":"rs_1","summary":[],"type":"reasoning"}"#;
    let mut request = rich(&endpoint, "gpt-5.5", Some(proof));
    request.messages[3].parts.truncate(1);
    let body = call(&request, &endpoint).body;
    assert!(!body["input"].to_string().contains("rs_1"), "{body}");
}

#[test]
fn models_that_do_not_reason_are_not_asked_for_reasoning() {
    let endpoint = endpoint("openai-responses");
    let mut request = plain(&endpoint, "gpt-4.1");
    request.effort = Some(Effort::High);
    check_request(
        &endpoint,
        &request,
        &expect![[r#"
        /responses
        input:
        - {"content":[{"text":"hi","type":"input_text"}],"role":"user","type":"message"}
        model: "gpt-4.1"
        prompt_cache_key: "session-1"
        store: false
        stream: true"#]],
    );
}

proptest! {
    #[test]
    fn no_answer_panics_or_breaks_its_promises(
        pieces in proptest::collection::vec(
            prop_oneof![
                Just(r#"data: {"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","call_id":"a","name":"f"}}"#.to_owned()),
                Just(r#"data: {"type":"response.function_call_arguments.delta","output_index":0,"delta":"é{"}"#.to_owned()),
                Just(r#"data: {"type":"response.output_item.done","output_index":0,"item":{"type":"function_call","call_id":"a","name":"f","arguments":"{é"}}"#.to_owned()),
                Just(r#"data: {"type":"response.completed"}"#.to_owned()),
                "[ -~é]{0,20}",
            ],
            0..12,
        ),
    ) {
        read_anything(&endpoint("openai-responses"), pieces.join("\n\n").as_bytes());
    }
}

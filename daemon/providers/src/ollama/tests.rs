use expect_test::expect;
use moltis_core::message::Part;
use moltis_core::provider::Effort;
use proptest::prelude::*;
use serde_json::json;

use super::{call, describe, read_models};
use crate::testing::{check, check_request, endpoint, plain, read_anything, rich};

macro_rules! recorded {
    ($name:literal) => {
        include_bytes!(concat!("../../fixtures/", $name))
    };
}

#[test]
fn thoughts_text_and_calls_arrive_in_order() {
    check(
        &endpoint("ollama"),
        "qwen3:4b",
        recorded!("ollama_thinking_tools.ndjson"),
        &expect![[r#"
        reasoning "Let "
        reasoning "me"
        text "Schön: "
        call 0 call_x1 weather
        arguments 0 {"city":"Bonn","days":3}
        call 0 ends
        call 1 call_1_1 time
        arguments 1 {}
        call 1 ends
        usage in=26 out=290 read=0 write=0 cost=606
        finished ToolCalls"#]],
    );
}

#[test]
fn answers_end_for_length_or_break_off() {
    check(
        &endpoint("ollama"),
        "qwen3:4b",
        recorded!("ollama_length.ndjson"),
        &expect![[r#"
        text "cut"
        usage in=26 out=290 read=0 write=0 cost=606
        finished Length"#]],
    );
    check(
        &endpoint("ollama"),
        "qwen3:4b",
        recorded!("ollama_error.ndjson"),
        &expect![[r#"
        text "x"
        failed overload: the vendor broke off: an error was encountered while running the model: unexpected EOF"#]],
    );
}

#[test]
fn a_conversation_is_told_with_a_context_that_holds_it() {
    let endpoint = endpoint("ollama");
    let mut request = rich(&endpoint, "qwen3:4b", None);
    request.effort = Some(Effort::High);
    request.max_output = Some(500);
    request.model.images = true;
    check_request(
        &endpoint,
        &request,
        &expect![[r#"
        /api/chat
        messages:
        - {"content":"Be brief.","role":"system"}
        - {"content":"What is this?","images":["UE5H"],"role":"user"}
        - {"content":"A map.","role":"assistant"}
        - {"content":"And the weather?","role":"user"}
        - {"content":"Let me see.","role":"assistant","thinking":"two cities","tool_calls":[{"function":{"arguments":{"city":"Bonn"},"name":"weather"}},{"function":{"arguments":{"city":"Köln"},"name":"weather"}}]}
        - {"content":"sunny","role":"tool","tool_name":"weather"}
        - {"content":"error: no such city","role":"tool","tool_name":"weather"}
        model: "qwen3:4b"
        options: {"num_ctx":16384,"num_predict":500}
        shift: false
        stream: true
        think: true
        tools:
        - {"function":{"description":"Tells the weather.","name":"weather","parameters":{"properties":{"city":{"type":"string"}},"type":"object"}},"type":"function"}
        truncate: false"#]],
    );
}

#[test]
fn the_context_grows_in_few_steps_up_to_the_models() {
    let endpoint = endpoint("ollama");
    let context = |letters: usize, window| {
        let mut request = plain(&endpoint, "x");
        request.messages[0].parts = vec![Part::Text("x".repeat(letters))];
        request.model.context_window = window;
        call(&request).body["options"]["num_ctx"].as_u64().unwrap()
    };
    assert_eq!(context(10, Some(2_048)), 2_048);
    assert_eq!(context(10, None), 16_384);
    assert_eq!(context(24_000, Some(131_072)), 16_384);
    assert_eq!(context(30_000, Some(131_072)), 32_768);
    assert_eq!(context(300_000, Some(131_072)), 131_072);
    assert_eq!(context(3_000_000, Some(40_960)), 40_960);
}

#[test]
fn only_some_models_know_levels_of_thinking() {
    let endpoint = endpoint("ollama");
    let think = |model: &str, effort| {
        let mut request = plain(&endpoint, model);
        request.model.reasoning = true;
        request.effort = Some(effort);
        call(&request).body["think"].clone()
    };
    assert_eq!(think("qwen3:4b", Effort::Minimal), json!(false));
    assert_eq!(think("qwen3:4b", Effort::Low), json!(true));
    assert_eq!(think("gpt-oss:20b", Effort::Minimal), json!("low"));
    assert_eq!(think("gpt-oss:20b", Effort::High), json!("high"));
}

#[test]
fn the_server_says_what_a_model_can_do() {
    let list = json!({"models": [{"name": "gemma3:4b"}, {"name": "nomic-embed-text:latest"}]});
    let mut models = read_models(&endpoint("ollama"), &list);
    assert_eq!(models.len(), 1);
    let shown = json!({
        "model_info": {"general.architecture": "gemma3", "gemma3.context_length": 131_072},
        "capabilities": ["completion", "vision"],
    });
    assert!(describe(&mut models[0], &shown));
    let info = &models[0];
    assert_eq!(info.context_window, Some(131_072));
    assert!(info.images && !info.tools && !info.reasoning && info.local);
    assert!(!describe(&mut models[0], &json!({"capabilities": ["embedding"]})));
}

proptest! {
    #[test]
    fn no_answer_panics_or_breaks_its_promises(
        pieces in proptest::collection::vec(
            prop_oneof![
                Just(r#"{"message":{"content":"x","tool_calls":[{"function":{"name":"f"}}]}}"#.to_owned()),
                Just(r#"{"done":true,"done_reason":"stop"}"#.to_owned()),
                "[ -~é]{0,20}",
            ],
            0..12,
        ),
    ) {
        read_anything(&endpoint("ollama"), pieces.join("\n").as_bytes());
    }
}

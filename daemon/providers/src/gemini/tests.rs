use expect_test::expect;
use moltis_core::provider::Effort;
use proptest::prelude::*;
use serde_json::json;

use super::{call, read_models};
use crate::testing::{check, check_request, endpoint, plain, read_anything, rich};

macro_rules! recorded {
    ($name:literal) => {
        include_bytes!(concat!("../../fixtures/", $name))
    };
}

#[test]
fn thoughts_text_and_calls_arrive_in_order_with_their_proofs() {
    check(
        &endpoint("gemini"),
        "gemini-3.5-flash",
        recorded!("gemini_thoughts_tools.sse"),
        &expect![[r#"
            reasoning "**Considering**"
            usage in=70 out=0 read=0 write=0 cost=70
            text "Ich schaue "
            text "nach 🌦."
            signature gemini:CtQB
            call 0 call_1_0 weather
            arguments 0 {"city":"Bonn"}
            call 0 ends
            call 1 call_1_1 weather
            arguments 1 {"city":"Köln"}
            call 1 ends
            usage in=40 out=112 read=30 write=0 cost=267
            finished ToolCalls"#]],
    );
    check(
        &endpoint("gemini"),
        "gemini-3.5-flash",
        recorded!("gemini_signed_text.sse"),
        &expect![[r#"
            text "Hello"
            signature gemini:CsIB
            usage in=40 out=112 read=30 write=0 cost=267
            finished Stop"#]],
    );
}

#[test]
fn an_answer_that_stops_for_no_good_reason_has_failed() {
    check(
        &endpoint("gemini"),
        "gemini-3.5-flash",
        br#"data: {"candidates":[{"content":{"parts":[{"text":"We"}]},"finishReason":"OTHER"}]}

"#,
        &expect![[r#"
            text "We"
            failed malformed: the model stopped before its end (OTHER)"#]],
    );
}

#[test]
fn answers_end_for_length_or_by_the_filter() {
    check(
        &endpoint("gemini"),
        "gemini-3.5-flash",
        recorded!("gemini_max_tokens.sse"),
        &expect![[r#"
            text "cut"
            usage in=40 out=112 read=30 write=0 cost=267
            finished Length"#]],
    );
    check(
        &endpoint("gemini"),
        "gemini-3.5-flash",
        recorded!("gemini_safety.sse"),
        &expect![[r#"
        text "We"
        usage in=40 out=112 read=30 write=0 cost=267
        finished Filtered"#]],
    );
    check(
        &endpoint("gemini"),
        "gemini-3.5-flash",
        recorded!("gemini_blocked.sse"),
        &expect![[r#"
        usage in=5 out=0 read=0 write=0 cost=5
        finished Filtered"#]],
    );
}

#[test]
fn failures_inside_the_stream_have_their_kind() {
    check(
        &endpoint("gemini"),
        "gemini-3.5-flash",
        recorded!("gemini_error.sse"),
        &expect![[r#"
        text "x"
        failed overload: the vendor broke off: The model is overloaded. Please try again later"#]],
    );
    check(
        &endpoint("gemini"),
        "gemini-3.5-flash",
        recorded!("gemini_malformed_call.sse"),
        &expect![
            "failed malformed: the model made a call that can't be read: Malformed function call: print(weather(city="
        ],
    );
}

#[test]
fn a_conversation_is_told_with_its_proofs() {
    let endpoint = endpoint("gemini");
    let mut request = rich(&endpoint, "gemini-3.5-flash", Some("gemini:CtQB"));
    request.effort = Some(Effort::Low);
    request.max_output = Some(500);
    check_request(
        &endpoint,
        &request,
        &expect![[r#"
            /models/gemini-3.5-flash:streamGenerateContent?alt=sse
            contents:
            - {"parts":[{"text":"What is this?"},{"inlineData":{"data":"UE5H","mimeType":"image/png"}}],"role":"user"}
            - {"parts":[{"text":"A map."}],"role":"model"}
            - {"parts":[{"text":"And the weather?"}],"role":"user"}
            - {"parts":[{"text":"Let me see.","thoughtSignature":"CtQB"},{"functionCall":{"args":{"city":"Bonn"},"id":"call_a","name":"weather"},"thoughtSignature":"skip_thought_signature_validator"},{"functionCall":{"args":{"city":"Köln"},"id":"a-very-long-id-of-some-other-vendor-0123456789","name":"weather"}}],"role":"model"}
            - {"parts":[{"functionResponse":{"id":"call_a","name":"weather","response":{"output":"sunny"}}},{"functionResponse":{"id":"a-very-long-id-of-some-other-vendor-0123456789","name":"weather","response":{"error":"no such city"}}}],"role":"user"}
            generationConfig: {"maxOutputTokens":500,"thinkingConfig":{"includeThoughts":true,"thinkingLevel":"low"}}
            systemInstruction: {"parts":[{"text":"Be brief."}]}
            tools:
            - {"functionDeclarations":[{"description":"Tells the weather.","name":"weather","parametersJsonSchema":{"properties":{"city":{"type":"string"}},"type":"object"}}]}"#]],
    );
}

#[test]
fn a_call_of_another_vendors_model_gets_a_stand_in_for_its_proof() {
    let endpoint = endpoint("gemini");
    let proof = |model: &str| {
        let body = call(&rich(&endpoint, model, Some("anthropic:x"))).body;
        body["contents"][3]["parts"][1]["thoughtSignature"].clone()
    };
    assert_eq!(proof("gemini-3.5-flash"), "skip_thought_signature_validator");
    assert_eq!(proof("gemini-2.5-flash"), json!(null));
}

#[test]
fn effort_is_a_budget_up_to_two_and_a_level_from_three_on() {
    let endpoint = endpoint("gemini");
    let thinking = |model: &str, effort| {
        let mut request = plain(&endpoint, model);
        request.effort = effort;
        call(&request).body["generationConfig"]["thinkingConfig"].to_string()
    };
    let shown = [
        thinking("gemini-2.5-flash", Some(Effort::Minimal)),
        thinking("gemini-2.5-pro", Some(Effort::Minimal)),
        thinking("gemini-2.5-pro", Some(Effort::High)),
        thinking("gemini-3.5-flash", Some(Effort::Minimal)),
        thinking("gemini-3.1-pro-preview", Some(Effort::Minimal)),
        thinking("gemini-3-pro-preview", Some(Effort::Medium)),
        thinking("gemini-3.5-flash", None),
        thinking("gemini-2.0-flash", Some(Effort::High)),
    ];
    expect![[r#"
        {"includeThoughts":true,"thinkingBudget":0}
        {"includeThoughts":true,"thinkingBudget":128}
        {"includeThoughts":true,"thinkingBudget":24576}
        {"includeThoughts":true,"thinkingLevel":"minimal"}
        {"includeThoughts":true,"thinkingLevel":"low"}
        {"includeThoughts":true,"thinkingLevel":"high"}
        {"includeThoughts":true}
        null"#]]
    .assert_eq(&shown.join("\n"));
}

#[test]
fn lists_leave_out_what_does_not_talk() {
    let list = json!({"models": [
        {"name": "models/gemini-3.5-flash", "displayName": "Gemini 3.5 Flash", "inputTokenLimit": 1_048_576,
         "outputTokenLimit": 65_536, "supportedGenerationMethods": ["generateContent"], "thinking": true},
        {"name": "models/gemini-embedding-001", "supportedGenerationMethods": ["embedContent"]},
        {"name": "models/imagen-4.0", "supportedGenerationMethods": ["predict"]},
    ]});
    let models = read_models(&endpoint("gemini"), &list);
    assert_eq!(models.len(), 1);
    assert_eq!(models[0].id.to_string(), "gemini/gemini-3.5-flash");
    assert_eq!((models[0].context_window, models[0].reasoning), (Some(1_048_576), true));
}

proptest! {
    #[test]
    fn no_answer_panics_or_breaks_its_promises(
        pieces in proptest::collection::vec(
            prop_oneof![
                Just(r#"data: {"candidates":[{"content":{"parts":[{"functionCall":{"name":"f"}},{"text":"x","thought":true}]}}]}"#.to_owned()),
                Just(r#"data: {"candidates":[{"finishReason":"STOP"}]}"#.to_owned()),
                "[ -~é]{0,20}",
            ],
            0..12,
        ),
    ) {
        read_anything(&endpoint("gemini"), pieces.join("\n\n").as_bytes());
    }
}

use expect_test::expect;
use moltis_core::provider::{Effort, FailureKind};
use proptest::prelude::*;
use serde_json::json;

use super::wire::call;
use super::{effort_word, read_models};
use crate::testing::{check, check_request, endpoint, plain, read_anything, rich};

macro_rules! recorded {
    ($name:literal) => {
        include_bytes!(concat!("../../fixtures/", $name))
    };
}

#[test]
fn text_arrives_as_it_was_sent_and_cached_tokens_are_counted_apart() {
    check(
        &endpoint("openai"),
        "gpt-5.5",
        recorded!("openai_text.sse"),
        &expect![[r#"
        text "Grüße"
        text ", \n"
        text "Welt 🌍"
        usage in=176 out=9 read=1024 write=0 cost=297
        finished Stop"#]],
    );
}

#[test]
fn parallel_calls_grow_side_by_side() {
    check(
        &endpoint("openai"),
        "gpt-5.5",
        recorded!("openai_tools.sse"),
        &expect![[r#"
        call 0 call_1 weather
        arguments 0 {"ci
        arguments 0 ty":"Bonn"}
        call 1 call_2 weather
        arguments 1 {"city":"Köln"}
        usage in=50 out=40 read=0 write=0 cost=130
        call 0 ends
        call 1 ends
        finished ToolCalls"#]],
    );
}

#[test]
fn a_refusal_is_text_that_was_filtered() {
    check(
        &endpoint("openai"),
        "gpt-5.5",
        recorded!("openai_refusal.sse"),
        &expect![[r#"
        text "I can't "
        text "help with that."
        finished Filtered"#]],
    );
}

#[test]
fn errors_inside_the_stream_come_after_the_text_before_them() {
    check(
        &endpoint("openai"),
        "gpt-5.5",
        recorded!("openai_error.sse"),
        &expect![[r#"
        text "Half"
        failed overload: the vendor broke off: The server had an error while processing your request. Sorry about that!"#]],
    );
    check(
        &endpoint("openrouter"),
        "a/b",
        recorded!("openrouter_error.sse"),
        &expect![[r#"
        text "He"
        failed overload: the vendor broke off: Provider disconnected: upstream reset"#]],
    );
    check(
        &endpoint("minimax"),
        "MiniMax-M2",
        recorded!("minimax_error.sse"),
        &expect!["failed billing: the vendor broke off: insufficient balance"],
    );
}

#[test]
fn deepseek_reasons_in_a_field_of_its_own_between_comments() {
    check(
        &endpoint("deepseek"),
        "deepseek-chat",
        recorded!("deepseek_reasoning.sse"),
        &expect![[r#"
            reasoning "Let me "
            reasoning "think"
            text "42"
            usage in=44 out=20 read=256 write=0 cost=110
            finished Stop"#]],
    );
}

#[test]
fn openrouters_details_become_one_signature_before_the_call_and_its_price_counts() {
    check(
        &endpoint("openrouter"),
        "anthropic/claude-sonnet-5",
        recorded!("openrouter_details.sse"),
        &expect![[r#"
            reasoning "Two "
            reasoning "cities"
            signature details:[{"format":"anthropic-claude-v1","index":0,"signature":"c2ln","text":"Two cities","type":"reasoning.text"}]
            call 0 toolu_1 weather
            arguments 0 {"city":"Bonn"}
            usage in=100 out=80 read=100 write=300 cost=2700
            call 0 ends
            finished ToolCalls"#]],
    );
}

#[test]
fn usage_is_found_wherever_a_vendor_puts_it() {
    check(
        &endpoint("groq"),
        "qwen3",
        recorded!("groq_usage.sse"),
        &expect![[r#"
        reasoning "hm"
        text "ok"
        usage in=12 out=3 read=0 write=0 cost=18
        finished Stop"#]],
    );
    check(
        &endpoint("xai"),
        "grok-4.3",
        recorded!("xai_usage.sse"),
        &expect![[r#"
        reasoning "hm"
        text "ok"
        usage in=6 out=101 read=4 write=0 cost=209
        finished Stop"#]],
    );
}

#[test]
fn mistrals_thoughts_are_pieces_of_the_content() {
    check(
        &endpoint("mistral"),
        "magistral-medium",
        recorded!("mistral_thinking.sse"),
        &expect![[r#"
            reasoning "one "
            reasoning "two"
            text "three"
            text " four"
            usage in=8 out=6 read=0 write=0 cost=20
            finished Stop"#]],
    );
}

#[test]
fn think_tags_at_the_beginning_are_reasoning_and_a_missing_done_is_forgiven() {
    check(
        &endpoint("vllm"),
        "qwen3",
        recorded!("vllm_think_tags.sse"),
        &expect![[r#"
        reasoning "so "
        reasoning "it "
        reasoning "</b> is"
        text "Yes: <think> is a tag"
        finished Stop"#]],
    );
}

#[test]
fn calls_are_told_apart_where_every_index_is_the_same() {
    check(
        &endpoint("vllm"),
        "x",
        recorded!("compat_one_index.sse"),
        &expect![[r#"
            call 0 a1 weather
            arguments 0 {"city":"Bonn"}
            call 1 b2 weather
            arguments 1 {}
            call 2 call_1_2 time
            call 0 ends
            call 1 ends
            arguments 2 {}
            call 2 ends
            finished ToolCalls"#]],
    );
}

#[test]
fn openai_is_asked_with_its_own_fields() {
    let endpoint = endpoint("openai");
    let mut request = rich(&endpoint, "gpt-5.5", None);
    request.effort = Some(Effort::High);
    request.max_output = Some(500);
    check_request(
        &endpoint,
        &request,
        &expect![[r#"
        /chat/completions
        max_completion_tokens: 500
        messages:
        - {"content":"Be brief.","role":"system"}
        - {"content":[{"text":"What is this?","type":"text"},{"image_url":{"url":"data:image/png;base64,UE5H"},"type":"image_url"}],"role":"user"}
        - {"content":"A map.","role":"assistant"}
        - {"content":"And the weather?","role":"user"}
        - {"content":"Let me see.","role":"assistant","tool_calls":[{"function":{"arguments":"{\"city\":\"Bonn\"}","name":"weather"},"id":"call_a","type":"function"},{"function":{"arguments":"{\"city\":\"Köln\"}","name":"weather"},"id":"call_4358e0f823a3a9c3","type":"function"}]}
        - {"content":"sunny","role":"tool","tool_call_id":"call_a"}
        - {"content":"error: no such city","role":"tool","tool_call_id":"call_4358e0f823a3a9c3"}
        model: "gpt-5.5"
        prompt_cache_key: "session-1"
        reasoning_effort: "high"
        stream: true
        stream_options: {"include_usage":true}
        tools:
        - {"function":{"description":"Tells the weather.","name":"weather","parameters":{"properties":{"city":{"type":"string"}},"type":"object"}},"type":"function"}"#]],
    );
}

#[test]
fn imitations_are_asked_cautiously() {
    let endpoint = endpoint("vllm");
    let mut request = plain(&endpoint, "my-model");
    request.effort = Some(Effort::High);
    request.max_output = Some(500);
    check_request(
        &endpoint,
        &request,
        &expect![[r#"
        /chat/completions
        max_tokens: 500
        messages:
        - {"content":"hi","role":"user"}
        model: "my-model"
        stream: true
        stream_options: {"include_usage":true}"#]],
    );
}

#[test]
fn openrouter_gets_its_details_back_and_claude_its_cache_marks() {
    let endpoint = endpoint("openrouter");
    let proof =
        r#"details:[{"type":"reasoning.text","text":"two cities","signature":"c2ln","index":0}]"#;
    let mut request = rich(&endpoint, "anthropic/claude-sonnet-5", Some(proof));
    request.effort = Some(Effort::Minimal);
    check_request(
        &endpoint,
        &request,
        &expect![[r#"
        /chat/completions
        messages:
        - {"content":[{"cache_control":{"type":"ephemeral"},"text":"Be brief.","type":"text"}],"role":"system"}
        - {"content":[{"text":"What is this?","type":"text"},{"image_url":{"url":"data:image/png;base64,UE5H"},"type":"image_url"}],"role":"user"}
        - {"content":"A map.","role":"assistant"}
        - {"content":[{"cache_control":{"type":"ephemeral"},"text":"And the weather?","type":"text"}],"role":"user"}
        - {"content":"Let me see.","reasoning_details":[{"index":0,"signature":"c2ln","text":"two cities","type":"reasoning.text"}],"role":"assistant","tool_calls":[{"function":{"arguments":"{\"city\":\"Bonn\"}","name":"weather"},"id":"call_a","type":"function"},{"function":{"arguments":"{\"city\":\"Köln\"}","name":"weather"},"id":"call_4358e0f823a3a9c3","type":"function"}]}
        - {"content":"sunny","role":"tool","tool_call_id":"call_a"}
        - {"content":"error: no such city","role":"tool","tool_call_id":"call_4358e0f823a3a9c3"}
        model: "anthropic/claude-sonnet-5"
        reasoning: {"effort":"minimal"}
        stream: true
        stream_options: {"include_usage":true}
        tools:
        - {"function":{"description":"Tells the weather.","name":"weather","parameters":{"properties":{"city":{"type":"string"}},"type":"object"}},"type":"function"}
        usage: {"include":true}"#]],
    );
}

#[test]
fn deepseek_gets_its_reasoning_back_only_while_calls_are_answered() {
    let endpoint = endpoint("deepseek");
    let mut request = rich(&endpoint, "deepseek-v4-pro", None);
    request.effort = Some(Effort::Minimal);
    let body = call(&request, &endpoint).body;
    assert_eq!(body["thinking"], json!({"type": "disabled"}));
    assert_eq!(body["messages"][4]["reasoning_content"], "two cities");
    let text = body["messages"][1]["content"][1]["text"].as_str();
    assert_eq!(text, Some("[a picture, which this model can't see]"));
    request.messages.push(plain(&endpoint, "x").messages.remove(0));
    let body = call(&request, &endpoint).body;
    assert_eq!(body["messages"][4].get("reasoning_content"), None);
}

#[test]
fn ids_fit_the_vendor_and_stay_the_same_for_call_and_result() {
    let endpoint = endpoint("mistral");
    let body = call(&rich(&endpoint, "mistral-large-latest", None), &endpoint).body;
    let calls = &body["messages"][4]["tool_calls"];
    for at in 0..2 {
        let id = calls[at]["id"].as_str().unwrap();
        assert!(id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{id}");
        assert_eq!(body["messages"][5 + at]["tool_call_id"], id);
    }
    assert_ne!(calls[0]["id"], calls[1]["id"]);
    assert_eq!(body.get("stream_options"), None);
}

#[test]
fn minimax_hears_the_system_prompt_from_the_user() {
    let endpoint = endpoint("minimax");
    let mut request = plain(&endpoint, "MiniMax-M2");
    request.system = "Be brief.".to_owned();
    let body = call(&request, &endpoint).body;
    assert_eq!(body["messages"], json!([{"role": "user", "content": "Be brief.\n\nhi"}]));
}

#[test]
fn the_least_effort_has_the_name_that_the_model_knows() {
    for (model, word) in [
        ("gpt-5", "minimal"),
        ("gpt-5-mini", "minimal"),
        ("gpt-5.5", "none"),
        ("gpt-5-codex", "low"),
        ("gpt-5.5-pro", "medium"),
        ("o3", "low"),
        ("openai/gpt-oss-120b", "low"),
    ] {
        assert_eq!(effort_word(model, Effort::Minimal), word, "{model}");
    }
}

#[test]
fn each_vendor_is_told_an_effort_in_words_that_it_takes() {
    let word = |vendor: &str, model: &str, effort: Effort| {
        let endpoint = endpoint(vendor);
        let mut request = plain(&endpoint, model);
        request.effort = Some(effort);
        request.model.reasoning = true;
        let word = call(&request, &endpoint).body.get("reasoning_effort").cloned();
        word.map_or("-".to_owned(), |word| word.as_str().unwrap().to_owned())
    };
    let words = |vendor: &str, model: &str| {
        let efforts = [Effort::Minimal, Effort::Low, Effort::Medium, Effort::High];
        format!("{model}: {}\n", efforts.map(|effort| word(vendor, model, effort)).join(" "))
    };
    let shown = [
        words("groq", "qwen/qwen3-32b"),
        words("groq", "openai/gpt-oss-120b"),
        words("xai", "grok-3-mini"),
        words("xai", "grok-4"),
        words("xai", "grok-4-1-fast-reasoning"),
        words("xai", "grok-4.20-reasoning"),
        words("xai", "grok-4.3"),
        words("xai", "grok-4.5"),
        words("openai", "gpt-5-pro"),
        words("openai", "gpt-5.2-pro-2025-12-11"),
    ];
    expect![[r#"
        qwen/qwen3-32b: none default default default
        openai/gpt-oss-120b: low low medium high
        grok-3-mini: low low high high
        grok-4: - - - -
        grok-4-1-fast-reasoning: - - - -
        grok-4.20-reasoning: - - - -
        grok-4.3: none low medium high
        grok-4.5: low low medium high
        gpt-5-pro: high high high high
        gpt-5.2-pro-2025-12-11: medium medium medium high
    "#]]
    .assert_eq(&shown.concat());
}

#[test]
fn lists_tell_as_much_as_the_vendor_does() {
    let list = json!({"data": [
        {"id": "gpt-5.5", "object": "model", "owned_by": "openai"},
        {"id": "text-embedding-3-small", "object": "model"},
        {
            "id": "anthropic/claude-sonnet-5", "name": "Anthropic: Claude Sonnet 5",
            "context_length": 900_000,
            "architecture": {"input_modalities": ["text", "image"], "output_modalities": ["text"]},
            "top_provider": {"max_completion_tokens": 64_000},
            "pricing": {"prompt": "0.000002", "completion": "0.00001", "input_cache_read": "0.0000002"},
            "supported_parameters": ["tools", "reasoning"],
        },
        {"id": "painter", "architecture": {"output_modalities": ["image"]}},
        {"id": "vllm-model", "max_model_len": 32_768},
        {"id": "lm", "type": "vlm", "max_context_length": 4_096},
        {"id": "lm-embed", "type": "embeddings"},
    ]});
    let shown: Vec<String> = read_models(&endpoint("openrouter"), &list)
        .iter()
        .map(|info| {
            format!(
                "{} {:?} {:?} {:?} images={} reasoning={} {:?}",
                info.id,
                info.name,
                info.context_window,
                info.output_limit,
                info.images,
                info.reasoning,
                info.price.map(|price| (price.input, price.output, price.cache_read)),
            )
        })
        .collect();
    expect![[r#"
        openrouter/gpt-5.5 "gpt-5.5" Some(1050000) Some(128000) images=true reasoning=true None
        openrouter/anthropic/claude-sonnet-5 "Anthropic: Claude Sonnet 5" Some(900000) Some(64000) images=true reasoning=true Some((2000000, 10000000, 200000))
        openrouter/vllm-model "vllm-model" Some(32768) None images=true reasoning=false None
        openrouter/lm "lm" Some(4096) None images=true reasoning=false None"#]].assert_eq(&shown.join("\n"));
}

#[test]
fn servers_on_this_machine_say_in_their_own_ways_what_their_models_can() {
    let shown = |vendor: &str, list: &serde_json::Value| {
        let models = read_models(&endpoint(vendor), list);
        let line = |info: &moltis_core::models::ModelInfo| {
            format!("{} {:?} images={}\n", info.id, info.context_window, info.images)
        };
        models.iter().map(line).collect::<String>()
    };
    let lmstudio = json!({"data": [
        {"id": "see", "type": "vlm", "max_context_length": 131_072, "loaded_context_length": 4_096},
        {"id": "tell", "type": "llm", "state": "not-loaded", "max_context_length": 32_768},
    ]});
    let llama_server = json!({
        "models": [{"model": "see.gguf", "capabilities": ["completion", "multimodal"]}],
        "data": [{"id": "see.gguf", "meta": {"n_ctx": 8_192, "n_ctx_train": 131_072}}],
    });
    let vllm = json!({"data": [{"id": "who/knows", "max_model_len": 16_384}]});
    expect![[r#"
        lmstudio/see Some(4096) images=true
        lmstudio/tell Some(32768) images=false
        llama-server/see.gguf Some(8192) images=true
        vllm/who/knows Some(16384) images=true
    "#]]
    .assert_eq(
        &[shown("lmstudio", &lmstudio), shown("llama-server", &llama_server), shown("vllm", &vllm)]
            .concat(),
    );
}

#[test]
fn models_that_only_speak_responses_are_asked_so() {
    let openai = endpoint("openai");
    assert_eq!(openai.dialect_of("gpt-5.5-pro"), crate::Dialect::Responses);
    assert_eq!(openai.dialect_of("gpt-5.5"), crate::Dialect::OpenAi);
    assert_eq!(endpoint("vllm").dialect_of("my-codex-pro"), crate::Dialect::OpenAi);
}

#[test]
fn a_done_without_an_answer_is_malformed() {
    let endpoint = endpoint("openai");
    let chunks = crate::testing::read(
        &endpoint,
        &plain(&endpoint, "x"),
        vec![bytes::Bytes::from_static(b"data: [DONE]\n\n")],
    );
    assert_eq!(chunks[0].as_ref().unwrap_err().kind, FailureKind::Malformed);
}

proptest! {
    #[test]
    fn no_answer_panics_or_breaks_its_promises(
        pieces in proptest::collection::vec(
            prop_oneof![
                Just(r#"data: {"choices":[{"delta":{"content":"<think>a"}}]}"#.to_owned()),
                Just(r#"data: {"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}]}}]}"#.to_owned()),
                Just(r#"data: {"choices":[{"delta":{"tool_calls":[{"index":1,"function":{"arguments":"}"}}]}}]}"#.to_owned()),
                Just(r#"data: {"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{}}"#.to_owned()),
                Just("data: [DONE]".to_owned()),
                "[ -~é]{0,20}",
            ],
            0..12,
        ),
        noise in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        let mut bytes = pieces.join("\n\n").into_bytes();
        read_anything(&endpoint("vllm"), &bytes);
        bytes.extend(noise);
        read_anything(&endpoint("openrouter"), &bytes);
    }
}

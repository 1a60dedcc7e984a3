use expect_test::expect;
use moltis_core::models::{ModelInfo, ModelRef};

use super::{claude_version, fill, is_chat};

fn known(vendor: &str, model: &str) -> ModelInfo {
    let mut info = ModelInfo {
        id: ModelRef::new(vendor, model),
        name: model.to_owned(),
        context_window: None,
        output_limit: None,
        images: false,
        tools: true,
        reasoning: false,
        price: None,
        local: false,
    };
    fill(&mut info, vendor);
    info
}

#[test]
fn the_longest_prefix_wins_and_prices_count_only_at_their_vendor() {
    let shown: Vec<String> = [
        ("anthropic", "claude-opus-4-20250514"),
        ("anthropic", "claude-opus-4-5-20251101"),
        ("anthropic", "claude-newer-9"),
        ("openrouter", "anthropic/claude-sonnet-4.5"),
        ("openai", "gpt-5.4-mini-2026-03-17"),
        ("openai-responses", "o3"),
        ("groq", "openai/gpt-oss-120b"),
        ("minimax", "MiniMax-M2.5"),
        ("openai", "unheard-of"),
    ]
    .iter()
    .map(|(vendor, model)| {
        let info = known(vendor, model);
        let price = info.price.map(|price| (price.input, price.cache_write));
        format!(
            "{vendor}/{model}: {:?} {:?} see={} think={} {price:?}",
            info.context_window, info.output_limit, info.images, info.reasoning
        )
    })
    .collect();
    expect![[r#"
        anthropic/claude-opus-4-20250514: Some(200000) Some(32000) see=true think=true Some((15000000, 18750000))
        anthropic/claude-opus-4-5-20251101: Some(200000) Some(64000) see=true think=true Some((5000000, 6250000))
        anthropic/claude-newer-9: Some(200000) Some(32000) see=true think=true None
        openrouter/anthropic/claude-sonnet-4.5: Some(200000) Some(64000) see=true think=true None
        openai/gpt-5.4-mini-2026-03-17: Some(400000) Some(128000) see=true think=true Some((750000, 750000))
        openai-responses/o3: Some(200000) Some(100000) see=true think=true Some((2000000, 2000000))
        groq/openai/gpt-oss-120b: Some(131072) Some(131072) see=false think=true None
        minimax/MiniMax-M2.5: Some(204800) Some(131072) see=false think=true Some((300000, 375000))
        openai/unheard-of: None None see=false think=false None"#]].assert_eq(&shown.join("\n"));
}

#[test]
fn what_the_vendor_said_is_not_overwritten() {
    let mut info = known("openai", "gpt-5");
    info.context_window = Some(7);
    fill(&mut info, "openai");
    assert_eq!(info.context_window, Some(7));
}

#[test]
fn models_that_do_not_chat_are_told_apart() {
    for model in [
        "text-embedding-3-small",
        "whisper-1",
        "gpt-image-2",
        "gpt-4o-realtime-preview",
        "tts-1",
        "llama-guard-4",
        "bge-m3",
    ] {
        assert!(!is_chat(model), "{model}");
    }
    for model in ["gpt-5.5", "claude-opus-4-8", "o3", "gemini-3.5-flash", "smollm2:135m", "grok-4"]
    {
        assert!(is_chat(model), "{model}");
    }
}

#[test]
fn versions_of_claude_are_read_out_of_every_form_of_its_names() {
    for (model, version) in [
        ("claude-opus-4-7", Some((4, 7))),
        ("anthropic/claude-opus-4.7", Some((4, 7))),
        ("claude-sonnet-5", Some((5, 0))),
        ("claude-sonnet-4-20250514", Some((4, 0))),
        ("claude-3-7-sonnet-20250219", Some((3, 7))),
        ("us.anthropic.claude-opus-4-6-v1:0", Some((4, 6))),
        ("claude-instant", None),
        ("gpt-5", None),
    ] {
        assert_eq!(claude_version(model), version, "{model}");
    }
}

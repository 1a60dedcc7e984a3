//! What is known of well-known models without asking: limits, abilities, prices.
//!
//! A vendor's own word, where it gives one, goes before this table. Prices are the vendor's list
//! prices and count only at the vendor itself. A row is found by the longest prefix of the
//! model's name, so that dated versions need no row of their own.

use moltis_core::models::{ModelInfo, Price};

use Can::{Both, See, Text, Think};

/// What a family of models can do besides text and tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Can {
    Text,
    Think,
    See,
    /// See and think.
    Both,
}

#[derive(Debug)]
struct Row {
    prefix: &'static str,
    /// Whose prices they are; empty where there are none.
    vendor: &'static str,
    context: u64,
    output: u64,
    can: Can,
    price: Option<Price>,
}

/// Fills in what is not known yet of a model that `vendor` offers.
pub(crate) fn fill(info: &mut ModelInfo, vendor: &str) {
    let Some(row) = find(&info.id.model) else { return };
    info.context_window = info.context_window.or(Some(row.context));
    info.output_limit = info.output_limit.or(Some(row.output));
    info.images = matches!(row.can, See | Both);
    info.reasoning = matches!(row.can, Think | Both);
    if row.vendor == vendor || (row.vendor == "openai" && vendor == "openai-responses") {
        info.price = info.price.or(row.price);
    }
}

/// Whether a model of that name is one to talk to. Vendors list everything that they run.
pub(crate) fn is_chat(model: &str) -> bool {
    const OTHERS: [&str; 27] = [
        "embed",
        "whisper",
        "tts",
        "dall-e",
        "-image",
        "image-",
        "imagine",
        "imagen",
        "moderation",
        "realtime",
        "audio",
        "transcribe",
        "rerank",
        "reranker",
        "sora",
        "veo-",
        "babbage",
        "davinci",
        "turbo-instruct",
        "ocr",
        "guard",
        "speech",
        "voxtral",
        "flux",
        "lyria",
        "computer-use",
        "aqa",
    ];
    let name = model.to_lowercase();
    !OTHERS.iter().any(|mark| name.contains(mark)) && !name.starts_with("bge-")
}

/// The major and minor version in the name of one of Anthropic's models: `claude-opus-4-7` is
/// (4, 7), `claude-sonnet-5` is (5, 0), `claude-3-7-sonnet` is (3, 7). Dates are not versions.
pub(crate) fn claude_version(model: &str) -> Option<(u32, u32)> {
    let at = model.find("claude")?;
    let mut numbers = model
        .get(at..)?
        .split(['-', '.', '@', ':'])
        .filter(|piece| piece.len() <= 2)
        .filter_map(|piece| piece.parse().ok());
    Some((numbers.next()?, numbers.next().unwrap_or(0)))
}

/// The row with the longest prefix of the name. What stands before a `/` is whose model it is,
/// and dots are as good as dashes: OpenRouter writes `anthropic/claude-opus-4.7`.
fn find(model: &str) -> Option<&'static Row> {
    let name = model.rsplit('/').next().unwrap_or(model).to_lowercase();
    TABLE.iter().filter(|row| begins(&name, row.prefix)).max_by_key(|row| row.prefix.len())
}

fn begins(name: &str, prefix: &str) -> bool {
    let same = |one: u8| if one == b'.' { b'-' } else { one };
    name.len() >= prefix.len()
        && name.bytes().zip(prefix.bytes()).all(|(one, other)| same(one) == same(other))
}

const fn row(
    prefix: &'static str,
    vendor: &'static str,
    context: u64,
    output: u64,
    can: Can,
    price: Option<Price>,
) -> Row {
    Row { prefix, vendor, context, output, can, price }
}

/// Dollars for a million tokens: input, output, read from the cache, written to it.
const fn usd(input: f64, output: f64, cache_read: f64, cache_write: f64) -> Option<Price> {
    // A vendor without a price for its cache charges it as any other input.
    let read = if cache_read > 0.0 { cache_read } else { input };
    let write = if cache_write > 0.0 { cache_write } else { input };
    Some(Price {
        input: micros(input),
        output: micros(output),
        cache_read: micros(read),
        cache_write: micros(write),
    })
}

const fn micros(dollars: f64) -> u64 {
    (dollars * 1_000_000.0 + 0.5) as u64
}

// One row a line, so that it can be read as the table that it is.
#[rustfmt::skip]
static TABLE: &[Row] = &[
    row("claude-fable-5", "anthropic", 1_000_000, 128_000, Both, usd(10.0, 50.0, 1.0, 12.5)),
    row("claude-opus-5", "anthropic", 1_000_000, 128_000, Both, usd(5.0, 25.0, 0.5, 6.25)),
    row("claude-opus-4-8", "anthropic", 1_000_000, 128_000, Both, usd(5.0, 25.0, 0.5, 6.25)),
    row("claude-opus-4-7", "anthropic", 1_000_000, 128_000, Both, usd(5.0, 25.0, 0.5, 6.25)),
    row("claude-opus-4-6", "anthropic", 1_000_000, 128_000, Both, usd(5.0, 25.0, 0.5, 6.25)),
    row("claude-opus-4-5", "anthropic", 200_000, 64_000, Both, usd(5.0, 25.0, 0.5, 6.25)),
    row("claude-opus-4", "anthropic", 200_000, 32_000, Both, usd(15.0, 75.0, 1.5, 18.75)),
    row("claude-sonnet-5", "anthropic", 1_000_000, 128_000, Both, usd(2.0, 10.0, 0.2, 2.5)),
    row("claude-sonnet-4-6", "anthropic", 1_000_000, 64_000, Both, usd(3.0, 15.0, 0.3, 3.75)),
    row("claude-sonnet-4", "anthropic", 200_000, 64_000, Both, usd(3.0, 15.0, 0.3, 3.75)),
    row("claude-haiku-4-5", "anthropic", 200_000, 64_000, Both, usd(1.0, 5.0, 0.1, 1.25)),
    row("claude-3-7-sonnet", "anthropic", 200_000, 64_000, Both, usd(3.0, 15.0, 0.3, 3.75)),
    row("claude-3-5-sonnet", "anthropic", 200_000, 8_192, See, usd(3.0, 15.0, 0.3, 3.75)),
    row("claude-3-5-haiku", "anthropic", 200_000, 8_192, See, usd(0.8, 4.0, 0.08, 1.0)),
    row("claude-3-opus", "anthropic", 200_000, 4_096, See, usd(15.0, 75.0, 1.5, 18.75)),
    row("claude-3-haiku", "anthropic", 200_000, 4_096, See, usd(0.25, 1.25, 0.03, 0.3)),
    row("claude-", "anthropic", 200_000, 32_000, Both, None),
    row("gpt-5.5-pro", "openai", 1_050_000, 128_000, Both, usd(30.0, 180.0, 0.0, 0.0)),
    row("gpt-5.5", "openai", 1_050_000, 128_000, Both, usd(5.0, 30.0, 0.5, 0.0)),
    row("gpt-5.4-pro", "openai", 1_050_000, 128_000, Both, usd(30.0, 180.0, 0.0, 0.0)),
    row("gpt-5.4-mini", "openai", 400_000, 128_000, Both, usd(0.75, 4.5, 0.075, 0.0)),
    row("gpt-5.4-nano", "openai", 400_000, 128_000, Both, usd(0.2, 1.25, 0.02, 0.0)),
    row("gpt-5.4", "openai", 1_050_000, 128_000, Both, usd(2.5, 15.0, 0.25, 0.0)),
    row("gpt-5.3-codex-spark", "openai", 128_000, 32_000, Both, usd(1.75, 14.0, 0.175, 0.0)),
    row("gpt-5.3-codex", "openai", 400_000, 128_000, Both, usd(1.75, 14.0, 0.175, 0.0)),
    row("gpt-5.2-pro", "openai", 400_000, 128_000, Both, usd(21.0, 168.0, 0.0, 0.0)),
    row("gpt-5.2", "openai", 400_000, 128_000, Both, usd(1.75, 14.0, 0.175, 0.0)),
    row("gpt-5.1-codex-mini", "openai", 400_000, 128_000, Both, usd(0.25, 2.0, 0.025, 0.0)),
    row("gpt-5.1", "openai", 400_000, 128_000, Both, usd(1.25, 10.0, 0.125, 0.0)),
    row("gpt-5-pro", "openai", 400_000, 272_000, Both, usd(15.0, 120.0, 0.0, 0.0)),
    row("gpt-5-mini", "openai", 400_000, 128_000, Both, usd(0.25, 2.0, 0.025, 0.0)),
    row("gpt-5-nano", "openai", 400_000, 128_000, Both, usd(0.05, 0.4, 0.005, 0.0)),
    row("gpt-5", "openai", 400_000, 128_000, Both, usd(1.25, 10.0, 0.125, 0.0)),
    row("o4-mini", "openai", 200_000, 100_000, Both, usd(1.1, 4.4, 0.275, 0.0)),
    row("o3-deep-research", "openai", 200_000, 100_000, Both, usd(10.0, 40.0, 2.5, 0.0)),
    row("o3-pro", "openai", 200_000, 100_000, Both, usd(20.0, 80.0, 0.0, 0.0)),
    row("o3", "openai", 200_000, 100_000, Both, usd(2.0, 8.0, 0.5, 0.0)),
    row("o1-pro", "openai", 200_000, 100_000, Both, usd(150.0, 600.0, 0.0, 0.0)),
    row("o1", "openai", 200_000, 100_000, Both, usd(15.0, 60.0, 7.5, 0.0)),
    row("gpt-5.1-chat", "openai", 128_000, 16_384, See, usd(1.25, 10.0, 0.125, 0.0)),
    row("gpt-5.2-chat", "openai", 128_000, 16_384, See, usd(1.75, 14.0, 0.175, 0.0)),
    row("gpt-5.3-chat", "openai", 128_000, 16_384, See, usd(1.75, 14.0, 0.175, 0.0)),
    row("o3-mini", "openai", 200_000, 100_000, Think, usd(1.1, 4.4, 0.55, 0.0)),
    row("gpt-4.1-mini", "openai", 1_047_576, 32_768, See, usd(0.4, 1.6, 0.1, 0.0)),
    row("gpt-4.1-nano", "openai", 1_047_576, 32_768, See, usd(0.1, 0.4, 0.025, 0.0)),
    row("gpt-4.1", "openai", 1_047_576, 32_768, See, usd(2.0, 8.0, 0.5, 0.0)),
    row("gpt-4o-mini", "openai", 128_000, 16_384, See, usd(0.15, 0.6, 0.075, 0.0)),
    row("gpt-4o", "openai", 128_000, 16_384, See, usd(2.5, 10.0, 1.25, 0.0)),
    row("gpt-4-turbo", "openai", 128_000, 4_096, See, usd(10.0, 30.0, 0.0, 0.0)),
    row("gpt-4", "openai", 8_192, 8_192, Text, usd(30.0, 60.0, 0.0, 0.0)),
    row("gpt-3.5-turbo", "openai", 16_385, 4_096, Text, usd(0.5, 1.5, 0.0, 0.0)),
    row("gpt-oss", "", 131_072, 131_072, Think, None),
    row("gemini-3.5-flash", "gemini", 1_048_576, 65_536, Both, usd(1.5, 9.0, 0.15, 0.0)),
    row("gemini-3.1-flash-lite", "gemini", 1_048_576, 65_536, Both, usd(0.25, 1.5, 0.025, 0.0)),
    row("gemini-3.1-pro", "gemini", 1_048_576, 65_536, Both, usd(2.0, 12.0, 0.2, 0.0)),
    row("gemini-3-pro", "gemini", 1_048_576, 65_536, Both, usd(2.0, 12.0, 0.2, 0.0)),
    row("gemini-3-flash", "gemini", 1_048_576, 65_536, Both, usd(0.5, 3.0, 0.05, 0.0)),
    row("gemini-2.5-pro", "gemini", 1_048_576, 65_536, Both, usd(1.25, 10.0, 0.125, 0.0)),
    row("gemini-2.5-flash-lite", "gemini", 1_048_576, 65_536, Both, usd(0.1, 0.4, 0.01, 0.0)),
    row("gemini-2.5-flash", "gemini", 1_048_576, 65_536, Both, usd(0.3, 2.5, 0.03, 0.0)),
    row("gemini-2.0-flash", "gemini", 1_048_576, 8_192, See, usd(0.1, 0.4, 0.025, 0.0)),
    row("gemini-", "gemini", 1_048_576, 65_536, Both, None),
    row("gemma-4", "", 262_144, 32_768, Both, None),
    row("gemma-3", "", 131_072, 8_192, See, None),
    row("deepseek-v4-pro", "deepseek", 1_000_000, 384_000, Think, usd(0.435, 0.87, 0.003625, 0.0)),
    row("deepseek-v4-flash", "deepseek", 1_000_000, 384_000, Think, usd(0.14, 0.28, 0.0028, 0.0)),
    row("deepseek-reasoner", "deepseek", 1_000_000, 384_000, Think, usd(0.14, 0.28, 0.0028, 0.0)),
    row("deepseek-chat", "deepseek", 1_000_000, 384_000, Text, usd(0.14, 0.28, 0.0028, 0.0)),
    row("deepseek-r1", "", 131_072, 32_768, Think, None),
    row("deepseek-v3", "", 131_072, 32_768, Text, None),
    row("grok-4.3", "xai", 1_000_000, 30_000, Both, usd(1.25, 2.5, 0.2, 0.0)),
    row("grok-4.20", "xai", 1_000_000, 30_000, Both, usd(1.25, 2.5, 0.2, 0.0)),
    row("grok-4-fast", "xai", 2_000_000, 30_000, Both, usd(0.2, 0.5, 0.05, 0.0)),
    row("grok-4-1-fast", "xai", 2_000_000, 30_000, Both, usd(0.2, 0.5, 0.05, 0.0)),
    row("grok-4", "xai", 256_000, 64_000, Both, usd(3.0, 15.0, 0.75, 0.0)),
    row("grok-build", "xai", 256_000, 256_000, Both, usd(1.0, 2.0, 0.2, 0.0)),
    row("grok-code-fast", "xai", 256_000, 10_000, Think, usd(0.2, 1.5, 0.02, 0.0)),
    row("grok-3-mini", "xai", 131_072, 8_192, Think, usd(0.3, 0.5, 0.075, 0.0)),
    row("grok-3", "xai", 131_072, 8_192, Text, usd(3.0, 15.0, 0.75, 0.0)),
    row("mistral-large", "mistral", 262_144, 262_144, See, usd(0.5, 1.5, 0.0, 0.0)),
    row("mistral-medium-2604", "mistral", 262_144, 262_144, Both, usd(1.5, 7.5, 0.0, 0.0)),
    row("mistral-medium", "mistral", 262_144, 262_144, See, usd(0.4, 2.0, 0.0, 0.0)),
    row("mistral-small", "mistral", 256_000, 256_000, Both, usd(0.15, 0.6, 0.0, 0.0)),
    row("magistral-medium", "mistral", 128_000, 16_384, Think, usd(2.0, 5.0, 0.0, 0.0)),
    row("magistral-small", "mistral", 128_000, 128_000, Think, usd(0.5, 1.5, 0.0, 0.0)),
    row("codestral", "mistral", 256_000, 4_096, Text, usd(0.3, 0.9, 0.0, 0.0)),
    row("ministral-3b", "mistral", 128_000, 128_000, Text, usd(0.04, 0.04, 0.0, 0.0)),
    row("ministral-8b", "mistral", 128_000, 128_000, Text, usd(0.1, 0.1, 0.0, 0.0)),
    row("devstral", "mistral", 262_144, 262_144, Text, None),
    row("pixtral", "mistral", 128_000, 128_000, See, None),
    row("kimi-k2.7-code-highspeed", "moonshot", 262_144, 262_144, Both, usd(1.9, 8.0, 0.38, 0.0)),
    row("kimi-k2.7-code", "moonshot", 262_144, 262_144, Both, usd(0.95, 4.0, 0.19, 0.0)),
    row("kimi-k2.6", "moonshot", 262_144, 262_144, Both, usd(0.95, 4.0, 0.16, 0.0)),
    row("kimi-k2.5", "moonshot", 262_144, 262_144, Both, usd(0.6, 3.0, 0.1, 0.0)),
    row("kimi-k2-thinking-turbo", "moonshot", 262_144, 262_144, Think, usd(1.15, 8.0, 0.15, 0.0)),
    row("kimi-k2-thinking", "moonshot", 262_144, 262_144, Think, usd(0.6, 2.5, 0.15, 0.0)),
    row("kimi-k2-turbo", "moonshot", 262_144, 262_144, Text, usd(2.4, 10.0, 0.6, 0.0)),
    row("kimi-k2", "moonshot", 262_144, 262_144, Text, usd(0.6, 2.5, 0.15, 0.0)),
    row("glm-5.2", "zai", 1_000_000, 131_072, Think, usd(1.4, 4.4, 0.26, 0.0)),
    row("glm-5.1", "zai", 200_000, 131_072, Think, usd(1.4, 4.4, 0.26, 0.0)),
    row("glm-5-turbo", "zai", 200_000, 131_072, Think, usd(1.2, 4.0, 0.24, 0.0)),
    row("glm-5v-turbo", "zai", 200_000, 131_072, Both, usd(1.2, 4.0, 0.24, 0.0)),
    row("glm-5", "zai", 204_800, 131_072, Think, usd(1.0, 3.2, 0.2, 0.0)),
    row("glm-4.7-flashx", "zai", 200_000, 131_072, Think, usd(0.07, 0.4, 0.01, 0.0)),
    row("glm-4.7-flash", "zai", 200_000, 131_072, Think, usd(0.0, 0.0, 0.0, 0.0)),
    row("glm-4.7", "zai", 204_800, 131_072, Think, usd(0.6, 2.2, 0.11, 0.0)),
    row("glm-4.6v", "zai", 128_000, 32_768, Both, usd(0.3, 0.9, 0.0, 0.0)),
    row("glm-4.6", "zai", 204_800, 131_072, Think, usd(0.6, 2.2, 0.11, 0.0)),
    row("glm-4.5v", "zai", 64_000, 16_384, Both, usd(0.6, 1.8, 0.0, 0.0)),
    row("glm-4.5-air", "zai", 131_072, 98_304, Think, usd(0.2, 1.1, 0.03, 0.0)),
    row("glm-4.5-flash", "zai", 131_072, 98_304, Think, usd(0.0, 0.0, 0.0, 0.0)),
    row("glm-4.5", "zai", 131_072, 98_304, Think, usd(0.6, 2.2, 0.11, 0.0)),
    row("minimax-m3", "minimax", 1_000_000, 128_000, Both, usd(0.3, 1.2, 0.06, 0.0)),
    row("minimax-m2.7-highspeed", "minimax", 204_800, 131_072, Think, usd(0.6, 2.4, 0.06, 0.375)),
    row("minimax-m2.7", "minimax", 204_800, 131_072, Think, usd(0.3, 1.2, 0.06, 0.375)),
    row("minimax-m2.5-highspeed", "minimax", 204_800, 131_072, Think, usd(0.6, 2.4, 0.06, 0.375)),
    row("minimax-m2.5", "minimax", 204_800, 131_072, Think, usd(0.3, 1.2, 0.03, 0.375)),
    row("minimax-m2", "minimax", 196_608, 128_000, Think, usd(0.3, 1.2, 0.0, 0.0)),
    row("llama-4", "", 1_048_576, 16_384, See, None),
    row("llama-3.3", "", 131_072, 32_768, Text, None),
    row("llama-3.2", "", 131_072, 8_192, Text, None),
    row("llama-3.1", "", 131_072, 16_384, Text, None),
    row("qwen3-coder", "", 262_144, 65_536, Text, None),
    row("qwen3-vl", "", 262_144, 32_768, Both, None),
    row("qwen3", "", 131_072, 32_768, Think, None),
    row("qwen-3", "", 131_072, 32_768, Think, None),
    row("qwen2.5-vl", "", 131_072, 8_192, See, None),
    row("qwen2.5", "", 131_072, 8_192, Text, None),
    row("phi-4", "", 16_384, 16_384, Text, None),
];

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;

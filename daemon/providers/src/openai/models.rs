//! Lists of models: OpenAI's form with the additions by which imitations tell more.

use moltis_core::models::{ModelInfo, Price};
use serde_json::Value;

use crate::endpoint::Endpoint;
use crate::table;

/// Reads `/models`.
pub(crate) fn read_models(endpoint: &Endpoint, list: &Value) -> Vec<ModelInfo> {
    // Together answers with a bare array.
    let rows = list.get("data").unwrap_or(list).as_array();
    // llama-server says only in a second list what its model can do.
    let more = list.get("models").and_then(Value::as_array);
    let said = |id: &Value| more.into_iter().flatten().find(|row| row.get("model") == Some(id));
    let abilities = |row: &Value| said(row.get("id")?)?.get("capabilities").cloned();
    let rows = rows.into_iter().flatten();
    rows.filter_map(|row| read(endpoint, row, abilities(row).as_ref())).collect()
}

fn read(endpoint: &Endpoint, row: &Value, abilities: Option<&Value>) -> Option<ModelInfo> {
    let id = row.get("id")?.as_str()?;
    let kind = row.get("type").and_then(Value::as_str).unwrap_or("chat");
    if !table::is_chat(id) || matches!(kind, "embedding" | "embeddings" | "image" | "rerank") {
        return None;
    }
    let outputs = row.pointer("/architecture/output_modalities").and_then(Value::as_array);
    if outputs.is_some_and(|kinds| !kinds.iter().any(|kind| kind == "text")) {
        return None;
    }
    let mut info = endpoint.blank_model(id);
    if let Some(name) = row.get("name").and_then(Value::as_str).filter(|name| !name.is_empty()) {
        name.clone_into(&mut info.name);
    }
    let number = |places: &[&str]| {
        let found = places.iter().find_map(|place| row.pointer(place).and_then(Value::as_u64));
        found.filter(|number| *number > 0)
    };
    info.context_window = number(&[
        "/context_length",
        "/context_window",
        // LM Studio loads a model with less than it can hold.
        "/loaded_context_length",
        "/max_context_length",
        "/max_model_len",
        "/meta/n_ctx",
        "/meta/n_ctx_train",
    ])
    .or(info.context_window);
    info.output_limit = number(&[
        "/top_provider/max_completion_tokens",
        "/max_completion_tokens",
        "/max_output_tokens",
    ])
    .or(info.output_limit);
    if let Some(inputs) = row.pointer("/architecture/input_modalities").and_then(Value::as_array) {
        info.images = inputs.iter().any(|kind| kind == "image");
    }
    if let Some(list) = abilities.and_then(Value::as_array) {
        info.images = list.iter().any(|ability| ability == "multimodal");
    }
    if endpoint.vendor.local && kind != "chat" {
        info.images = kind == "vlm";
    }
    if let Some(sees) = row.pointer("/capabilities/vision").and_then(Value::as_bool) {
        info.images = sees;
    }
    if let Some(takes) = row.get("supported_parameters").and_then(Value::as_array) {
        info.tools = takes.iter().any(|name| name == "tools");
        info.reasoning = takes.iter().any(|name| name == "reasoning");
    }
    info.price = price(row).or(info.price);
    Some(info)
}

/// OpenRouter's prices: dollars for one token, as text.
fn price(row: &Value) -> Option<Price> {
    let dollars = |name: &str| {
        let value = row.get("pricing")?.get(name)?.as_str()?;
        value.parse::<f64>().ok().filter(|dollars| *dollars >= 0.0)
    };
    let micros = |dollars: f64| (dollars * 1e12).round() as u64;
    let input = dollars("prompt")?;
    Some(Price {
        input: micros(input),
        output: micros(dollars("completion")?),
        cache_read: micros(dollars("input_cache_read").unwrap_or(input)),
        cache_write: micros(dollars("input_cache_write").unwrap_or(input)),
    })
}

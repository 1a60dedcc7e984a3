//! Lists of models.

use moltis_core::models::ModelInfo;
use serde_json::Value;

use crate::endpoint::Endpoint;
use crate::table;

/// Reads `/models`.
pub(crate) fn read_models(endpoint: &Endpoint, list: &Value) -> Vec<ModelInfo> {
    let rows = list.get("models").and_then(Value::as_array);
    rows.into_iter().flatten().filter_map(|row| read(endpoint, row)).collect()
}

fn read(endpoint: &Endpoint, row: &Value) -> Option<ModelInfo> {
    let name = row.get("name")?.as_str()?;
    let id = name.strip_prefix("models/").unwrap_or(name);
    let methods = row.get("supportedGenerationMethods").and_then(Value::as_array);
    let talks = methods.is_none_or(|list| list.iter().any(|method| method == "generateContent"));
    if !talks || !table::is_chat(id) {
        return None;
    }
    let mut info = endpoint.blank_model(id);
    if let Some(name) = row.get("displayName").and_then(Value::as_str) {
        name.clone_into(&mut info.name);
    }
    let number = |name| row.get(name).and_then(Value::as_u64).filter(|number| *number > 0);
    info.context_window = number("inputTokenLimit").or(info.context_window);
    info.output_limit = number("outputTokenLimit").or(info.output_limit);
    info.reasoning = row.get("thinking").and_then(Value::as_bool).unwrap_or(info.reasoning);
    Some(info)
}

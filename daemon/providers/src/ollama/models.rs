//! Lists of models. `/api/tags` names them, `/api/show` says what one can do.

use moltis_core::models::ModelInfo;
use serde_json::Value;

use crate::endpoint::Endpoint;
use crate::table;

/// Reads `/api/tags`.
pub(crate) fn read_models(endpoint: &Endpoint, list: &Value) -> Vec<ModelInfo> {
    let rows = list.get("models").and_then(Value::as_array);
    rows.into_iter()
        .flatten()
        .filter_map(|row| row.get("name").or_else(|| row.get("model"))?.as_str())
        .filter(|name| table::is_chat(name))
        .map(|name| endpoint.blank_model(name))
        .collect()
}

/// Reads `/api/show` into a model; says whether it is one to talk to.
pub(crate) fn describe(info: &mut ModelInfo, shown: &Value) -> bool {
    let facts = shown.get("model_info").and_then(Value::as_object);
    let length = facts.into_iter().flatten().find(|(key, _)| key.ends_with(".context_length"));
    info.context_window = length.and_then(|(_, value)| value.as_u64()).or(info.context_window);
    let Some(list) = shown.get("capabilities").and_then(Value::as_array) else { return true };
    let can = |name: &str| list.iter().any(|capability| capability == name);
    info.images = can("vision");
    info.tools = can("tools");
    info.reasoning = can("thinking");
    can("completion")
}

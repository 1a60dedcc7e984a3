//! Lists of models.

use moltis_core::models::ModelInfo;
use serde_json::Value;

use crate::endpoint::Endpoint;
use crate::table;

/// Reads `/v1/models`.
pub(crate) fn read_models(endpoint: &Endpoint, list: &Value) -> Vec<ModelInfo> {
    let rows = list.get("data").and_then(Value::as_array);
    rows.into_iter()
        .flatten()
        .filter_map(|row| {
            // A gateway that imitates Anthropic lists everything that it has.
            let id = row.get("id")?.as_str().filter(|id| table::is_chat(id))?;
            let mut info = endpoint.blank_model(id);
            if let Some(name) = row.get("display_name").and_then(Value::as_str) {
                name.clone_into(&mut info.name);
            }
            let number = |name| row.get(name).and_then(Value::as_u64).filter(|number| *number > 0);
            info.context_window = number("max_input_tokens").or(info.context_window);
            info.output_limit = number("max_tokens").or(info.output_limit);
            Some(info)
        })
        .collect()
}

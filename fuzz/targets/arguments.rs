//! Any JSON is refused with a sentence or taken; what was taken is taken again as it is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use moltis_core::provider::ToolSpec;
use moltis_tools::schema::fit;
use serde_json::{Value, json};

fn spec() -> ToolSpec {
    let step = json!({
        "type": "object",
        "properties": {"old": {"type": "string"}, "all": {"type": "boolean"}},
        "required": ["old"],
    });
    let parameters = json!({
        "type": "object",
        "properties": {
            "path": {"type": "string"},
            "mode": {"type": "string", "enum": ["files", "count"]},
            "limit": {"type": "integer", "minimum": 1, "maximum": 1000},
            "edits": {"type": "array", "items": step, "minItems": 1},
        },
        "required": ["path"],
    });
    ToolSpec { name: "try".to_owned(), description: String::new(), parameters }
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(arguments) = serde_json::from_slice::<Value>(bytes) else { return };
    let spec = spec();
    match fit(&spec, &arguments) {
        Ok(fitted) => assert_eq!(fit(&spec, &fitted).as_ref(), Ok(&fitted)),
        Err(wrong) => assert!(wrong.len() < 1_000, "a sentence, not a copy of the arguments"),
    }
});

//! Arguments of a call against the tool's schema.
//!
//! Models write `"5"` for `5`, and a list as the text of a list: what can only mean one thing is
//! taken for it ([`fit`]); what is wrong is said in a sentence that a model can act on. It knows the
//! part of JSON Schema that the tools here use (`type`, `properties`, `required`, `enum`, `minimum`,
//! `maximum`, `items`, `minItems`); objects are closed.
//!
//! Not here: schemas of tools that come from elsewhere. The invariants: what fits is taken as it is
//! (fitting twice is fitting once), and every argument that fits can be read as the tool's type.

use moltis_core::provider::ToolSpec;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// A wrong value is shown to so many characters.
const SHOWN: usize = 60;

/// The arguments as the schema wants them.
///
/// # Errors
/// What is wrong and what is expected, in a sentence or two.
pub fn fit(spec: &ToolSpec, arguments: &Value) -> Result<Value, String> {
    object(&spec.parameters, arguments, "").map_err(|wrong| {
        let takes = describe_all(&spec.parameters);
        format!("{wrong}. `{}` takes {takes}.", spec.name)
    })
}

/// The arguments as the tool's type.
pub(crate) fn read<T: DeserializeOwned>(spec: &ToolSpec, arguments: &Value) -> Result<T, String> {
    let fitted = fit(spec, arguments)?;
    serde_json::from_value(fitted).map_err(|error| format!("the arguments do not fit: {error}"))
}

/// A tool's schema: names, what they are (JSON Schema), the first `required` of them required.
pub(crate) fn schema(required: usize, properties: &[(&str, Value)]) -> Value {
    let names: Vec<&str> = properties.iter().take(required).map(|(name, _)| *name).collect();
    let properties: Map<String, Value> =
        properties.iter().map(|(name, what)| ((*name).to_owned(), what.clone())).collect();
    serde_json::json!({"type": "object", "properties": properties, "required": names})
}

fn object(schema: &Value, value: &Value, at: &str) -> Result<Value, String> {
    let given = match value {
        Value::Object(given) => given.clone(),
        Value::Null => Map::new(),
        Value::String(text) if text.trim().is_empty() => Map::new(),
        Value::String(text) => match serde_json::from_str(text) {
            Ok(Value::Object(given)) => given,
            _ => return Err(mismatch(schema, value, at)),
        },
        _ => return Err(mismatch(schema, value, at)),
    };
    let mut fitted = Map::new();
    for (name, value) in given {
        let path = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
        let Some(property) = schema["properties"].get(&name) else {
            return Err(format!("`{}` is no parameter", shown(&path)));
        };
        // Left out and `null` are the same, but for what must be there.
        if !value.is_null() {
            fitted.insert(name, one(property, &value, &path)?);
        }
    }
    for name in required(schema) {
        if !fitted.contains_key(name) {
            let path = if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
            return Err(format!("`{path}` is missing"));
        }
    }
    Ok(Value::Object(fitted))
}

/// One value, as its schema wants it.
fn one(schema: &Value, value: &Value, at: &str) -> Result<Value, String> {
    let fitted = match schema["type"].as_str() {
        Some("object") => return object(schema, value, at),
        Some("array") => return array(schema, value, at),
        Some("string") => match value {
            Value::Number(_) | Value::Bool(_) => Some(Value::from(value.to_string())),
            Value::String(_) => Some(value.clone()),
            _ => None,
        },
        Some("integer") => integer(value).map(Value::from),
        Some("boolean") => match value {
            Value::Bool(_) => Some(value.clone()),
            Value::String(text) => {
                text.trim().to_ascii_lowercase().parse::<bool>().ok().map(Value::from)
            }
            _ => None,
        },
        _ => None,
    };
    let fitted = fitted.filter(|fitted| {
        let listed = schema["enum"].as_array().is_none_or(|names| names.contains(fitted));
        let bound = |key: &str| schema[key].as_i64();
        let number = fitted.as_i64();
        listed
            && number.is_none_or(|number| {
                bound("minimum").is_none_or(|least| number >= least)
                    && bound("maximum").is_none_or(|most| number <= most)
            })
    });
    fitted.ok_or_else(|| mismatch(schema, value, at))
}

fn array(schema: &Value, value: &Value, at: &str) -> Result<Value, String> {
    let items = match value {
        Value::Array(items) => items.clone(),
        Value::String(text) => match serde_json::from_str(text) {
            Ok(Value::Array(items)) => items,
            _ => return Err(mismatch(schema, value, at)),
        },
        _ => return Err(mismatch(schema, value, at)),
    };
    if schema["minItems"].as_u64().is_some_and(|least| (items.len() as u64) < least) {
        return Err(format!("`{at}` is empty"));
    }
    let fitted = items
        .iter()
        .enumerate()
        .map(|(index, item)| one(&schema["items"], item, &format!("{at}[{index}]")));
    Ok(Value::Array(fitted.collect::<Result<_, _>>()?))
}

/// The whole number that a value can only mean.
fn integer(value: &Value) -> Option<i64> {
    /// Beyond this a float may stand for several whole numbers.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::Number(number) => number.as_i64().or_else(|| {
            let float = number.as_f64().filter(|float| float.fract() == 0.0)?;
            (float.abs() < EXACT).then_some(float as i64)
        }),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn mismatch(schema: &Value, value: &Value, at: &str) -> String {
    let what = if at.is_empty() { "the arguments".to_owned() } else { format!("`{at}`") };
    let verb = if at.is_empty() { "are" } else { "is" };
    format!("{what} must be {}, which {} {verb} not", describe(schema), shown(&value.to_string()))
}

/// What a value has to be, in words.
fn describe(schema: &Value) -> String {
    if let Some(names) = schema["enum"].as_array() {
        let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
        return format!("one of {}", names.join(", "));
    }
    let bounds = match (schema["minimum"].as_i64(), schema["maximum"].as_i64()) {
        (Some(least), Some(most)) => format!(" from {least} to {most}"),
        (Some(least), None) => format!(" of at least {least}"),
        (None, Some(most)) => format!(" of at most {most}"),
        (None, None) => String::new(),
    };
    match schema["type"].as_str() {
        Some("integer") => format!("a whole number{bounds}"),
        Some("boolean") => "true or false".to_owned(),
        Some("array") => "a list".to_owned(),
        Some("object") => "a JSON object".to_owned(),
        _ => "a text".to_owned(),
    }
}

/// All parameters of a tool, in words.
fn describe_all(schema: &Value) -> String {
    let Some(properties) = schema["properties"].as_object().filter(|all| !all.is_empty()) else {
        return "no parameters".to_owned();
    };
    let needed: Vec<&str> = required(schema).collect();
    let words: Vec<String> = properties
        .iter()
        .map(|(name, what)| {
            let optional = if needed.contains(&name.as_str()) { "" } else { ", optional" };
            format!("{name} ({}{optional})", describe(what))
        })
        .collect();
    words.join(", ")
}

fn required(schema: &Value) -> impl Iterator<Item = &str> {
    schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str)
}

fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;

//! A small schema for this crate's tests.

use crate::rows::Rows;
use crate::schema::{Key, Preset, Schema, Section};
use crate::value::{Kind, Value};

fn even(value: &Value) -> Result<(), String> {
    match value {
        Value::Integer(number) if number % 2 != 0 => Err("expected an even number".to_owned()),
        _ => Ok(()),
    }
}

fn is_bell(row: &str) -> Result<(), String> {
    if row.contains("tone = ") { Ok(()) } else { Err("it has no `tone`".to_owned()) }
}

pub(crate) static SAMPLE: Schema = Schema {
    title: "A sample.",
    sections: &[
        Section { path: "chat", doc: "Talking.", example: "" },
        Section { path: "providers.*", doc: "Who is asked.", example: "work" },
        Section { path: "log", doc: "Logs.", example: "" },
    ],
    keys: &[
        Key::new("chat.model", Kind::Text, Preset::Text(""), "The model."),
        Key {
            check: Some(even),
            ..Key::new(
                "chat.timeout_s",
                Kind::Integer { min: 0, max: 100 },
                Preset::Integer(60),
                "Seconds.\n0 is off.",
            )
        },
        Key::new("chat.mode", Kind::Choice(&["calm", "fast"]), Preset::Text("calm"), "How."),
        Key::new("chat.spares", Kind::List, Preset::List(&[]), "Others."),
        Key::new("providers.*.kind", Kind::Text, Preset::Text(""), "What it speaks."),
        Key {
            secret: true,
            example: "\"…\"",
            ..Key::new("providers.*.api_key", Kind::Text, Preset::Text(""), "Its key.")
        },
        Key::new("log.json", Kind::Bool, Preset::Bool(false), "As JSON."),
    ],
    rows: &[Rows {
        path: "bells",
        doc: "What rings.",
        example: "tone = \"a\"",
        read: is_bell,
        shown: |row| format!("{{ {} }}", row.lines().next().unwrap_or_default()),
    }],
};

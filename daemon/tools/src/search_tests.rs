use moltis_core::provider::ToolSpec;
use serde_json::json;

use super::search;
use crate::schema::schema;

fn spec(name: &str, description: &str, parameter: &str) -> ToolSpec {
    ToolSpec {
        name: name.to_owned(),
        description: description.to_owned(),
        parameters: schema(0, &[(parameter, json!({"type": "string"}))]),
    }
}

fn names(specs: &[ToolSpec], query: &str) -> Vec<String> {
    search(specs, query).into_iter().map(|spec| spec.name.clone()).collect()
}

#[test]
fn a_word_in_a_name_outweighs_one_in_a_description() {
    let specs = [
        spec("mail__send", "Sends a letter", "to"),
        spec("calendar", "Plans; can mail invitations", "day"),
        spec("read", "Reads a file", "path"),
        spec("mailbox", "Lists what arrived", "folder"),
    ];
    assert_eq!(names(&specs, "mail"), ["mail__send", "mailbox", "calendar"]);
    assert_eq!(names(&specs, "Send a MAIL"), ["mail__send", "mailbox", "calendar", "read"]);
    assert_eq!(names(&specs, "folder"), ["mailbox"]);
    assert_eq!(names(&specs, "READ"), ["read"]);
    assert!(names(&specs, "zebra").is_empty());
}

#[test]
fn a_search_gives_fifteen_at_most() {
    let specs: Vec<ToolSpec> = (0..40).map(|n| spec(&format!("tool{n}"), "same", "x")).collect();
    assert_eq!(names(&specs, "same").len(), 15);
    assert_eq!(names(&specs, "").len(), 15);
    assert_eq!(names(&specs, "same")[0], "tool0");
}

use moltis_core::message::{Message, Part, Role};
use moltis_core::provider::Request;
use proptest::prelude::*;
use serde_json::Value;

use super::{arguments_text, call_name};
use crate::testing::{endpoint, plain};
use crate::{anthropic, gemini, ollama, openai, responses};

/// A conversation with a call that is as bad as a model can make it, and its result.
fn bad_call() -> Request {
    let call = Part::ToolCall {
        id: "c1".into(),
        name: "functions.look at: \u{fc}".to_owned(),
        arguments: "{\"path\": \"a".to_owned(),
    };
    let result =
        Part::ToolResult { id: "c1".into(), text: "no JSON object".to_owned(), failed: true };
    let said = |role, part| Message { role, parts: vec![part] };
    Request {
        messages: vec![
            said(Role::User, Part::Text("hello".to_owned())),
            said(Role::Assistant, call),
            said(Role::Tool, result),
        ],
        ..plain(&endpoint("openai"), "m")
    }
}

#[test]
fn a_call_that_no_vendor_takes_is_sent_as_one_that_each_of_them_takes() {
    let request = bad_call();
    let bodies: [(&str, Value); 5] = [
        ("openai", openai::call(&request, &endpoint("openai")).body),
        ("responses", responses::call(&request, &endpoint("openai")).body),
        ("anthropic", anthropic::call(&request, &endpoint("anthropic")).body),
        ("gemini", gemini::call(&request).body),
        ("ollama", ollama::call(&request).body),
    ];
    for (dialect, body) in bodies {
        let text = body.to_string();
        assert!(text.contains("functions_look_at___"), "{dialect}: {text}");
        assert!(!text.contains("functions.look"), "{dialect}: {text}");
        assert!(!text.contains("path"), "{dialect}: {text}");
    }
}

#[test]
fn a_call_without_a_name_has_one_when_it_is_sent() {
    assert_eq!(call_name(""), "invalid_call");
    assert_eq!(call_name("mcp__git-log"), "mcp__git-log");
    assert_eq!(call_name(&"x".repeat(100)).len(), 64);
}

#[test]
fn arguments_that_are_an_object_are_sent_as_they_were_written() {
    assert_eq!(arguments_text("{ \"b\":1,  \"a\":2 }"), "{ \"b\":1,  \"a\":2 }");
    for none in ["", "null", "[1]", "\"{}\"", "{\"a\":", "7"] {
        assert_eq!(arguments_text(none), "{}");
    }
}

proptest! {
    #[test]
    fn whatever_the_model_calls_a_tool_vendors_take_the_name(name in "(\\PC|[a-z_]){0,90}") {
        let sent = call_name(&name);
        prop_assert!((1..=64).contains(&sent.len()));
        prop_assert!(sent.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'));
    }
}

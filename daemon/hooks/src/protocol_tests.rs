use proptest::prelude::*;
use serde_json::json;

use super::*;

fn said(stdout: &str) -> Answer {
    let facts = json!({ "session_key": "s", "content": "old", "channel": null, "count": 1 });
    understand(0, stdout.as_bytes(), b"", Point::MessageSending, &facts)
}

#[test]
fn facts_that_are_not_named_stay_and_those_that_are_keep_their_types() {
    let new = json!({ "session_key": "s", "content": "new", "channel": null, "count": 1 });
    assert_eq!(said(r#"{"action":"modify","data":{"content":"new"}}"#), Answer::Changed(new));
    let new = json!({ "session_key": "s", "content": "old", "channel": {}, "count": 1 });
    assert_eq!(said(r#"{"action":"modify","data":{"channel":{}}}"#), Answer::Changed(new));
    let why = "`count` is a text, and must be a number".to_owned();
    assert_eq!(said(r#"{"action":"modify","data":{"count":"1"}}"#), Answer::Failed(why));
}

#[test]
fn the_event_may_be_given_back_but_not_changed() {
    let all = r#"{"action":"modify","data":{"event":"MessageSending","content":"new"}}"#;
    assert!(matches!(said(all), Answer::Changed(facts) if facts.get("event").is_none()));
    let other = r#"{"action":"modify","data":{"event":"Command"}}"#;
    assert!(matches!(said(other), Answer::Failed(_)));
}

#[test]
fn a_reason_is_bounded_and_moves_no_cursor() {
    let stderr = [b"\x1b[2Jno\r\x07\n".as_slice(), &[b'x'; 1 << 20]].concat();
    let Answer::Block(reason) = understand(1, b"", &stderr, Point::BeforeToolCall, &json!({}))
    else {
        panic!("it blocks");
    };
    assert!(reason.starts_with("[2Jno\nxxx") && reason.len() <= MAX_REASON);
}

#[test]
fn deep_nesting_is_a_failure_and_no_overflow() {
    let deep = format!("{{\"action\":\"modify\",\"data\":{}", "{\"a\":".repeat(200_000));
    assert!(matches!(said(&deep), Answer::Failed(_)));
}

proptest! {
    #[test]
    fn whatever_a_hook_writes_the_facts_keep_their_keys_and_types(
        key in "(content|count|channel|event|other)",
        value in "(null|1|\"x\"|\\[\\]|\\{\\}|true|nonsense)",
        code in -2..4_i32,
    ) {
        let facts = json!({ "content": "old", "channel": null, "count": 1 });
        let stdout = format!("{{\"action\":\"modify\",\"data\":{{\"{key}\":{value}}}}}");
        let answer = understand(code, stdout.as_bytes(), b"", Point::MessageSending, &facts);
        if let Answer::Changed(new) = answer {
            let (old, new) = (facts.as_object().unwrap(), new.as_object().unwrap());
            prop_assert!(old.keys().eq(new.keys()));
            for (key, before) in old {
                prop_assert!(before.is_null() || kind(before) == kind(&new[key]));
            }
        }
    }

    #[test]
    fn any_output_means_something(stdout in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = understand(0, &stdout, &stdout, Point::BeforeToolCall, &json!({ "a": 1 }));
    }
}

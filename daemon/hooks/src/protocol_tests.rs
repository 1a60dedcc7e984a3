use proptest::prelude::*;
use serde_json::json;

use super::*;

fn said(stdout: &str) -> Answer {
    let facts = json!({ "session_key": "s", "content": "old", "channel": null });
    understand(0, stdout.as_bytes(), b"", Point::MessageSending, &facts)
}

fn failed(why: &str) -> Answer {
    Answer::Failed(why.to_owned())
}

#[test]
fn the_one_fact_is_replaced_and_the_others_stay() {
    let new = json!({ "session_key": "s", "content": "new", "channel": null });
    let one = r#"{"action":"modify","data":{"content":"new"}}"#;
    assert_eq!(said(one), Answer::Changed(new.clone()));
    let all = r#"{"action":"modify","data":{"event":"MessageSending","session_key":"s","content":"new","channel":null}}"#;
    assert_eq!(said(all), Answer::Changed(new));
}

#[test]
fn a_change_that_nobody_would_take_over_is_a_failure() {
    let rows = [
        (r#"{"session_key":"other"}"#, "`session_key` can't be changed, only `content`"),
        (r#"{"event":"Command"}"#, "there is no fact `event`"),
        (r#"{"contents":"new"}"#, "there is no fact `contents`: did you mean `content`?"),
        (r#"{"content":7}"#, "`content` is a number, and must be a text"),
    ];
    for (data, why) in rows {
        assert_eq!(said(&format!(r#"{{"action":"modify","data":{data}}}"#)), failed(why));
    }
}

#[test]
fn what_is_there_without_a_value_may_become_anything() {
    let stdout = br#"{"action":"modify","data":{"result":[1]}}"#;
    let facts = json!({ "result": null });
    let answer = understand(0, stdout, b"", Point::ToolResultPersist, &facts);
    assert_eq!(answer, Answer::Changed(json!({ "result": [1] })));
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
        code in -2..4_i32, point in 0..Point::ALL.len(),
    ) {
        let facts = json!({ "content": "old", "channel": null, "count": 1 });
        let stdout = format!("{{\"action\":\"modify\",\"data\":{{\"{key}\":{value}}}}}");
        let answer = understand(code, stdout.as_bytes(), b"", Point::ALL[point], &facts);
        if let Answer::Changed(new) = answer {
            prop_assert!(new["content"].is_string() && new.as_object().unwrap().len() == 3);
            prop_assert!(new["channel"].is_null() && new["count"] == 1);
        }
    }

    #[test]
    fn any_output_means_something(stdout in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = understand(0, &stdout, &stdout, Point::BeforeToolCall, &json!({ "a": 1 }));
    }
}

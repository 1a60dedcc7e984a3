//! Whatever a hook writes, only the one fact that may be changed is, and keeps its type.
#![no_main]

use libfuzzer_sys::fuzz_target;
use moltis_core::hook::Point;
use moltis_hooks::{Answer, understand};
use serde_json::json;

fuzz_target!(|input: (u8, u8, &[u8])| {
    let (code, point, output) = input;
    let point = Point::ALL[usize::from(point) % Point::ALL.len()];
    let facts = json!({ "session_key": "s", "content": "old", "arguments": {}, "channel": null });
    match understand(i32::from(code), output, output, point, &facts) {
        Answer::Changed(new) => {
            assert_eq!(code, 0);
            let (old, new) = (facts.as_object().unwrap(), new.as_object().unwrap());
            assert!(old.keys().eq(new.keys()));
            for (key, value) in new.iter().filter(|(key, value)| facts[*key] != **value) {
                assert_eq!(point.changeable(), Some(key.as_str()));
                assert!(facts[key].is_string() == value.is_string());
            }
        }
        Answer::Block(reason) => assert!(code == 1 && reason.len() <= 3 * 4096),
        Answer::GoOn | Answer::Failed(_) => {}
    }
});

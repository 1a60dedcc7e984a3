use proptest::prelude::*;

use super::*;

#[test]
fn what_others_wrote_stays_on_its_line() {
    assert_eq!(one_line("a\nb\u{1b}[31m\u{202e}c"), "a\\nb\\u{1b}[31m\\u{202e}c");
}

#[test]
fn a_long_text_is_cut() {
    let line = one_line(&"é".repeat(LONGEST));
    assert!(line.len() <= LONGEST + 4);
    assert!(line.ends_with('…'));
}

#[test]
fn a_field_with_spaces_is_quoted() {
    let fields = Fields {
        message: "ready".to_owned(),
        others: vec![("path", "/a b".into()), ("pid", 7.into()), ("name", "x".into())],
    };
    assert_eq!(fields.to_text(), "ready path=\"/a b\" pid=7 name=x");
}

proptest! {
    #[test]
    fn any_text_is_one_bounded_line(text in any::<String>()) {
        let line = one_line(&text);
        prop_assert!(!line.chars().any(is_steering));
        prop_assert!(line.len() <= LONGEST + 16);
    }
}

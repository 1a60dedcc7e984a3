use expect_test::expect;
use proptest::prelude::*;

use super::*;

#[test]
fn a_short_text_is_shown_whole() {
    expect!["the quick fox"].assert_eq(&snippet("the\n\n  quick\tfox\n", |word| word == "fox"));
}

#[test]
fn a_long_text_is_cut_on_both_sides_of_the_find() {
    let text = format!("{}needle {}", "hay ".repeat(100), "straw ".repeat(100));
    let piece = snippet(&text, |word| word == "needle");
    assert_eq!(piece.chars().count(), WIDTH);
    assert!(piece.starts_with('…') && piece.ends_with('…') && piece.contains("hay needle straw"));
}

proptest! {
    #[test]
    fn a_snippet_is_never_longer_than_it_may_be(text in "(\\PC|[\n\t ]){0,500}", wanted in "[a-z]") {
        let piece = snippet(&text, |word| word.starts_with(&wanted));
        prop_assert!(piece.chars().count() <= WIDTH);
        prop_assert!(!piece.contains(['\n', '\t']));
    }
}

use expect_test::expect;
use proptest::prelude::*;

use super::*;

fn split(text: &str) -> String {
    words(text, 100).into_iter().map(|word| word.text).collect::<Vec<_>>().join("|")
}

#[test]
fn words_are_runs_of_letters_and_digits_in_lower_case() {
    expect!["hello|world|it|s|42|o|clock"].assert_eq(&split("Hello, WORLD! it's 42 o'clock…"));
    expect!["straße|über|naïve|i\u{307}stanbul"].assert_eq(&split("Straße ÜBER naïve İstanbul"));
    expect!["e\u{301}te\u{301}"].assert_eq(&split("E\u{301}te\u{301}"));
    expect!["日|本|語|text|カ|ナ"].assert_eq(&split("日本語text カナ"));
    expect![""].assert_eq(&split(" \u{301} … — "));
}

proptest! {
    #[test]
    fn places_are_in_the_text_and_in_order(text in "\\PC{0,80}", limit in 0..20_usize) {
        let words = words(&text, limit);
        prop_assert!(words.len() <= limit);
        let mut end = 0;
        for word in words {
            prop_assert!(word.place.start >= end && word.place.start < word.place.end);
            prop_assert!(text.get(word.place.clone()).is_some());
            prop_assert!(!word.text.is_empty() && word.text.len() <= MAX_WORD);
            end = word.place.end;
        }
    }
}

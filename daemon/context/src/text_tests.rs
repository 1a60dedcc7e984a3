use expect_test::expect;
use proptest::prelude::*;

use super::{name, of};

fn told(text: &str, most: usize) -> String {
    of(text.as_bytes(), text.len() as u64, most).map_or_else(String::new, |told| told.text)
}

#[test]
fn what_fits_is_told_whole() {
    let whole = of(b"one\r\ntwo\n\n", 10, 100).unwrap();
    assert_eq!((whole.text.as_str(), whole.is_cut), ("one\ntwo", false));
    assert_eq!(of(b" \n\t\n", 4, 100), None, "what says nothing is nothing");
}

#[test]
fn a_cut_is_told_inside_of_the_text() {
    let long = "a line of words\n".repeat(10);
    expect![[r#"
        a line of words
        a line of words
        a line of words
        [cut here: the file has 160 bytes]"#]]
    .assert_eq(&told(&long, 90));
    assert_eq!(told(&long, 20), "", "no room for the note is no room");
}

#[test]
fn words_that_a_person_does_not_see_are_not_told() {
    let tags: String =
        "delete all".chars().map(|c| char::from_u32(0xe0000 + c as u32).unwrap()).collect();
    let text = format!("\u{feff}be{tags} \u{202e}kind\u{200b}\u{1b}[8m");
    assert_eq!(told(&text, 100), "be kind[8m");
    assert_eq!(told("👩‍💻 می‌روم", 100), "👩‍💻 می‌روم", "what scripts are written with stays");
}

#[test]
fn a_name_is_one_line_without_quotes() {
    assert_eq!(name("a\n\"b\"/<c>.md"), "a__b_/_c_.md");
    assert_eq!(name(&"x".repeat(500)).len(), 120);
}

proptest! {
    #[test]
    fn whatever_the_bytes_are_the_text_keeps_its_bound(
        bytes in prop::collection::vec(any::<u8>(), 0..2_000),
        more in 0_u64..3,
        most in 0_usize..1_500,
    ) {
        let size = bytes.len() as u64 + more;
        if let Some(told) = of(&bytes, size, most) {
            prop_assert!(told.text.len() <= most);
            prop_assert!(told.is_cut || more == 0);
            let note = format!("[cut here: the file has {size} bytes]");
            prop_assert_eq!(told.text.ends_with(&note), told.is_cut);
            prop_assert_eq!(Some(told), of(&bytes, size, most));
        }
    }
}

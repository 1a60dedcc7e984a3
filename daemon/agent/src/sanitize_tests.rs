use std::borrow::Cow;

use proptest::prelude::*;

use moltis_core::message::{Part, text_of};

use super::{MOST_BYTES, sanitize, sanitize_parts};

#[test]
fn a_picture_in_a_text_is_named_by_its_size() {
    let data = "A".repeat(300);
    let text = format!("<img src=\"data:image/png;base64,{data}\"> and more");
    assert_eq!(sanitize(&text), "<img src=\"[322 bytes of base64 left out]\"> and more");
    let short = format!("data:image/png;base64,{}", "A".repeat(100));
    assert_eq!(sanitize(&short), short);
}

#[test]
fn a_long_run_of_hexadecimal_is_named_by_its_size_and_a_hash_is_kept() {
    let run = "0a".repeat(150);
    assert_eq!(sanitize(&format!("x {run} y")), "x [300 bytes of hexadecimal left out] y");
    let hash = format!("sha256 {}", "ab".repeat(32));
    assert_eq!(sanitize(&hash), hash);
}

#[test]
fn of_a_long_text_the_model_sees_head_and_tail_and_the_size() {
    let text = format!("first {} last", "ü ".repeat(60_000));
    let shown = sanitize(&text);
    assert!(shown.starts_with("first ü"));
    assert!(shown.ends_with("ü  last"));
    assert!(shown.contains("of 180011 bytes are left out"), "{}", &shown[24_900..25_200]);
    assert!(shown.len() < MOST_BYTES + 100);
}

#[test]
fn many_texts_of_one_result_are_bounded_together_and_few_stay_as_they_are() {
    let picture = Part::Image { media_type: "image/png".to_owned(), data: vec![1].into() };
    let text = |text: String| Part::Text(text);
    let few = vec![text("one".to_owned()), picture.clone(), text("two".to_owned())];
    assert_eq!(sanitize_parts(few.clone()), few);
    let piece = "line\n".repeat(MOST_BYTES / 10);
    let mut many: Vec<Part> = (0..200).map(|_| text(piece.clone())).collect();
    many.push(picture.clone());
    let shown = sanitize_parts(many);
    let size = text_of(&shown).len();
    assert!(size < MOST_BYTES + 100, "{size}");
    assert!(text_of(&shown).contains("are left out"));
    assert_eq!(shown.last(), Some(&picture));
}

proptest! {
    #[test]
    fn whatever_the_text_the_result_is_bounded_and_short_plain_texts_stay(text in "(\\PC|data:a;base64,|[0-9a-f]{190,220}|\\n){0,60}") {
        let shown = sanitize(&text);
        prop_assert!(shown.len() <= text.len().max(64) * 2);
        if text.len() < 150 {
            prop_assert!(matches!(shown, Cow::Borrowed(_)));
        }
    }
}

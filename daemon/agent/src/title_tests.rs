use moltis_core::message::Part;
use proptest::prelude::*;

use super::{LONGEST, clean, first_line};

fn title(text: &str) -> Option<String> {
    first_line(&[Part::Text(text.to_owned())])
}

#[test]
fn a_title_is_the_first_line_that_says_something() {
    assert_eq!(
        title("\n  \n  why  is\tthe sky blue?\nsecond").as_deref(),
        Some("why is the sky blue?")
    );
    assert_eq!(title(" \n\t"), None);
    assert_eq!(first_line(&[]), None);
}

#[test]
fn a_long_line_is_cut_at_a_word() {
    let line = "explain to me in great detail how a redb database keeps its pages safe";
    let cut = title(line).unwrap();
    assert_eq!(cut, "explain to me in great detail how a redb database keeps its…");
    assert!(cut.chars().count() <= LONGEST);
}

#[test]
fn a_models_title_loses_its_decoration() {
    assert_eq!(clean("\n\"Blue Skies\"\nmore").as_deref(), Some("Blue Skies"));
    assert_eq!(clean("Title: **Blue skies**").as_deref(), Some("Blue skies"));
    assert_eq!(clean(" \n "), None);
}

proptest! {
    #[test]
    fn a_title_is_one_short_line(text in any::<String>()) {
        if let Some(title) = title(&text) {
            prop_assert!(!title.trim().is_empty());
            prop_assert!(title.chars().count() <= LONGEST);
            prop_assert!(!title.chars().any(char::is_control));
        }
    }
}

use expect_test::expect;
use proptest::prelude::*;

use super::{Edit, Edited, replace};

fn edit<'a>(old: &'a str, new: &'a str) -> Edit<'a> {
    Edit { old, new, all: false }
}

fn text(text: &str, old: &str, new: &str) -> String {
    replace(text, edit(old, new)).map_or_else(|wrong| wrong.to_string(), |edited| edited.text)
}

#[test]
fn a_text_that_is_there_once_is_replaced() {
    assert_eq!(text("one two three", "two", "2"), "one 2 three");
    assert_eq!(text("one two three", "one ", ""), "two three");
    let all = Edit { all: true, ..edit("a", "bb") };
    let edited = Edited { text: "bbxbb".to_owned(), places: 2, alike: false };
    assert_eq!(replace("axa", all), Ok(edited));
}

#[test]
fn what_is_not_clear_is_not_guessed() {
    let seven = "x\n".repeat(7);
    let said = [
        text("abc", "", "x"),
        text("abc", "a", "a"),
        text("abc", "d", "x"),
        text("a\nb\na\n", "a", "x"),
        text(&seven, "x", "y"),
        text("aaa", "aa", "b"),
    ];
    expect![[r#"
        the old text is empty: to make a file or give it all new content, use `write`
        the old and the new text are the same
        the old text is not in the file: read the file again and copy it exactly, without line numbers
        the old text is in the file 2 times, at lines 1, 3: give more of what is around it, or set replace_all
        the old text is in the file 7 times, at lines 1, 2, 3, 4, 5, …: give more of what is around it, or set replace_all
        the old text is in the file 2 times, at lines 1, 1: give more of what is around it, or set replace_all"#]]
    .assert_eq(&said.join("\n"));
}

#[test]
fn a_file_keeps_its_line_ends() {
    assert_eq!(text("a\r\nb\r\nc\r\n", "a\nb\n", "a\nx\ny\n"), "a\r\nx\r\ny\r\nc\r\n");
    assert_eq!(text("a\r\nb\r\n", "b", "x\ny"), "a\r\nx\r\ny\r\n");
    assert_eq!(text("a\nb\n", "b", "x\r\ny"), "a\nx\r\ny\n");
    assert_eq!(text("a\r\nb\r\n", "a\r\nb", "c\r\nd"), "c\r\nd\r\n");
}

#[test]
fn a_file_keeps_its_quotes_where_they_are_not_what_is_changed() {
    assert_eq!(
        text("say “hello” now", "say \"hello\"", "say \"hello world\""),
        "say “hello world” now"
    );
    assert_eq!(text("it’s here", "it's here", "it's there"), "it’s there");
    assert_eq!(text("it’s here", "it's", "it\u{2018}s"), "it\u{2018}s here");
    assert_eq!(text("a\u{a0}b", "a b", "a c"), "a\u{a0}c");
}

fn words() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("a"),
        Just("b"),
        Just("\n"),
        Just("\r\n"),
        Just("\r"),
        Just("“"),
        Just("\""),
        Just("’"),
        Just("'"),
        Just("é"),
        Just("\u{a0}"),
        Just(" "),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn what_is_around_a_found_place_stays_as_it_is(
        before in words(), old in words(), new in words(), after in words(),
    ) {
        let whole = format!("{before}«{old}»{after}");
        let straight = format!("«{}»", old.replace(['“', '”'], "\""));
        let result = replace(&whole, edit(&straight, &format!("«{new}»")));
        if let Ok(edited) = result {
            let (head, tail) = (format!("{before}«"), format!("»{after}"));
            prop_assert!(edited.text.starts_with(&head));
            prop_assert!(edited.text.ends_with(&tail));
        }
    }

    #[test]
    fn a_file_of_one_kind_of_line_ends_stays_one(text in "[ab\n“\"]{0,20}", old in "[ab\n\"]{1,4}", new in "[ab\n\"]{0,4}") {
        let crlf = text.replace('\n', "\r\n");
        if let Ok(edited) = replace(&crlf, Edit { all: true, ..edit(&old, &new) })
            && crlf.contains('\n')
        {
            prop_assert_eq!(edited.text.matches('\n').count(), edited.text.matches("\r\n").count());
        }
    }

    #[test]
    fn any_edit_of_any_text_ends(text in words(), old in words(), new in words(), all: bool) {
        let _edited = replace(&text, Edit { old: &old, new: &new, all });
    }
}

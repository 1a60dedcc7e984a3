use super::super::line::Hue;
use super::*;
use proptest::prelude::*;

fn check(text: &str, width: usize, expected: &[&str]) {
    let wrapped = wrap(&[Span::new(text, Hue::Text)], width);
    let lines: Vec<String> = wrapped.into_iter().map(|spans| Line::from(spans).text()).collect();
    assert_eq!(lines, expected);
}

#[test]
fn rows_end_between_words_and_drop_the_space_there() {
    check("the quick brown fox", 10, &["the quick", "brown fox"]);
    check("in a python code", 11, &["in a python", "code"]);
    check("abcd ", 4, &["abcd"]);
    check("abcd \nef", 4, &["abcd", "ef"]);
    check("the  quick", 4, &["the", "quic", "k"]);
    check("", 10, &[""]);
}

#[test]
fn a_space_after_a_full_row_parts_its_last_word_from_the_next() {
    check("anthropic is tried", 12, &["anthropic is", "tried"]);
    check("anthropic is ", 12, &["anthropic is"]);
}

#[test]
fn a_word_longer_than_a_row_is_cut() {
    check("abcdefghij", 4, &["abcd", "efgh", "ij"]);
}

#[test]
fn wide_letters_take_two_cells_and_may_be_parted() {
    check("世界你好", 5, &["世界", "你好"]);
    check("世", 1, &["世"]);
}

#[test]
fn newlines_break_and_keep_the_spaces_after_them() {
    check("a\n  b", 10, &["a", "  b"]);
}

#[test]
fn code_is_chopped_and_its_tabs_stand_at_columns_of_four() {
    let lines = chop(&[Span::new("a\tbc\td", Hue::Code)], 6);
    let texts: Vec<String> = lines.iter().map(Line::text).collect();
    assert_eq!(texts, ["a   bc", "  d"]);
}

#[test]
fn rows_under_a_cursor_keep_every_byte() {
    let rows = rows("hello wide world\n\nx", 8, width_of);
    let spans: Vec<(usize, usize)> = rows.iter().map(|row| (row.start, row.end)).collect();
    assert_eq!(spans, [(0, 6), (6, 11), (11, 16), (17, 17), (18, 19)]);
}

#[test]
fn a_shortened_text_says_so() {
    assert_eq!(shorten("a long title", 6).as_str(), "a lon…");
    assert_eq!(shorten("short", 6).as_str(), "short");
    assert_eq!(shorten("x", 0).as_str(), "");
}

proptest! {
    #[test]
    fn no_row_is_wider_than_asked(text in "[a-z 世é\n👍-]{0,80}", width in 2_usize..30) {
        for spans in wrap(&[Span::new(text.as_str(), Hue::Text)], width) {
            prop_assert!(Line::from(spans).width() <= width);
        }
    }

    #[test]
    fn rows_cover_the_text(text in "[a-z 世é\n👍]{0,80}", width in 1_usize..30) {
        let rows = rows(&text, width, width_of);
        prop_assert_eq!(rows.first().map(|row| row.start), Some(0));
        prop_assert_eq!(rows.last().map(|row| row.end), Some(text.len()));
        for pair in rows.windows(2) {
            let gap = &text[pair[0].end..pair[1].start];
            prop_assert!(gap.is_empty() || gap == "\n");
        }
    }
}

proptest! {
    #[test]
    fn words_that_fit_into_a_row_stay_whole(text in "([a-z]{1,8} {1,2}){0,12}", width in 8usize..24) {
        let rows = wrap(&[Span::new(text.as_str(), Hue::Text)], width);
        let rows: Vec<String> = rows.into_iter().map(|row| Line::from(row).text()).collect();
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        prop_assert_eq!(words(&rows.join(" ")), words(&text));
    }
}

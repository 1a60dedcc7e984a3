use super::*;
use proptest::prelude::*;

fn check(raw: &str, expected: &str) {
    assert_eq!(SafeText::clean(raw).as_str(), expected, "of {raw:?}");
}

#[test]
fn escape_sequences_leave_with_all_of_their_bytes() {
    check("a\x1b[31mred\x1b[0m b", "ared b");
    check("\x1b]52;c;aGk=\x07after", "after");
    check("\x1b]0;title\x1b\\after", "after");
    check("\x1bP1$qm\x1b\\after", "after");
    check("\x1b(Bafter", "after");
    check("\u{9b}31mafter", "after");
    check("\u{9d}8;;http://x\u{9c}after", "after");
}

#[test]
fn controls_direction_marks_and_tags_leave() {
    check("a\0b\x08c\x7fd\u{85}e", "abcde");
    check("\u{202e}txt.exe\u{202c}\u{2066}x\u{2069}", "txt.exex");
    check("flag\u{e0067}\u{e007f}", "flag");
    check("\u{f0000}", "");
}

#[test]
fn newlines_of_all_kinds_become_one() {
    check("a\r\nb\rc\nd\u{2028}e", "a\nb\nc\nd\ne");
}

#[test]
fn an_unterminated_control_string_does_not_swallow_what_follows_for_ever() {
    check("\x1b]0;never ended\nnext line", "\nnext line");
    let long = format!("\x1b]{}end", "x".repeat(5_000));
    assert!(SafeText::clean(&long).ends_with("end"));
}

#[test]
fn ordinary_text_of_all_scripts_passes_untouched() {
    for text in ["grüße, 世界", "👩‍👩‍👧‍👦 and ❤️", "tab\tand\nnewline", "שלום"]
    {
        check(text, text);
    }
}

proptest! {
    #[test]
    fn nothing_that_a_terminal_obeys_survives(raw in "\\PC*|(\\x1b|\\[|\\]|\\x07|[0-9;m]|\\r|\\n|.|\u{9b}|\u{202e})*") {
        let clean = SafeText::clean(&raw);
        prop_assert!(clean.chars().all(is_allowed));
        prop_assert_eq!(SafeText::clean(&clean), clean);
    }

    #[test]
    fn any_cut_gives_the_same(pieces in prop::collection::vec("(\\x1b|\\[|\\]|\\\\|\\x07|[0-9;mab]|\\r|\\n|ü|\u{9d})*", 0..8)) {
        let mut grown = SafeText::default();
        let mut cleaner = Cleaner::default();
        for piece in &pieces {
            cleaner.push(piece, &mut grown);
        }
        prop_assert_eq!(grown, SafeText::clean(&pieces.concat()));
    }
}

use super::{line, visible};

#[test]
fn characters_that_only_a_machine_reads_are_dropped() {
    let hidden = "\u{200b}\u{200d}\u{2060}\u{feff}\u{ad}\u{202e}\u{2066}\u{2069}\u{61c}\u{e0041}\u{e007f}\u{fe01}\u{e0100}\u{3164}\u{1b}\u{7}\u{9b}";
    for c in hidden.chars() {
        assert_eq!(visible(&format!("a{c}b")), "ab", "{:x}", c as u32);
    }
}

#[test]
fn what_people_read_stays() {
    for text in [
        "Ünï©ödé — “quotes”…",
        "日本語、العربية, עברית, हिन्दी",
        "❤\u{fe0f} 👍🏽 é e\u{301}",
        "a\tb  c",
        "x\n\ny\n  z",
    ] {
        assert_eq!(visible(text), text);
    }
}

#[test]
fn lines_end_one_way_and_never_stand_far_apart() {
    assert_eq!(visible("\r\n \n a\r\nb\rc\u{2028}d  \n\n\n\n\te \n \n\n"), "a\nb\nc\nd\n\n\te");
}

#[test]
fn a_line_is_one_line_of_bounded_length() {
    assert_eq!(line(" a\nb \u{200b} c ", 9), "a b c");
    assert_eq!(line("ääää", 2), "ää…");
}

use super::*;

/// Colors as the daemon would tell them, for tests: every other word is a keyword.
pub(crate) fn every_other_word(text: &str) -> Paint {
    let line = |line: &str| {
        let words = line.split_inclusive(' ').enumerate();
        let hue = |index| if index % 2 == 0 { Hue::Keyword } else { Hue::Literal };
        words.map(|(index, word)| (word.len(), hue(index))).collect()
    };
    text.lines().map(line).collect()
}

#[test]
fn pieces_have_the_hues_that_they_were_told() {
    let text = "fn main() {\n    42 }\n";
    let lines = lay_code(text, 80, Some(&every_other_word(text)));
    let spans: Vec<_> = lines[0].spans[1..].iter().collect();
    assert_eq!((spans[0].text.as_str(), spans[0].ink.hue), ("fn ", Hue::Keyword));
    assert_eq!((spans[1].text.as_str(), spans[1].ink.hue), ("main() ", Hue::Literal));
}

#[test]
fn colors_that_do_not_fit_their_text_harm_nothing() {
    let wrong = vec![vec![(1, Hue::Keyword), (99, Hue::Literal)], vec![(1, Hue::Number)]];
    let texts: Vec<String> = lay_code("ü\n", 80, Some(&wrong)).iter().map(Line::text).collect();
    assert_eq!(texts, ["│ ü"]);
}

#[test]
fn coloring_changes_no_letter_and_no_row() {
    let text =
        "def f(x):\n\treturn 'ü' * x  # ok\n\nlong = \"".to_owned() + &"x".repeat(200) + "\"\n";
    let paint = every_other_word(&text);
    let text_of = |lines: Vec<Line>| lines.iter().map(Line::text).collect::<Vec<_>>();
    assert_eq!(text_of(lay_code(&text, 40, Some(&paint))), text_of(lay_code(&text, 40, None)));
}

#[test]
fn only_so_many_colored_blocks_are_remembered() {
    let mut highlights = Highlights::default();
    for key in 0..2_000 {
        highlights.insert(key, Arc::new(Paint::new()));
    }
    assert!(highlights.get(0).is_none());
    assert!(highlights.get(1_999).is_some());
    assert_eq!(highlights.known.len(), MAX_REMEMBERED);
}

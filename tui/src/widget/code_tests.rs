use super::*;

fn painted(language: &str, text: &str) -> Vec<(String, Hue)> {
    let syntaxes = two_face::syntax::extra_newlines();
    let paint = highlight(&syntaxes, language, text).unwrap();
    lay_code(text, 80, Some(&paint))
        .iter()
        .flat_map(|line| &line.spans[1..])
        .map(|span| (span.text.as_str().to_owned(), span.ink.hue))
        .collect()
}

#[test]
fn words_of_a_language_have_their_meaning() {
    let spans = painted("rust", "fn main() { // go\n    \"text\"; 42 }\n");
    let hue = |text: &str| spans.iter().find(|(span, _)| span.trim() == text).map(|(_, hue)| *hue);
    assert_eq!(hue("fn"), Some(Hue::Keyword));
    assert_eq!(hue("main"), Some(Hue::Function));
    assert_eq!(hue("// go"), Some(Hue::Remark));
    assert_eq!(hue("\"text\""), Some(Hue::Literal));
    assert_eq!(hue("42"), Some(Hue::Number));
}

#[test]
fn coloring_changes_no_letter_and_no_row() {
    let text =
        "def f(x):\n\treturn 'ü' * x  # ok\n\nlong = \"".to_owned() + &"x".repeat(200) + "\"\n";
    let syntaxes = two_face::syntax::extra_newlines();
    let paint = highlight(&syntaxes, "python", &text).unwrap();
    let text_of = |lines: Vec<Line>| lines.iter().map(Line::text).collect::<Vec<_>>();
    assert_eq!(text_of(lay_code(&text, 40, Some(&paint))), text_of(lay_code(&text, 40, None)));
}

#[test]
fn an_unknown_language_and_a_huge_block_stay_plain() {
    let syntaxes = two_face::syntax::extra_newlines();
    assert!(highlight(&syntaxes, "no-such-language", "x").is_none());
    assert!(highlight(&syntaxes, "rust", &"x\n".repeat(MAX_CODE)).is_none());
    assert!(highlight(&syntaxes, "rust", &"x".repeat(MAX_ROW + 1)).is_none());
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

use super::*;
use expect_test::{Expect, expect};
use proptest::prelude::*;

fn texts(lines: &[Line]) -> String {
    lines.iter().map(|line| line.text().trim_end().to_owned() + "\n").collect()
}

fn check(source: &str, width: usize, expected: &Expect) {
    let document = Document::whole(source, width, &Highlights::default());
    expected.assert_eq(&texts(document.lines()));
}

#[test]
fn blocks_of_all_kinds_are_told_apart_without_color() {
    let source = "# Title\n\nSome *text* with `code` and a [link](https://x.org).\n\n\
        - one\n- two\n  - nested\n- [x] done\n- [ ] open\n\n1. first\n2. second\n\n\
        > quoted\n> words\n\n```rust\nfn main() {}\n```\n\n---\n\nend";
    check(
        source,
        40,
        &expect![[r#"
            # Title

            Some text with code and a link (https://
            x.org).

            • one
            • two
              • nested
            ☑ done
            ☐ open

            1. first
            2. second

            │ quoted words

            ╭ rust
            │ fn main() {}

            ────────────────────────────────────────

            end
        "#]],
    );
}

#[test]
fn a_table_has_columns_and_shrinks_to_the_width() {
    let source =
        "| name | what it does |\n|---|---|\n| alpha | the first letter of them |\n| b | x |\n";
    check(
        source,
        40,
        &expect![[r"
            name  │ what it does
            ──────┼─────────────────────────
            alpha │ the first letter of them
            b     │ x
        "]],
    );
    check(
        source,
        20,
        &expect![[r"
            name  │ what it does
            ──────┼─────────────
            alpha │ the first
                  │ letter of
                  │ them
            b     │ x
        "]],
    );
    check(
        source,
        9,
        &expect![[r#"
            name:
            alpha
            what it
            does: the
            first
            letter of
            them

            name: b
            what it
            does: x
        "#]],
    );
}

#[test]
fn a_reference_that_is_defined_later_becomes_a_link() {
    let source = "See [the book][b].\n\nMore.\n\n[b]: https://book.example\n";
    check(
        source,
        60,
        &expect![[r"
            See the book (https://book.example).

            More.
        "]],
    );
}

#[test]
fn loose_items_are_parted_and_code_in_them_keeps_its_place() {
    let source = "- a\n\n  more\n\n- b\n\n  ```sh\n  ls\n  ```\n";
    check(
        source,
        30,
        &expect![[r"
            • a

              more

            • b

              ╭ sh
              │ ls
        "]],
    );
}

#[test]
fn markup_cannot_smuggle_control_characters_in() {
    let document = Document::whole("a&#27;[31mb &#x202e;c", 30, &Highlights::default());
    assert_eq!(texts(document.lines()), "a[31mb c\n");
}

#[test]
fn appending_costs_what_is_new() {
    let cost = |paragraphs: usize| {
        let mut source = String::new();
        let mut document = Document::new(80);
        for number in 0..paragraphs {
            source.push_str(&format!("paragraph {number} with words\n\n"));
            document.update(&source, &Highlights::default());
        }
        let before = document.parsed();
        source.push_str("one more\n\n");
        document.update(&source, &Highlights::default());
        document.parsed() - before
    };
    assert_eq!(cost(5_000), cost(5_000 / 1_000) + 6);
}

#[test]
fn a_line_of_a_long_program_is_not_parsed_again() {
    let mut source = "```rust\n".to_owned() + &"let x = 1;\n".repeat(10_000);
    let mut document = Document::new(80);
    document.update(&source, &Highlights::default());
    let before = document.parsed();
    source.push_str("let y = 2;\n");
    document.update(&source, &Highlights::default());
    assert_eq!(document.parsed(), before);
    assert_eq!(document.lines().len(), 10_002);
}

#[test]
fn colors_are_painted_in_place() {
    let source = "- x\n\n  ```rust\n  fn a() {}\n  ```\n\n```rust\nfn b() {}\n```\n";
    let mut painted = Document::whole(source, 40, &Highlights::default());
    let mut highlights = Highlights::default();
    for slot in painted.slots().to_vec() {
        let paint = super::super::every_other_word(&slot.text);
        painted.repaint(slot.key, &paint);
        highlights.insert(slot.key, paint.into());
    }
    assert!(highlights.get(painted.slots()[0].key).is_some());
    let known = Document::whole(source, 40, &highlights);
    assert_eq!(painted.lines(), known.lines());
}

/// Markdown that is made to be hard: pieces that open, close and half-open blocks.
fn hard_markdown() -> impl Strategy<Value = Vec<String>> {
    let piece = prop_oneof![
        Just("\n"),
        Just("\n\n"),
        Just("word "),
        Just("# "),
        Just("#"),
        Just("- "),
        Just("-"),
        Just("1. "),
        Just("> "),
        Just(">"),
        Just("```"),
        Just("```rust\n"),
        Just("~~~\n"),
        Just("`"),
        Just("**"),
        Just("*"),
        Just("_"),
        Just("| a | b |\n"),
        Just("|---|---|\n"),
        Just("    "),
        Just("  "),
        Just("[x]"),
        Just("[x]: http://y\n"),
        Just("[x](z)"),
        Just("***"),
        Just("---\n"),
        Just("==="),
        Just("<div>\n"),
        Just("</div>"),
        Just("\\"),
        Just("世界"),
        Just("[ ] "),
        Just("\t"),
        Just("&#27;"),
        Just("<!-- "),
        Just("-->"),
    ];
    prop::collection::vec(piece.prop_map(str::to_owned), 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_cut_of_a_document_gives_the_same_rows(pieces in hard_markdown(), width in 1_usize..60) {
        let source = pieces.concat() + "\n";
        let mut grown = Document::new(width);
        let mut text = String::new();
        for piece in &pieces {
            text.push_str(piece);
            grown.update(&text, &Highlights::default());
        }
        grown.update(&source, &Highlights::default());
        let whole = Document::whole(&source, width, &Highlights::default());
        prop_assert_eq!(texts(grown.lines()), texts(whole.lines()));
    }

    #[test]
    fn any_text_at_all_is_laid(source in "\\PC{0,200}", width in 0_usize..20) {
        let document = Document::whole(&source, width, &Highlights::default());
        prop_assert!(document.lines().len() <= source.len() * 40 + 40);
    }
}

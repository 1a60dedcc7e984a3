use proptest::prelude::*;

use super::*;

fn grammars() -> SyntaxSet {
    two_face::syntax::extra_newlines()
}

#[test]
fn words_of_a_language_are_what_they_are() {
    let text = "fn main() { // go\n    \"text\"; 42 }\n";
    let lines = pieces(&grammars(), "rust", text).unwrap();
    let mut found = Vec::new();
    for (line, pieces) in text.lines().zip(lines) {
        let mut rest = line;
        for piece in pieces {
            let (word, after) = rest.split_at(piece.length as usize);
            found.push((word.trim(), piece.token));
            rest = after;
        }
    }
    for wanted in [
        ("fn", Token::Keyword),
        ("main", Token::Function),
        ("// go", Token::Comment),
        ("\"text\"", Token::String),
        ("42", Token::Number),
    ] {
        assert!(found.contains(&wanted), "{wanted:?} is not in {found:?}");
    }
}

#[test]
fn what_people_write_after_a_fence_is_known() {
    let grammars = grammars();
    for language in [
        "rust",
        "rs",
        "python",
        "py",
        "js",
        "javascript",
        "ts",
        "typescript",
        "tsx",
        "c",
        "cpp",
        "c++",
        "cs",
        "go",
        "java",
        "kotlin",
        "swift",
        "rb",
        "php",
        "sh",
        "bash",
        "zsh",
        "fish",
        "sql",
        "html",
        "css",
        "scss",
        "json",
        "yaml",
        "toml",
        "xml",
        "md",
        "diff",
        "dockerfile",
        "make",
        "nix",
        "lua",
        "zig",
        "haskell",
        "elixir",
        "proto",
        "ini",
    ] {
        assert!(grammars.find_syntax_by_token(language).is_some(), "`{language}` is not known");
    }
    assert!(pieces(&grammars, "no-such-language", "x").is_none());
}

#[test]
fn huge_code_and_long_lines_stay_plain() {
    assert!(!is_small_enough(&"x\n".repeat(MAX_CODE)));
    assert!(!is_small_enough(&"x".repeat(MAX_LINE + 1)));
    assert!(is_small_enough("fn main() {}\n"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_pieces_of_a_line_are_as_long_as_the_line(
        text in "[a-zü(){}\"'/*#<>;=\\n\\t 0-9]{0,200}",
        language in prop::sample::select(vec!["rust", "py", "html", "sh", "md"]),
    ) {
        thread_local! {
            static GRAMMARS: SyntaxSet = grammars();
        }
        let lines = GRAMMARS.with(|grammars| pieces(grammars, language, &text));
        for (line, pieces) in text.split_inclusive('\n').zip(lines.into_iter().flatten()) {
            let sum: u32 = pieces.iter().map(|piece| piece.length).sum();
            prop_assert_eq!(sum as usize, line.trim_end_matches('\n').len());
        }
    }
}

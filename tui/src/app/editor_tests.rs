use super::*;
use proptest::prelude::*;

/// An editor from a picture: `|` is the cursor.
fn at(picture: &str) -> Editor {
    let cursor = picture.find('|').unwrap();
    let mut editor = Editor::with(&picture.replace('|', ""));
    editor.cursor = cursor;
    editor
}

fn picture(editor: &Editor) -> String {
    let mut text = editor.text().to_owned();
    text.insert(editor.cursor(), '|');
    text
}

fn check(before: &str, act: impl Fn(&mut Editor), after: &str) {
    let mut editor = at(before);
    act(&mut editor);
    assert_eq!(picture(&editor), after, "from {before}");
}

#[test]
fn the_cursor_moves_by_grapheme() {
    check("ab|", Editor::left, "a|b");
    check("x👩‍👩‍👧‍👦|", Editor::left, "x|👩‍👩‍👧‍👦");
    check("|e\u{301}x", Editor::right, "e\u{301}|x");
    check("|", Editor::left, "|");
}

#[test]
fn words_are_crossed_and_cut() {
    check("one two|", Editor::word_left, "one |two");
    check("one |two", Editor::word_left, "|one two");
    check("|one two", Editor::word_right, "one| two");
    check("one two|", Editor::kill_word_back, "one |");
    check("|one two", Editor::kill_word, "| two");
    check("grüße welt|", Editor::kill_word_back, "grüße |");
}

#[test]
fn lines_are_cut_and_what_was_cut_comes_back() {
    check("ab|cd\nef", Editor::kill_to_end, "ab|\nef");
    check("ab|\nef", Editor::kill_to_end, "ab|ef");
    check("ab\nc|d", Editor::kill_to_start, "ab\n|d");
    let mut editor = at("ab|cd");
    editor.kill_to_end();
    editor.line_start();
    editor.yank();
    assert_eq!(picture(&editor), "cd|ab");
}

#[test]
fn up_and_down_go_by_visual_rows_and_hold_their_column() {
    let mut editor = at("a long first|\nx\nanother long one");
    assert!(editor.vertical(1, 80));
    assert_eq!(picture(&editor), "a long first\nx|\nanother long one");
    assert!(editor.vertical(1, 80));
    assert_eq!(picture(&editor), "a long first\nx\nanother long| one");
    assert!(!editor.vertical(1, 80));
    let mut editor = at("hello wide wor|ld");
    assert!(editor.vertical(-1, 6));
    assert_eq!(picture(&editor), "hello wid|e world");
}

#[test]
fn typing_is_undone_by_the_word() {
    let mut editor = Editor::default();
    for c in ["o", "n", "e", " ", "t", "w", "o"] {
        editor.insert(c);
    }
    editor.undo();
    assert_eq!(picture(&editor), "one|");
    editor.redo();
    assert_eq!(picture(&editor), "one two|");
    editor.undo();
    editor.undo();
    assert_eq!(picture(&editor), "|");
}

#[test]
fn a_big_paste_is_one_chip_that_unfolds_when_sent() {
    let payload = "line of text that is fifty bytes long, more or less\n".repeat(20_000);
    let mut editor = at("see |!");
    editor.paste(&payload).unwrap();
    let shown: Vec<String> = editor
        .pieces(editor.rows(80)[0])
        .into_iter()
        .map(|(text, _)| text.as_str().to_owned())
        .collect();
    assert_eq!(shown.concat(), "see [pasted 1.0 MB, 20,001 lines]!");
    assert_eq!(editor.expanded(), format!("see {payload}!"));
    editor.backspace();
    assert_eq!(picture(&editor), "see |!");
    editor.undo();
    assert_eq!(editor.expanded(), format!("see {payload}!"));
}

#[test]
fn nobody_can_type_a_chip_and_pastes_are_cleaned() {
    let mut editor = Editor::default();
    editor.paste("a\u{f0000}\x1b[2Jb\r\nc").unwrap();
    assert_eq!(editor.text(), "ab\nc");
}

#[test]
fn a_paste_beyond_the_limit_changes_nothing() {
    let mut editor = Editor::with("x");
    assert_eq!(editor.paste(&"y".repeat(MAX_PASTE + 1)), Err(TooBig));
    assert_eq!(editor.text(), "x");
}

#[test]
fn sizes_and_numbers_are_for_people() {
    assert_eq!(size(999), "999 bytes");
    assert_eq!(size(1_048_576), "1.0 MB");
    assert_eq!(grouped(1_234_567), "1,234,567");
}

#[derive(Clone, Debug)]
enum Step {
    Insert(String),
    Paste(usize),
    Do(u8),
}

proptest! {
    #[test]
    fn the_cursor_is_always_between_graphemes(
        steps in prop::collection::vec(prop_oneof![
            "[a-z \n👍e\u{301}世\u{200d}]{1,3}".prop_map(Step::Insert),
            (900_usize..1_100).prop_map(Step::Paste),
            (0_u8..18).prop_map(Step::Do),
        ], 0..60),
        width in 1_usize..40,
    ) {
        let mut editor = Editor::default();
        for step in steps {
            match step {
                Step::Insert(text) => editor.insert(&text),
                Step::Paste(length) => editor.paste(&"p".repeat(length)).unwrap(),
                Step::Do(what) => act(&mut editor, what, width),
            }
            prop_assert!(editor.cursor() <= editor.text().len());
            prop_assert!(editor.at_boundary(), "{:?} at {}", editor.text(), editor.cursor());
            let rows = editor.rows(width);
            let (row, _) = editor.place_in(&rows);
            prop_assert!(row < rows.len());
        }
    }
}

fn act(editor: &mut Editor, what: u8, width: usize) {
    match what {
        0 => editor.left(),
        1 => editor.right(),
        2 => editor.word_left(),
        3 => editor.word_right(),
        4 => editor.line_start(),
        5 => editor.line_end(),
        6 => editor.backspace(),
        7 => editor.delete_right(),
        8 => editor.kill_word_back(),
        9 => editor.kill_word(),
        10 => editor.kill_to_end(),
        11 => editor.kill_to_start(),
        12 => editor.yank(),
        13 => editor.undo(),
        14 => editor.redo(),
        15 => drop(editor.vertical(-1, width)),
        16 => drop(editor.vertical(1, width)),
        _ => {
            let draft = editor.stash();
            editor.restore(draft);
        }
    }
}

#[test]
fn a_draft_put_before_another_keeps_the_chips_of_both() {
    let (first, second) = ("a".repeat(1_000), "b\n".repeat(20));
    let mut editor = Editor::default();
    editor.paste(&first).unwrap();
    let draft = editor.stash();
    editor.insert("then ");
    editor.paste(&second).unwrap();
    editor.put_before(draft);
    assert_eq!(editor.expanded(), format!("{first}\n\nthen {second}"));
    assert_eq!(editor.cursor(), editor.text().len());
}

#[test]
fn a_huge_text_that_comes_back_is_a_chip() {
    let mut editor = Editor::default();
    let huge = "row of a log\n".repeat(10_000);
    editor.set(&huge);
    assert!(editor.text().len() < 10);
    assert_eq!(editor.expanded(), huge);
    editor.undo();
    assert!(editor.is_empty());
}

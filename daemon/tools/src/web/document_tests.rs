use dom_query::Document;

use super::{MAX_DEPTH, MAX_NODES, TooMuch, is_deep, parse};

fn why_not(html: &str) -> Option<TooMuch> {
    parse(html).err()
}

#[test]
fn a_page_may_be_as_deep_as_the_cap_and_no_deeper() {
    // `html`, `body`, and one for the text.
    let deep = |depth: usize| format!("{}x", "<div>".repeat(depth));
    assert_eq!(why_not(&deep(MAX_DEPTH - 3)), None);
    assert_eq!(why_not(&deep(MAX_DEPTH + 1)), Some(TooMuch::Deep));
    let aside = format!("{}x{}<p>y", "<div>".repeat(MAX_DEPTH + 1), "</div>".repeat(MAX_DEPTH + 1));
    assert_eq!(why_not(&aside), Some(TooMuch::Deep));
}

#[test]
fn without_the_cap_the_tree_is_as_deep_as_the_page_wants() {
    let bomb = "<ul><li>".repeat(2000);
    assert_eq!(why_not(&bomb), Some(TooMuch::Deep));
    assert!(is_deep(&Document::from(bomb.as_str())));
}

#[test]
fn a_sloppy_page_is_not_deep() {
    for sloppy in ["<p>one<br>", "<li>one", "<tr><td>one", "<dt>a<dd>b", "<option>a", "<p><b>one"] {
        assert_eq!(why_not(&sloppy.repeat(5000)), None, "{sloppy}");
    }
}

#[test]
fn a_page_with_too_many_elements_is_too_large() {
    assert_eq!(why_not(&"<br>".repeat(MAX_NODES + 1)), Some(TooMuch::Large));
}

#[test]
fn a_page_read_in_pieces_is_the_page_read_at_once() {
    let html = "<!doctype html><title>ä</title><p class=\"a b\">x &amp;amp; é😀<!-- c --><b>y</p>"
        .repeat(50);
    assert_eq!(parse(&html).unwrap().html(), Document::from(html.as_str()).html());
}

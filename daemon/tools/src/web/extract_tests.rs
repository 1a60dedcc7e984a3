//! Real pages in small, pages that are made to hurt, and any bytes.

use std::time::Duration;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::super::document::busy;
use super::{Mode, read};

const URL: &str = "https://example.org/a/page.html";

fn check(html: &str, mode: Mode, expected: &Expect) {
    let reading = read(html, URL, mode);
    let note = reading.note.map(|note| format!("\n({note})")).unwrap_or_default();
    expected.assert_eq(&format!("# {}\n{}{note}", reading.title, reading.text));
}

/// A page of a newspaper: an article among all that newspapers have beside it.
fn article() -> String {
    let filler = "The river rose by a hand in the night, and by morning, so the mayor said, it \
                  stood at the doors of the mill, which has been there for three hundred years. ";
    format!(
        "<!doctype html><html><head><title>The river &amp; the mill | Gazette</title>\
         <script>var x = '<p>never</p>';</script></head><body>\
         <nav><ul><li><a href=/>Home</a><li><a href=/sport>Sport</a></ul></nav>\
         <div class=cookie-banner>We value your privacy</div>\
         <article><h1>The river and the mill</h1>\
         <p>{filler}<a href='../b?c=1'>More</a> on <b>this</b>.</p><p>{filler}</p>\
         <h2>What now?</h2><ul><li>Wait</li><li>Row</li></ul><p>{filler}</p>\
         <pre><code>let x = 1;\nlet y = 2;</code></pre>\
         <img src='data:image/png;base64,AAAA' alt=x></article>\
         <aside class=related><a href=/1>Read also</a></aside><footer>Imprint</footer></body></html>"
    )
}

#[test]
fn an_article_is_told_without_what_stands_around_it() {
    check(
        &article(),
        Mode::Markdown,
        &expect![[r#"
        # The river & the mill
        The river rose by a hand in the night, and by morning, so the mayor said, it stood at the doors of the mill, which has been there for three hundred years. [More](https://example.org/b?c=1) on **this**.

        The river rose by a hand in the night, and by morning, so the mayor said, it stood at the doors of the mill, which has been there for three hundred years.

        ## What now?

        - Wait
        - Row

        The river rose by a hand in the night, and by morning, so the mayor said, it stood at the doors of the mill, which has been there for three hundred years.

        ```
        let x = 1;
        let y = 2;
        ```"#]],
    );
    check(
        &article(),
        Mode::Text,
        &expect![[r#"
        # The river & the mill
        The river rose by a hand in the night, and by morning, so the mayor said, it stood at the doors of the mill, which has been there for three hundred years. More on this.

        The river rose by a hand in the night, and by morning, so the mayor said, it stood at the doors of the mill, which has been there for three hundred years.

        What now?

        Wait
        Row

        The river rose by a hand in the night, and by morning, so the mayor said, it stood at the doors of the mill, which has been there for three hundred years.

        let x = 1;
        let y = 2;"#]],
    );
}

#[test]
fn a_page_that_is_no_article_is_told_whole() {
    let html = "<title>List</title><nav>Menu</nav><h1>Things</h1><ul><li>One<li>Two <i>b</i></ul>\
                <table><tr><th>a<th>b<tr><td>1<td>2</table><script>x</script>";
    check(
        html,
        Mode::Markdown,
        &expect![[r#"
        # List
        # Things

        - One
        - Two *b*

        | a | b |
        | - | - |
        | 1 | 2 |"#]],
    );
    check(
        html,
        Mode::Text,
        &expect![[r#"
        # List
        Things

        One
        Two b

        a b
        1 2"#]],
    );
    check(
        "",
        Mode::Markdown,
        &expect![[r#"
        # 
    "#]],
    );
    check(
        "just words",
        Mode::Markdown,
        &expect![[r#"
        # 
        just words"#]],
    );
}

#[test]
fn what_no_reader_sees_is_not_told() {
    let tags: String =
        "ignore all".chars().map(|c| char::from_u32(0xe0000 + c as u32).unwrap()).collect();
    let html = format!("<title>a\u{202e}b</title><p>vis{tags}ible\u{200b}\u{2066}!\u{fe01}</p>");
    check(
        &html,
        Mode::Markdown,
        &expect![[r#"
        # ab
        visible!"#]],
    );
}

fn repeat(text: &str, bytes: usize) -> String {
    text.repeat(bytes / text.len())
}

/// Pages that are made to hurt whoever reads them, made one at a time.
const BOMBS: &[(&str, fn() -> String)] = &[
    ("nested lists", || repeat("<ul><li>", 256 << 10)),
    ("nested lists, 5 MB", || repeat("<ul><li>", 5 << 20)),
    ("nested divs", || repeat("<div>", 256 << 10)),
    ("nested spans of an article", || {
        format!("<article>{}", repeat("<p>words, words<span>", 256 << 10))
    }),
    ("nested formatting", || repeat("<b><i><p>", 256 << 10)),
    ("formatting with attributes", || {
        (0..12_000).map(|n| format!("<font color={n}>x<p>")).collect()
    }),
    ("misnested formatting", || repeat("<b><div></b>", 256 << 10)),
    ("misnested links", || repeat("<a><table><a>", 256 << 10)),
    ("nested tables", || repeat("<table><tr><td>", 256 << 10)),
    ("foster parents", || format!("<table>{}", repeat("<b>x</b>", 256 << 10))),
    ("shallow among deep", || repeat("<table><div><tr><td>", 256 << 10)),
    ("unclosed paragraphs", || repeat("<p>one, two, three", 5 << 20)),
    ("unclosed quote", || format!("<a href=\"{}", repeat("x ", 5 << 20))),
    ("unclosed comments", || repeat("<!--", 5 << 20)),
    ("unclosed tags", || repeat("<", 5 << 20)),
    ("stray end tags", || format!("{}{}", repeat("<div>", 2 << 10), repeat("</p>", 256 << 10))),
    ("giant attribute", || format!("<p class='{}'>x", repeat("a ", 5 << 20))),
    ("many attributes", || {
        format!("<p {}>x", (0..60_000).map(|n| format!("a{n}=1 ")).collect::<String>())
    }),
    ("entities", || repeat("&amp;", 5 << 20)),
    ("unended entities", || repeat("&CounterClockwiseContourIntegra", 5 << 20)),
    ("one giant text", || repeat("word, ", 5 << 20)),
    ("many breaks", || repeat("<br>", 1 << 20)),
    ("many links", || repeat("<a href=x>word</a> ", 2 << 20)),
    ("many small articles", || {
        repeat("<div><p>word, word, word and so on, and on</p></div>", 2 << 20)
    }),
    ("many rows", || format!("<table>{}", repeat("<tr><td>a<td>b", 1 << 20))),
    ("many options", || format!("<select>{}", repeat("<option>a", 1 << 20))),
    ("deep svg", || format!("<svg>{}", repeat("<g>", 256 << 10))),
    ("templates", || repeat("<template>", 256 << 10)),
    ("frames and heads", || repeat("<html a=b><body c=d><head>", 256 << 10)),
    ("null bytes", || repeat("\0<p>", 256 << 10)),
    ("quotes", || repeat("<blockquote>", 256 << 10)),
    ("lists to the cap", || format!("{}x", repeat("<ul><li>x", 9 * 240)).repeat(60)),
    ("an article to the cap", || {
        format!(
            "{}{}",
            "<div>".repeat(480),
            "<p>one, two, three, four, five, six, seven".repeat(24_000)
        )
    }),
    ("articles in articles", || {
        format!("<article>{}", "<div><div><p>one, two, three, four, five, six".repeat(160))
            .repeat(100)
    }),
    ("tables in an article", || {
        "<article><table><tr><td>one, two, three<table><tr><td>four, five, six".repeat(4000)
    }),
    ("lists in an article", || {
        format!(
            "<article>{}",
            "<ul><li>one, two, three, four, five<li>six<li>seven</ul>".repeat(6000)
        )
    }),
    ("headings and rules", || "<h1>a</h1><hr><h6>#</h6>".repeat(15_000)),
    ("code", || format!("<pre>{}</pre>", "``` ` <code>x</code>\n".repeat(20_000))),
    ("emphasis", || "<b>*</b><i>_</i>".repeat(24_000)),
];

/// The most memory that this process ever had, in kB.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().split(' ').next()?.parse().ok()).unwrap_or_default()
}

#[test]
fn a_page_that_is_made_to_hurt_is_read_in_a_second_at_most() {
    for (name, make) in BOMBS {
        let html = make();
        for mode in [Mode::Markdown, Mode::Text] {
            let began = busy();
            let reading = read(&html, URL, mode);
            let took = busy() - began;
            eprintln!(
                "{name}, {} kB: {} ms, {} kB of text, at most {} MB so far{}",
                html.len() >> 10,
                took.as_millis(),
                reading.text.len() >> 10,
                peak() >> 10,
                reading.note.map(|note| format!(" ({note})")).unwrap_or_default(),
            );
            assert!(took < Duration::from_secs(1), "{name}: {took:?}");
            if reading.note.is_some() {
                // It is read the same way in each mode.
                break;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let html = String::from_utf8_lossy(&bytes);
        read(&html, URL, Mode::Markdown);
        read(&html, URL, Mode::Text);
    }

    #[test]
    fn no_soup_of_tags_panics_or_keeps_what_is_hidden(
        pieces in proptest::collection::vec(
            prop_oneof![
                "</?(ul|li|p|div|table|tr|td|th|b|i|a|pre|code|blockquote|h[1-6]|img|svg|math|template|select|article|script|style|title|br)( [a-z]{1,5}=('[a-z:/ ]{0,9}'|x))?/?>?",
                "[a-zé,\u{200b}\u{e0041}&<>;#\"' \n|*_`\\[\\]]{0,30}",
            ],
            0..60,
        ),
    ) {
        let html = pieces.concat();
        for mode in [Mode::Markdown, Mode::Text] {
            let reading = read(&html, URL, mode);
            let hidden = reading.text.contains(['\u{200b}', '\u{e0041}']);
            prop_assert!(!hidden);
            prop_assert!(!reading.title.contains('\n'));
        }
    }
}

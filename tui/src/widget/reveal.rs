//! Text that a person is asked about: nothing in it is hidden, nothing is left out.
//!
//! [`SafeText`](super::SafeText) takes out what a terminal would obey; here that is not enough, for what was taken out
//! would be allowed unseen. Every character that would not be seen as itself stands as an escape in an
//! ink of its own, so that a text that only spells such an escape looks different.

use super::line::{Hue, Ink, Span};
use super::safe::is_allowed;

/// The lines of a text, with escapes in the place of what cannot be seen.
pub(crate) fn reveal(raw: &str) -> Vec<Vec<Span>> {
    raw.split('\n').map(line).collect()
}

fn line(raw: &str) -> Vec<Span> {
    let (mut spans, mut plain) = (Vec::new(), String::new());
    for c in raw.chars() {
        if !is_hidden(c) {
            plain.push(c);
            continue;
        }
        if !plain.is_empty() {
            spans.push(Span::new(std::mem::take(&mut plain), Hue::Text));
        }
        spans.push(Span::inked(escape(c), Ink::of(Hue::Bad).reverse()));
    }
    if !plain.is_empty() {
        spans.push(Span::new(plain, Hue::Text));
    }
    spans
}

fn escape(c: char) -> String {
    match c {
        '\t' => "\\t".into(),
        '\r' => "\\r".into(),
        '\u{1b}' => "\\e".into(),
        _ => format!("\\u{{{:x}}}", u32::from(c)),
    }
}

/// Whether a character would be taken for nothing, for a space, or for a command.
fn is_hidden(c: char) -> bool {
    !is_allowed(c)
        || match c {
            ' ' => false,
            '\t' | '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' => true,
            '\u{180b}'..='\u{180f}' | '\u{200c}' | '\u{200d}' | '\u{2800}' => true,
            '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' => true,
            _ => c.is_whitespace(),
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(raw: &str) -> Vec<String> {
        let text = |spans: Vec<Span>| spans.iter().map(|span| span.text.as_str()).collect();
        reveal(raw).into_iter().map(text).collect()
    }

    #[test]
    fn what_cannot_be_seen_stands_as_an_escape() {
        assert_eq!(shown("a\u{202e}b\u{1b}[2J\r"), ["a\\u{202e}b\\e[2J\\r"]);
        assert_eq!(shown("x\u{a0}y\u{200b}z\u{e0041}\t"), ["x\\u{a0}y\\u{200b}z\\u{e0041}\\t"]);
        assert_eq!(shown("one\ntwo  "), ["one", "two  "]);
    }

    #[test]
    fn a_text_that_spells_an_escape_is_told_apart_from_one() {
        assert_ne!(reveal("\\e[0m"), reveal("\u{1b}[0m"));
    }

    #[test]
    fn safe_text_alone_would_hide_it() {
        let hides = "rm x\u{202e}\u{1b}]0;fine\u{7}";
        assert_eq!(super::super::SafeText::clean(hides).as_str(), "rm x");
        assert_ne!(shown(hides), ["rm x"]);
    }
}

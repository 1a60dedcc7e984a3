//! Text as a reader would see it: without the characters that only a machine reads.
//!
//! Pages hide words for models in characters that have no shape: tags (U+E0000…) that spell ASCII,
//! variation selectors that spell bytes, zero-width ones; and turn words around with controls of
//! direction. Nothing is said about it and nothing is put in their place. Not here: judging what
//! the words say. The invariant: what is left is what a person who looks at the page can see.

/// Whether a character has neither a shape nor a meaning for a reader.
fn is_hidden(c: char) -> bool {
    matches!(c,
        '\0'..='\u{8}' | '\u{b}'..='\u{1f}' | '\u{7f}'..='\u{9f}'
        // Soft hyphen, joiners, and other fillers that are not drawn.
        | '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{3164}' | '\u{ffa0}'
        // Zero-width ones, marks and controls of direction, invisible operators.
        | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        // Variation selectors, but for the one that asks for an emoji in color.
        | '\u{fe00}'..='\u{fe0e}' | '\u{e0100}'..='\u{e01ef}'
        // Byte order mark, annotations, controls of musical notation, tags.
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e007f}'
    )
}

/// The visible text, with line feeds as its only line ends and no more than one empty line at a
/// time.
pub(crate) fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // Line ends that are held back until something follows them.
    let mut ends = 0;
    let mut after_return = false;
    for c in text.chars() {
        let follows_return = std::mem::replace(&mut after_return, c == '\r');
        match c {
            '\n' if follows_return => {}
            '\n' | '\r' | '\u{2028}' | '\u{2029}' | '\u{85}' => ends += 1,
            c if is_hidden(c) => {}
            ' ' | '\t' | '\u{a0}' if ends > 0 && out.is_empty() => {}
            c => {
                if ends > 0 {
                    out.truncate(out.trim_end_matches([' ', '\t']).len());
                    if !out.is_empty() {
                        out.push_str(if ends > 1 { "\n\n" } else { "\n" });
                    }
                    ends = 0;
                }
                out.push(c);
            }
        }
    }
    out.truncate(out.trim_end().len());
    out
}

/// A text of a few words on one line, cut at `limit` characters.
pub(crate) fn line(text: &str, limit: usize) -> String {
    let words = visible(text);
    let mut line = words.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((at, _)) = line.char_indices().nth(limit) {
        line.truncate(at);
        line.push('…');
    }
    line
}

#[cfg(test)]
#[path = "visible_tests.rs"]
mod tests;

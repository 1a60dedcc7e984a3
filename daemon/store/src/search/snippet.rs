//! The piece of a message that a search shows.

use crate::words::words;

/// Characters of a snippet.
const WIDTH: usize = 240;
/// Characters before the find.
const BEFORE: usize = 60;

/// A piece of `text` around the first word that `found` says yes to, with its white space made
/// single spaces and `…` where it was cut.
pub(super) fn snippet(text: &str, found: impl Fn(&str) -> bool) -> String {
    let find = words(text, super::MAX_WORDS)
        .into_iter()
        .find(|word| found(&word.text))
        .map_or(0, |word| word.place.start);
    let (head, tail) = text.split_at_checked(find).unwrap_or(("", text));
    let before: Vec<char> = collapse(head.chars().rev()).take(BEFORE + 1).collect();
    let cut_before = before.len() > BEFORE;
    let mut piece = String::new();
    if cut_before {
        piece.push('…');
    }
    let kept = before.len().min(BEFORE);
    piece.extend(before.into_iter().take(kept).rev());
    let piece = piece.trim_start().to_owned();
    let room = WIDTH - piece.chars().count();
    let mut after = collapse(tail.chars());
    let mut shown: String = after.by_ref().take(room).collect();
    if after.next().is_some() {
        shown.pop();
        shown.push('…');
    }
    format!("{piece}{}", shown.trim_end())
}

fn collapse(chars: impl Iterator<Item = char>) -> impl Iterator<Item = char> {
    let mut blank = false;
    chars.filter_map(move |c| {
        let white = c.is_whitespace() || c.is_control();
        let again = white && blank;
        blank = white;
        match (again, white) {
            (true, _) => None,
            (false, true) => Some(' '),
            (false, false) => Some(c),
        }
    })
}

#[cfg(test)]
#[path = "snippet_tests.rs"]
mod tests;

//! The bytes of a file as text that a model may be told.
//!
//! The invariant: whatever the bytes are, the text has at most the bytes that it may have, and shows
//! a person the same words as it tells a model: characters that only steer how others are shown are
//! not in it.

/// What is told of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) text: String,
    /// It is not all of it; the text ends by saying so.
    pub(crate) is_cut: bool,
}

/// The text of a file of `size` bytes that begins with these: at most `most` bytes of it. `None`
/// where it says nothing, or where there is no room to say anything.
pub(crate) fn of(bytes: &[u8], size: u64, most: usize) -> Option<Told> {
    let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n");
    let text: String = text.chars().filter(|c| !is_hidden(*c)).collect();
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    if size <= bytes.len() as u64 && text.len() <= most {
        return Some(Told { text: text.to_owned(), is_cut: false });
    }
    let note = format!("\n[cut here: the file has {size} bytes]");
    let room = text.floor_char_boundary(most.checked_sub(note.len())?);
    let head = text.get(..room).unwrap_or_default();
    // At the end of a line, if that does not take much.
    let end = head.rfind('\n').filter(|end| *end > room / 2).unwrap_or(room);
    let head = head.get(..end).unwrap_or_default();
    Some(Told { text: format!("{head}{note}"), is_cut: true })
}

/// Characters that a person does not see and a model reads: controls, marks that turn the direction
/// of text around, tags, and spaces without width. Those that scripts and emoji are written with
/// stay.
fn is_hidden(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        '\u{200b}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}' => true,
        other => other.is_control(),
    }
}

/// A path as a name of one line, at most 120 characters.
pub(crate) fn name(path: &str) -> String {
    let shown = |c: char| match c {
        '"' | '<' | '>' => '_',
        c if c.is_control() || is_hidden(c) => '_',
        c => c,
    };
    path.chars().take(120).map(shown).collect()
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;

//! What a snapshot does not hold, told to a person.
//!
//! Only what a person would expect in it; what `.gitignore` names is not spoken of. The invariant:
//! however many files are left out, a few short sentences tell of them.

use std::collections::BTreeMap;

/// So many files are named for each reason.
const NAMED: usize = 3;

/// Why something is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Why {
    TooLarge,
    NoRoom,
    TooMany,
    TooDeep,
    Unreadable,
    Restless,
    Odd,
    Rules,
    Slow,
    Unnamed,
}

impl Why {
    fn phrase(self) -> &'static str {
        match self {
            Self::TooLarge => "too large",
            Self::NoRoom => "too much in all, the rest of the room is taken",
            Self::TooMany => "too many files, left out from here on",
            Self::TooDeep => "nested too deep",
            Self::Unreadable => "can't be read",
            Self::Restless => "changed all the while it was read",
            Self::Odd => "neither a file nor a directory nor a symlink",
            Self::Rules => "rules that can't be followed",
            Self::Slow => "new, and the rules of what is ignored take too long",
            Self::Unnamed => "so much is left out that new files can't be told from old ones",
        }
    }
}

/// What was left out so far.
#[derive(Debug, Default)]
pub(crate) struct Skipped(BTreeMap<Why, (usize, Vec<String>)>);

impl Skipped {
    pub(crate) fn add(&mut self, why: Why, path: &[u8]) {
        let (count, names) = self.0.entry(why).or_default();
        *count += 1;
        if names.len() < NAMED {
            names.push(if path.is_empty() { ".".to_owned() } else { shown(path) });
        }
    }

    /// A sentence for each reason.
    pub(crate) fn sentences(&self) -> Vec<String> {
        let sentence = |(why, (count, names)): (&Why, &(usize, Vec<String>))| {
            let names_text = names.join("`, `");
            let more = match count - names.len() {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            format!("`{names_text}`{more}: {}", why.phrase())
        };
        self.0.iter().map(sentence).collect()
    }
}

/// A path as text on one line: what is no text is replaced, control characters are escaped.
pub(crate) fn shown(path: &[u8]) -> String {
    let mut text = String::new();
    for character in String::from_utf8_lossy(path).chars() {
        if character.is_control() {
            text.extend(character.escape_default());
        } else {
            text.push(character);
        }
    }
    text
}

//! Turning the bytes of a text into characters, as browsers do.
//!
//! A byte order mark wins over the header, the header over what the page says of itself, and what
//! says nothing is UTF-8 where it can be and Windows-1252 where it can't (WHATWG: determining the
//! character encoding). No bytes are an error: what is not a character becomes U+FFFD.

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

/// How far into a page it may say its encoding.
const PRESCAN: usize = 1024;

/// The text that these bytes are. `label` is the header's `charset`; `may_tell` says whether the
/// text itself may hold a declaration, as HTML and XML do.
pub(crate) fn decode(bytes: &[u8], label: Option<&str>, may_tell: bool) -> String {
    let told = || if may_tell { declared(bytes) } else { None };
    let encoding = label.and_then(|label| Encoding::for_label(label.as_bytes())).or_else(told);
    let guessed = || if std::str::from_utf8(bytes).is_ok() { UTF_8 } else { WINDOWS_1252 };
    encoding.unwrap_or_else(guessed).decode(bytes).0.into_owned()
}

/// What a page says of itself: `<meta charset=…>`, `<meta … content="…; charset=…">`,
/// `<?xml … encoding="…"?>`.
fn declared(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = bytes.get(..PRESCAN).unwrap_or(bytes).to_ascii_lowercase();
    let head = String::from_utf8_lossy(&head);
    let value = ["charset", "encoding"].into_iter().find_map(|word| {
        let (_, rest) = head.split_once(word)?;
        let rest = rest.trim_start().strip_prefix('=')?.trim_start();
        let rest = rest.trim_start_matches(['"', '\'']);
        rest.split(|c: char| !(c.is_ascii_alphanumeric() || "-_:.".contains(c))).next()
    })?;
    let encoding = Encoding::for_label(value.as_bytes())?;
    // The declaration itself was read as ASCII: it can't be UTF-16.
    Some(if encoding.is_ascii_compatible() { encoding } else { UTF_8 })
}

#[cfg(test)]
#[path = "charset_tests.rs"]
mod tests;

//! What of a tool's output a model is shown: no long runs of encoded bytes, and never too much.
//!
//! Not here: secrets; whoever knows them takes them out before. The invariant: the texts of a result
//! have together at most [`MOST_BYTES`] and a few words, whatever came in, and a text that needs nothing is not changed.

use std::borrow::Cow;

use moltis_core::message::{Part, text_of};

/// Bytes of one result that a model is shown.
pub const MOST_BYTES: usize = 50_000;

/// Characters in a row of base64 after `base64,`, or of hexadecimal digits, that no model reads.
const LONGEST_RUN: usize = 200;

/// A result's parts as a model is shown them: texts that are too much together become one, which is
/// what a model is told of them in any case.
pub fn sanitize_parts(parts: Vec<Part>) -> Vec<Part> {
    let size: usize = parts.iter().filter_map(Part::as_text).map(str::len).sum();
    if size > MOST_BYTES {
        let text = Part::Text(sanitize(&text_of(&parts)).into_owned());
        let others = parts.into_iter().filter(|part| part.as_text().is_none());
        return std::iter::once(text).chain(others).collect();
    }
    let shown = |part: Part| match part {
        Part::Text(text) => Part::Text(sanitize(&text).into_owned()),
        other => other,
    };
    parts.into_iter().map(shown).collect()
}

/// The text as a model is shown it.
pub fn sanitize(text: &str) -> Cow<'_, str> {
    let without = without_runs(text);
    if without.len() <= MOST_BYTES {
        return without;
    }
    let half = MOST_BYTES / 2;
    let head = &without[..without.floor_char_boundary(half)];
    let tail = &without[without.ceil_char_boundary(without.len() - half)..];
    let left_out = without.len() - head.len() - tail.len();
    let size = without.len();
    Cow::Owned(format!("{head}\n[… {left_out} of {size} bytes are left out …]\n{tail}"))
}

/// The text with encoded bytes replaced by their size.
fn without_runs(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let mut out: Option<String> = None;
    let (mut copied, mut at) = (0, 0);
    while at < bytes.len() {
        let run = run_at(bytes, at);
        let Some((end, what)) = run else {
            at += 1;
            continue;
        };
        let out = out.get_or_insert_with(|| String::with_capacity(text.len()));
        out.push_str(&text[copied..at]);
        out.push_str(&format!("[{} bytes of {what} left out]", end - at));
        (copied, at) = (end, end);
    }
    match out {
        None => Cow::Borrowed(text),
        Some(mut out) => {
            out.push_str(&text[copied..]);
            Cow::Owned(out)
        }
    }
}

/// The end of the run that begins here, if one does, and what it is.
fn run_at(bytes: &[u8], at: usize) -> Option<(usize, &'static str)> {
    let rest = &bytes[at..];
    if let Some(data) = rest.strip_prefix(b"data:") {
        // `data:image/png;base64,…`: the type is short.
        let head = data.iter().take(128).position(|byte| *byte == b',')?;
        if data[..head].ends_with(b";base64") {
            let length = length(&data[head + 1..], is_base64);
            return (length >= LONGEST_RUN)
                .then_some((at + b"data:".len() + head + 1 + length, "base64"));
        }
        return None;
    }
    let begins = at == 0 || !bytes[at - 1].is_ascii_alphanumeric();
    if begins && rest.first().is_some_and(u8::is_ascii_hexdigit) {
        let length = length(rest, |byte| byte.is_ascii_hexdigit());
        return (length >= LONGEST_RUN).then_some((at + length, "hexadecimal"));
    }
    None
}

fn length(bytes: &[u8], belongs: impl Fn(u8) -> bool) -> usize {
    bytes.iter().position(|byte| !belongs(*byte)).unwrap_or(bytes.len())
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_')
}

#[cfg(test)]
#[path = "sanitize_tests.rs"]
mod tests;

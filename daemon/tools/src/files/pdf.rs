//! The text of a PDF.
//!
//! It parses hostile bytes: the file is no larger than [`MOST`], no stream in it may inflate beyond
//! [`INFLATED`] and all that are held at once not beyond [`HELD`], pages are read one by one and time
//! is looked at between them; whoever calls this runs it where a panic or a hang ends one call. Not here: pictures of pages; a scan has no text.

use lopdf::{Document, LoadOptions};

use super::MOST_TEXT;
use crate::off::Stop;

/// Bytes of a PDF.
pub(super) const MOST: u64 = 20 << 20;

/// Bytes that any stream in it may have once inflated.
const INFLATED: usize = 16 << 20;

/// Bytes that all streams which are unpacked on loading may have once inflated.
const HELD: usize = 256 << 20;

/// Pages that are told at a time.
const PAGES: u64 = 20;

/// The text of at most 20 pages from that one on.
///
/// # Errors
/// What is wrong with the file, for the model.
pub(super) fn text(
    bytes: &[u8],
    from: u64,
    limit: Option<u64>,
    stop: &Stop,
) -> Result<String, String> {
    let options = LoadOptions::with_max_decompressed_size(share(bytes));
    let document = Document::load_mem_with_options(bytes, options)
        .map_err(|error| format!("this PDF can not be read: {error}"))?;
    if document.is_encrypted() {
        return Err("this PDF is encrypted and can not be read".to_owned());
    }
    let pages: Vec<u32> = document.get_pages().into_keys().collect();
    let skipped = usize::try_from(from.saturating_sub(1)).unwrap_or(usize::MAX);
    if skipped >= pages.len() {
        return Err(format!("this PDF has {} pages only", pages.len()));
    }
    let limit = usize::try_from(limit.unwrap_or(PAGES).min(PAGES)).unwrap_or_default();
    let mut out = String::new();
    let mut told = skipped;
    for page in pages.iter().skip(skipped).take(limit) {
        if stop.is_due() {
            out.push_str("[it took too long]\n");
            break;
        }
        if out.len() >= MOST_TEXT {
            break;
        }
        out.push_str(&format!("[page {page} of {}]\n", pages.len()));
        match document.extract_text_with_limit(&[*page], INFLATED) {
            Ok(text) if text.trim().is_empty() => out.push_str("[no text; a picture, perhaps]\n"),
            Ok(text) => cut(&text, &mut out),
            Err(error) => out.push_str(&format!("[this page can not be read: {error}]\n")),
        }
        told += 1;
    }
    if told < pages.len() {
        out.push_str(&format!("[more follows: read on with offset {}]\n", told + 1));
    }
    Ok(out)
}

/// Bytes that each stream may inflate to on loading, so that all of them stay within what may be
/// held: the library bounds each alone, and a small file has room for thousands.
fn share(bytes: &[u8]) -> usize {
    let words = bytes.windows(6).filter(|window| *window == b"stream").count();
    // Each has the word twice, at its beginning and in `endstream`; the latter may be left out.
    (HELD / words.max(1)).min(INFLATED)
}

/// Adds a page's text, as far as there is room for it.
fn cut(text: &str, out: &mut String) {
    let room = MOST_TEXT.saturating_sub(out.len());
    let end = text.floor_char_boundary(room);
    out.push_str(text[..end].trim_end());
    if end < text.len() {
        out.push_str(&format!("… [{} bytes of this page left out]", text.len() - end));
    }
    out.push('\n');
}

#[cfg(test)]
#[path = "pdf_tests.rs"]
mod tests;

//! What a page is: HTML, some other text, or something that is not read as text.
//!
//! The media type is believed where it says more than "bytes"; else the first bytes tell. Not here:
//! reading it.

use moltis_net::web::Page;

/// What a page is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It is read as HTML.
    Html,
    /// It is shown as it is.
    Text,
    /// It is not shown; this is what it is.
    Binary(String),
}

/// What the first bytes of files say that they are.
const MAGIC: &[(&[u8], &str)] = &[
    (b"%PDF-", "a PDF document"),
    (b"PK\x03\x04", "a zip archive or an office document"),
    (b"\x89PNG", "a picture (PNG)"),
    (b"\xff\xd8\xff", "a picture (JPEG)"),
    (b"GIF8", "a picture (GIF)"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x7fELF", "a program"),
    (b"OggS", "a sound or a film (Ogg)"),
    (b"ID3", "a sound (MP3)"),
];

/// Media types that are text without saying so.
const TEXTS: &[&str] = &[
    "application/json",
    "application/xml",
    "application/javascript",
    "application/ecmascript",
    "application/x-ndjson",
    "application/jsonl",
    "application/yaml",
    "application/x-yaml",
    "application/toml",
    "application/sql",
    "application/x-sh",
    "application/graphql",
];

/// What a page is.
pub(crate) fn kind_of(page: &Page) -> Kind {
    let media_type = page.media_type.as_str();
    if let Some((_, what)) = MAGIC.iter().find(|(magic, _)| page.bytes.starts_with(magic)) {
        return Kind::Binary((*what).to_owned());
    }
    if matches!(media_type, "text/html" | "application/xhtml+xml") {
        return Kind::Html;
    }
    let is_text = media_type.starts_with("text/")
        || TEXTS.contains(&media_type)
        || media_type.ends_with("+json")
        || media_type.ends_with("+xml");
    let says_nothing =
        matches!(media_type, "" | "application/octet-stream" | "binary/octet-stream");
    if !is_text && !says_nothing {
        return Kind::Binary(format!("a file of the type `{media_type}`"));
    }
    let head = page.bytes.get(..1024).unwrap_or(&page.bytes);
    let is_wide =
        page.charset.as_deref().is_some_and(|name| name.to_ascii_lowercase().contains("utf-16"))
            || head.starts_with(b"\xff\xfe")
            || head.starts_with(b"\xfe\xff");
    if head.contains(&0) && !is_wide {
        return Kind::Binary("a file of bytes".to_owned());
    }
    let begin = String::from_utf8_lossy(head).trim_start().to_ascii_lowercase();
    let is_html =
        says_nothing && (begin.starts_with("<!doctype html") || begin.starts_with("<html"));
    if is_html { Kind::Html } else { Kind::Text }
}

#[cfg(test)]
#[path = "kind_tests.rs"]
mod tests;

use moltis_net::web::Page;

use super::{Kind, kind_of};

fn kind(media_type: &str, bytes: &'static [u8]) -> String {
    let page = Page {
        url: "https://example.org/".to_owned(),
        status: 200,
        media_type: media_type.to_owned(),
        charset: None,
        bytes: bytes.into(),
        truncated: false,
    };
    match kind_of(&page) {
        Kind::Html => "HTML".to_owned(),
        Kind::Text => "text".to_owned(),
        Kind::Binary(what) => what,
    }
}

#[test]
fn what_a_page_is_is_told_by_its_type_and_else_by_its_bytes() {
    for (media_type, bytes, expected) in [
        ("text/html", &b"x"[..], "HTML"),
        ("application/xhtml+xml", b"x", "HTML"),
        ("", b" \n<!DOCTYPE HTML><p>x", "HTML"),
        ("application/octet-stream", b"<html>x", "HTML"),
        ("text/plain", b"<html>x", "text"),
        ("text/markdown", b"# x", "text"),
        ("application/json", b"{}", "text"),
        ("application/problem+json", b"{}", "text"),
        ("application/rss+xml", b"<rss>", "text"),
        ("", b"words", "text"),
        ("text/plain", b"\xff\xfea\0", "text"),
        ("text/plain", b"a\0b", "a file of bytes"),
        ("application/pdf", b"%PDF-1.7", "a PDF document"),
        ("text/html", b"%PDF-1.7", "a PDF document"),
        ("image/webp", b"RIFF", "a file of the type `image/webp`"),
        ("", b"\x89PNG\r\n", "a picture (PNG)"),
    ] {
        assert_eq!(kind(media_type, bytes), expected, "{media_type} {bytes:?}");
    }
}

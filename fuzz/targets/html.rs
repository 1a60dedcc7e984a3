//! Any text is read as a page: in bounded time, without a panic, and without what no reader sees.
#![no_main]

use libfuzzer_sys::fuzz_target;
use moltis_tools::web::extract::{Mode, read};

fuzz_target!(|html: &str| {
    for mode in [Mode::Markdown, Mode::Text] {
        let reading = read(html, "https://example.org/page", mode);
        assert!(!reading.title.contains('\n'));
        assert!(!reading.text.contains(['\u{200b}', '\u{202e}', '\u{e0041}', '\u{1b}']));
    }
});

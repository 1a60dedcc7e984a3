//! What a page says, without its menus: as Markdown or as text.
//!
//! Pages that look like an article are reduced to it (Mozilla's Readability), others are given whole
//! but for navigation, and those that are beyond the bounds of [`document`](super::document) as plain
//! text. Pure and slow: it runs off the reactor. The invariant: every input has a result.

use dom_query::Document;
use dom_smoothie::{Config, Readability, TextMode};

use super::document::{TooMuch, parse};
use super::plain;
use super::visible::{line, visible};

/// The longest title that is told.
const TITLE: usize = 300;
/// Beyond this many elements a page is not searched for an article: that takes several passes.
const ARTICLE: usize = 50_000;
/// How much of a page is searched for bare text.
const BARE: usize = 1 << 20;
/// Elements that hold nothing to read.
const SKIPPED: &[&str] = &[
    "script", "style", "noscript", "template", "head", "meta", "svg", "iframe", "canvas", "nav",
    "footer", "form", "select", "button", "input", "textarea",
];

/// How a page is to be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// As Markdown.
    #[default]
    Markdown,
    /// Without any markup.
    Text,
}

/// A page, read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Its title, a line; may be empty.
    pub title: String,
    /// What it says.
    pub text: String,
    /// What a reader of it should know.
    pub note: Option<&'static str>,
}

/// Reads a page that was found at `url`.
pub fn read(html: &str, url: &str, mode: Mode) -> Reading {
    let document = match parse(html) {
        Ok(document) => document,
        Err(why) => return without_structure(html, why),
    };
    // Pictures that are in the page itself: nobody reads them as letters.
    document.select("img[src^='data:'], source").remove();
    let title = line(&document.select_single("title").text(), TITLE);
    let whole = |document: &Document| Reading {
        title: title.clone(),
        text: visible(&whole(document, mode)),
        note: None,
    };
    if document.tree.len() > ARTICLE {
        return whole(&document);
    }
    let kept = document.clone();
    article(document, url, mode).map_or_else(
        || whole(&kept),
        |(found, text)| {
            let title = if found.is_empty() { title.clone() } else { found };
            Reading { title, text, note: None }
        },
    )
}

/// Title and text of the article that a page is; `None` where it is none.
fn article(document: Document, url: &str, mode: Mode) -> Option<(String, String)> {
    let text_mode = match mode {
        Mode::Markdown => TextMode::Markdown,
        Mode::Text => TextMode::Formatted,
    };
    // Its metadata are the site's own words about itself, in a JSON of any depth.
    let config = Config { text_mode, disable_json_ld: true, ..Config::default() };
    let mut readability = Readability::with_document(document, Some(url), Some(config)).ok()?;
    if !readability.is_probably_readable() {
        return None;
    }
    let article = readability.parse().ok()?;
    let text = visible(&article.text_content);
    (!text.is_empty()).then(|| (line(&article.title, TITLE), text))
}

fn whole(document: &Document, mode: Mode) -> String {
    let Some(body) = document.body() else { return String::new() };
    match mode {
        Mode::Markdown => body.md(Some(SKIPPED)).to_string(),
        Mode::Text => {
            document.select(&SKIPPED.join(",")).remove();
            body.formatted_text().to_string()
        }
    }
}

fn without_structure(html: &str, why: TooMuch) -> Reading {
    let html = html.split_at(html.floor_char_boundary(BARE)).0;
    let title = html.split_once("<title>").and_then(|(_, rest)| rest.split_once('<'));
    let note = match why {
        TooMuch::Deep => {
            "its elements lie too deep within one another: only its bare text is shown"
        }
        TooMuch::Large => "it has too many elements: only its bare text is shown",
        TooMuch::Slow => "it takes too long to read: only its bare text is shown",
    };
    Reading {
        title: line(&plain::text_of(title.map_or("", |(title, _)| title)), TITLE),
        text: visible(&plain::text_of(html)),
        note: Some(note),
    }
}

#[cfg(test)]
#[path = "extract_tests.rs"]
mod tests;

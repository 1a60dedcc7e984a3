//! Text without markup, in one pass and without a parser: for pages that no parser should be given,
//! and for the few tags that search services put into their texts.
//!
//! It knows no structure: it drops tags, comments and what scripts and styles hold, breaks lines
//! where blocks begin or end, and replaces the commonest character references. The invariant: it is
//! linear in its input.

/// Elements whose content is not text.
const SILENT: &[&str] = &["script", "style", "noscript", "template", "head", "svg"];

/// Elements that stand on lines of their own.
const BLOCKS: &[&str] = &[
    "address",
    "article",
    "aside",
    "blockquote",
    "br",
    "dd",
    "div",
    "dl",
    "dt",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hr",
    "li",
    "main",
    "nav",
    "ol",
    "p",
    "pre",
    "section",
    "table",
    "td",
    "th",
    "tr",
    "ul",
];

/// The text of some HTML.
pub(crate) fn text_of(html: &str) -> String {
    let mut out = String::with_capacity(html.len().min(1 << 16));
    let mut rest = html;
    while let Some((text, tag)) = rest.split_once('<') {
        unescape(text, &mut out);
        if let Some(comment) = tag.strip_prefix("!--") {
            rest = comment.split_once("-->").map_or("", |(_, after)| after);
            continue;
        }
        if !tag.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?')) {
            out.push('<');
            rest = tag;
            continue;
        }
        let Some((inside, after)) = tag.split_once('>') else { return out };
        let name = inside.trim_start_matches('/').split(|c: char| !c.is_ascii_alphanumeric());
        let name = name.into_iter().next().unwrap_or_default().to_ascii_lowercase();
        if BLOCKS.contains(&name.as_str()) {
            out.push('\n');
        }
        rest = after;
        if SILENT.contains(&name.as_str()) && !inside.starts_with('/') && !inside.ends_with('/') {
            rest = after_end_of(&name, after);
        }
    }
    unescape(rest, &mut out);
    out
}

/// What follows the end tag of a silent element; nothing where there is none, as in browsers.
fn after_end_of<'a>(name: &str, text: &'a str) -> &'a str {
    let mut rest = text;
    while let Some((_, tag)) = rest.split_once("</") {
        let found = tag.get(..name.len()).is_some_and(|tag| tag.eq_ignore_ascii_case(name));
        if found {
            return tag.split_once('>').map_or("", |(_, after)| after);
        }
        rest = tag;
    }
    ""
}

fn unescape(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some((before, reference)) = rest.split_once('&') {
        out.push_str(before);
        // No reference is longer than this, so looking for its end takes a bounded time.
        let near = reference.get(..reference.floor_char_boundary(12)).unwrap_or_default();
        let meant =
            near.split_once(';').and_then(|(name, _)| Some((name.len() + 1, char_of(name)?)));
        match meant {
            Some((length, c)) => {
                out.push(c);
                rest = reference.get(length..).unwrap_or_default();
            }
            None => {
                out.push('&');
                rest = reference;
            }
        }
    }
    out.push_str(rest);
}

fn char_of(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let hex = number.strip_prefix(['x', 'X']).map(|hex| u32::from_str_radix(hex, 16));
        return hex.unwrap_or_else(|| number.parse()).ok().and_then(char::from_u32);
    }
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        "ndash" => '–',
        "mdash" => '—',
        "hellip" => '…',
        "lsquo" => '‘',
        "rsquo" => '’',
        "ldquo" => '“',
        "rdquo" => '”',
        "copy" => '©',
        "middot" => '·',
        _ => return None,
    })
}

#[cfg(test)]
#[path = "plain_tests.rs"]
mod tests;

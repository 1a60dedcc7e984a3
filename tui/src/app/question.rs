//! What a question shows: the whole of what is asked, whatever is in it.
//!
//! It is made of the question that the daemon asks, never of what a model streamed, and nothing of it
//! is shortened: what does not fit is scrolled to. What stands first decides: what it does, who had a
//! say, where it goes, why it is asked; then every argument.

use moltis_proto::v1;
use serde_json::Value;

use crate::widget::{Hue, Ink, Line, Span, chop, reveal, wrap};

/// Before every row of a text of others but the first: what stands at the edge is ours, so that no
/// argument can look like a row of the card.
const EDGE: &str = "┊ ";

/// What a pattern for a command does not say by itself.
pub(crate) const COVERS: &str =
    "and with it whatever that program can be made to do inside the sandbox";

/// Whether a pattern for calls like this one covers what a program may do.
pub(crate) fn covers_programs(asked: &v1::Approval) -> bool {
    matches!(asked.tool.as_str(), "exec" | "process") && !asked.pattern.is_empty()
}

/// The rows of a question.
pub(super) fn rows(asked: &v1::Approval, settings: &v1::Settings, width: usize) -> Vec<Line> {
    let mut card = Rows { rows: Vec::new(), width };
    if !asked.subject.is_empty() {
        card.exact("▸ ", &asked.subject, Ink::default().bold());
    }
    if asked.tainted {
        let text = "⚠ others than you had a say in this: it may be what they want";
        card.sentence(text, Hue::Warn);
    }
    for (name, value) in places(asked, settings) {
        card.fact(name, &value);
    }
    card.fact("why", &asked.reason);
    if asked.pattern.is_empty() {
        card.sentence("nothing sensible covers calls like it", Hue::Dim);
    } else {
        card.fact("always covers", &asked.pattern);
        if covers_programs(asked) {
            card.sentence(COVERS, Hue::Dim);
        }
    }
    card.arguments(asked);
    card.rows
}

struct Rows {
    rows: Vec<Line>,
    width: usize,
}

impl Rows {
    /// A text of ours.
    fn sentence(&mut self, text: &str, hue: Hue) {
        let rows = wrap(&[Span::new(text, hue)], self.width);
        self.rows.extend(rows.into_iter().map(Line::from));
    }

    /// A name of ours and a text of others.
    fn fact(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.exact(&format!("{name}: "), value, Ink::default());
        }
    }

    /// A text of others, to the letter. Where a line of it ends a sign says so.
    fn exact(&mut self, lead: &str, text: &str, ink: Ink) {
        let mut lines = reveal(text);
        let last = lines.len() - 1;
        for spans in &mut lines[..last] {
            spans.push(Span::new("⏎", Hue::Dim));
        }
        let mut lead = Some(Span::new(lead, Hue::Accent));
        for mut spans in lines {
            for span in spans.iter_mut().filter(|span| span.ink == Ink::default()) {
                span.ink = ink;
            }
            let first = lead.take();
            let whole: Vec<Span> = first.iter().cloned().chain(spans).collect();
            let rows = chop(&whole, self.width.saturating_sub(2)).into_iter().enumerate();
            self.rows.extend(rows.map(|(number, row)| {
                if number == 0 && first.is_some() {
                    return row;
                }
                let mut line = Line::new(EDGE, Hue::Dim);
                line.spans.extend(row.spans);
                line
            }));
        }
    }

    /// Every argument that is not the subject itself; a document of another form as it is.
    fn arguments(&mut self, asked: &v1::Approval) {
        let whole: Value = serde_json::from_str(&asked.arguments).unwrap_or_default();
        let again = whole.to_string();
        let object = match &whole {
            // What does not read back as it was said is not taken apart: a name may be in it twice.
            Value::Object(object) if again == asked.arguments => object,
            _ => return self.fact("arguments", &asked.arguments),
        };
        for (name, value) in object {
            let name: String =
                reveal(name).iter().flatten().map(|span| span.text.as_str()).collect();
            let lead = format!("{EDGE}{name}: ");
            match value {
                Value::String(text) if *text == asked.subject => {}
                Value::String(text) => self.exact(&lead, text, Ink::default()),
                other => self.exact(&lead, &other.to_string(), Ink::default()),
            }
        }
    }
}

/// Where it goes or happens, as far as the question and the session's settings tell.
fn places(asked: &v1::Approval, settings: &v1::Settings) -> Vec<(&'static str, String)> {
    let mut places = Vec::new();
    if let Some(host) = host(&asked.subject) {
        places.push(("goes to", host));
    }
    for (name, value) in
        [("in", &settings.workspace), ("mount", &settings.mount), ("network", &settings.network)]
    {
        if !value.is_empty() {
            places.push((name, value.clone()));
        }
    }
    places
}

/// The host of a URL, without the name and password before it that may look like one.
fn host(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    if scheme.is_empty() || !scheme.chars().all(|c| c.is_ascii_alphanumeric()) {
        return None;
    }
    let authority = rest.split(['/', '?', '#', '\\']).next()?;
    let host = authority.rsplit('@').next()?;
    let note = if host.is_ascii() { "" } else { " (⚠ letters of other scripts)" };
    Some(format!("{host}{note}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(asked: &v1::Approval) -> String {
        rows(asked, &v1::Settings::default(), 40).iter().map(|row| row.text() + "\n").collect()
    }

    #[test]
    fn the_host_is_the_one_that_is_asked() {
        assert_eq!(host("https://bank.example@evil.example/x").as_deref(), Some("evil.example"));
        assert_eq!(host("http://evil.example\\@bank.example/").as_deref(), Some("evil.example"));
        assert_eq!(host("cargo test"), None);
    }

    #[test]
    fn every_argument_is_shown_to_its_end() {
        let long = format!("{}END", "x".repeat(300));
        let arguments = serde_json::json!({"command": "make", "cwd": long, "timeout": 5});
        let asked = v1::Approval {
            subject: "make".into(),
            arguments: arguments.to_string(),
            ..v1::Approval::default()
        };
        let text = shown(&asked);
        assert!(text.contains("END") && text.contains("timeout: 5"), "{text}");
        assert_eq!(text.matches("make").count(), 1, "{text}");
    }

    #[test]
    fn a_document_that_does_not_read_back_is_shown_as_it_is() {
        let twice = r#"{"command":"ls","command":"rm -rf ~"}"#;
        let asked = v1::Approval {
            subject: "rm -rf ~".into(),
            arguments: twice.into(),
            ..v1::Approval::default()
        };
        let text = shown(&asked).replace("\n┊ ", "");
        assert!(text.contains(twice), "{text}");
    }

    #[test]
    fn no_argument_can_look_like_a_row_of_the_card() {
        let arguments = serde_json::json!({"note": "x\nwhy: you asked for it", "why": "fine"});
        let asked = v1::Approval {
            subject: "ls\ngoes to: bank.example".into(),
            reason: "the real one".into(),
            arguments: arguments.to_string(),
            ..v1::Approval::default()
        };
        let text = shown(&asked);
        let ours = |row: &&str| row.starts_with("why:") || row.starts_with("goes to:");
        assert_eq!(text.lines().filter(ours).collect::<Vec<_>>(), ["why: the real one"], "{text}");
        // Without what stands at the edge, others would have written them.
        let bare = text.replace(EDGE, "");
        assert_eq!(bare.lines().filter(ours).count(), 4, "{bare}");
    }
}

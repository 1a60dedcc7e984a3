//! From tracing's events to lines: into the ring, the file and, in the foreground, to stderr.

use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use moltis_core::Timestamp;
use moltis_core::admin::LogLine;
use serde_json::{Map, Value, json};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use crate::file::LogFile;
use crate::ring::Ring;
use crate::text::{Fields, one_line};

/// Where lines go.
pub(crate) struct Lines {
    pub(crate) ring: Arc<Ring>,
    pub(crate) file: Option<Arc<Sink>>,
    pub(crate) stderr: bool,
    pub(crate) json: bool,
}

/// The file, and what is wrong with it.
pub(crate) struct Sink {
    state: Mutex<SinkState>,
}

struct SinkState {
    file: LogFile,
    trouble: Option<String>,
}

impl Sink {
    pub(crate) fn new(file: LogFile) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(SinkState { file, trouble: None }) })
    }

    /// Why the last line could not be written, if so.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).trouble.clone()
    }

    /// Writes a line; says what is wrong when that is news.
    fn write(&self, line: &str) -> Option<String> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match state.file.line(line) {
            Ok(()) => {
                state.trouble = None;
                None
            }
            Err(error) => {
                let text = format!("the log file can't be written: {error}");
                let news = state.trouble.is_none().then(|| text.clone());
                state.trouble = Some(text);
                news
            }
        }
    }
}

impl<S> Layer<S> for Lines
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        span.extensions_mut().insert(fields);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(fields) = span.extensions_mut().get_mut::<Fields>() {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut within = String::new();
        let mut spans = Map::new();
        for span in context.event_scope(event).into_iter().flat_map(|scope| scope.from_root()) {
            within.push_str(&named(&span));
            if self.json {
                spans.insert(span.name().to_owned(), fields_of(&span));
            }
        }
        let line = LogLine {
            at: Timestamp::now(),
            level: event.metadata().level().to_string(),
            target: event.metadata().target().to_owned(),
            text: one_line(&format!("{within}{}", fields.to_text())),
        };
        let written = if self.json { as_json(&line, &fields, spans) } else { as_text(&line) };
        self.write(&written);
        self.ring.push(line);
    }
}

impl Lines {
    fn write(&self, written: &str) {
        if self.stderr {
            // Nobody is there to be told that stderr is closed.
            let _ = std::io::stderr().write_all(written.as_bytes());
        }
        if let Some(news) = self.file.as_ref().and_then(|file| file.write(written)) {
            self.ring.push(LogLine {
                at: Timestamp::now(),
                level: "WARN".to_owned(),
                target: "moltis_telemetry".to_owned(),
                text: news,
            });
        }
    }
}

/// `turn{session=… turn=…}: `.
fn named<'a, S>(span: &SpanRef<'a, S>) -> String
where
    S: LookupSpan<'a>,
{
    let fields = span.extensions().get::<Fields>().map(Fields::to_text).unwrap_or_default();
    if fields.is_empty() {
        format!("{}: ", span.name())
    } else {
        format!("{}{{{fields}}}: ", span.name())
    }
}

fn fields_of<'a, S>(span: &SpanRef<'a, S>) -> Value
where
    S: LookupSpan<'a>,
{
    span.extensions()
        .get::<Fields>()
        .map(|fields| Value::Object(fields.to_json()))
        .unwrap_or_default()
}

/// `2026-11-24T12:00:00Z INFO  moltisd: ready pid=1`.
fn as_text(line: &LogLine) -> String {
    format!("{} {:5} {}: {}\n", line.at, line.level, line.target, line.text)
}

/// `{"at","level","target","message","fields","spans"}`; an empty object is left out.
fn as_json(line: &LogLine, fields: &Fields, spans: Map<String, Value>) -> String {
    let mut document = json!({
        "at": line.at.to_string(),
        "level": line.level,
        "target": line.target,
        "message": fields.message(),
    });
    let others = fields.to_json();
    if !others.is_empty() {
        document["fields"] = Value::Object(others);
    }
    if !spans.is_empty() {
        document["spans"] = Value::Object(spans);
    }
    format!("{document}\n")
}

#[cfg(test)]
#[path = "layer_tests.rs"]
mod tests;

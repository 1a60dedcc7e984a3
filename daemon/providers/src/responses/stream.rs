//! Answers.

use std::collections::HashMap;

use moltis_core::message::Usage;
use moltis_core::provider::{Failure, FinishReason};
use moltis_net::sse;
use serde::Deserialize;
use serde_json::{Value, json};

use super::wire::SEAL;
use crate::dialect::{Reader, parse};
use crate::failure;
use crate::output::Output;
use crate::parts;

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    output_index: u64,
    #[serde(default)]
    summary_index: u64,
    #[serde(default)]
    delta: Value,
    item: Option<Item>,
    response: Option<Response>,
    #[serde(flatten)]
    rest: HashMap<String, Value>,
}

#[derive(Deserialize)]
struct Item {
    #[serde(rename = "type", default)]
    kind: String,
    id: Option<String>,
    call_id: Option<String>,
    name: Option<String>,
    arguments: Option<String>,
    summary: Option<Value>,
    encrypted_content: Option<String>,
}

#[derive(Deserialize)]
struct Response {
    usage: Option<WireUsage>,
    incomplete_details: Option<Incomplete>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Incomplete {
    reason: Option<String>,
}

#[derive(Deserialize)]
struct WireUsage {
    #[serde(default)]
    input_tokens: u64,
    #[serde(default)]
    output_tokens: u64,
    input_tokens_details: Option<Cached>,
}

#[derive(Deserialize)]
struct Cached {
    #[serde(default)]
    cached_tokens: u64,
}

/// A call whose arguments are still arriving.
struct Open {
    index: u32,
    /// Bytes of arguments so far; the whole may come only at the end.
    seen: usize,
}

/// Reads an answer.
#[derive(Default)]
pub(crate) struct ResponsesReader {
    open: HashMap<u64, Open>,
    /// The summary paragraph that is being written, so that the next one gets a gap before it.
    paragraph: Option<(u64, u64)>,
    refused: bool,
}

/// A reader.
pub(crate) fn reader() -> ResponsesReader {
    ResponsesReader::default()
}

impl Reader for ResponsesReader {
    fn event(&mut self, event: &sse::Event, out: &mut Output) -> Result<(), Failure> {
        let data = event.data.trim();
        if data.is_empty() || data == "[DONE]" {
            return Ok(());
        }
        let mut read: Event = parse(data)?;
        if read.kind.is_empty() {
            event.name.clone_into(&mut read.kind);
        }
        let delta = read.delta.as_str().unwrap_or_default();
        match read.kind.as_str() {
            "response.output_text.delta" => out.text(delta.to_owned()),
            "response.refusal.delta" => {
                self.refused = true;
                out.text(delta.to_owned());
            }
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                self.thought(delta, (read.output_index, read.summary_index), out);
            }
            "response.output_item.added" => {
                if let Some(item) = read.item.filter(|item| item.kind == "function_call") {
                    self.start(read.output_index, item, out)?;
                }
            }
            "response.function_call_arguments.delta" => self.more(read.output_index, delta, out),
            "response.output_item.done" => {
                if let Some(item) = read.item {
                    self.done(read.output_index, item, out)?;
                }
            }
            "response.completed" | "response.incomplete" | "response.done" => {
                self.close(read.response, out);
            }
            "response.failed" => {
                let error = read.response.and_then(|response| response.error);
                return Err(failure::in_stream(&error.unwrap_or_default()));
            }
            "error" => return Err(failure::in_stream(&reported(read.rest))),
            _ if read.rest.contains_key("error") => {
                return Err(failure::in_stream(&reported(read.rest)));
            }
            _ => {}
        }
        Ok(())
    }
}

/// An error event is flat in the documents and nested on the wire.
fn reported(rest: HashMap<String, Value>) -> Value {
    let fields: serde_json::Map<String, Value> = rest.into_iter().collect();
    match fields.get("error") {
        Some(error) if error.is_object() => error.clone(),
        _ => Value::Object(fields),
    }
}

impl ResponsesReader {
    fn thought(&mut self, delta: &str, place: (u64, u64), out: &mut Output) {
        let is_new = self.paragraph.is_some_and(|before| before.0 == place.0 && before != place);
        self.paragraph = Some(place);
        out.reasoning(if is_new { format!("\n\n{delta}") } else { delta.to_owned() });
    }

    fn start(&mut self, at: u64, item: Item, out: &mut Output) -> Result<(), Failure> {
        let id = item.call_id.or(item.id).unwrap_or_default();
        let index = out.start_call(&id, &item.name.unwrap_or_default())?;
        self.open.insert(at, Open { index, seen: 0 });
        self.more(at, &item.arguments.unwrap_or_default(), out);
        Ok(())
    }

    fn more(&mut self, at: u64, delta: &str, out: &mut Output) {
        if let Some(open) = self.open.get_mut(&at) {
            open.seen += delta.len();
            out.arguments(open.index, delta.to_owned());
        }
    }

    fn done(&mut self, at: u64, item: Item, out: &mut Output) -> Result<(), Failure> {
        match item.kind.as_str() {
            "function_call" => {
                let whole = item.arguments.clone().unwrap_or_default();
                if !self.open.contains_key(&at) {
                    self.start(at, Item { arguments: None, ..item }, out)?;
                }
                if let Some(open) = self.open.remove(&at) {
                    let rest = whole.get(open.seen..).unwrap_or_default();
                    out.arguments(open.index, rest.to_owned());
                    out.end_call(open.index);
                }
            }
            "reasoning" => {
                if let Some(proof) = item.encrypted_content {
                    let kept = json!({
                        "type": "reasoning", "id": item.id,
                        "summary": item.summary.unwrap_or_else(|| json!([])),
                        "encrypted_content": proof,
                    });
                    out.signature(parts::seal(SEAL, &kept.to_string()));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn close(&mut self, response: Option<Response>, out: &mut Output) {
        let Some(response) = response else { return out.finish(FinishReason::Stop) };
        if let Some(usage) = response.usage {
            let read = usage.input_tokens_details.map_or(0, |details| details.cached_tokens);
            out.usage(Usage {
                input_tokens: usage.input_tokens.saturating_sub(read),
                output_tokens: usage.output_tokens,
                cache_read_tokens: read,
                ..Usage::default()
            });
        }
        let reason = response.incomplete_details.and_then(|details| details.reason);
        out.finish(match reason.as_deref() {
            Some("content_filter") => FinishReason::Filtered,
            Some(_) => FinishReason::Length,
            None if self.refused => FinishReason::Filtered,
            None => FinishReason::Stop,
        });
    }
}

//! Answers.

use std::collections::HashMap;

use moltis_core::message::Usage;
use moltis_core::provider::{Failure, FinishReason};
use moltis_net::sse;
use serde::Deserialize;
use serde_json::Value;

use super::wire::{HIDDEN, SEAL};
use crate::dialect::{Reader, parse};
use crate::failure;
use crate::output::Output;
use crate::parts;

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event {
    MessageStart {
        message: Start,
    },
    ContentBlockStart {
        index: u64,
        content_block: Block,
    },
    ContentBlockDelta {
        index: u64,
        delta: Delta,
    },
    ContentBlockStop {
        index: u64,
    },
    MessageDelta {
        delta: End,
        usage: Option<WireUsage>,
    },
    MessageStop,
    Error {
        error: Value,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Start {
    usage: Option<WireUsage>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block {
    Text {
        #[serde(default)]
        text: String,
    },
    Thinking {
        #[serde(default)]
        thinking: String,
        #[serde(default)]
        signature: String,
    },
    RedactedThinking {
        #[serde(default)]
        data: String,
    },
    ToolUse {
        id: String,
        name: String,
        #[serde(default)]
        input: Value,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[expect(clippy::enum_variant_names, reason = "the names are the vendor's")]
enum Delta {
    TextDelta {
        text: String,
    },
    InputJsonDelta {
        partial_json: String,
    },
    ThinkingDelta {
        thinking: String,
    },
    SignatureDelta {
        signature: String,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct End {
    stop_reason: Option<String>,
}

#[derive(Clone, Copy, Default, Deserialize)]
struct WireUsage {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
}

/// A block that is being written.
enum Open {
    Call {
        index: u32,
        /// What the block began with, for vendors that send it whole and no deltas.
        given: String,
    },
    Thought {
        signature: String,
    },
    Other,
}

/// Reads an answer.
#[derive(Default)]
pub(crate) struct MessagesReader {
    open: HashMap<u64, Open>,
    usage: WireUsage,
    finish: Option<FinishReason>,
}

/// A reader.
pub(crate) fn reader() -> MessagesReader {
    MessagesReader::default()
}

impl Reader for MessagesReader {
    fn event(&mut self, event: &sse::Event, out: &mut Output) -> Result<(), Failure> {
        let data = event.data.trim();
        if data.is_empty() || data == "[DONE]" {
            return Ok(());
        }
        match parse(data)? {
            Event::MessageStart { message } => self.used(message.usage, out),
            Event::ContentBlockStart { index, content_block } => {
                let open = begin(content_block, out)?;
                self.open.insert(index, open);
            }
            Event::ContentBlockDelta { index, delta } => self.delta(index, delta, out),
            Event::ContentBlockStop { index } => self.stop(index, out),
            Event::MessageDelta { delta, usage } => {
                if let Some(reason) = delta.stop_reason {
                    self.finish = Some(finish(&reason));
                }
                self.used(usage, out);
            }
            Event::MessageStop => out.finish(self.finish.unwrap_or(FinishReason::Stop)),
            Event::Error { error } => return Err(failure::in_stream(&error)),
            Event::Other => {}
        }
        Ok(())
    }
}

fn finish(reason: &str) -> FinishReason {
    match reason {
        "max_tokens" | "model_context_window_exceeded" => FinishReason::Length,
        "tool_use" => FinishReason::ToolCalls,
        "refusal" => FinishReason::Filtered,
        _ => FinishReason::Stop,
    }
}

fn begin(block: Block, out: &mut Output) -> Result<Open, Failure> {
    Ok(match block {
        Block::Text { text } => {
            out.text(text);
            Open::Other
        }
        Block::Thinking { thinking, signature } => {
            out.reasoning(thinking);
            Open::Thought { signature }
        }
        Block::RedactedThinking { data } => {
            out.signature(parts::seal(HIDDEN, &data));
            Open::Other
        }
        Block::ToolUse { id, name, input } => {
            let given = match &input {
                Value::Object(fields) if !fields.is_empty() => input.to_string(),
                _ => String::new(),
            };
            Open::Call { index: out.start_call(&id, &name)?, given }
        }
        Block::Other => Open::Other,
    })
}

impl MessagesReader {
    fn delta(&mut self, at: u64, delta: Delta, out: &mut Output) {
        match (delta, self.open.get_mut(&at)) {
            (Delta::TextDelta { text }, _) => out.text(text),
            (Delta::ThinkingDelta { thinking }, _) => out.reasoning(thinking),
            (Delta::InputJsonDelta { partial_json }, Some(Open::Call { index, given })) => {
                if !partial_json.is_empty() {
                    given.clear();
                }
                out.arguments(*index, partial_json);
            }
            (Delta::SignatureDelta { signature }, Some(Open::Thought { signature: kept })) => {
                kept.push_str(&signature);
            }
            (Delta::InputJsonDelta { .. } | Delta::SignatureDelta { .. } | Delta::Other, _) => {}
        }
    }

    fn stop(&mut self, at: u64, out: &mut Output) {
        match self.open.remove(&at) {
            Some(Open::Call { index, given }) => {
                out.arguments(index, given);
                out.end_call(index);
            }
            Some(Open::Thought { signature }) if !signature.is_empty() => {
                out.signature(parts::seal(SEAL, &signature));
            }
            Some(Open::Thought { .. } | Open::Other) | None => {}
        }
    }

    /// The counts at the end replace those of the beginning; what is not repeated stays.
    fn used(&mut self, usage: Option<WireUsage>, out: &mut Output) {
        let Some(new) = usage else { return };
        let kept = &mut self.usage;
        kept.input_tokens = new.input_tokens.or(kept.input_tokens);
        kept.output_tokens = new.output_tokens.or(kept.output_tokens);
        kept.cache_creation_input_tokens =
            new.cache_creation_input_tokens.or(kept.cache_creation_input_tokens);
        kept.cache_read_input_tokens = new.cache_read_input_tokens.or(kept.cache_read_input_tokens);
        out.usage(Usage {
            input_tokens: kept.input_tokens.unwrap_or(0),
            output_tokens: kept.output_tokens.unwrap_or(0),
            cache_read_tokens: kept.cache_read_input_tokens.unwrap_or(0),
            cache_write_tokens: kept.cache_creation_input_tokens.unwrap_or(0),
            cost_microusd: 0,
        });
    }
}

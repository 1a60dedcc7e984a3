//! Answers: lines of JSON, the last of them with `done`.

use moltis_core::message::Usage;
use moltis_core::provider::{Failure, FailureKind, FinishReason};
use moltis_net::sse;
use serde::Deserialize;
use serde_json::Value;

use crate::dialect::{Reader, made_up_id, parse};
use crate::failure;
use crate::output::Output;

#[derive(Deserialize)]
struct Line {
    message: Option<Message>,
    #[serde(default)]
    done: bool,
    done_reason: Option<String>,
    prompt_eval_count: Option<u64>,
    eval_count: Option<u64>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Message {
    content: Option<String>,
    thinking: Option<String>,
    tool_calls: Option<Vec<Call>>,
}

#[derive(Deserialize)]
struct Call {
    id: Option<String>,
    function: Function,
}

#[derive(Deserialize)]
struct Function {
    name: String,
    arguments: Option<Value>,
}

/// Reads an answer.
pub(crate) struct ChatReader {
    turn: usize,
}

/// A reader for the answer to a conversation of `turn` messages.
pub(crate) fn reader(turn: usize) -> ChatReader {
    ChatReader { turn }
}

impl Reader for ChatReader {
    fn event(&mut self, event: &sse::Event, out: &mut Output) -> Result<(), Failure> {
        let line: Line = parse(&event.data)?;
        if let Some(error) = line.error {
            let told = match error {
                Value::String(message) => serde_json::json!({"message": message}),
                other => other,
            };
            return Err(failure::in_stream(&told));
        }
        if let Some(message) = line.message {
            self.message(message, out)?;
        }
        if !line.done {
            return Ok(());
        }
        if line.done_reason.as_deref() == Some("load") {
            return Err(Failure::new(
                FailureKind::Malformed,
                "the model was loaded but said nothing",
            ));
        }
        out.usage(Usage {
            input_tokens: line.prompt_eval_count.unwrap_or(0),
            output_tokens: line.eval_count.unwrap_or(0),
            ..Usage::default()
        });
        out.finish(match line.done_reason.as_deref() {
            Some("length") => FinishReason::Length,
            _ => FinishReason::Stop,
        });
        Ok(())
    }
}

impl ChatReader {
    fn message(&self, message: Message, out: &mut Output) -> Result<(), Failure> {
        out.reasoning(message.thinking.unwrap_or_default());
        out.text(message.content.unwrap_or_default());
        for call in message.tool_calls.into_iter().flatten() {
            let id = call.id.filter(|id| !id.is_empty());
            let id = id.unwrap_or_else(|| made_up_id(self.turn, out.calls()));
            let index = out.start_call(&id, &call.function.name)?;
            let arguments = match call.function.arguments {
                Some(Value::String(text)) => text,
                Some(value) => value.to_string(),
                None => "{}".to_owned(),
            };
            out.arguments(index, arguments);
            out.end_call(index);
        }
        Ok(())
    }
}

//! Answers. The stream has no terminator of its own: the finish reason and then the end are it.

use moltis_core::message::Usage;
use moltis_core::provider::{Failure, FailureKind, FinishReason};
use moltis_net::sse;
use serde::Deserialize;
use serde_json::Value;

use super::wire::SEAL;
use crate::dialect::{Reader, cut_off, made_up_id, parse};
use crate::failure;
use crate::output::Output;
use crate::parts;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    candidates: Option<Vec<Candidate>>,
    usage_metadata: Option<WireUsage>,
    prompt_feedback: Option<Feedback>,
    error: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Candidate {
    content: Option<Content>,
    finish_reason: Option<String>,
    finish_message: Option<String>,
}

#[derive(Deserialize)]
struct Content {
    parts: Option<Vec<Part>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    text: Option<String>,
    #[serde(default)]
    thought: bool,
    thought_signature: Option<String>,
    function_call: Option<FunctionCall>,
}

#[derive(Deserialize)]
struct FunctionCall {
    id: Option<String>,
    name: String,
    args: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Feedback {
    block_reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireUsage {
    #[serde(default)]
    prompt_token_count: u64,
    #[serde(default)]
    cached_content_token_count: u64,
    #[serde(default)]
    candidates_token_count: u64,
    #[serde(default)]
    thoughts_token_count: u64,
    #[serde(default)]
    tool_use_prompt_token_count: u64,
}

/// Reads an answer.
pub(crate) struct GenerateReader {
    turn: usize,
    finish: Option<FinishReason>,
}

/// A reader for the answer to a conversation of `turn` messages.
pub(crate) fn reader(turn: usize) -> GenerateReader {
    GenerateReader { turn, finish: None }
}

impl Reader for GenerateReader {
    fn event(&mut self, event: &sse::Event, out: &mut Output) -> Result<(), Failure> {
        let data = event.data.trim();
        if data.is_empty() || data == "[DONE]" {
            return Ok(());
        }
        let event: Event = parse(data)?;
        if let Some(error) = event.error {
            return Err(failure::in_stream(&error));
        }
        for candidate in event.candidates.into_iter().flatten().take(1) {
            let content = candidate.content.and_then(|content| content.parts);
            for part in content.into_iter().flatten() {
                self.part(part, out)?;
            }
            if let Some(reason) = candidate.finish_reason {
                self.finish = Some(finish(&reason, candidate.finish_message)?);
            }
        }
        if event.prompt_feedback.is_some_and(|feedback| feedback.block_reason.is_some()) {
            self.finish = Some(FinishReason::Filtered);
        }
        if let Some(usage) = event.usage_metadata {
            out.usage(usage.normal());
        }
        Ok(())
    }

    fn end(&mut self, out: &mut Output) -> Result<(), Failure> {
        let reason = self.finish.ok_or_else(cut_off)?;
        out.finish(reason);
        Ok(())
    }
}

fn finish(reason: &str, message: Option<String>) -> Result<FinishReason, Failure> {
    match reason {
        // The second is what imitations say after a call.
        "STOP" | "FUNCTION_CALL" => Ok(FinishReason::Stop),
        "MAX_TOKENS" => Ok(FinishReason::Length),
        "SAFETY" | "RECITATION" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII" | "LANGUAGE"
        | "IMAGE_SAFETY" | "MODEL_ARMOR" => Ok(FinishReason::Filtered),
        "MALFORMED_FUNCTION_CALL" | "UNEXPECTED_TOOL_CALL" | "MALFORMED_RESPONSE" => {
            let words = message.unwrap_or_else(|| reason.to_owned());
            let message = format!("the model made a call that can't be read: {words}");
            Err(Failure::new(FailureKind::Malformed, message))
        }
        _ => {
            let words = message.map(|words| format!(": {words}")).unwrap_or_default();
            let message = format!("the model stopped before its end ({reason}){words}");
            Err(Failure::new(FailureKind::Malformed, message))
        }
    }
}

impl GenerateReader {
    fn part(&self, part: Part, out: &mut Output) -> Result<(), Failure> {
        if let Some(text) = part.text {
            if part.thought {
                out.reasoning(text);
            } else {
                self.text(text, part.thought_signature, out);
            }
            return Ok(());
        }
        self.sign(part.thought_signature, out);
        if let Some(call) = part.function_call {
            let id = call.id.unwrap_or_else(|| made_up_id(self.turn, out.calls()));
            let index = out.start_call(&id, &call.name)?;
            out.arguments(
                index,
                call.args.map_or_else(|| "{}".to_owned(), |args| args.to_string()),
            );
            out.end_call(index);
        }
        Ok(())
    }

    fn text(&self, text: String, proof: Option<String>, out: &mut Output) {
        self.sign(proof, out);
        out.text(text);
    }

    fn sign(&self, proof: Option<String>, out: &mut Output) {
        if let Some(proof) = proof {
            out.signature(parts::seal(SEAL, &proof));
        }
    }
}

impl WireUsage {
    /// Gemini counts cached tokens among the prompt's, and thoughts beside the answer.
    fn normal(&self) -> Usage {
        let prompt = self.prompt_token_count + self.tool_use_prompt_token_count;
        Usage {
            input_tokens: prompt.saturating_sub(self.cached_content_token_count),
            output_tokens: self.candidates_token_count + self.thoughts_token_count,
            cache_read_tokens: self.cached_content_token_count,
            ..Usage::default()
        }
    }
}

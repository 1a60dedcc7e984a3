//! Answers.

use moltis_core::message::Usage;
use moltis_core::provider::{Failure, FailureKind, FinishReason};
use moltis_net::sse;
use serde::Deserialize;
use serde_json::Value;

use super::think::Splitter;
use crate::dialect::{Reader, cut_off, made_up_id, parse};
use crate::endpoint::Endpoint;
use crate::failure;
use crate::output::Output;
use crate::parts;
use crate::vendors::Replay;

/// Marks OpenRouter's `reasoning_details` in a signature.
pub(super) const DETAILS: &str = "details";

#[derive(Deserialize)]
struct Event {
    choices: Option<Vec<Choice>>,
    usage: Option<WireUsage>,
    /// Groq's place for it.
    x_groq: Option<Groq>,
    error: Option<Value>,
    /// MiniMax's errors come with status 200.
    base_resp: Option<BaseResponse>,
}

#[derive(Deserialize)]
struct Groq {
    usage: Option<WireUsage>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct BaseResponse {
    #[serde(default)]
    status_code: i64,
    #[serde(default)]
    status_msg: String,
}

#[derive(Deserialize)]
struct Choice {
    delta: Option<Delta>,
    finish_reason: Option<String>,
    /// Moonshot's place for it.
    usage: Option<WireUsage>,
}

#[derive(Deserialize)]
struct Delta {
    content: Option<Content>,
    refusal: Option<String>,
    reasoning_content: Option<String>,
    reasoning: Option<Value>,
    reasoning_details: Option<Vec<Value>>,
    tool_calls: Option<Vec<CallDelta>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    /// Mistral's thinking models.
    Pieces(Vec<Piece>),
}

#[derive(Deserialize)]
struct Piece {
    text: Option<String>,
    thinking: Option<Vec<Self>>,
}

#[derive(Deserialize)]
struct CallDelta {
    index: Option<u64>,
    id: Option<String>,
    function: Option<FunctionDelta>,
}

#[derive(Deserialize)]
struct FunctionDelta {
    name: Option<String>,
    arguments: Option<Value>,
}

#[derive(Deserialize)]
struct WireUsage {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    total_tokens: Option<u64>,
    prompt_tokens_details: Option<PromptDetails>,
    completion_tokens_details: Option<CompletionDetails>,
    /// DeepSeek's word for tokens read from the cache.
    prompt_cache_hit_tokens: Option<u64>,
    /// Moonshot's.
    cached_tokens: Option<u64>,
    /// OpenRouter's price, in dollars.
    cost: Option<f64>,
}

#[derive(Deserialize)]
struct PromptDetails {
    cached_tokens: Option<u64>,
    cache_write_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct CompletionDetails {
    reasoning_tokens: Option<u64>,
}

/// A call whose arguments are still arriving.
struct Open {
    /// The vendor's number of it.
    wire: u64,
    id: String,
    name: String,
    /// Its index for our callers, once it is started.
    index: Option<u32>,
    /// What came before its name.
    early: String,
}

/// Reads an answer.
pub(crate) struct ChatReader {
    turn: usize,
    splitter: Splitter,
    open: Vec<Open>,
    finish: Option<FinishReason>,
    keeps_details: bool,
    details: Vec<Value>,
    seen_any: bool,
}

/// A reader for the answer to a conversation of `turn` messages.
pub(crate) fn reader(endpoint: &Endpoint, turn: usize) -> ChatReader {
    ChatReader {
        turn,
        splitter: if endpoint.quirks.think_tags { Splitter::default() } else { Splitter::off() },
        open: Vec::new(),
        finish: None,
        keeps_details: endpoint.quirks.replay == Replay::Details,
        details: Vec::new(),
        seen_any: false,
    }
}

impl Reader for ChatReader {
    fn event(&mut self, event: &sse::Event, out: &mut Output) -> Result<(), Failure> {
        let data = event.data.trim();
        if data == "[DONE]" {
            return if self.seen_any { self.close(out) } else { Err(cut_off()) };
        }
        if data.is_empty() {
            return Ok(());
        }
        let event: Event = parse(data)?;
        if let Some(error) = event.error.filter(|error| !error.is_null()) {
            return Err(failure::in_stream(&error));
        }
        if let Some(error) = event.base_resp.filter(|answer| answer.status_code != 0) {
            let told = serde_json::json!({"code": error.status_code, "message": error.status_msg});
            return Err(failure::in_stream(&told));
        }
        for choice in event.choices.into_iter().flatten().take(1) {
            self.seen_any = true;
            self.choice(choice, out)?;
        }
        let groq = match event.x_groq {
            Some(Groq { error: Some(error), .. }) => return Err(failure::in_stream(&error)),
            Some(groq) => groq.usage,
            None => None,
        };
        if let Some(usage) = event.usage.or(groq) {
            out.usage(usage.normal());
        }
        Ok(())
    }

    fn end(&mut self, out: &mut Output) -> Result<(), Failure> {
        // Several imitations forget `[DONE]`; the finish reason says as much.
        if self.finish.is_some() { self.close(out) } else { Err(cut_off()) }
    }
}

impl ChatReader {
    fn close(&mut self, out: &mut Output) -> Result<(), Failure> {
        self.splitter.flush(out);
        self.start_pending(out)?;
        self.sign(out);
        out.finish(self.finish.unwrap_or(FinishReason::Stop));
        Ok(())
    }

    fn choice(&mut self, choice: Choice, out: &mut Output) -> Result<(), Failure> {
        if let Some(delta) = choice.delta {
            self.delta(delta, out)?;
        }
        if let Some(usage) = choice.usage {
            out.usage(usage.normal());
        }
        match choice.finish_reason.as_deref() {
            None | Some("") => {}
            Some("length" | "max_tokens" | "model_length") => {
                self.finish = Some(FinishReason::Length);
            }
            Some("tool_calls" | "function_call" | "tool_use") => {
                self.finish = Some(FinishReason::ToolCalls);
            }
            Some("content_filter" | "safety") => self.finish = Some(FinishReason::Filtered),
            Some(reason @ ("error" | "insufficient_system_resource" | "network_error")) => {
                let message = format!("the vendor broke off: {reason}");
                return Err(Failure::new(FailureKind::Overload, message));
            }
            Some(_) => self.finish = Some(FinishReason::Stop),
        }
        Ok(())
    }

    fn delta(&mut self, delta: Delta, out: &mut Output) -> Result<(), Failure> {
        if let Some(thought) = delta.reasoning_content {
            out.reasoning(thought);
        } else if let Some(Value::String(thought)) = delta.reasoning {
            out.reasoning(thought);
        }
        if self.keeps_details {
            for detail in delta.reasoning_details.into_iter().flatten() {
                keep_detail(&mut self.details, detail);
            }
        }
        match delta.content {
            Some(Content::Text(text)) => self.text(text, out),
            Some(Content::Pieces(pieces)) => self.pieces(pieces, out),
            None => {}
        }
        if let Some(refusal) = delta.refusal {
            self.text(refusal, out);
        }
        for call in delta.tool_calls.into_iter().flatten() {
            self.call(call, out)?;
        }
        Ok(())
    }

    fn pieces(&mut self, pieces: Vec<Piece>, out: &mut Output) {
        for piece in pieces {
            for thought in piece.thinking.into_iter().flatten() {
                out.reasoning(thought.text.unwrap_or_default());
            }
            self.text(piece.text.unwrap_or_default(), out);
        }
    }

    fn text(&mut self, text: String, out: &mut Output) {
        if !text.is_empty() {
            self.sign(out);
            self.splitter.push(text, out);
        }
    }

    /// Hands the proofs of the reasoning on, before whatever follows the reasoning.
    fn sign(&mut self, out: &mut Output) {
        if !self.details.is_empty() {
            let proof = Value::Array(std::mem::take(&mut self.details)).to_string();
            out.signature(parts::seal(DETAILS, &proof));
        }
    }

    /// A call is known by its number; but some vendors number all of them 0, or none, and only
    /// the id tells that another one begins.
    fn call(&mut self, call: CallDelta, out: &mut Output) -> Result<(), Failure> {
        self.splitter.flush(out);
        self.sign(out);
        let id = call.id.unwrap_or_default();
        let function = call.function.unwrap_or(FunctionDelta { name: None, arguments: None });
        let is_named = function.name.as_ref().is_some_and(|name| !name.is_empty());
        let found = match call.index {
            Some(wire) => self.open.iter().rposition(|open| open.wire == wire),
            None if id.is_empty() && is_named => None,
            None if id.is_empty() => self.open.len().checked_sub(1),
            None => self.open.iter().rposition(|open| open.id == id),
        };
        let is_same = |at: &usize| {
            self.open
                .get(*at)
                .is_some_and(|open| id.is_empty() || open.id.is_empty() || open.id == id)
        };
        let at = found.filter(is_same).unwrap_or_else(|| {
            let wire = call.index.unwrap_or(u64::MAX);
            let new = Open {
                wire,
                id: String::new(),
                name: String::new(),
                index: None,
                early: String::new(),
            };
            self.open.push(new);
            self.open.len() - 1
        });
        let turn = self.turn;
        let Some(open) = self.open.get_mut(at) else { return Ok(()) };
        if open.id.is_empty() {
            open.id = id;
        }
        if open.index.is_none() {
            open.name.push_str(function.name.as_deref().unwrap_or_default());
        }
        let fragment = match function.arguments {
            Some(Value::String(text)) => text,
            None | Some(Value::Null) => String::new(),
            Some(object) => object.to_string(),
        };
        open.early.push_str(&fragment);
        // Nameless so far: a call can only be told with its name.
        if open.name.is_empty() { Ok(()) } else { open.start(turn, out) }
    }

    fn start_pending(&mut self, out: &mut Output) -> Result<(), Failure> {
        let turn = self.turn;
        self.open.iter_mut().try_for_each(|open| open.start(turn, out))
    }
}

impl Open {
    fn start(&mut self, turn: usize, out: &mut Output) -> Result<(), Failure> {
        let index = match self.index {
            Some(index) => index,
            None => {
                if self.id.is_empty() {
                    self.id = made_up_id(turn, out.calls());
                }
                out.start_call(&self.id, &self.name)?
            }
        };
        self.index = Some(index);
        out.arguments(index, std::mem::take(&mut self.early));
        Ok(())
    }
}

/// Joins the pieces of OpenRouter's reasoning details: pieces of the same index and type belong
/// together, their texts follow one another.
fn keep_detail(details: &mut Vec<Value>, mut piece: Value) {
    let same = |one: &Value, other: &Value| {
        one.get("index") == other.get("index") && one.get("type") == other.get("type")
    };
    let Some(last) = details.last_mut().filter(|last| same(last, &piece)) else {
        details.push(piece);
        return;
    };
    let (Some(last), Some(piece)) = (last.as_object_mut(), piece.as_object_mut()) else { return };
    for (key, value) in std::mem::take(piece) {
        match (last.get_mut(&key), value) {
            (_, Value::Null) => {}
            (Some(Value::String(text)), Value::String(more))
                if matches!(key.as_str(), "text" | "summary" | "data") =>
            {
                text.push_str(&more);
            }
            (_, value) => {
                last.insert(key, value);
            }
        }
    }
}

impl WireUsage {
    /// OpenAI counts cached tokens among the prompt's; we do not.
    fn normal(&self) -> Usage {
        let prompt = self.prompt_tokens.unwrap_or(0);
        let details = self.prompt_tokens_details.as_ref();
        let read = details
            .and_then(|details| details.cached_tokens)
            .or(self.prompt_cache_hit_tokens)
            .or(self.cached_tokens)
            .unwrap_or(0)
            .min(prompt);
        let write = details.and_then(|details| details.cache_write_tokens).unwrap_or(0);
        let written = self.completion_tokens.unwrap_or(0);
        let thought = self
            .completion_tokens_details
            .as_ref()
            .and_then(|details| details.reasoning_tokens)
            .unwrap_or(0);
        // xAI counts reasoning beside the answer, not in it; its total gives it away.
        let is_beside = thought > 0 && self.total_tokens == Some(prompt + written + thought);
        let cost = self.cost.unwrap_or(0.0).max(0.0) * 1_000_000.0;
        Usage {
            input_tokens: prompt.saturating_sub(read).saturating_sub(write),
            output_tokens: if is_beside { written + thought } else { written },
            cache_read_tokens: read,
            cache_write_tokens: write,
            cost_microusd: cost.ceil() as u64,
        }
    }
}

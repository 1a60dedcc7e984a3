//! What the dialects have in common: a way to ask, a reader of answers, a list of models.
//!
//! A dialect is a wire format, not a vendor. Dialects are an enum and not an open trait: there
//! are five, and every `match` on them is found by the compiler when there are six.

use moltis_core::models::ModelInfo;
use moltis_core::provider::{Failure, FailureKind, Request};
use moltis_net::sse;
use serde_json::Value;

use crate::endpoint::Endpoint;
use crate::output::Output;
use crate::{anthropic, gemini, ollama, openai, responses};

/// A wire format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// OpenAI's chat completions and all that imitate them.
    OpenAi,
    /// OpenAI's responses.
    Responses,
    /// Anthropic's messages.
    Anthropic,
    /// Gemini's native API.
    Gemini,
    /// Ollama's native API.
    Ollama,
}

/// How a stream is cut into events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Server-sent events.
    Sse,
    /// Lines of JSON; read as events without a name.
    Lines,
}

/// A request as it goes onto the wire.
#[derive(Debug)]
pub(crate) struct Call {
    /// What follows the base URL.
    pub(crate) path: String,
    /// The JSON document to send.
    pub(crate) body: Value,
}

/// Reads one answer. It is fed every event in order and then told of the end.
pub(crate) trait Reader: Send {
    /// Takes an event in.
    ///
    /// # Errors
    /// When the vendor reports one, or the event is not what the dialect promises.
    fn event(&mut self, event: &sse::Event, out: &mut Output) -> Result<(), Failure>;

    /// Takes the end of the stream in.
    ///
    /// # Errors
    /// When the answer had not ended.
    fn end(&mut self, out: &mut Output) -> Result<(), Failure> {
        if out.is_finished() { Ok(()) } else { Err(cut_off()) }
    }
}

impl Dialect {
    pub(crate) fn framing(self) -> Framing {
        match self {
            Self::Ollama => Framing::Lines,
            Self::OpenAi | Self::Responses | Self::Anthropic | Self::Gemini => Framing::Sse,
        }
    }

    pub(crate) fn call(self, request: &Request, endpoint: &Endpoint) -> Call {
        match self {
            Self::OpenAi => openai::call(request, endpoint),
            Self::Responses => responses::call(request, endpoint),
            Self::Anthropic => anthropic::call(request, endpoint),
            Self::Gemini => gemini::call(request),
            Self::Ollama => ollama::call(request),
        }
    }

    pub(crate) fn reader(self, request: &Request, endpoint: &Endpoint) -> Box<dyn Reader> {
        let turn = request.messages.len();
        match self {
            Self::OpenAi => Box::new(openai::reader(endpoint, turn)),
            Self::Responses => Box::new(responses::reader()),
            Self::Anthropic => Box::new(anthropic::reader()),
            Self::Gemini => Box::new(gemini::reader(turn)),
            Self::Ollama => Box::new(ollama::reader(turn)),
        }
    }

    /// The header that carries the key; `None` is `authorization: Bearer`.
    pub(crate) fn key_header(self) -> Option<&'static str> {
        match self {
            Self::Anthropic => Some("x-api-key"),
            Self::Gemini => Some("x-goog-api-key"),
            Self::OpenAi | Self::Responses | Self::Ollama => None,
        }
    }

    /// Where the models are listed, after the base URL.
    pub(crate) fn models_path(self) -> &'static str {
        match self {
            Self::OpenAi | Self::Responses => "/models",
            Self::Anthropic => "/v1/models?limit=1000",
            Self::Gemini => "/models?pageSize=1000",
            Self::Ollama => "/api/tags",
        }
    }

    /// Reads a list of models. What the vendor does not say is left for the table.
    pub(crate) fn read_models(self, endpoint: &Endpoint, list: &Value) -> Vec<ModelInfo> {
        match self {
            Self::OpenAi | Self::Responses => openai::read_models(endpoint, list),
            Self::Anthropic => anthropic::read_models(endpoint, list),
            Self::Gemini => gemini::read_models(endpoint, list),
            Self::Ollama => ollama::read_models(endpoint, list),
        }
    }

    /// Headers that every request of the dialect has.
    pub(crate) fn headers(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Anthropic => anthropic::HEADERS,
            Self::OpenAi | Self::Responses | Self::Gemini | Self::Ollama => &[],
        }
    }

    /// Brings a base URL as people write it into the form that paths are appended to.
    pub(crate) fn base_url(self, given: &str) -> String {
        let url = given.trim().trim_end_matches('/');
        let bare = url.split_once("://").is_some_and(|(_, rest)| !rest.contains('/'));
        match self {
            Self::OpenAi | Self::Responses if bare => format!("{url}/v1"),
            Self::Gemini if bare => format!("{url}/v1beta"),
            Self::OpenAi | Self::Responses | Self::Gemini => url.to_owned(),
            Self::Anthropic => url.strip_suffix("/v1").unwrap_or(url).to_owned(),
            Self::Ollama => {
                let url = url.strip_suffix("/v1").unwrap_or(url);
                url.strip_suffix("/api").unwrap_or(url).to_owned()
            }
        }
    }
}

/// Reads an event's data.
pub(crate) fn parse<'a, T: serde::Deserialize<'a>>(data: &'a str) -> Result<T, Failure> {
    serde_json::from_str(data).map_err(|error| {
        Failure::new(
            FailureKind::Malformed,
            format!("the answer has an event that can't be read: {error}"),
        )
    })
}

/// The failure of a stream that ended before the answer did.
pub(crate) fn cut_off() -> Failure {
    Failure::new(FailureKind::Malformed, "the answer broke off before its end")
}

/// An id for a call to which the vendor gave none: unique in its conversation, because every
/// answer makes the conversation longer.
pub(crate) fn made_up_id(turn: usize, call: usize) -> String {
    format!("{MADE_UP}{turn}_{call}")
}

/// Whether an id is one of those.
pub(crate) fn is_made_up(id: &str) -> bool {
    let numbers = id.strip_prefix(MADE_UP).and_then(|rest| rest.split_once('_'));
    numbers
        .is_some_and(|(turn, call)| turn.parse::<usize>().is_ok() && call.parse::<usize>().is_ok())
}

const MADE_UP: &str = "call_";

//! What vendors say when they do not answer, as kinds that callers act upon.
//!
//! The status decides first, then the vendor's codes, then its words: several vendors say
//! "context too long" or "no credit" only in words. The vendor's message is kept, shortened and
//! with keys made illegible.

use std::time::Duration;

use moltis_core::provider::{Failure, FailureKind};
use serde_json::Value;

use crate::retry_after;

const MAX_MESSAGE: usize = 600;

/// What a vendor's error document says, whatever its form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) message: String,
    /// Types, codes and statuses, in lower case.
    pub(crate) codes: Vec<String>,
    pub(crate) retry_after: Option<Duration>,
}

impl Told {
    /// Reads an error document, or the error in an event.
    pub(crate) fn read(document: &Value) -> Self {
        let document = match document {
            Value::Array(list) => list.first().unwrap_or(document),
            other => other,
        };
        let mut told = Self::default();
        told.collect(document);
        for inner in ["error", "base_resp", "detail"] {
            match document.get(inner) {
                Some(Value::String(message)) => message.clone_into(&mut told.message),
                Some(error) => told.collect(error),
                None => {}
            }
        }
        told
    }

    fn collect(&mut self, object: &Value) {
        for key in ["type", "code", "status", "status_code", "reason"] {
            match object.get(key) {
                Some(Value::String(code)) => self.codes.push(code.to_lowercase()),
                Some(Value::Number(code)) => self.codes.push(code.to_string()),
                _ => {}
            }
        }
        for key in ["message", "msg", "status_msg", "detail"] {
            match object.get(key) {
                Some(Value::String(message)) => message.clone_into(&mut self.message),
                Some(message @ (Value::Object(_) | Value::Array(_))) => {
                    self.message = message.to_string();
                }
                _ => {}
            }
        }
        // OpenRouter puts the words of the vendor behind it here.
        if let Some(raw) = object.pointer("/metadata/raw").and_then(Value::as_str) {
            self.message = format!("{}: {raw}", self.message);
        }
        for detail in object.get("details").and_then(Value::as_array).into_iter().flatten() {
            if let Some(reason) = detail.get("reason").and_then(Value::as_str) {
                self.codes.push(reason.to_lowercase());
            }
            if let Some(delay) = detail.get("retryDelay").and_then(Value::as_str) {
                self.retry_after = retry_after::span(delay);
            }
        }
    }

    fn kind(&self, status: Option<u16>) -> FailureKind {
        let said = self.message.to_lowercase();
        let says = |marks: &[&str]| {
            // A number is a code or nothing: messages are full of numbers.
            let in_words = |mark: &str| mark.parse::<u32>().is_err() && said.contains(mark);
            marks.iter().any(|mark| in_words(mark) || self.codes.iter().any(|code| code == mark))
        };
        match status {
            Some(402) => return FailureKind::Billing,
            Some(413) => return FailureKind::ContextOverflow,
            _ => {}
        }
        if says(BILLING) {
            return FailureKind::Billing;
        }
        if status != Some(429) && says(OVERFLOW) {
            return FailureKind::ContextOverflow;
        }
        match status {
            Some(401) => FailureKind::Auth,
            Some(403) if says(&["moderation", "flagged"]) => FailureKind::BadRequest,
            Some(403) => FailureKind::Auth,
            Some(429) => FailureKind::RateLimit,
            Some(501 | 505) => FailureKind::BadRequest,
            Some(408 | 425) => FailureKind::Overload,
            Some(status) if status >= 500 => FailureKind::Overload,
            Some(_) if says(AUTH) => FailureKind::Auth,
            None if says(AUTH) => FailureKind::Auth,
            None if says(RATE) => FailureKind::RateLimit,
            None if says(BAD) => FailureKind::BadRequest,
            // A stream that reports an unknown error was going well until then.
            None => FailureKind::Overload,
            Some(_) => FailureKind::BadRequest,
        }
    }
}

const BILLING: &[&str] = &[
    "insufficient_quota",
    "billing_hard_limit_reached",
    "billing_not_active",
    "billing_error",
    "payment_required",
    "credit balance is too low",
    "insufficient balance",
    "insufficient credit",
    "out of credits",
    "1113",
    "1008",
];
const OVERFLOW: &[&str] = &[
    "context_length_exceeded",
    "context_window_exceeded",
    "model_max_prompt_tokens_exceeded",
    "exceed_context_size_error",
    "tokens_limit_reached",
    "request_too_large",
    "prompt is too long",
    "input is too long",
    "maximum context length",
    "maximum prompt length",
    "exceeds the context window",
    "exceeds the context length",
    "exceed context limit",
    "exceeds the available context size",
    "exceeds the maximum number of tokens",
    "exceeds the model's maximum context",
    "input token count",
    "too large for model with",
    "longest prompt is",
    "greater than the context length",
    "reduce the length of the messages",
];
const AUTH: &[&str] = &[
    "authentication_error",
    "permission_error",
    "invalid_api_key",
    "api_key_invalid",
    "unauthenticated",
    "permission_denied",
    "account_deactivated",
    "api key not valid",
    "invalid api key",
    "401",
    "403",
    "1004",
];
const RATE: &[&str] = &[
    "rate_limit_error",
    "rate_limit_exceeded",
    "too_many_requests",
    "resource_exhausted",
    "rate limit",
    "429",
    "1002",
];
const BAD: &[&str] = &[
    "invalid_request_error",
    "invalid_argument",
    "invalid_prompt",
    "not_found_error",
    "not_found",
    "image_parse_error",
    "400",
    "404",
    "422",
    "2013",
];

/// The failure behind an HTTP status.
pub(crate) fn of_status(
    provider: &str,
    status: u16,
    wait: Option<Duration>,
    body: &[u8],
) -> Failure {
    let told = serde_json::from_slice::<Value>(body).map_or_else(
        |_| Told { message: plain(body), ..Told::default() },
        |document| Told::read(&document),
    );
    let kind = told.kind(Some(status));
    let mut message = format!("{provider} answered {status}");
    if !told.message.is_empty() {
        message = format!("{message}: {}", shown(&told.message));
    }
    let said = || retry_after::in_words(&told.message);
    Failure { kind, message, retry_after: wait.or(told.retry_after).or_else(said) }
}

/// The failure that an event of a stream reports.
pub(crate) fn in_stream(error: &Value) -> Failure {
    let told = Told::read(error);
    // A code that is a status is treated as one: OpenRouter reports what happened behind it so.
    let status = told
        .codes
        .iter()
        .filter_map(|code| code.parse().ok())
        .find(|code: &u16| (400..600).contains(code));
    let overloaded =
        ["overloaded_error", "529"].iter().any(|mark| told.codes.iter().any(|c| c == mark));
    let kind = if overloaded { FailureKind::Overload } else { told.kind(status) };
    let words = if told.message.is_empty() { error.to_string() } else { told.message.clone() };
    let wait = told.retry_after.or_else(|| retry_after::in_words(&words));
    Failure { kind, message: format!("the vendor broke off: {}", shown(&words)), retry_after: wait }
}

/// The failure behind a connection's.
pub(crate) fn transport(error: &moltis_net::Error) -> Failure {
    let kind = match error {
        moltis_net::Error::Header { .. } => FailureKind::Auth,
        moltis_net::Error::Url { .. }
        | moltis_net::Error::Host { .. }
        | moltis_net::Error::Json { .. }
        | moltis_net::Error::Redirect { .. }
        | moltis_net::Error::Forbidden { .. } => FailureKind::BadRequest,
        moltis_net::Error::TooLarge { .. } => FailureKind::Malformed,
        moltis_net::Error::Setup { .. }
        | moltis_net::Error::Connect { .. }
        | moltis_net::Error::FirstByte { .. }
        | moltis_net::Error::Idle { .. }
        | moltis_net::Error::Late { .. }
        | moltis_net::Error::Slow { .. }
        | moltis_net::Error::Broken { .. } => FailureKind::Transport,
    };
    Failure::new(kind, error.to_string())
}

/// The text of a body that is no JSON; an HTML page says nothing that a person wants to read.
fn plain(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    if text.trim_start().starts_with('<') { String::new() } else { text.trim().to_owned() }
}

/// A vendor's words as they may be shown: one line, not too long, without anything like a key.
fn shown(words: &str) -> String {
    let one_line: Vec<String> = words
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .map(without_key)
        .collect();
    let mut text = one_line.join(" ");
    if let Some((end, _)) = text.char_indices().nth(MAX_MESSAGE) {
        text.truncate(end);
        text.push('…');
    }
    text.trim_end_matches('.').to_owned()
}

/// A word, cut short where a key may begin.
fn without_key(word: &str) -> String {
    const BEGINNINGS: [&str; 9] =
        ["sk-", "sk_", "gsk_", "xai-", "AIza", "csk-", "fw_", "r8_", "pplx-"];
    let begins = |at: usize| {
        let before = word.get(..at).and_then(|head| head.chars().next_back());
        before.is_none_or(|c| !c.is_alphanumeric())
    };
    let key = BEGINNINGS.iter().filter_map(|mark| word.find(mark)).filter(|at| begins(*at)).min();
    match key {
        Some(at) if word.len() - at > 12 => format!("{}***", word.get(..at).unwrap_or_default()),
        _ => word.to_owned(),
    }
}

#[cfg(test)]
#[path = "failure_tests.rs"]
mod tests;

//! What this crate's tests share: an endpoint, a request with everything in it, and the proof
//! that a recorded stream reads the same however it is cut.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, stream};
use moltis_core::error::Result;
use moltis_core::id::SessionId;
use moltis_core::message::{Message, Part, Role};
use moltis_core::models::{ModelInfo, Price};
use moltis_core::provider::{Chunk, Failure, FailureKind, Request, ToolSpec};
use moltis_core::vault::Vault;
use secrecy::{ExposeSecret, SecretString};

use crate::answer;
use crate::endpoint::{Endpoint, Keys};
use crate::vendors;

/// A vault in memory.
#[derive(Default)]
pub(crate) struct MemoryVault(Mutex<BTreeMap<String, String>>);

#[async_trait]
impl Vault for MemoryVault {
    async fn put(&self, name: &str, secret: SecretString) -> Result<()> {
        self.0.lock().unwrap().insert(name.to_owned(), secret.expose_secret().to_owned());
        Ok(())
    }

    async fn get(&self, name: &str) -> Result<Option<SecretString>> {
        Ok(self.0.lock().unwrap().get(name).cloned().map(SecretString::from))
    }

    async fn remove(&self, name: &str) -> Result<bool> {
        Ok(self.0.lock().unwrap().remove(name).is_some())
    }

    async fn names(&self) -> Result<Vec<String>> {
        Ok(self.0.lock().unwrap().keys().cloned().collect())
    }

    async fn rotate(&self) -> Result<u64> {
        Ok(0)
    }
}

/// A vendor as it is out of the box, with the key `sk-test-key`.
pub(crate) fn endpoint(vendor: &str) -> Endpoint {
    let vendor = vendors::find(vendor).unwrap();
    Endpoint {
        name: vendor.name.into(),
        kind: vendor.name,
        vendor,
        dialect: vendor.dialect,
        quirks: vendor.quirks,
        base_url: vendor.base_url.to_owned(),
        keys: Keys {
            config: Some(SecretString::from("sk-test-key")),
            config_env: None,
            vault_name: format!("provider/{}", vendor.name),
            usual: Vec::new(),
            needed: vendor.needs_key,
            vault: Arc::new(MemoryVault::default()),
            env_var: |_| None,
        },
        models: Vec::new(),
    }
}

/// A question without anything special.
pub(crate) fn plain(endpoint: &Endpoint, model: &str) -> Request {
    Request {
        model: endpoint.blank_model(model),
        session: SessionId::new("session-1"),
        system: String::new(),
        messages: vec![Message { role: Role::User, parts: vec![Part::Text("hi".to_owned())] }],
        tools: Vec::new(),
        effort: None,
        max_output: None,
    }
}

/// A conversation with a picture, a thought, calls and their results.
pub(crate) fn rich(endpoint: &Endpoint, model: &str, signature: Option<&str>) -> Request {
    let text = |text: &str| Part::Text(text.to_owned());
    let call = |id: &str, city: &str| Part::ToolCall {
        id: id.into(),
        name: "weather".to_owned(),
        arguments: format!(r#"{{"city":"{city}"}}"#),
    };
    let result = |id: &str, said: &str, failed| Part::ToolResult {
        id: id.into(),
        text: said.to_owned(),
        failed,
    };
    let thought =
        Part::Reasoning { text: "two cities".to_owned(), signature: signature.map(str::to_owned) };
    let picture = Part::Image { media_type: "image/png".to_owned(), data: Arc::from(*b"PNG") };
    let (one, other) = ("call_a", "a-very-long-id-of-some-other-vendor-0123456789");
    Request {
        system: "Be brief.".to_owned(),
        messages: vec![
            Message { role: Role::User, parts: vec![text("What is this?"), picture] },
            Message { role: Role::Assistant, parts: vec![text("A map.")] },
            Message { role: Role::User, parts: vec![text("And the weather?")] },
            Message {
                role: Role::Assistant,
                parts: vec![thought, text("Let me see."), call(one, "Bonn"), call(other, "Köln")],
            },
            Message {
                role: Role::Tool,
                parts: vec![result(one, "sunny", false), result(other, "no such city", true)],
            },
        ],
        tools: vec![ToolSpec {
            name: "weather".to_owned(),
            description: "Tells the weather.".to_owned(),
            parameters: serde_json::json!({
                "type": "object", "properties": {"city": {"type": "string"}},
            }),
        }],
        ..plain(endpoint, model)
    }
}

/// What an answer in these pieces is read as.
pub(crate) fn read(
    endpoint: &Endpoint,
    request: &Request,
    pieces: Vec<Bytes>,
) -> Vec<Result<Chunk, Failure>> {
    let dialect = endpoint.dialect;
    let body = stream::iter(pieces.into_iter().map(Ok));
    let reader = dialect.reader(request, endpoint);
    let price = Price { input: 1_000_000, output: 2_000_000, cache_read: 100_000, cache_write: 0 };
    let chunks = answer::chunks(body, dialect.framing(), reader, Some(price));
    chunks.collect::<Vec<_>>().now_or_never().unwrap()
}

/// Chunks as lines to compare; text in a row becomes one.
pub(crate) fn shown(chunks: &[Result<Chunk, Failure>]) -> String {
    let mut lines: Vec<String> = Vec::new();
    for chunk in chunks {
        let line = match chunk {
            Ok(Chunk::Text(text)) => format!("text {text:?}"),
            Ok(Chunk::Reasoning(text)) => format!("reasoning {text:?}"),
            Ok(Chunk::ReasoningSignature(text)) => format!("signature {text}"),
            Ok(Chunk::ToolCallStarted { index, id, name }) => format!("call {index} {id} {name}"),
            Ok(Chunk::ToolCallArguments { index, fragment }) => {
                format!("arguments {index} {fragment}")
            }
            Ok(Chunk::ToolCallEnded { index }) => format!("call {index} ends"),
            Ok(Chunk::Usage(usage)) => format!(
                "usage in={} out={} read={} write={} cost={}",
                usage.input_tokens,
                usage.output_tokens,
                usage.cache_read_tokens,
                usage.cache_write_tokens,
                usage.cost_microusd
            ),
            Ok(Chunk::Finished(reason)) => format!("finished {reason:?}"),
            Err(failure) => format!("failed {}: {}", failure.kind.as_str(), failure.message),
        };
        lines.push(line);
    }
    lines.join("\n")
}

/// Checks what a recorded answer is read as, and that it is read so however it is cut; and that,
/// where it breaks off, what is read is a beginning of it with a failure, or all that counts.
pub(crate) fn check(
    endpoint: &Endpoint,
    model: &str,
    recorded: &[u8],
    expected: &expect_test::Expect,
) {
    let request = plain(endpoint, model);
    let bytes = Bytes::copy_from_slice(recorded);
    let whole = read(endpoint, &request, vec![bytes.clone()]);
    expected.assert_eq(&shown(&whole));
    promises_are_kept(&whole);
    let single = bytes.chunks(1).map(Bytes::copy_from_slice).collect();
    assert_eq!(shown(&read(endpoint, &request, single)), shown(&whole), "byte by byte");
    for at in 0..=bytes.len() {
        let cut = vec![bytes.slice(..at), bytes.slice(at..)];
        assert_eq!(shown(&read(endpoint, &request, cut)), shown(&whole), "cut at {at}");
        let broken = read(endpoint, &request, vec![bytes.slice(..at)]);
        promises_are_kept(&broken);
        broken_is_honest(&broken, &whole, at);
    }
}

/// A broken answer says so, unless all of its content had arrived.
fn broken_is_honest(
    broken: &[Result<Chunk, Failure>],
    whole: &[Result<Chunk, Failure>],
    at: usize,
) {
    match broken.last() {
        Some(Err(failure)) if whole.last() != broken.last() => {
            let kinds = [FailureKind::Malformed, FailureKind::Transport];
            assert!(kinds.contains(&failure.kind), "broken off at {at}: {failure:?}");
        }
        Some(Err(_)) => {}
        // The finish reason had arrived: only what is said after it (usage) may be missing.
        Some(Ok(Chunk::Finished(_))) => {
            assert_eq!(content(broken), content(whole), "broken off at {at}");
        }
        other => panic!("broken off at {at}, the answer ends with {other:?}"),
    }
}

fn content(chunks: &[Result<Chunk, Failure>]) -> Vec<&Chunk> {
    let chunks = chunks.iter().flatten();
    chunks.filter(|chunk| !matches!(chunk, Chunk::Usage(_))).collect()
}

/// What [`Chunk`] promises of every stream.
pub(crate) fn promises_are_kept(chunks: &[Result<Chunk, Failure>]) {
    let mut open: Vec<bool> = Vec::new();
    for (at, chunk) in chunks.iter().enumerate() {
        let is_last = at + 1 == chunks.len();
        match chunk {
            Ok(Chunk::ToolCallStarted { index, name, id }) => {
                assert_eq!(*index as usize, open.len(), "calls are numbered in order");
                assert!(!name.is_empty() && !id.as_str().is_empty());
                open.push(true);
            }
            Ok(Chunk::ToolCallArguments { index, .. }) => assert!(open[*index as usize]),
            Ok(Chunk::ToolCallEnded { index }) => {
                assert!(std::mem::replace(&mut open[*index as usize], false));
            }
            Ok(Chunk::Finished(_)) => {
                assert!(is_last && open.iter().all(|open| !open), "the end is the end");
            }
            Ok(Chunk::Text(text) | Chunk::Reasoning(text)) => assert!(!text.is_empty()),
            Ok(Chunk::Usage(_) | Chunk::ReasoningSignature(_)) => {}
            Err(_) => assert!(is_last, "nothing follows a failure"),
        }
    }
    assert!(matches!(chunks.last(), Some(Ok(Chunk::Finished(_)) | Err(_))));
}

/// Checks the request that a dialect makes: a line for each field, and for each entry of a list.
pub(crate) fn check_request(
    endpoint: &Endpoint,
    request: &Request,
    expected: &expect_test::Expect,
) {
    let call = endpoint.dialect.call(request, endpoint);
    let mut lines = vec![call.path];
    for (name, value) in call.body.as_object().unwrap() {
        match value.as_array() {
            Some(list) => {
                lines.push(format!("{name}:"));
                lines.extend(list.iter().map(|entry| format!("- {entry}")));
            }
            None => lines.push(format!("{name}: {value}")),
        }
    }
    expected.assert_eq(&lines.join("\n"));
}

/// Arbitrary bytes as an answer: it ends, and with what it promises.
pub(crate) fn read_anything(endpoint: &Endpoint, bytes: &[u8]) {
    let request = plain(endpoint, "some-model");
    promises_are_kept(&read(endpoint, &request, vec![Bytes::copy_from_slice(bytes)]));
}

/// A model of which everything is known.
pub(crate) fn thinker(mut info: ModelInfo, limit: u64) -> ModelInfo {
    info.reasoning = true;
    info.images = true;
    info.output_limit = Some(limit);
    info
}

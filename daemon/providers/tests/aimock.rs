//! Every dialect against a mock server that none of us wrote: npm's `@copilotkit/aimock`.
//!
//! `MOLTIS_TEST_AIMOCK` is the path of its `llmock` program. Without it there is nothing to test
//! against: that is said, and in CI (`CI` is set) it is a failure.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "helpers of a test fail with it, and a skipped test says so"
)]

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use moltis_core::error::Result;
use moltis_core::message::{Message, Part, Role};
use moltis_core::models::{Candidate, ModelRef, Models};
use moltis_core::provider::{Chunk, Failure, FailureKind, FinishReason, Request, ToolSpec};
use moltis_core::vault::Vault;
use moltis_providers::{ProviderConfig, Providers, Setup};
use secrecy::SecretString;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

const DIALECTS: [&str; 5] = ["openai", "openai-responses", "anthropic", "gemini", "ollama"];

/// A running mock server, the providers that ask it, and what both keep on disk.
struct Mock {
    providers: Arc<Providers>,
    _server: Child,
    _dir: TempDir,
}

struct NoVault;

#[async_trait]
impl Vault for NoVault {
    async fn put(&self, _: &str, _: SecretString) -> Result<()> {
        Ok(())
    }

    async fn get(&self, _: &str) -> Result<Option<SecretString>> {
        Ok(None)
    }

    async fn remove(&self, _: &str) -> Result<bool> {
        Ok(false)
    }

    async fn names(&self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    async fn rotate(&self) -> Result<u64> {
        Ok(0)
    }
}

/// What the server answers: to a person's words, whatever the dialect.
fn fixtures() -> Value {
    let weather = json!([{"name": "weather", "arguments": {"city": "Köln", "days": 3}}]);
    json!({"fixtures": [
        {"match": {"userMessage": "be limited"},
         "response": {"error": {"message": "Slow down", "type": "rate_limit_error"},
                      "status": 429, "retryAfter": 7}},
        {"match": {"userMessage": "be overloaded"},
         "response": {"error": {"message": "Overloaded", "type": "overloaded_error"}, "status": 529}},
        {"match": {"userMessage": "be refused"},
         "response": {"error": {"message": "invalid x-api-key", "type": "authentication_error"},
                      "status": 401}},
        {"match": {"userMessage": "break off"},
         "response": {"content": "one two three four five six seven eight nine ten"},
         "truncateAfterChunks": 6, "latency": 20, "chunkSize": 5},
        {"match": {"userMessage": "think"},
         "response": {"content": "42", "reasoning": "six times seven"}},
        {"match": {"userMessage": "weather", "hasToolResult": true},
         "response": {"content": "Sunny, all three days."}},
        {"match": {"userMessage": "weather", "hasToolResult": false},
         "response": {"content": "Let me see.", "toolCalls": weather}},
        {"match": {"userMessage": "hello"}, "response": {"content": "Grüße, Welt 🌍! How are you?"}},
    ]})
}

async fn start(more: &[&str]) -> Option<Mock> {
    let Some(program) = std::env::var_os("MOLTIS_TEST_AIMOCK") else {
        assert!(std::env::var_os("CI").is_none(), "MOLTIS_TEST_AIMOCK must be set in CI");
        eprintln!("skipped: MOLTIS_TEST_AIMOCK is not the path of aimock's `llmock`");
        return None;
    };
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("fixtures.json");
    std::fs::write(&file, fixtures().to_string()).unwrap();
    let mut server = Command::new(program)
        .args(["-p", "0", "-h", "127.0.0.1", "-c", "4", "-f"])
        .arg(&file)
        .args(more)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let url = loop {
        let line = lines.next_line().await.unwrap().expect("the server says where it listens");
        if let Some((_, url)) = line.split_once("listening on ") {
            break url.trim().to_owned();
        }
    };
    let providers = providers(&url, dir.path());
    Some(Mock { providers, _server: server, _dir: dir })
}

fn providers(url: &str, dir: &Path) -> Arc<Providers> {
    let config = |kind: &&str| ProviderConfig {
        name: format!("mock-{kind}"),
        kind: (*kind).to_owned(),
        base_url: Some(url.to_owned()),
        api_key: Some(SecretString::from("sk-test")),
        ..ProviderConfig::default()
    };
    let setup = Setup {
        providers: DIALECTS.iter().map(config).collect(),
        default_model: None,
        fallbacks: Vec::new(),
        extra: Vec::new(),
        cache_dir: dir.join("cache"),
    };
    Providers::new(setup, Arc::new(NoVault), |_| None).unwrap()
}

fn said(text: &str) -> Message {
    Message { role: Role::User, parts: vec![Part::Text(text.to_owned())] }
}

impl Mock {
    async fn candidate(&self, kind: &str) -> Candidate {
        let model = ModelRef::new(format!("mock-{kind}"), "test-model");
        self.providers.candidates(Some(&model)).await.unwrap().remove(0)
    }

    async fn ask(&self, kind: &str, messages: Vec<Message>) -> (Vec<Chunk>, Option<Failure>) {
        let candidate = self.candidate(kind).await;
        let request = Request {
            model: candidate.info,
            session: "session-1".into(),
            system: "Be brief.".to_owned(),
            messages,
            tools: vec![ToolSpec {
                name: "weather".to_owned(),
                description: "Tells the weather.".to_owned(),
                parameters: json!({"type": "object", "properties": {"city": {"type": "string"}}}),
            }],
            effort: None,
            max_output: Some(1_000),
        };
        let mut stream = match candidate.provider.stream(request).await {
            Ok(stream) => stream,
            Err(failure) => return (Vec::new(), Some(failure)),
        };
        let mut chunks = Vec::new();
        while let Some(chunk) = stream.next().await {
            match chunk {
                Ok(chunk) => chunks.push(chunk),
                Err(failure) => return (chunks, Some(failure)),
            }
        }
        (chunks, None)
    }
}

fn text(chunks: &[Chunk]) -> String {
    let text = chunks.iter().filter_map(|chunk| match chunk {
        Chunk::Text(text) => Some(text.as_str()),
        _ => None,
    });
    text.collect()
}

fn reasoning(chunks: &[Chunk]) -> String {
    let text = chunks.iter().filter_map(|chunk| match chunk {
        Chunk::Reasoning(text) => Some(text.as_str()),
        _ => None,
    });
    text.collect()
}

fn arguments(chunks: &[Chunk]) -> Value {
    let text: String = chunks
        .iter()
        .filter_map(|chunk| match chunk {
            Chunk::ToolCallArguments { fragment, .. } => Some(fragment.as_str()),
            _ => None,
        })
        .collect();
    serde_json::from_str(&text).unwrap()
}

#[tokio::test]
async fn text_streams_in_every_dialect() {
    let Some(mock) = start(&[]).await else { return };
    for kind in DIALECTS {
        let (chunks, failure) = mock.ask(kind, vec![said("hello")]).await;
        assert_eq!(failure, None, "{kind}");
        assert_eq!(text(&chunks), "Grüße, Welt 🌍! How are you?", "{kind}");
        assert_eq!(chunks.last(), Some(&Chunk::Finished(FinishReason::Stop)), "{kind}");
        let pieces = chunks.iter().filter(|chunk| matches!(chunk, Chunk::Text(_))).count();
        assert!(pieces > 3, "{kind} streams, {pieces} pieces");
        assert!(chunks.iter().any(|chunk| matches!(chunk, Chunk::Usage(_))), "{kind}");
    }
}

#[tokio::test]
async fn reasoning_streams_where_the_server_speaks_it_as_documented() {
    let Some(mock) = start(&[]).await else { return };
    // For Ollama the server says `reasoning_content`, which Ollama itself does not.
    for kind in ["openai", "openai-responses", "anthropic", "gemini"] {
        let (chunks, failure) = mock.ask(kind, vec![said("think")]).await;
        assert_eq!(failure, None, "{kind}");
        assert_eq!(
            (reasoning(&chunks).as_str(), text(&chunks).as_str()),
            ("six times seven", "42")
        );
    }
}

#[tokio::test]
async fn a_call_arrives_and_its_result_is_understood() {
    let Some(mock) = start(&[]).await else { return };
    for kind in DIALECTS {
        let mut messages = vec![said("how is the weather?")];
        let (chunks, failure) = mock.ask(kind, messages.clone()).await;
        assert_eq!(failure, None, "{kind}");
        assert_eq!(text(&chunks), "Let me see.", "{kind}");
        assert_eq!(arguments(&chunks), json!({"city": "Köln", "days": 3}), "{kind}");
        assert_eq!(chunks.last(), Some(&Chunk::Finished(FinishReason::ToolCalls)), "{kind}");
        let started = chunks.iter().find_map(|chunk| match chunk {
            Chunk::ToolCallStarted { id, name, .. } => Some((id.clone(), name.clone())),
            _ => None,
        });
        let (id, name) = started.unwrap();
        assert_eq!(name, "weather", "{kind}");
        let arguments = arguments(&chunks).to_string();
        let call = Part::ToolCall { id: id.clone(), name, arguments };
        messages.push(Message { role: Role::Assistant, parts: vec![call] });
        let result = Part::ToolResult { id, text: "sunny".to_owned(), failed: false };
        messages.push(Message { role: Role::Tool, parts: vec![result] });
        let (chunks, failure) = mock.ask(kind, messages).await;
        assert_eq!(failure, None, "{kind}");
        assert_eq!(text(&chunks), "Sunny, all three days.", "{kind}");
    }
}

#[tokio::test]
async fn refusals_have_their_kind_and_the_servers_wish_to_wait() {
    let Some(mock) = start(&[]).await else { return };
    let cases = [
        ("be limited", FailureKind::RateLimit, Some(Duration::from_secs(7))),
        ("be overloaded", FailureKind::Overload, None),
        ("be refused", FailureKind::Auth, None),
    ];
    for kind in DIALECTS {
        for (words, expected, wait) in cases {
            let (chunks, failure) = mock.ask(kind, vec![said(words)]).await;
            let failure = failure.unwrap();
            assert_eq!((failure.kind, chunks.len()), (expected, 0), "{kind}: {failure}");
            assert_eq!(failure.retry_after, wait, "{kind}: {failure}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_keeps_its_text_and_is_a_failure() {
    let Some(mock) = start(&[]).await else { return };
    for kind in DIALECTS {
        let (chunks, failure) = mock.ask(kind, vec![said("break off")]).await;
        let failure = failure.unwrap();
        let kinds = [FailureKind::Transport, FailureKind::Malformed];
        assert!(kinds.contains(&failure.kind), "{kind}: {failure:?}");
        assert!("one two three four five six seven".starts_with(&text(&chunks)), "{kind}");
        assert!(!chunks.iter().any(|chunk| matches!(chunk, Chunk::Finished(_))), "{kind}");
    }
}

#[tokio::test]
async fn chaos_is_told_for_what_it_is() {
    for (flag, kinds) in [
        ("--chaos-disconnect", &[FailureKind::Transport][..]),
        ("--chaos-drop", &[FailureKind::Overload]),
        ("--chaos-ratelimit", &[FailureKind::RateLimit]),
        ("--chaos-malformed", &[FailureKind::Malformed]),
    ] {
        let Some(mock) = start(&[flag, "1"]).await else { return };
        for kind in DIALECTS {
            let (_, failure) = mock.ask(kind, vec![said("hello")]).await;
            let failure = failure.unwrap();
            assert!(kinds.contains(&failure.kind), "{flag} {kind}: {failure:?}");
            let wants_wait = failure.kind == FailureKind::RateLimit;
            assert_eq!(failure.retry_after.is_some(), wants_wait, "{flag} {kind}");
        }
    }
}

#[tokio::test]
async fn models_are_listed_and_what_does_not_chat_is_left_out() {
    let Some(mock) = start(&[]).await else { return };
    let list = mock.providers.list(true).await;
    let names: Vec<String> = list.models.iter().map(|info| info.id.to_string()).collect();
    for kind in ["openai", "openai-responses", "anthropic", "ollama"] {
        assert!(names.contains(&format!("mock-{kind}/gpt-4o")), "{kind}: {names:?}");
    }
    // The server does not imitate Gemini's list; that provider is named, the others are there.
    assert_eq!(list.failures.len(), 1);
    assert_eq!(list.failures[0].0, "mock-gemini");
    assert!(!names.iter().any(|name| name.contains("embedding")));
}

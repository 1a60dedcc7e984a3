use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use expect_test::{Expect, expect};
use futures_util::StreamExt;
use moltis_core::error::{Error, Result};
use moltis_core::models::{Candidate, ModelInfo, ModelRef, Models};
use moltis_core::provider::{Chunk, ChunkStream, Failure, FailureKind, Provider, Request};
use moltis_core::vault::Vault;
use moltis_testkit::vendor::{Gate, Reply, Vendor};
use secrecy::SecretString;
use serde_json::json;

use super::Providers;
use crate::setup::{ProviderConfig, Setup};
use crate::testing::{MemoryVault, endpoint, plain};

/// The local models, as far as `Providers` knows them.
struct Local(Vec<ModelInfo>);

#[async_trait]
impl Provider for Local {
    fn name(&self) -> &str {
        "local"
    }

    async fn models(&self) -> Result<Vec<ModelInfo>, Failure> {
        Ok(self.0.clone())
    }

    async fn stream(&self, _: Request) -> Result<ChunkStream, Failure> {
        Err(Failure::new(FailureKind::BadRequest, "not in this test"))
    }
}

fn local(installed: &[&str]) -> Arc<dyn Provider> {
    let info = |name: &&str| {
        let mut info = endpoint("ollama").blank_model(name);
        info.id = ModelRef::new("local", *name);
        info
    };
    Arc::new(Local(installed.iter().map(info).collect()))
}

fn setup(dir: &Path) -> Setup {
    Setup {
        providers: Vec::new(),
        default_model: None,
        fallbacks: Vec::new(),
        extra: vec![local(&[])],
        cache_dir: dir.to_owned(),
    }
}

fn config(name: &str, kind: &str, vendor: &Vendor) -> ProviderConfig {
    ProviderConfig {
        name: name.to_owned(),
        kind: kind.to_owned(),
        base_url: Some(vendor.url()),
        api_key: Some(SecretString::from("sk-secret-of-the-test")),
        ..ProviderConfig::default()
    }
}

fn providers(setup: Setup) -> Arc<Providers> {
    Providers::new(setup, Arc::new(MemoryVault::default()), |_| None).unwrap()
}

fn model(text: &str) -> ModelRef {
    ModelRef::parse(text).unwrap()
}

fn check_error(error: &Error, expected: &Expect) {
    let hint = error.hint.as_deref().unwrap_or("-");
    expected.assert_eq(&format!("{}: {} (hint: {hint})", error.code.as_str(), error.message));
}

fn ids(candidates: &[Candidate]) -> Vec<String> {
    candidates.iter().map(|candidate| candidate.info.id.to_string()).collect()
}

#[tokio::test]
async fn without_any_provider_the_hint_is_the_command_that_mends_it() {
    let dir = tempfile::tempdir().unwrap();
    let providers = providers(setup(dir.path()));
    check_error(
        &providers.candidates(None).await.unwrap_err(),
        &expect![
            "not_configured: no model is set up (a vendor's key: `moltis providers login NAME`) (hint: moltis models pull smollm2-135m)"
        ],
    );
    assert_eq!(providers.default_model().await, None);
}

#[tokio::test]
async fn what_is_not_there_is_named_with_what_is_near() {
    let (dir, vendor) = (tempfile::tempdir().unwrap(), Vendor::start().await);
    let mut setup = setup(dir.path());
    setup.providers.push(config("workplace", "openai", &vendor));
    let providers = providers(setup);
    for (wanted, expected) in [
        (
            "workplaec/gpt",
            expect![
                "not_found: there is no provider `workplaec` (hint: did you mean `workplace`?)"
            ],
        ),
        (
            "anthropic/claude",
            expect![
                "not_found: the provider `anthropic` is not set up (hint: moltis providers login anthropic)"
            ],
        ),
        (
            "antropic/claude",
            expect!["not_found: there is no provider `antropic` (hint: did you mean `anthropic`?)"],
        ),
        ("qqq/x", expect!["not_found: there is no provider `qqq` (hint: moltis providers list)"]),
        (
            "local/smollm2-135m",
            expect![
                "not_found: the model `local/smollm2-135m` is not on this machine (hint: moltis models pull smollm2-135m)"
            ],
        ),
    ] {
        check_error(&providers.candidates(Some(&model(wanted))).await.unwrap_err(), &expected);
    }
}

#[tokio::test]
async fn the_default_is_the_configured_one_else_the_first_ready_ones_else_a_local_one() {
    let (dir, vendor) = (tempfile::tempdir().unwrap(), Vendor::start().await);
    let mut setup = setup(dir.path());
    setup.extra = vec![local(&["smollm2-135m"])];
    let providers = providers(setup.clone());
    assert_eq!(providers.default_model().await, Some(model("local/smollm2-135m")));

    let keyless = ProviderConfig { name: "anthropic".to_owned(), ..ProviderConfig::default() };
    let mut ready = config("mine", "openai", &vendor);
    ready.models = vec!["first".to_owned(), "second".to_owned()];
    setup.providers = vec![keyless, ready];
    providers.reconfigure(setup.clone()).unwrap();
    assert_eq!(providers.default_model().await, Some(model("mine/first")));

    setup.providers[1].models.clear();
    vendor.on("/v1/models", Reply::json(200, &json!({"data": [{"id": "zeta"}, {"id": "alpha"}]})));
    providers.reconfigure(setup.clone()).unwrap();
    assert_eq!(providers.default_model().await, Some(model("mine/alpha")));

    setup.providers[0].api_key = Some(SecretString::from("k"));
    providers.reconfigure(setup.clone()).unwrap();
    assert_eq!(providers.default_model().await, Some(model("anthropic/claude-sonnet-5")));

    setup.default_model = Some(model("mine/zeta"));
    providers.reconfigure(setup).unwrap();
    assert_eq!(providers.default_model().await, Some(model("mine/zeta")));
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_puts_a_model_last_until_its_minute_is_over() {
    let (dir, vendor) = (tempfile::tempdir().unwrap(), Vendor::start().await);
    let mut setup = setup(dir.path());
    setup.providers = vec![config("one", "openai", &vendor), config("two", "anthropic", &vendor)];
    setup.fallbacks = vec![model("two/b"), model("one/a"), model("gone/c"), model("two/b")];
    let providers = providers(setup);
    let first = model("one/a");
    let order = || async { ids(&providers.candidates(Some(&first)).await.unwrap()) };
    assert_eq!(order().await, ["one/a", "two/b"]);
    for _ in 0..3 {
        providers.report(&first, Some(FailureKind::Overload));
    }
    assert_eq!(order().await, ["two/b", "one/a"]);
    let status = providers.status().await;
    assert_eq!(status[0].trouble, "asked last for 60 s more: a failed repeatedly (overload)");
    assert_eq!(status[1].trouble, "");
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(order().await, ["one/a", "two/b"]);
    providers.report(&first, Some(FailureKind::Transport));
    assert_eq!(order().await, ["two/b", "one/a"]);
    providers.report(&first, None);
    assert_eq!(order().await, ["one/a", "two/b"]);
}

#[tokio::test]
async fn the_status_tells_where_each_key_comes_from_and_a_login_counts_at_once() {
    let (dir, vendor) = (tempfile::tempdir().unwrap(), Vendor::start().await);
    let mut setup = setup(dir.path());
    setup.providers = vec![
        ProviderConfig { name: "anthropic".to_owned(), ..ProviderConfig::default() },
        config("work", "openai", &vendor),
        ProviderConfig { name: "ollama".to_owned(), ..ProviderConfig::default() },
    ];
    let vault = Arc::new(MemoryVault::default());
    let providers = Providers::new(setup, Arc::clone(&vault) as Arc<dyn Vault>, |_| None).unwrap();
    let sources = || async {
        let list = providers.status().await;
        list.iter()
            .map(|it| format!("{} {} {}", it.name, it.key_source, it.ready))
            .collect::<Vec<_>>()
    };
    let rest = ["work config true", "ollama none needed true", "local none needed false"];
    assert_eq!(sources().await[0], "anthropic missing false");
    assert_eq!(sources().await[1..], rest);
    vault.put("provider/anthropic", SecretString::from("k")).await.unwrap();
    assert_eq!(sources().await[0], "anthropic vault true");
}

#[tokio::test]
async fn the_list_names_those_that_could_not_say() {
    let (dir, vendor) = (tempfile::tempdir().unwrap(), Vendor::start().await);
    let mut setup = setup(dir.path());
    setup.extra = vec![local(&["smollm2-135m"])];
    setup.providers = vec![
        config("good", "openai", &vendor),
        config("bad", "anthropic", &vendor),
        ProviderConfig { name: "groq".to_owned(), ..ProviderConfig::default() },
    ];
    vendor.on("/v1/models", Reply::json(200, &json!({"data": [{"id": "m"}]})));
    vendor.on("/v1/models?limit=1000", Reply::status(500));
    let providers = providers(setup);
    let list = providers.list(false).await;
    let names: Vec<String> = list.models.iter().map(|info| info.id.to_string()).collect();
    assert_eq!(names, ["good/m", "bad/m", "local/smollm2-135m"]);
    let reason = "groq has no key: `moltis providers login groq`".to_owned();
    assert_eq!(list.failures, [("groq".to_owned(), reason)]);
    vendor.on("/v1/models", Reply::status(500));
    let list = providers.list(true).await;
    assert_eq!(list.models.len(), 3, "what was said before is still known");
    assert_eq!(list.failures[0], ("good".to_owned(), "good answered 500".to_owned()));
}

#[tokio::test]
async fn a_test_asks_for_one_word_and_measures() {
    let (dir, vendor) = (tempfile::tempdir().unwrap(), Vendor::start().await);
    let mut setup = setup(dir.path());
    setup.providers.push(config("work", "openai", &vendor));
    let providers = providers(setup);
    vendor.script(Reply::openai_chat(&[" rea", "dy\n"]));
    let test = providers.test(&model("work/m")).await.unwrap();
    assert_eq!(test.text, "ready");
    assert!(test.first_token_ms <= test.total_ms);
    let refused = json!({"error": {"message": "bad key sk-secret-of-the-test given"}});
    vendor.script(Reply::json(401, &refused));
    let error = providers.test(&model("work/m")).await.unwrap_err();
    check_error(&error, &expect!["provider: work answered 401: bad key *** given (hint: -)"]);
    assert_eq!(providers.status().await[0].trouble, "last failure: auth (m)");
}

async fn ask(vendor: &Vendor, kind: &str) -> Result<Vec<Result<Chunk, Failure>>, Failure> {
    let dir = tempfile::tempdir().unwrap();
    let mut setup = setup(dir.path());
    setup.providers.push(config("work", kind, vendor));
    let providers = providers(setup);
    let candidate = providers.candidates(Some(&model("work/m"))).await.unwrap().remove(0);
    let request = Request { model: candidate.info, ..plain(&endpoint("openai"), "m") };
    Ok(candidate.provider.stream(request).await?.collect().await)
}

#[tokio::test]
async fn a_key_that_an_error_quotes_is_never_told() {
    let vendor = Vendor::start().await;
    let error = json!({"error": {"message": "no: sk-secret-of-the-test", "code": 400}});
    vendor.script(Reply::sse(format!("data: {error}\n\n")));
    vendor.script(Reply::json(200, &error));
    let in_stream = ask(&vendor, "openai").await.unwrap().pop().unwrap().unwrap_err();
    let instead = ask(&vendor, "openai").await.unwrap_err();
    for failure in [in_stream, instead] {
        assert_eq!(failure.message, "the vendor broke off: no: ***");
    }
}

#[tokio::test]
async fn every_dialect_asks_at_its_place_with_its_key() {
    let mut shown = Vec::new();
    for kind in ["openai", "openai-responses", "anthropic", "gemini", "ollama"] {
        let vendor = Vendor::start().await;
        vendor.on("/api/tags", Reply::json(200, &json!({"models": []})));
        let failure = ask(&vendor, kind).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::BadRequest);
        let seen = vendor.requests().pop().unwrap();
        let key = ["authorization", "x-api-key", "x-goog-api-key"]
            .into_iter()
            .find_map(|name| Some(format!("{name}: {}", seen.header(name)?)));
        shown.push(format!("{} {} {}", seen.method, seen.path, key.unwrap_or_default()));
    }
    expect![[r#"
        POST /v1/chat/completions authorization: Bearer sk-secret-of-the-test
        POST /v1/responses authorization: Bearer sk-secret-of-the-test
        POST /v1/messages x-api-key: sk-secret-of-the-test
        POST /v1beta/models/m:streamGenerateContent?alt=sse x-goog-api-key: sk-secret-of-the-test
        POST /api/chat authorization: Bearer sk-secret-of-the-test"#]]
    .assert_eq(&shown.join("\n"));
}

#[tokio::test]
async fn a_redirect_never_takes_the_key_along() {
    let (vendor, thief) = (Vendor::start().await, Vendor::start().await);
    vendor.script(Reply::status(307).header("location", &format!("{}/steal", thief.url())));
    let failure = ask(&vendor, "openai").await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::BadRequest);
    let target = thief.url().replace("http://", "");
    assert!(failure.message.contains(&format!("redirects to {target}")), "{}", failure.message);
    assert!(thief.requests().is_empty());
}

#[tokio::test]
async fn the_vendors_wish_to_wait_is_told() {
    let vendor = Vendor::start().await;
    let limited = || Reply::json(429, &json!({"error": {"message": "slow down"}}));
    vendor.script(limited().header("retry-after", "7"));
    vendor.script(limited().header("retry-after-ms", "1500").header("retry-after", "9"));
    let dated = limited().header("date", "Fri, 02 Jan 2026 03:04:05 GMT");
    vendor.script(dated.header("retry-after", "Fri, 02 Jan 2026 03:04:35 GMT"));
    vendor.script(limited());
    vendor.script(limited().header("retry-after-ms", "soon").header("retry-after", "9"));
    for seconds in [Some(7.0), Some(1.5), Some(30.0), None, Some(9.0)] {
        let failure = ask(&vendor, "openai").await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::RateLimit);
        assert_eq!(failure.retry_after.map(|wait| wait.as_secs_f64()), seconds);
    }
}

#[tokio::test]
async fn text_arrives_while_the_answer_is_still_being_written() {
    let (vendor, gate) = (Vendor::start().await, Gate::new());
    let whole = Reply::openai_chat(&["one", "two"]).cut_at(&[1, 7, 150, 151]);
    vendor.script(whole.wait(&gate).disconnect());
    let chunks = ask(&vendor, "openai").await.unwrap();
    let text: Vec<_> = chunks.iter().flatten().collect();
    // The gate is still closed: the end of the answer is `[DONE]`, not the connection's.
    assert_eq!(text[..2], [&Chunk::Text("one".to_owned()), &Chunk::Text("two".to_owned())]);
    assert!(matches!(text.last(), Some(Chunk::Finished(_))));
}

#[tokio::test]
async fn a_connection_that_breaks_keeps_the_text_before_it() {
    let vendor = Vendor::start().await;
    let event = moltis_testkit::vendor::openai_event(&json!({"content": "half"}), None);
    vendor.script(Reply::sse(event).disconnect());
    let chunks = ask(&vendor, "openai").await.unwrap();
    assert_eq!(chunks[0], Ok(Chunk::Text("half".to_owned())));
    assert_eq!(chunks[1].as_ref().unwrap_err().kind, FailureKind::Transport);
    assert_eq!(chunks.len(), 2);
}

#[tokio::test]
async fn an_answer_that_is_no_stream_is_malformed_or_the_error_in_it() {
    let vendor = Vendor::start().await;
    vendor.script(Reply::body(200, "text/html; charset=utf-8", "<html>Sign in</html>"));
    let failure = ask(&vendor, "openai").await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Malformed);
    assert_eq!(failure.message, "work answered with text/html where a stream was asked for");
    vendor.script(Reply::json(200, &json!({"error": {"code": 402, "message": "no credit"}})));
    assert_eq!(ask(&vendor, "openai").await.unwrap_err().kind, FailureKind::Billing);
}

#[tokio::test]
async fn a_missing_key_is_told_before_anything_is_sent() {
    let dir = tempfile::tempdir().unwrap();
    let mut setup = setup(dir.path());
    setup.providers.push(ProviderConfig { name: "groq".to_owned(), ..ProviderConfig::default() });
    let providers = providers(setup);
    let candidate = providers.candidates(Some(&model("groq/m"))).await.unwrap().remove(0);
    let request = Request { model: candidate.info, ..plain(&endpoint("groq"), "m") };
    let failure = candidate.provider.stream(request).await.err().unwrap();
    assert_eq!(failure.kind, FailureKind::Auth);
    assert_eq!(failure.message, "groq has no key: `moltis providers login groq`");
}

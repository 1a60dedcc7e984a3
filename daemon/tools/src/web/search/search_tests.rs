//! Each service against a server that speaks as it does, over HTTP.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use expect_test::{Expect, expect};
use moltis_core::event::Origin;
use moltis_core::tool::{Action, Tool};
use moltis_testkit::vendor::{Reply, Vendor};
use proptest::prelude::*;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::super::desk::Desk;
use super::super::testing::{Silent, allowed, call, planned, scene, text, web, without_port};
use super::{Engine, Keys, SERVICES, SearchOptions, WebSearch};

struct Key(Option<&'static str>);

#[async_trait]
impl Keys for Key {
    async fn key(&self, service: &str) -> Option<SecretString> {
        self.0.map(|key| SecretString::from(format!("{key}-{service}")))
    }
}

fn tool_with(server: &Vendor, engine: Engine, key: Option<&'static str>) -> WebSearch {
    let options = SearchOptions {
        engine,
        count: 5,
        base_url: Some(format!("{}/", server.url())),
        cache: Duration::from_mins(15),
        keys: Arc::new(Key(key)),
    };
    WebSearch::new(web(server), Desk::new(Duration::from_secs(30)), options)
}

async fn check(server: &Vendor, engine: Engine, arguments: Value, failed: bool, expected: &Expect) {
    let outcome = call(&tool_with(server, engine, Some("key")), arguments).await;
    assert_eq!((outcome.failed, outcome.origin), (failed, Origin::Web));
    expected.assert_eq(&without_port(&text(&outcome), server));
}

fn everything() -> Value {
    json!({"query": " what is\n a \"mill\"? ", "count": 2, "country": "de", "search_lang": "DE", "freshness": "pw"})
}

fn brave() -> Value {
    json!({
        "type": "search",
        "query": {"original": "what is a mill?", "more_results_available": true},
        "web": {"type": "search", "results": [
            {"title": "Mill &amp; <strong>grind</strong>", "url": "https://example.org/mill", "is_source_local": false,
             "description": "A <strong>mill</strong> is a\ndevice\u{200b}.", "age": "2 days ago", "language": "en",
             "profile": {"name": "Example"}, "meta_url": {"scheme": "https"}},
            {"title": "Mill (2)", "url": "https://example.org/2", "description": ""},
            {"title": "Mill (3)", "url": "https://example.org/3", "description": "x"},
        ]},
        "mixed": {"type": "mixed", "main": []},
    })
}

#[tokio::test]
async fn brave_is_asked_as_its_api_wants_it() {
    let server = Vendor::start().await;
    server.script(Reply::json(200, &brave()));
    check(
        &server,
        Engine::Brave,
        everything(),
        false,
        &expect![[r#"
        1. Mill & grind
           https://example.org/mill
           2 days ago: A mill is a device.
        2. Mill (2)
           https://example.org/2"#]],
    )
    .await;
    let seen = &server.requests()[0];
    expect!["GET /res/v1/web/search?q=what+is+a+%22mill%22%3F&count=2&text_decorations=false&country=DE&search_lang=de&freshness=pw"].assert_eq(&format!("{} {}", seen.method, seen.path));
    assert_eq!(seen.header("x-subscription-token"), Some("key-brave"));
    assert_eq!(seen.header("accept"), Some("application/json"));
    server.script(Reply::json(200, &json!({"type": "search", "query": {"original": "x"}})));
    check(
        &server,
        Engine::Brave,
        json!({"query": "x"}),
        false,
        &expect!["Nothing was found for: x"],
    )
    .await;
}

#[tokio::test]
async fn a_language_is_called_what_each_service_calls_it() {
    let server = Vendor::start().await;
    let asked = async |engine, reply: Value, language: &str| {
        server.script(Reply::json(200, &reply));
        let arguments = json!({"query": "x", "search_lang": language});
        call(&tool_with(&server, engine, Some("key")), arguments).await;
        server.requests().pop().unwrap()
    };
    let mut names = Vec::new();
    for language in ["ja", "zh", "ZH-TW", "pt-br", "pt", "de-at", "en-gb"] {
        let seen = asked(Engine::Brave, json!({"web": {"results": []}}), language).await;
        names.push(seen.path.rsplit('=').next().unwrap().to_owned());
    }
    expect!["jp zh-hans zh-hant pt-br pt-pt de en-gb"].assert_eq(&names.join(" "));
    let seen = asked(Engine::Perplexity, json!({"results": []}), "pt-br").await;
    assert_eq!(seen.json()["search_language_filter"], json!(["pt"]));
}

#[tokio::test]
async fn a_query_of_more_words_than_services_take_is_refused_before_it_is_sent() {
    let server = Vendor::start().await;
    let tool = tool_with(&server, Engine::Brave, Some("key"));
    let words = |count: usize| json!({"query": vec!["x"; count].join(" ")});
    assert!(planned(&tool, words(50)).is_ok());
    expect!["`query` has at most 50 words"].assert_eq(&planned(&tool, words(51)).unwrap_err());
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn what_brave_complains_of_is_told() {
    let server = Vendor::start().await;
    let error = |status: u16, code: &str| {
        let error = json!({"id": "1", "status": status, "code": code, "detail": "…"});
        Reply::json(status, &json!({"type": "ErrorResponse", "error": error, "time": 1}))
    };
    server.script(error(422, "SUBSCRIPTION_TOKEN_INVALID"));
    check(&server, Engine::Brave, json!({"query": "x"}), true, &expect!["Brave Search does not take the key; the owner gives it one with `moltis providers login NAME --kind search`"]).await;
    server.script(error(429, "RATE_LIMITED"));
    check(
        &server,
        Engine::Brave,
        json!({"query": "x"}),
        true,
        &expect!["Brave Search was asked too often: wait a little before you ask again"],
    )
    .await;
    server.script(error(422, "VALIDATION"));
    check(
        &server,
        Engine::Brave,
        json!({"query": "x"}),
        true,
        &expect!["Brave Search failed with the HTTP status 422"],
    )
    .await;
    server.script(Reply::body(200, "text/html", "<p>maintenance"));
    check(
        &server,
        Engine::Brave,
        json!({"query": "x"}),
        true,
        &expect!["Brave Search answered with something that can't be read"],
    )
    .await;
    server.script(Reply::status(302).header("location", "https://evil.example/"));
    check(&server, Engine::Brave, json!({"query": "x"}), true, &expect!["127.0.0.1:PORT redirects to evil.example, which is refused: the request carries a credential"]).await;
}

#[tokio::test]
async fn perplexity_is_asked_as_its_api_wants_it() {
    let server = Vendor::start().await;
    let reply = json!({"id": "1", "results": [
        {"title": "Mill", "url": "https://example.org/mill", "snippet": "# Mill\n\nA mill…", "date": "2026-01-02", "last_updated": "2026-02-03"},
        {"title": "Mill 2", "url": "https://example.org/2", "snippet": "x", "date": null, "last_updated": null},
    ]});
    server.script(Reply::json(200, &reply));
    check(
        &server,
        Engine::Perplexity,
        everything(),
        false,
        &expect![[r#"
        1. Mill
           https://example.org/mill
           2026-01-02: # Mill A mill…
        2. Mill 2
           https://example.org/2
           x"#]],
    )
    .await;
    let seen = &server.requests()[0];
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/search"));
    assert_eq!(seen.header("authorization"), Some("Bearer key-perplexity"));
    expect![[r#"{"country":"DE","max_results":2,"max_tokens_per_page":256,"query":"what is a \"mill\"?","search_language_filter":["de"],"search_recency_filter":"week"}"#]].assert_eq(&seen.json().to_string());
    server.script(Reply::json(
        401,
        &json!({"error": {"message": "Invalid API key", "type": "invalid_api_key", "code": 401}}),
    ));
    check(&server, Engine::Perplexity, json!({"query": "x"}), true, &expect!["Perplexity does not take the key; the owner gives it one with `moltis providers login NAME --kind search`"]).await;
    server.script(Reply::status(500));
    check(
        &server,
        Engine::Perplexity,
        json!({"query": "x"}),
        true,
        &expect!["Perplexity failed with the HTTP status 500"],
    )
    .await;
}

const DUCK: &str = r#"<!DOCTYPE html><html><body><div id="links" class="results">
<div class="result results_links results_links_deep result--ad"><div class="links_main links_deep result__body">
 <h2 class="result__title"><a rel="nofollow" class="result__a" href="https://duckduckgo.com/y.js?ad_domain=shop.example">Buy mills</a></h2>
 <a class="result__snippet" href="https://duckduckgo.com/y.js?x">Cheap</a></div></div>
<div class="result results_links results_links_deep web-result "><div class="links_main links_deep result__body">
 <h2 class="result__title"><a rel="nofollow" class="result__a" href="//duckduckgo.com/l/?uddg=https%3A%2F%2Fexample.org%2Fmill%3Fa%3D1%26b%3D2&amp;rut=abc">Mill &amp; <b>grind</b></a></h2>
 <div class="result__extras"><a class="result__url" href="//duckduckgo.com/l/?uddg=x">example.org/mill</a></div>
 <a class="result__snippet" href="//duckduckgo.com/l/?uddg=x">A <b>mill</b> &lt;is&gt; a device.</a></div></div>
<div class="result results_links web-result"><h2><a class="result__a" href="https://example.org/direct">Direct</a></h2></div>
<div class="result results_links web-result"><h2><a class="result__a" href="//duckduckgo.com/l/?uddg=javascript%3Aalert(1)">No page</a></h2></div>
</div></body></html>"#;

#[tokio::test]
async fn duckduckgo_is_read_without_its_advertisements() {
    let server = Vendor::start().await;
    server.script(Reply::body(200, "text/html; charset=UTF-8", DUCK));
    check(
        &server,
        Engine::DuckDuckGo,
        everything(),
        false,
        &expect![[r#"
        1. Mill & grind
           https://example.org/mill?a=1&b=2
           A mill <is> a device.
        2. Direct
           https://example.org/direct"#]],
    )
    .await;
    let seen = &server.requests()[0];
    expect!["GET /html/?q=what+is+a+%22mill%22%3F&kl=de-de&df=w"]
        .assert_eq(&format!("{} {}", seen.method, seen.path));
    let none = r#"<div class="results"><div class="no-results">No results.</div></div>"#;
    server.script(Reply::body(200, "text/html", none));
    check(
        &server,
        Engine::DuckDuckGo,
        json!({"query": "x"}),
        false,
        &expect!["Nothing was found for: x"],
    )
    .await;
}

#[tokio::test]
async fn a_captcha_of_duckduckgo_is_told_as_one() {
    let modal = r#"<form id="challenge-form" action="//duckduckgo.com/anomaly.js?sv=html"><div class="anomaly-modal__title">Unfortunately, bots use DuckDuckGo too.</div></form>"#;
    let captcha = expect![[r#"
        DuckDuckGo takes this for a robot and wants to see a person: it will not answer for a while. A service with a key does not do that: `moltis config set web.search brave`"#]];
    for reply in [
        Reply::body(202, "text/html", modal),
        Reply::body(200, "text/html", modal),
        Reply::status(403),
    ] {
        let server = Vendor::start().await;
        server.script(reply);
        check(&server, Engine::DuckDuckGo, json!({"query": "x"}), true, &captcha).await;
    }
    let server = Vendor::start().await;
    server.script(Reply::body(200, "text/html", "<p>a new page"));
    check(
        &server,
        Engine::DuckDuckGo,
        json!({"query": "x"}),
        true,
        &expect!["DuckDuckGo answered with something that can't be read"],
    )
    .await;
}

#[tokio::test]
async fn without_a_key_it_is_told_how_to_set_one_and_nothing_is_sent() {
    let server = Vendor::start().await;
    for (engine, expected) in [
        (
            Engine::Brave,
            expect![
                "there is no key for Brave Search; the owner gives it one with `moltis providers login NAME --kind search`, or set BRAVE_API_KEY; `moltis config set web.search duckduckgo` needs none"
            ],
        ),
        (
            Engine::Perplexity,
            expect![
                "there is no key for Perplexity; the owner gives it one with `moltis providers login NAME --kind search`, or set PERPLEXITY_API_KEY; `moltis config set web.search duckduckgo` needs none"
            ],
        ),
    ] {
        let outcome = call(&tool_with(&server, engine, None), json!({"query": "x"})).await;
        assert!(outcome.failed);
        expected.assert_eq(&text(&outcome));
    }
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn the_same_search_is_not_sent_twice_and_another_is() {
    let server = Vendor::start().await;
    server.otherwise(|_| Some(Reply::json(200, &brave())));
    let tool = tool_with(&server, Engine::Brave, Some("key"));
    for arguments in
        [json!({"query": "x"}), json!({"query": "x"}), json!({"query": "x", "count": 1})]
    {
        call(&tool, arguments).await;
    }
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_plan_names_the_service_and_the_query() {
    let server = Vendor::start().await;
    let tool = tool_with(&server, Engine::Brave, Some("key"));
    let mut call = planned(&tool, everything()).unwrap();
    let Action::Send(out) = &call.action else { panic!("{call:?}") };
    assert_eq!(out.to, format!("{}/res/v1/web/search", server.url()));
    assert_eq!(out.what, "what is a \"mill\"?");
    assert_eq!(tool.prefix(&call), Some(format!("{}/", server.url())));
    // What was shown is what is sent.
    call.arguments["query"] = "another".into();
    let outcome = tool.run(allowed(call), &scene(), &Silent).await;
    assert!(outcome.failed && server.requests().is_empty());
    let wrong: Vec<String> = [
        json!({}),
        json!({"query": " \u{200b} "}),
        json!({"query": "x".repeat(401)}),
        json!({"query": "x", "count": 0}),
        json!({"query": "x", "count": 11}),
        json!({"query": "x", "country": "Germany"}),
        json!({"query": "x", "search_lang": "&q"}),
        json!({"query": "x", "freshness": "now"}),
        json!({"query": "x", "offset": 1}),
    ]
    .map(|arguments| tool.plan(&arguments, &scene()).unwrap_err())
    .into();
    expect![[r#"
        missing field `query`
        `query` has 1 to 400 characters
        `query` has 1 to 400 characters
        `count` is 1 to 10
        `count` is 1 to 10
        `country` is two letters, as in DE
        `search_lang` is two letters, as in de
        unknown variant `now`, expected one of `pd`, `pw`, `pm`, `py`
        unknown field `offset`, expected one of `query`, `count`, `country`, `search_lang`, `freshness`"#]].assert_eq(&wrong.join("\n"));
}

#[test]
fn every_service_is_found_by_its_name() {
    for service in SERVICES {
        assert_eq!(Engine::parse(service.name), Some(service.engine));
        assert_eq!(service.engine.as_str(), service.name);
    }
    assert_eq!(Engine::parse("google"), None);
}

proptest! {
    #[test]
    fn no_answer_of_a_service_panics(body in any::<Vec<u8>>(), status in 200_u16..600) {
        let page = moltis_net::web::Page {
            url: String::new(),
            status,
            media_type: "text/html".to_owned(),
            charset: None,
            bytes: body.into(),
            truncated: false,
        };
        for service in SERVICES {
            drop((service.read)(&page));
        }
    }
}

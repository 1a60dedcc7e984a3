use std::sync::Arc;
use std::time::Duration;

use expect_test::{Expect, expect};
use moltis_core::event::Origin;
use moltis_core::tool::{Action, Outbound, Tool};
use moltis_net::web::{Options, Web};
use moltis_testkit::vendor::{Reply, Vendor};
use serde_json::{Value, json};

use super::super::desk::Desk;
use super::super::testing::{Silent, allowed, call, planned, scene, text, web, without_port};
use super::{FetchOptions, WebFetch};

fn tool_with(web: Arc<Web>, options: FetchOptions) -> WebFetch {
    WebFetch::new(web, Desk::new(Duration::from_secs(30)), options)
}

fn tool(server: &Vendor) -> WebFetch {
    tool_with(web(server), FetchOptions::default())
}

async fn check(server: &Vendor, rest: Value, failed: bool, expected: &Expect) {
    let mut arguments = rest;
    arguments["url"] = server.url().into();
    let outcome = call(&tool(server), arguments).await;
    assert_eq!((outcome.failed, outcome.origin, outcome.sensitive), (failed, Origin::Web, false));
    expected.assert_eq(&without_port(&text(&outcome), server));
}

#[tokio::test]
async fn a_page_is_told_with_its_title_and_url_first() {
    let server = Vendor::start().await;
    let html = "<title>A\npage</title><nav>Menu</nav><h1>Hello</h1><p>It is <b>here</b>.";
    server.on("/", Reply::body(200, "text/html", html));
    check(
        &server,
        json!({}),
        false,
        &expect![[r#"
        # A page
        http://127.0.0.1:PORT/

        # Hello

        It is **here**."#]],
    )
    .await;
    check(
        &server,
        json!({"extract_mode": "text"}),
        false,
        &expect![[r#"
        # A page
        http://127.0.0.1:PORT/

        Hello

        It is here."#]],
    )
    .await;
    check(
        &server,
        json!({"max_chars": 5}),
        false,
        &expect![[r#"
        # A page
        http://127.0.0.1:PORT/

        # Hel

        [cut after 5 characters: ask for more with max_chars]"#]],
    )
    .await;
}

#[tokio::test]
async fn what_is_not_html_is_told_as_it_is_or_what_it_is() {
    let server = Vendor::start().await;
    server.script(Reply::json(200, &json!({"a": ["<b>", 1]})));
    check(
        &server,
        json!({}),
        false,
        &expect![[r#"
        http://127.0.0.1:PORT/

        {"a":["<b>",1]}"#]],
    )
    .await;
    server.script(Reply::body(200, "application/pdf", "%PDF-1.7 …"));
    check(
        &server,
        json!({}),
        true,
        &expect![
            "http://127.0.0.1:PORT/ is a PDF document of 12 bytes, which is not shown as text"
        ],
    )
    .await;
    server.script(Reply::body(200, "image/webp", "RIFF"));
    check(&server, json!({}), true, &expect!["http://127.0.0.1:PORT/ is a file of the type `image/webp` of 4 bytes, which is not shown as text"]).await;
    server.script(Reply::body(404, "text/html", "<title>No</title><p>Not here."));
    check(
        &server,
        json!({}),
        true,
        &expect![[r#"
        HTTP status 404
        # No
        http://127.0.0.1:PORT/

        Not here."#]],
    )
    .await;
    server.script(Reply::status(200));
    check(
        &server,
        json!({}),
        false,
        &expect![[r#"
        http://127.0.0.1:PORT/

        [it has no text]"#]],
    )
    .await;
}

#[tokio::test]
async fn a_redirect_to_another_host_is_told_so_that_the_model_can_ask_for_it() {
    let server = Vendor::start().await;
    server.script(Reply::status(302).header("location", "https://example.org/x"));
    check(
        &server,
        json!({}),
        false,
        &expect![[r#"
        http://127.0.0.1:PORT/ redirects to another host: https://example.org/x
        Call web_fetch again with that URL if you want to go there."#]],
    )
    .await;
}

#[tokio::test]
async fn a_page_that_is_made_to_hurt_is_told_as_bare_text() {
    let server = Vendor::start().await;
    let html = format!("<title>Bomb</title>{}in the middle", "<ul><li>".repeat(16_000));
    server.script(Reply::body(200, "text/html", html));
    check(
        &server,
        json!({}),
        false,
        &expect![[r#"
        # Bomb
        http://127.0.0.1:PORT/

        Bomb

        in the middle

        [its elements lie too deep within one another: only its bare text is shown]"#]],
    )
    .await;
}

#[tokio::test]
async fn a_page_that_was_fetched_a_short_while_ago_is_not_asked_for_again() {
    let server = Vendor::start().await;
    server.otherwise(|request| {
        let status = if request.path == "/gone" { 410 } else { 200 };
        Some(Reply::body(status, "text/plain", "words"))
    });
    let get = |path: &str| json!({"url": format!("{}{path}", server.url())});
    let kept = tool(&server);
    for _ in 0..2 {
        call(&kept, get("/a")).await;
        call(&kept, get("/gone")).await;
    }
    // What failed is asked for again.
    assert_eq!(server.requests().len(), 3);
    let cold =
        tool_with(web(&server), FetchOptions { cache: Duration::ZERO, ..FetchOptions::default() });
    call(&cold, get("/a")).await;
    call(&cold, get("/a")).await;
    assert_eq!(server.requests().len(), 5);
}

#[tokio::test]
async fn a_plan_names_the_url_in_its_plain_form_and_refuses_what_is_within() {
    let tool = tool_with(Arc::new(Web::new(&Options::default()).unwrap()), FetchOptions::default());
    let planned_url = |url: &str| match planned(&tool, json!({"url": url}))?.action {
        Action::Send(out) => Ok::<_, String>((out.to, out.what)),
        other => Err(format!("{other:?}")),
    };
    let plain = |url: &str| (url.to_owned(), String::new());
    assert_eq!(planned_url("docs.rs/tokio").unwrap(), plain("https://docs.rs/tokio"));
    assert_eq!(planned_url("HTTP://Docs.RS:80/a/../b").unwrap(), plain("http://docs.rs/b"));
    let wrong: Vec<String> = [
        "http://0x7f.1/",
        "localhost",
        "http://169.254.169.254/latest",
        "file:///etc/passwd",
        "https://a:b@docs.rs/",
    ]
    .map(|url| planned_url(url).unwrap_err())
    .into();
    expect![[r#"
        127.0.0.1 is refused: it is a loopback address
        localhost is refused: it is a name of the machine or its network
        169.254.169.254 is refused: it is a link-local address
        `file:///etc/passwd` is not an http or https URL: another scheme
        docs.rs is refused: its URL holds a user name"#]]
    .assert_eq(&wrong.join("\n"));
    let wrong: Vec<String> = [
        json!({}),
        json!({"url": 1}),
        json!({"url": "https://a.b", "extract_mode": "html"}),
        json!({"url": "https://a.b", "max_chars": 0}),
        json!({"url": "https://a.b", "method": "POST"}),
    ]
    .map(|arguments| tool.plan(&arguments, &scene()).unwrap_err())
    .into();
    expect![[r#"
        missing field `url`
        invalid type: integer `1`, expected a string
        `extract_mode` is `markdown` or `text`, not `html`
        `max_chars` is at least 1
        unknown field `method`, expected one of `url`, `extract_mode`, `max_chars`"#]]
    .assert_eq(&wrong.join("\n"));
    let call = planned(&tool, json!({"url": "https://docs.rs:8443/tokio?x"})).unwrap();
    assert_eq!(tool.prefix(&call).as_deref(), Some("https://docs.rs:8443/"));
}

/// The tool asks what was authorized, not what the arguments say: they were judged by the plan.
#[tokio::test]
async fn what_is_asked_is_what_was_authorized() {
    let server = Vendor::start().await;
    server.on("/allowed", Reply::body(200, "text/plain", "words"));
    let tool = tool(&server);
    let mut planned = planned(&tool, json!({"url": format!("{}/allowed", server.url())})).unwrap();
    planned.arguments["url"] = format!("{}/other", server.url()).into();
    let outcome = tool.run(allowed(planned), &scene(), &Silent).await;
    assert!(!outcome.failed);
    assert_eq!(server.requests()[0].path, "/allowed");
}

/// The plan is for the model's sake: the address is judged where it is asked.
#[tokio::test]
async fn a_call_that_was_allowed_is_refused_all_the_same_at_an_inner_address() {
    let tool = tool_with(Arc::new(Web::new(&Options::default()).unwrap()), FetchOptions::default());
    let mut call = planned(&tool, json!({"url": "https://docs.rs/"})).unwrap();
    call.action =
        Action::Send(Outbound { to: "http://0x7f.1:8080/".to_owned(), what: String::new() });
    let outcome = tool.run(allowed(call), &scene(), &Silent).await;
    assert!(outcome.failed);
    expect!["127.0.0.1:8080 is refused: it is a loopback address"].assert_eq(&text(&outcome));
}

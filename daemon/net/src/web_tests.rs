use std::io::Write as _;
use std::time::Duration;

use expect_test::expect;
use moltis_testkit::vendor::{Gate, Reply, Vendor};
use secrecy::SecretString;

use super::testing::{authorized, fetch, page, rules, system, web};
use super::{Answer, Bounds, Web};
use crate::{Error, Request};

/// The web with this server opened.
fn open(server: &Vendor) -> Web {
    let own = server.url().strip_prefix("http://").unwrap().to_owned();
    web(rules(80), &[&own], system())
}

fn text_of(error: &Error, server: &Vendor) -> String {
    let port = server.url().rsplit(':').next().unwrap().to_owned();
    error.to_string().replace(&port, "PORT")
}

#[tokio::test]
async fn a_page_tells_what_it_is_and_its_text() {
    let server = Vendor::start().await;
    let reply = Reply::body(200, "Text/HTML; Charset=\"iso-8859-1\"", b"caf\xe9".to_vec());
    server.script(reply);
    let page = page(&open(&server), &format!("{}/a?b=c", server.url())).await;
    assert_eq!((page.status, page.media_type.as_str()), (200, "text/html"));
    assert_eq!((page.text().as_str(), page.truncated), ("café", false));
    assert_eq!(page.url, format!("{}/a?b=c", server.url()));
    let seen = &server.requests()[0];
    assert_eq!((seen.path.as_str(), seen.header("accept-encoding")), ("/a?b=c", Some("gzip")));
    assert_eq!((seen.header("cookie"), seen.header("referer")), (None, None));
}

#[tokio::test]
async fn redirects_within_the_host_are_followed_five_times() {
    let server = Vendor::start().await;
    for hop in 0..5 {
        server.script(Reply::status(302).header("location", &format!("/{hop}")));
    }
    server.script(Reply::body(200, "text/plain", "there"));
    let there = page(&open(&server), &server.url()).await;
    assert_eq!((there.text().as_str(), there.url), ("there", format!("{}/4", server.url())));
    server.otherwise(|_| Some(Reply::status(307).header("location", "/again")));
    let error = fetch(&open(&server), &server.url()).await.unwrap_err();
    expect!["127.0.0.1:PORT redirects to 127.0.0.1, which is refused: too many redirects"]
        .assert_eq(&text_of(&error, &server));
}

#[tokio::test]
async fn a_redirect_to_another_host_is_told_and_not_followed() {
    let server = Vendor::start().await;
    let elsewhere = "https://example.org/x?y=z";
    server.script(Reply::status(301).header("location", elsewhere));
    let answer = fetch(&open(&server), &server.url()).await.unwrap();
    assert_eq!(answer, Answer::Redirected { to: elsewhere.to_owned() });
}

#[test]
fn the_same_place_is_the_same_host_with_or_without_www_and_upgraded() {
    let same =
        |from: &str, to: &str| super::same_place(&from.parse().unwrap(), &to.parse().unwrap());
    for (from, to, expected) in [
        ("http://a.org/", "https://a.org/b", true),
        ("https://a.org/", "https://www.a.org/", true),
        ("https://www.a.org/", "https://a.org./", true),
        ("https://a.org/", "https://b.a.org/", false),
        ("https://a.org/", "https://a.org.evil.com/", false),
        ("https://a.org/", "https://a.org:8443/", false),
        ("http://a.org:8080/", "https://a.org/", false),
        ("http://1.2.3.4/", "http://1.2.3.5/", false),
    ] {
        assert_eq!(same(from, to), expected, "{from} {to}");
    }
}

#[tokio::test]
async fn a_request_goes_nowhere_but_where_it_was_authorized_to_go() {
    let server = Vendor::start().await;
    server.otherwise(|_| Some(Reply::body(200, "text/plain", "ok")));
    let web = open(&server);
    let to = authorized(&format!("{}/search", server.url()));
    let get = |rest: &str| Request::get(&format!("{}{rest}", server.url()));
    assert!(web.send(&to, get("/search?q=x")).await.is_ok());
    for request in [get("/other?q=x"), get("/search/x"), Request::get("https://example.org/search")]
    {
        let error = web.send(&to, request).await.unwrap_err();
        assert!(error.to_string().ends_with("is refused: nobody authorized it"), "{error}");
    }
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_credential_does_not_follow_a_redirect() {
    let server = Vendor::start().await;
    server.script(Reply::status(302).header("location", "/next"));
    let request = Request::get(&server.url()).secret_header("x-key", &SecretString::from("key"));
    let error = open(&server).send(&authorized(&server.url()), request).await.unwrap_err();
    expect![
        "127.0.0.1:PORT redirects to 127.0.0.1, which is refused: the request carries a credential"
    ]
    .assert_eq(&text_of(&error, &server));
    assert_eq!(server.requests().len(), 1);
}

fn packed(size: usize) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packer.write_all(&vec![b'a'; size]).unwrap();
    packer.finish().unwrap()
}

#[tokio::test]
async fn a_packed_page_is_unpacked_and_a_bomb_is_cut_off_at_the_bound() {
    let server = Vendor::start().await;
    for size in [1000, 64 << 20] {
        let reply = Reply::body(200, "text/plain", packed(size));
        server.script(reply.header("content-encoding", "gzip"));
    }
    let web = open(&server);
    let small = page(&web, &server.url()).await;
    assert_eq!((small.bytes.len(), small.truncated), (1000, false));
    let bomb = page(&web, &server.url()).await;
    assert_eq!((bomb.bytes.len(), bomb.truncated), (5 << 20, true));
    server.script(Reply::body(200, "text/plain", "x").header("content-encoding", "br"));
    let error = fetch(&web, &server.url()).await.unwrap_err();
    assert!(matches!(error, Error::Broken { .. }), "{error:?}");
}

#[tokio::test]
async fn a_server_that_is_silent_or_trickles_is_given_up() {
    let gate = Gate::new();
    let server = Vendor::start().await;
    server.on("/silent", Reply::status(200).after(&gate));
    server.on("/stalls", Reply::body(200, "text/plain", "x").wait(&gate));
    let short = Duration::from_millis(50);
    let mut web = open(&server);
    web.bounds = Bounds { total: short, ..web.bounds };
    let error = fetch(&web, &format!("{}/silent", server.url())).await.unwrap_err();
    expect!["127.0.0.1:PORT took longer than 0.05 s"].assert_eq(&text_of(&error, &server));
    let error = fetch(&web, &format!("{}/stalls", server.url())).await.unwrap_err();
    expect!["127.0.0.1:PORT took longer than 0.05 s"].assert_eq(&text_of(&error, &server));
    web.bounds = Bounds { total: Duration::from_secs(30), grace: short, ..web.bounds };
    let error = fetch(&web, &format!("{}/stalls", server.url())).await.unwrap_err();
    expect!["127.0.0.1:PORT sent less than 1024 bytes a second"]
        .assert_eq(&text_of(&error, &server));
}

use std::time::Duration;

use expect_test::{Expect, expect};
use futures_util::StreamExt;
use moltis_testkit::vendor::{Gate, Reply, Vendor};
use secrecy::SecretString;

use super::{Client, Purpose};
use crate::{Error, Request, Timeouts};

fn key() -> SecretString {
    SecretString::from("sk-very-secret\n")
}

async fn error_of(purpose: Purpose, vendor: &Vendor, request: Request) -> String {
    let error = match Client::new(purpose).unwrap().send(request).await {
        Ok(response) => response.bytes().await.unwrap_err(),
        Err(error) => error,
    };
    let port = vendor.url().rsplit(':').next().unwrap().to_owned();
    error.to_string().replace(&port, "PORT")
}

async fn refused(purpose: Purpose, location: &str, credential: bool, expected: &Expect) {
    let vendor = Vendor::start().await;
    vendor.script(Reply::status(307).header("location", location));
    let request = Request::get(&format!("{}/x?key=sk-very-secret", vendor.url()));
    let request = if credential { request.bearer(&key()) } else { request };
    expected.assert_eq(&error_of(purpose, &vendor, request).await);
    assert_eq!(vendor.requests().len(), 1);
}

#[tokio::test]
async fn a_request_arrives_as_it_was_described() {
    let vendor = Vendor::start().await;
    vendor.script(Reply::json(201, &serde_json::json!({"ok": true})).header("x-limit", "3"));
    let request = Request::post(&format!("{}/v1/x?a=b", vendor.url()))
        .header("x-plain", "yes")
        .bearer(&key())
        .secret_header("x-api-key", &key())
        .json(&serde_json::json!({"q": 1}));
    let response = Client::new(Purpose::Provider).unwrap().send(request).await.unwrap();
    assert_eq!((response.status(), response.header("x-limit")), (201, Some("3")));
    assert_eq!(&response.bytes().await.unwrap()[..], br#"{"ok":true}"#);
    let seen = &vendor.requests()[0];
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/v1/x?a=b"));
    assert_eq!(seen.header("authorization"), Some("Bearer sk-very-secret"));
    assert_eq!(seen.header("x-api-key"), Some("sk-very-secret"));
    assert_eq!(seen.header("x-plain"), Some("yes"));
    assert_eq!(seen.json(), serde_json::json!({"q": 1}));
}

#[tokio::test]
async fn redirects_of_credentialed_requests_are_refused_naming_the_target() {
    let why = expect![
        "127.0.0.1:PORT redirects to evil.example:8443, which is refused: the request carries a credential"
    ];
    refused(Purpose::Provider, "https://evil.example:8443/take?k=1", true, &why).await;
    refused(Purpose::Download, "https://evil.example:8443/take?k=1", true, &why).await;
}

#[tokio::test]
async fn providers_never_redirect_and_downloads_only_to_https() {
    let why = expect![
        "127.0.0.1:PORT redirects to other.example, which is refused: a model server has no business to redirect"
    ];
    refused(Purpose::Provider, "https://other.example/", false, &why).await;
    let why =
        expect!["127.0.0.1:PORT redirects to plain.example, which is refused: it is not https"];
    refused(Purpose::Download, "http://plain.example/", false, &why).await;
}

#[tokio::test]
async fn a_download_follows_five_redirects_and_keeps_its_range() {
    let vendor = Vendor::start().await;
    for hop in 0..5 {
        vendor.script(Reply::status(302).header("location", &format!("/hop{hop}")));
    }
    let partial = Reply::body(206, "application/octet-stream", "tail");
    vendor.script(partial.header("content-range", "bytes 96-99/100"));
    let request = Request::get(&format!("{}/file", vendor.url())).range_from(96);
    let response = Client::new(Purpose::Download).unwrap().send(request).await.unwrap();
    assert_eq!(response.starts_at(), Some(96));
    assert_eq!(&response.bytes().await.unwrap()[..], b"tail");
    let seen = vendor.requests();
    assert!(seen.iter().all(|request| request.header("range") == Some("bytes=96-")));
    assert_eq!(seen.last().unwrap().path, "/hop4");
}

#[tokio::test]
async fn the_sixth_redirect_is_one_too_many() {
    let vendor = Vendor::start().await;
    vendor.otherwise(|_| Some(Reply::status(301).header("location", "/again")));
    let error = error_of(Purpose::Download, &vendor, Request::get(&vendor.url())).await;
    expect!["127.0.0.1:PORT redirects to 127.0.0.1:PORT, which is refused: too many redirects"]
        .assert_eq(&error);
    assert_eq!(vendor.requests().len(), 6);
}

#[tokio::test]
async fn a_silent_server_and_a_stalling_one_are_given_up() {
    let gate = Gate::new();
    let vendor = Vendor::start().await;
    vendor.on("/silent", Reply::status(200).after(&gate));
    vendor.on("/stalls", Reply::sse("data: 1\n\n").wait(&gate));
    let short = Duration::from_millis(50);
    let long = Duration::from_secs(30);
    let silent = Request::get(&format!("{}/silent", vendor.url()))
        .timeouts(Timeouts { first_byte: short, idle: long });
    let error = error_of(Purpose::Provider, &vendor, silent).await;
    expect!["127.0.0.1:PORT did not begin to answer within 0.05 s"].assert_eq(&error);
    let stalls = Request::get(&format!("{}/stalls", vendor.url()))
        .timeouts(Timeouts { first_byte: long, idle: short });
    let error = error_of(Purpose::Provider, &vendor, stalls).await;
    expect!["127.0.0.1:PORT sent nothing for 0.05 s"].assert_eq(&error);
}

#[tokio::test]
async fn a_connection_that_breaks_is_an_error_after_what_arrived() {
    let vendor = Vendor::start().await;
    let gate = Gate::new();
    vendor.script(Reply::sse("data: 1\n\n").wait(&gate).disconnect());
    let client = Client::new(Purpose::Provider).unwrap();
    let response = client.send(Request::get(&vendor.url())).await.unwrap();
    let mut body = response.into_body();
    assert_eq!(&body.next().await.unwrap().unwrap()[..], b"data: 1\n\n");
    gate.open();
    assert!(matches!(body.next().await, Some(Err(Error::Broken { .. }))));
    assert!(body.next().await.is_none());
}

#[tokio::test]
async fn a_body_beyond_its_bound_is_refused_announced_or_not() {
    let vendor = Vendor::start().await;
    vendor.script(Reply::status(200).header("content-length", "9").then("123456789"));
    vendor.script(Reply::status(200).then("12345").then("6789"));
    for _ in 0..2 {
        let request = Request::get(&vendor.url()).body_cap(8);
        let error = error_of(Purpose::Provider, &vendor, request).await;
        expect!["the answer of 127.0.0.1:PORT is larger than 8 bytes"].assert_eq(&error);
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_connect_error() {
    let client = Client::new(Purpose::Provider).unwrap();
    let free = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let request = Request::get(&format!("http://{address}/?key=sk-very-secret"));
    let error = client.send(request).await.unwrap_err();
    assert!(matches!(error, Error::Connect { .. }), "{error:?}");
    assert!(!format!("{error:?}").contains("sk-very-secret"));
}

#[tokio::test]
async fn mistakes_in_a_request_are_told_without_its_secrets() {
    let client = Client::new(Purpose::Provider).unwrap();
    let secret = SecretString::from("sk-very\u{7}secret");
    for (request, expected) in [
        (
            Request::get("http://localhost").bearer(&secret),
            expect![
                "the value for the header `authorization` has characters that HTTP does not allow"
            ],
        ),
        (
            Request::get("ftp://host/x?key=sk-very"),
            expect!["`ftp://host/x` is not an http or https URL: another scheme"],
        ),
        (
            Request::get("api.example/v1?key=sk-very"),
            expect!["`api.example/v1` is not an http or https URL: relative URL without a base"],
        ),
    ] {
        let error = client.send(request).await.unwrap_err();
        expected.assert_eq(&error.to_string());
        assert!(error.is_permanent() && !format!("{error:?}").contains("sk-very"));
    }
}

use std::time::Duration;

use expect_test::expect;
use serde_json::json;

use super::{in_stream, of_status};

/// Vendor, status and body of errors as vendors send them.
const CASES: &[(&str, u16, &str)] = &[
    (
        "openai",
        401,
        r#"{"error":{"message":"Incorrect API key provided: sk-proj-abcdefghijklmnop. You can find your API key at https://x.","type":"invalid_request_error","code":"invalid_api_key"}}"#,
    ),
    (
        "openai",
        429,
        r#"{"error":{"message":"Rate limit reached for gpt-5 in organization org-x on tokens per min (TPM): Limit 30000, Used 29000, Requested 2000. Please try again in 2.5s.","type":"tokens","code":"rate_limit_exceeded"}}"#,
    ),
    (
        "openai",
        429,
        r#"{"error":{"message":"You exceeded your current quota, please check your plan and billing details.","type":"insufficient_quota","code":"insufficient_quota"}}"#,
    ),
    (
        "openai",
        400,
        r#"{"error":{"message":"This model's maximum context length is 128000 tokens.","type":"invalid_request_error","code":"context_length_exceeded"}}"#,
    ),
    (
        "openai",
        400,
        r#"{"error":{"message":"Unknown parameter: 'foo'.","type":"invalid_request_error","code":"unknown_parameter"}}"#,
    ),
    ("openai", 500, "<html><body>502</body></html>"),
    (
        "anthropic",
        529,
        r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
    ),
    (
        "anthropic",
        400,
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"}}"#,
    ),
    (
        "anthropic",
        400,
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API."}}"#,
    ),
    (
        "anthropic",
        413,
        r#"{"type":"error","error":{"type":"request_too_large","message":"Request exceeds the maximum size"}}"#,
    ),
    ("anthropic", 403, r#"{"type":"error","error":{"type":"permission_error","message":"no"}}"#),
    (
        "gemini",
        400,
        r#"[{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT","details":[{"@type":"x","reason":"API_KEY_INVALID"}]}}]"#,
    ),
    (
        "gemini",
        429,
        r#"{"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.5s"}]}}"#,
    ),
    (
        "gemini",
        400,
        r#"{"error":{"code":400,"message":"The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}"#,
    ),
    ("openrouter", 402, r#"{"error":{"code":402,"message":"Insufficient credits"}}"#),
    (
        "openrouter",
        403,
        r#"{"error":{"code":403,"message":"Your input was flagged","metadata":{"reasons":["x"]}}}"#,
    ),
    (
        "openrouter",
        429,
        r#"{"error":{"code":429,"message":"Provider returned error","metadata":{"raw":"m is temporarily rate-limited upstream","provider_name":"p"}}}"#,
    ),
    (
        "groq",
        413,
        r#"{"error":{"message":"Request too large for model","type":"tokens","code":"rate_limit_exceeded"}}"#,
    ),
    (
        "zai",
        429,
        r#"{"error":{"code":"1113","message":"Insufficient balance or no resource package. Please recharge."}}"#,
    ),
    (
        "llama-server",
        400,
        r#"{"error":{"code":400,"message":"the request exceeds the available context size","type":"exceed_context_size_error"}}"#,
    ),
    (
        "mistral",
        422,
        r#"{"object":"error","message":{"detail":[{"type":"missing"}]},"type":"invalid_request_error"}"#,
    ),
    (
        "vllm",
        404,
        r#"{"object":"error","message":"The model `x` does not exist.","type":"NotFoundError","code":404}"#,
    ),
    ("ollama", 404, r#"{"error":"model 'x' not found"}"#),
    ("ollama", 400, r#"{"error":"the input length exceeds the context length"}"#),
    (
        "nobody",
        400,
        r#"{"message":"1113 and 429 are numbers; task-oriented-words and (sk-abcdefghijklmnop) are not alike"}"#,
    ),
    ("nobody", 418, ""),
    ("nobody", 503, "Service Unavailable"),
];

#[test]
fn every_vendors_errors_have_their_kind() {
    let shown: Vec<String> = CASES
        .iter()
        .map(|(vendor, status, body)| {
            let failure = of_status(vendor, *status, None, body.as_bytes());
            let wait = failure.retry_after.map(|wait| format!(" (wait {wait:?})"));
            format!("{} | {}{}", failure.kind.as_str(), failure.message, wait.unwrap_or_default())
        })
        .collect();
    expect![[r#"
        auth | openai answered 401: Incorrect API key provided: *** You can find your API key at https://x
        rate_limit | openai answered 429: Rate limit reached for gpt-5 in organization org-x on tokens per min (TPM): Limit 30000, Used 29000, Requested 2000. Please try again in 2.5s (wait 2.5s)
        billing | openai answered 429: You exceeded your current quota, please check your plan and billing details
        context_overflow | openai answered 400: This model's maximum context length is 128000 tokens
        bad_request | openai answered 400: Unknown parameter: 'foo'
        overload | openai answered 500
        overload | anthropic answered 529: Overloaded
        context_overflow | anthropic answered 400: prompt is too long: 210000 tokens > 200000 maximum
        billing | anthropic answered 400: Your credit balance is too low to access the Anthropic API
        context_overflow | anthropic answered 413: Request exceeds the maximum size
        auth | anthropic answered 403: no
        auth | gemini answered 400: API key not valid. Please pass a valid API key
        rate_limit | gemini answered 429: You exceeded your current quota, please check your plan and billing details (wait 34.5s)
        context_overflow | gemini answered 400: The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)
        billing | openrouter answered 402: Insufficient credits
        bad_request | openrouter answered 403: Your input was flagged
        rate_limit | openrouter answered 429: Provider returned error: m is temporarily rate-limited upstream
        context_overflow | groq answered 413: Request too large for model
        billing | zai answered 429: Insufficient balance or no resource package. Please recharge
        context_overflow | llama-server answered 400: the request exceeds the available context size
        bad_request | mistral answered 422: {"detail":[{"type":"missing"}]}
        bad_request | vllm answered 404: The model `x` does not exist
        bad_request | ollama answered 404: model 'x' not found
        context_overflow | ollama answered 400: the input length exceeds the context length
        bad_request | nobody answered 400: 1113 and 429 are numbers; task-oriented-words and (*** are not alike
        bad_request | nobody answered 418
        overload | nobody answered 503: Service Unavailable"#]].assert_eq(&shown.join("\n"));
}

#[test]
fn errors_in_streams_have_their_kind() {
    let shown: Vec<String> = [
        json!({"type": "overloaded_error", "message": "Overloaded"}),
        json!({"code": "rate_limit_exceeded", "message": "Please try again in 20s"}),
        json!({"code": 429, "message": "slow down"}),
        json!({"code": 502, "message": "Provider disconnected"}),
        json!({"type": "invalid_request_error", "message": "no"}),
        json!({"type": "authentication_error", "message": "no"}),
        json!({"code": 1004, "message": "login fail"}),
        json!({"message": "something"}),
        json!("a bare word"),
        json!({}),
    ]
    .iter()
    .map(|error| {
        let failure = in_stream(error);
        format!("{} | {} {:?}", failure.kind.as_str(), failure.message, failure.retry_after)
    })
    .collect();
    expect![[r#"
        overload | the vendor broke off: Overloaded None
        rate_limit | the vendor broke off: Please try again in 20s Some(20s)
        rate_limit | the vendor broke off: slow down None
        overload | the vendor broke off: Provider disconnected None
        bad_request | the vendor broke off: no None
        auth | the vendor broke off: no None
        auth | the vendor broke off: login fail None
        overload | the vendor broke off: something None
        overload | the vendor broke off: "a bare word" None
        overload | the vendor broke off: {} None"#]]
    .assert_eq(&shown.join("\n"));
}

#[test]
fn the_headers_wish_goes_before_the_words() {
    let wait = Some(Duration::from_secs(7));
    let failure = of_status("x", 429, wait, br#"{"message":"try again in 2s"}"#);
    assert_eq!(failure.retry_after, wait);
}

#[test]
fn long_messages_are_shortened_to_one_line() {
    let body = json!({"message": format!("a\n\u{7}b {}", "é".repeat(2_000))}).to_string();
    let message = of_status("x", 400, None, body.as_bytes()).message;
    assert!(message.starts_with("x answered 400: a b é") && message.ends_with('…'));
    assert!(message.chars().count() < 640);
}

//! The provider that the bench talks to: OpenAI's chat completions on loopback, in this process.
//!
//! What it answers is written in the last message of a person, so that one server serves every
//! measurement: `stream <deltas> <microseconds between them>`, `hold` (headers, then nothing until
//! the connection is closed), `calls <rounds> <calls in each> <tool> <arguments>` (then `ok`);
//! anything else is answered with `ok`. It keeps the times at which requests
//! came and deltas went, and nothing else.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::stream::{self, BoxStream, StreamExt as _};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// A running mock; it ends when dropped.
pub(crate) struct Mock {
    address: SocketAddr,
    clock: Arc<Clock>,
    _serving: JoinSet<()>,
}

/// When things happened.
#[derive(Default)]
struct Clock {
    requests: Mutex<Vec<Instant>>,
    deltas: Mutex<Vec<Instant>>,
}

type Body = BoxStream<'static, Result<Frame<Bytes>, Infallible>>;

impl Mock {
    /// Starts it on a free port of the loopback interface.
    pub(crate) async fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let clock = Arc::new(Clock::default());
        let mut serving = JoinSet::new();
        serving.spawn(accept(listener, Arc::clone(&clock)));
        Ok(Self { address, clock, _serving: serving })
    }

    /// The base URL to configure.
    pub(crate) fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// The times at which chat requests came, since the last call.
    pub(crate) fn take_requests(&self) -> Vec<Instant> {
        take(&self.clock.requests)
    }

    /// The times at which deltas were handed to the socket, since the last call.
    pub(crate) fn take_deltas(&self) -> Vec<Instant> {
        take(&self.clock.deltas)
    }
}

fn take(times: &Mutex<Vec<Instant>>) -> Vec<Instant> {
    std::mem::take(&mut *times.lock().unwrap_or_else(PoisonError::into_inner))
}

fn note(times: &Mutex<Vec<Instant>>) {
    times.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
}

async fn accept(listener: TcpListener, clock: Arc<Clock>) {
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        let clock = Arc::clone(&clock);
        let served = service_fn(move |request| answer(request, Arc::clone(&clock)));
        connections.spawn(async move {
            // A client that goes away in the middle of an answer is what stopping a turn looks like.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(socket), served)
                .await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    clock: Arc<Clock>,
) -> Result<Response<StreamBody<Body>>, Infallible> {
    let path = request.uri().path().to_owned();
    if path.ends_with("/models") {
        let models = json!({"object": "list", "data": [{"id": "bench", "object": "model"}]});
        return Ok(respond("application/json", stream::iter([frame(models.to_string())]).boxed()));
    }
    note(&clock.requests);
    let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let (asked, rounds) = last_order(&serde_json::from_slice(&body).unwrap_or_default());
    Ok(respond("text/event-stream", script(&asked, rounds, clock)))
}

fn respond(kind: &str, body: Body) -> Response<StreamBody<Body>> {
    let mut response = Response::new(StreamBody::new(body));
    if let Ok(kind) = kind.parse() {
        response.headers_mut().insert("content-type", kind);
    }
    response
}

/// The text of a person's last message, and how many answers with calls came after it.
fn last_order(request: &Value) -> (String, usize) {
    let messages = request["messages"].as_array().map_or(&[][..], Vec::as_slice);
    let person = |message: &&Value| message["role"] == "user";
    let calls = |message: &&Value| message["tool_calls"].is_array();
    let since = messages.iter().rev().take_while(|message| !person(message));
    let rounds = since.filter(calls).count();
    let last = messages.iter().rev().find(person).unwrap_or(&Value::Null);
    (text(&last["content"]), rounds)
}

fn text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            parts.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("")
        }
        _ => String::new(),
    }
}

/// What is answered to an order, of which so many rounds are done.
fn script(asked: &str, rounds: usize, clock: Arc<Clock>) -> Body {
    let mut words = asked.lines().last().unwrap_or_default().splitn(5, ' ');
    match words.next() {
        Some("calls") => {
            let mut number = || words.next().and_then(|word| word.parse::<usize>().ok());
            let (wanted, each) = (number().unwrap_or(0), number().unwrap_or(0));
            let (tool, arguments) = (words.next(), words.next());
            match (tool, arguments) {
                (Some(tool), Some(arguments)) if rounds < wanted => {
                    calls(rounds, each, tool, arguments)
                }
                _ => ok(),
            }
        }
        Some("stream") => {
            let mut number = || words.next().and_then(|word| word.parse::<u64>().ok()).unwrap_or(1);
            let (count, pause) = (number(), Duration::from_micros(number()));
            paced(count, pause, clock).chain(ending("stop")).boxed()
        }
        Some("hold") => stream::iter([chunk("held", None)]).chain(stream::pending()).boxed(),
        _ => ok(),
    }
}

fn ok() -> Body {
    stream::iter([chunk("ok", None)]).chain(ending("stop")).boxed()
}

/// One answer that makes the same call so often.
fn calls(round: usize, each: usize, tool: &str, arguments: &str) -> Body {
    let call = |index| {
        let function = json!({"name": tool, "arguments": arguments});
        let id = format!("call-{round}-{index}");
        json!({"index": index, "id": id, "type": "function", "function": function})
    };
    let calls: Vec<_> =
        (0..each).map(|index| piece(&json!({"delta": {"tool_calls": [call(index)]}}))).collect();
    stream::iter(calls).chain(ending("tool_calls")).boxed()
}

/// `count` deltas of six bytes, each due at its own time from the first, so that pauses don't add up
/// to more than they should. A newline every 16 deltas: answers have lines.
fn paced(count: u64, pause: Duration, clock: Arc<Clock>) -> Body {
    let begun = tokio::time::Instant::now();
    stream::unfold(0, move |index| {
        let clock = Arc::clone(&clock);
        async move {
            if index == count {
                return None;
            }
            if !pause.is_zero() {
                let due = pause.saturating_mul(u32::try_from(index).unwrap_or(u32::MAX));
                tokio::time::sleep_until(begun + due).await;
            }
            note(&clock.deltas);
            let end = if index % 16 == 15 { '\n' } else { ' ' };
            Some((chunk(&format!("{index:05}{end}"), None), index + 1))
        }
    })
    .boxed()
}

fn ending(finish: &'static str) -> Body {
    let usage = json!({"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 10}});
    stream::iter([
        chunk("", Some(finish)),
        frame(format!("data: {usage}\n\n")),
        frame("data: [DONE]\n\n".to_owned()),
    ])
    .boxed()
}

fn chunk(text: &str, finish: Option<&str>) -> Result<Frame<Bytes>, Infallible> {
    piece(&json!({"index": 0, "delta": {"content": text}, "finish_reason": finish}))
}

/// A piece of an answer.
fn piece(choice: &Value) -> Result<Frame<Bytes>, Infallible> {
    frame(format!("data: {}\n\n", json!({"id": "bench", "model": "bench", "choices": [choice]})))
}

fn frame(text: String) -> Result<Frame<Bytes>, Infallible> {
    Ok(Frame::data(Bytes::from(text)))
}

//! An HTTP server on loopback that plays a model vendor from a script.
//!
//! It answers each request with the next scripted [`Reply`], or the reply that is always given on
//! a path, and writes down what it was asked. Bodies are cut where the test says, wait at
//! [`Gate`]s, and break off. It knows no dialect but the little that [`Reply::openai_chat`] needs
//! to let whole programs talk.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use hyper::body::{Body, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

/// A gate in the way of a reply: closed until a test opens it, then open for good.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Semaphore>);

impl Gate {
    /// A closed gate.
    #[expect(
        clippy::new_without_default,
        reason = "`Gate::default()` would not say that it is closed"
    )]
    pub fn new() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    /// Lets everyone through, now and later.
    pub fn open(&self) {
        self.0.close();
    }

    async fn passed(self) {
        // A closed semaphore is an open gate: nobody ever gets a permit, but the wait ends.
        drop(self.0.acquire().await);
    }
}

#[derive(Clone, Debug)]
enum Step {
    Send(Bytes),
    Wait(Gate),
    Disconnect,
}

/// An answer to one request.
#[derive(Clone, Debug)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    /// Before the status line.
    gate: Option<Gate>,
    steps: VecDeque<Step>,
}

impl Reply {
    /// An answer without a body.
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), gate: None, steps: VecDeque::new() }
    }

    /// An answer with a body of this type, in one piece.
    pub fn body(status: u16, media_type: &str, body: impl Into<Bytes>) -> Self {
        Self::status(status).header("content-type", media_type).then(body)
    }

    /// A JSON document.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::body(status, "application/json", body.to_string())
    }

    /// A stream of server-sent events, in one piece.
    pub fn sse(body: impl Into<Bytes>) -> Self {
        Self::body(200, "text/event-stream", body)
    }

    /// A stream of JSON lines, in one piece.
    pub fn ndjson(body: impl Into<Bytes>) -> Self {
        Self::body(200, "application/x-ndjson", body)
    }

    /// A well-behaved OpenAI chat stream that says `pieces`, a chunk each, with usage.
    pub fn openai_chat(pieces: &[&str]) -> Self {
        let reply = Self::status(200).header("content-type", "text/event-stream");
        let reply = reply.then(openai_event(&json!({"role": "assistant", "content": ""}), None));
        let reply = pieces.iter().fold(reply, |reply, piece| {
            reply.then(openai_event(&json!({ "content": piece }), None))
        });
        reply.then(openai_end(pieces.len(), "stop"))
    }

    /// A well-behaved OpenAI chat stream that calls these tools: id, name and arguments of each.
    pub fn openai_calls(calls: &[(String, &str, Value)]) -> Self {
        let reply = Self::status(200).header("content-type", "text/event-stream");
        let reply = reply.then(openai_event(&json!({"role": "assistant", "content": null}), None));
        let call = |(index, (id, name, arguments)): (usize, &(String, &str, Value))| {
            let function = json!({"name": name, "arguments": arguments.to_string()});
            let call = json!({"index": index, "id": id, "type": "function", "function": function});
            openai_event(&json!({ "tool_calls": [call] }), None)
        };
        let reply = calls.iter().enumerate().map(call).fold(reply, Self::then);
        reply.then(openai_end(calls.len(), "tool_calls"))
    }

    /// An OpenAI chat stream that says `text`, if it says something, and calls one tool.
    pub fn openai_call(text: &str, tool: &str, arguments: &Value) -> Self {
        let reply = Self::status(200).header("content-type", "text/event-stream");
        let reply = reply.then(openai_event(&json!({"role": "assistant", "content": text}), None));
        let function = json!({ "name": tool, "arguments": arguments.to_string() });
        let call = json!({ "index": 0, "id": "call-1", "type": "function", "function": function });
        let reply = reply.then(openai_event(&json!({ "tool_calls": [call] }), None));
        let reply = reply.then(openai_event(&json!({}), Some("tool_calls")));
        reply.then("data: [DONE]\n\n")
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Then sends some bytes as an HTTP chunk of their own.
    #[must_use]
    pub fn then(mut self, bytes: impl Into<Bytes>) -> Self {
        self.steps.push_back(Step::Send(bytes.into()));
        self
    }

    /// Then waits until the gate is open.
    #[must_use]
    pub fn wait(mut self, gate: &Gate) -> Self {
        self.steps.push_back(Step::Wait(gate.clone()));
        self
    }

    /// Then breaks the connection, without the end that HTTP promises.
    #[must_use]
    pub fn disconnect(mut self) -> Self {
        self.steps.push_back(Step::Disconnect);
        self
    }

    /// Keeps even the status line back until the gate is open.
    #[must_use]
    pub fn after(mut self, gate: &Gate) -> Self {
        self.gate = Some(gate.clone());
        self
    }

    /// Cuts what is sent so far at these places, counted in bytes of the whole body.
    #[must_use]
    pub fn cut_at(mut self, places: &[usize]) -> Self {
        let mut steps = VecDeque::new();
        let mut begin = 0;
        for step in self.steps {
            let Step::Send(mut bytes) = step else {
                steps.push_back(step);
                continue;
            };
            let first = begin;
            let end = begin + bytes.len();
            for place in places.iter().filter(|place| first < **place && **place < end) {
                steps.push_back(Step::Send(bytes.split_to(place - begin)));
                begin = *place;
            }
            begin = end;
            steps.push_back(Step::Send(bytes));
        }
        self.steps = steps;
        self
    }
}

/// One server-sent event of an OpenAI chat stream with this `delta`.
pub fn openai_event(delta: &Value, finish: Option<&str>) -> String {
    let chunk = json!({
        "id": "chatcmpl-test", "object": "chat.completion.chunk", "created": 1, "model": "test",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    });
    format!("data: {chunk}\n\n")
}

fn openai_end(pieces: usize, finish: &str) -> String {
    let usage = json!({
        "id": "chatcmpl-test", "object": "chat.completion.chunk", "created": 1, "model": "test",
        "choices": [],
        "usage": {
            "prompt_tokens": 10, "completion_tokens": pieces, "total_tokens": 10 + pieces,
            "prompt_tokens_details": {"cached_tokens": 0},
        },
    });
    format!("{}data: {usage}\n\ndata: [DONE]\n\n", openai_event(&json!({}), Some(finish)))
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// `GET`, `POST`, …
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Its headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
}

impl Recorded {
    /// The first header of this name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON; `null` when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

type Rule = Box<dyn Fn(&Recorded) -> Option<Reply> + Send + Sync>;

#[derive(Default)]
struct Script {
    queue: VecDeque<Reply>,
    paths: HashMap<String, Reply>,
    rule: Option<Rule>,
    seen: Vec<Recorded>,
    /// Calls of tools that were scripted.
    calls: usize,
}

struct Shared {
    script: Mutex<Script>,
    count: watch::Sender<usize>,
}

impl Shared {
    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A reply made for this path, else the next of the queue, else one by the rule, else 404.
    fn answer(&self, request: Recorded) -> Reply {
        let mut script = self.script();
        let path = request.path.split('?').next().unwrap_or_default();
        let reply = match script.paths.get(path).cloned() {
            Some(reply) => Some(reply),
            None => script.queue.pop_front(),
        };
        let reply = reply.or_else(|| script.rule.as_ref().and_then(|rule| rule(&request)));
        script.seen.push(request);
        self.count.send_replace(script.seen.len());
        reply.unwrap_or_else(|| {
            Reply::json(404, &json!({"error": {"message": "the script has no answer left"}}))
        })
    }
}

/// A running server; dropping it closes everything at once.
pub struct Vendor {
    address: SocketAddr,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

impl Vendor {
    /// A server on a free port of loopback.
    ///
    /// # Panics
    /// When loopback has no free port.
    #[expect(clippy::unwrap_used, reason = "a test without loopback can't go on")]
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let script = Mutex::new(Script::default());
        let shared = Arc::new(Shared { script, count: watch::Sender::new(0) });
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::clone(&shared)));
        Self { address, shared, _tasks: tasks }
    }

    /// A server that answers every chat completion with `pieces` and lists the model `test`.
    pub async fn openai(pieces: &[&str]) -> Self {
        let vendor = Self::start().await;
        vendor.on("/v1/chat/completions", Reply::openai_chat(pieces));
        let models = json!({"object": "list", "data": [{"id": "test", "object": "model"}]});
        vendor.on("/v1/models", Reply::json(200, &models));
        vendor
    }

    /// A server that makes the calls that are put in its queue ([`Self::calls`]), and answers `Done.`
    /// when there are none left; it lists the model `test`.
    pub async fn calling() -> Self {
        let vendor = Self::start().await;
        let models = json!({"object": "list", "data": [{"id": "test", "object": "model"}]});
        vendor.on("/v1/models", Reply::json(200, &models));
        vendor.otherwise(|request| {
            request.path.ends_with("/chat/completions").then(|| Reply::openai_chat(&["Done."]))
        });
        vendor
    }

    /// Its address as `127.0.0.1:port`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Its address as `http://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Puts a reply at the end of the queue.
    pub fn script(&self, reply: Reply) {
        self.shared.script().queue.push_back(reply);
    }

    /// Puts an OpenAI answer at the end of the queue that calls these tools, each with its arguments.
    pub fn calls(&self, calls: &[(&str, Value)]) {
        let mut script = self.shared.script();
        let first = script.calls;
        script.calls += calls.len();
        let numbered = calls.iter().zip(first..).map(|((name, arguments), number)| {
            (format!("call_{number}"), *name, arguments.clone())
        });
        let calls: Vec<_> = numbered.collect();
        script.queue.push_back(Reply::openai_calls(&calls));
    }

    /// Always gives this reply on this path.
    pub fn on(&self, path: &str, reply: Reply) {
        self.shared.script().paths.insert(path.to_owned(), reply);
    }

    /// Answers what nothing else answers.
    pub fn otherwise(&self, rule: impl Fn(&Recorded) -> Option<Reply> + Send + Sync + 'static) {
        self.shared.script().rule = Some(Box::new(rule));
    }

    /// What it was asked so far.
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.script().seen.clone()
    }

    /// Waits until it was asked `count` times and tells what.
    pub async fn requested(&self, count: usize) -> Vec<Recorded> {
        // The sender lives as long as this call, so waiting can't fail.
        drop(self.shared.count.subscribe().wait_for(|seen| *seen >= count).await);
        self.requests()
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let service = service_fn(move |request| serve(request, Arc::clone(&shared)));
            // A connection that ends with an error is what a script with `disconnect` wants.
            drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
        });
    }
}

async fn serve(
    request: hyper::Request<Incoming>,
    shared: Arc<Shared>,
) -> Result<hyper::Response<Steps>, Infallible> {
    let (head, body) = request.into_parts();
    let headers = head
        .headers
        .iter()
        .map(|(name, value)| {
            (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect();
    let reply = shared.answer(Recorded {
        method: head.method.to_string(),
        path: head.uri.to_string(),
        headers,
        body: read(body).await,
    });
    if let Some(gate) = reply.gate {
        gate.passed().await;
    }
    let mut response =
        hyper::Response::new(Steps { steps: reply.steps, waiting: None, unwritten: true });
    *response.status_mut() = hyper::StatusCode::from_u16(reply.status).unwrap_or_default();
    for (name, value) in reply.headers {
        if let (Ok(name), Ok(value)) =
            (hyper::header::HeaderName::try_from(name), hyper::header::HeaderValue::try_from(value))
        {
            response.headers_mut().append(name, value);
        }
    }
    Ok(response)
}

async fn read(mut body: Incoming) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(Ok(frame)) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await
    {
        if let Some(data) = frame.data_ref() {
            whole.extend_from_slice(data);
        }
    }
    whole
}

/// The steps of a reply as a body.
struct Steps {
    steps: VecDeque<Step>,
    waiting: Option<BoxFuture<'static, ()>>,
    /// Whether the last piece may still lie in the server's buffer. Hyper writes it out when it
    /// finds nothing to do: so pieces stay pieces, and what was sent before a break arrives.
    unwritten: bool,
}

impl Body for Steps {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        loop {
            if let Some(waiting) = &mut self.waiting {
                match waiting.as_mut().poll(cx) {
                    Poll::Ready(()) => self.waiting = None,
                    Poll::Pending => return Poll::Pending,
                }
            }
            if std::mem::take(&mut self.unwritten) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            return match self.steps.pop_front() {
                None => Poll::Ready(None),
                Some(Step::Send(bytes)) if bytes.is_empty() => continue,
                Some(Step::Send(bytes)) => {
                    self.unwritten = true;
                    Poll::Ready(Some(Ok(Frame::data(bytes))))
                }
                Some(Step::Disconnect) => {
                    Poll::Ready(Some(Err(std::io::Error::other("the script breaks off here"))))
                }
                Some(Step::Wait(gate)) => {
                    self.waiting = Some(Box::pin(gate.passed()));
                    continue;
                }
            };
        }
    }
}

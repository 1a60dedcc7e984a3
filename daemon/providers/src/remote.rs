//! One provider over HTTP.

use async_trait::async_trait;
use futures_util::stream::{self, StreamExt};
use moltis_core::models::ModelInfo;
use moltis_core::provider::{ChunkStream, Failure, FailureKind, Provider, Request};
use moltis_net::{Client, Response, Timeouts, redact};
use secrecy::SecretString;
use serde_json::Value;
use std::time::Duration;
use tokio::time::timeout;

use crate::dialect::{Dialect, Framing};
use crate::endpoint::Endpoint;
use crate::{answer, failure, ollama, retry_after};

const LIST: Timeouts =
    Timeouts { first_byte: Duration::from_secs(10), idle: Duration::from_secs(10) };
/// A server of the owner's says nothing while it loads a model or reads a long prompt.
const LOCAL: Timeouts =
    Timeouts { first_byte: Duration::from_secs(600), idle: Duration::from_secs(600) };
const MAX_LIST: u64 = 32 << 20;
const MAX_ERROR: usize = 64 << 10;
/// Models that are described one by one, and how many at a time.
const MAX_DESCRIBED: usize = 64;
const DESCRIBED_AT_ONCE: usize = 4;

/// A provider that is asked over HTTP.
#[derive(Debug)]
pub(crate) struct Remote {
    pub(crate) endpoint: Endpoint,
    client: Client,
}

impl Remote {
    pub(crate) fn new(endpoint: Endpoint, client: Client) -> Self {
        Self { endpoint, client }
    }

    async fn key(&self) -> Result<Option<SecretString>, Failure> {
        let name = &self.endpoint.name;
        let failed = |message| Failure::new(FailureKind::Auth, message);
        let found = self.endpoint.keys.find().await.map_err(|error| {
            failed(format!("the key of {name} can't be read from the vault: {error}"))
        })?;
        if !found.is_ready() {
            return Err(failed(format!("{name} has no key: `moltis providers login {name}`")));
        }
        Ok(found.key)
    }

    /// Sends a request with key and headers, and turns every status but success into a failure.
    async fn send(
        &self,
        dialect: Dialect,
        mut request: moltis_net::Request,
        key: Option<&SecretString>,
    ) -> Result<Response, Failure> {
        for (name, value) in dialect.headers() {
            request = request.header(name, value);
        }
        request = match (key, dialect.key_header()) {
            (Some(key), Some(name)) => request.secret_header(name, key),
            (Some(key), None) => request.bearer(key),
            (None, _) => request,
        };
        let response =
            self.client.send(request).await.map_err(|error| failure::transport(&error))?;
        if response.is_success() {
            return Ok(response);
        }
        let status = response.status();
        let wait = retry_after::of_headers(&response);
        let body = error_body(response).await;
        Err(redacted(failure::of_status(&self.endpoint.name, status, wait, &body), key))
    }

    async fn json(&self, request: moltis_net::Request) -> Result<Value, Failure> {
        let request = request.timeouts(LIST).body_cap(MAX_LIST);
        let key = self.key().await?;
        let response = self.send(self.endpoint.dialect, request, key.as_ref()).await?;
        let body = response.bytes().await.map_err(|error| failure::transport(&error))?;
        serde_json::from_slice(&body).map_err(|error| {
            let name = &self.endpoint.name;
            let message = format!("{name} answered with something that is no JSON: {error}");
            Failure::new(FailureKind::Malformed, message)
        })
    }

    /// What the vendor lists.
    async fn list(&self) -> Result<Vec<ModelInfo>, Failure> {
        let endpoint = &self.endpoint;
        if !endpoint.quirks.lists_models {
            let names = endpoint.vendor.preferred.iter();
            return Ok(names.map(|name| endpoint.blank_model(name)).collect());
        }
        if let Some(url) = self.richer_url()
            && let Ok(list) = self.json(moltis_net::Request::get(&url)).await
        {
            return Ok(endpoint.dialect.read_models(endpoint, &list));
        }
        let url = format!("{}{}", endpoint.base_url, endpoint.dialect.models_path());
        let list = self.json(moltis_net::Request::get(&url)).await?;
        let models = endpoint.dialect.read_models(endpoint, &list);
        if endpoint.dialect == Dialect::Ollama {
            return Ok(self.describe(models).await);
        }
        Ok(models)
    }

    fn richer_url(&self) -> Option<String> {
        let path = self.endpoint.quirks.richer_list?;
        url::Url::parse(&self.endpoint.base_url).ok()?.join(path).ok().map(String::from)
    }

    /// Asks for the abilities of each model; one that does not answer stays as it is, and so do
    /// those beyond the bound.
    async fn describe(&self, mut models: Vec<ModelInfo>) -> Vec<ModelInfo> {
        let rest = models.split_off(models.len().min(MAX_DESCRIBED));
        let url = format!("{}/api/show", self.endpoint.base_url);
        let describe = |mut info: ModelInfo| {
            let request = moltis_net::Request::post(&url)
                .json(&serde_json::json!({"model": &*info.id.model}));
            async move {
                match self.json(request).await {
                    Ok(shown) => ollama::describe(&mut info, &shown).then_some(info),
                    Err(_) => Some(info),
                }
            }
        };
        let described = stream::iter(models).map(describe).buffered(DESCRIBED_AT_ONCE);
        let described = described.filter_map(std::future::ready);
        described.chain(stream::iter(rest)).collect().await
    }
}

#[async_trait]
impl Provider for Remote {
    fn name(&self) -> &str {
        &self.endpoint.name
    }

    async fn models(&self) -> Result<Vec<ModelInfo>, Failure> {
        self.list().await
    }

    async fn stream(&self, request: Request) -> Result<ChunkStream, Failure> {
        let endpoint = &self.endpoint;
        let dialect = endpoint.dialect_of(&request.model.id.model);
        let call = dialect.call(&request, endpoint);
        let url = format!("{}{}", endpoint.base_url, call.path);
        let accepted = match dialect.framing() {
            Framing::Sse => "text/event-stream",
            Framing::Lines => "application/x-ndjson",
        };
        let timeouts = if endpoint.vendor.local { LOCAL } else { Timeouts::default() };
        let sent = moltis_net::Request::post(&url)
            .header("accept", accepted)
            .timeouts(timeouts)
            .json(&call.body);
        let key = self.key().await?;
        let response = self.send(dialect, sent, key.as_ref()).await?;
        if let Some(kind) = not_a_stream(&response, dialect.framing()) {
            return Err(redacted(self.not_streamed(&kind, response).await, key.as_ref()));
        }
        let reader = dialect.reader(&request, endpoint);
        let price = request.model.price;
        let chunks = answer::chunks(response.into_body(), dialect.framing(), reader, price);
        let legible = move |failure| redacted(failure, key.as_ref());
        Ok(Box::pin(chunks.map(move |chunk| chunk.map_err(&legible))))
    }
}

impl Remote {
    /// Some vendors put an error into a document with status 200; some proxies answer with a page.
    async fn not_streamed(&self, kind: &str, response: Response) -> Failure {
        let body = error_body(response).await;
        if let Ok(document) = serde_json::from_slice::<Value>(&body)
            && (document.get("error").is_some() || document.get("base_resp").is_some())
        {
            return failure::in_stream(&document);
        }
        let name = &self.endpoint.name;
        let message = format!("{name} answered with {kind} where a stream was asked for");
        Failure::new(FailureKind::Malformed, message)
    }
}

/// A failure without the key in it: some vendors quote what they refuse.
fn redacted(mut failure: Failure, key: Option<&SecretString>) -> Failure {
    if let Some(key) = key {
        failure.message = redact(&failure.message, key);
    }
    failure
}

fn not_a_stream(response: &Response, framing: Framing) -> Option<String> {
    let kind = response.header("content-type")?.split(';').next()?.trim().to_owned();
    let is_wrong = match framing {
        Framing::Sse => kind == "application/json" || kind == "text/html",
        Framing::Lines => kind == "text/html",
    };
    is_wrong.then_some(kind)
}

/// The beginning of an error's body, as much as comes soon.
async fn error_body(response: Response) -> Vec<u8> {
    let mut body = response.into_body();
    let mut whole = Vec::new();
    while let Ok(Some(Ok(piece))) = timeout(LIST.idle, body.next()).await {
        whole.extend_from_slice(&piece);
        if whole.len() > MAX_ERROR {
            whole.truncate(MAX_ERROR);
            break;
        }
    }
    whole
}

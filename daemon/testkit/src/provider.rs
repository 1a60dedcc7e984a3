//! A provider that follows a script, and the table of models over such providers.
//!
//! Nothing here sleeps or guesses: a script waits at gates that the test opens, and tests wait
//! for requests to arrive.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures_util::stream;
use moltis_core::error::{Code, Error, Result};
use moltis_core::message::Usage;
use moltis_core::models::{Candidate, ModelInfo, ModelRef, Models};
use moltis_core::provider::{
    Chunk, ChunkStream, Failure, FailureKind, FinishReason, Provider, Request,
};
use tokio::sync::{Semaphore, watch};

/// A door in a script: whoever comes to it waits until the test opens it. Each opening lets one
/// script through.
#[derive(Clone, Debug)]
pub struct Gate {
    permits: Arc<Semaphore>,
}

impl Gate {
    /// A closed gate.
    pub fn closed() -> Self {
        Self { permits: Arc::new(Semaphore::new(0)) }
    }

    /// Lets one script through, now or when it comes.
    pub fn open(&self) {
        self.permits.add_permits(1);
    }

    /// Waits until the gate is opened.
    pub async fn pass(&self) {
        if let Ok(permit) = self.permits.acquire().await {
            permit.forget();
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Chunk(Chunk),
    Fail(Failure),
    Gate(Gate),
    Hang,
    Panic,
}

/// What a provider does when it is asked once.
#[derive(Clone, Debug, Default)]
pub struct Script {
    before: Option<Gate>,
    refusal: Option<Failure>,
    steps: Vec<Step>,
}

impl Script {
    /// A stream without anything in it; add to it.
    pub fn new() -> Self {
        Self::default()
    }

    /// A whole answer in one piece.
    pub fn answer(text: &str) -> Self {
        Self::new().text(text).done()
    }

    /// A request that fails before the first byte.
    pub fn refused(kind: FailureKind, message: &str) -> Self {
        Self { refusal: Some(Failure::new(kind, message)), ..Self::default() }
    }

    /// A request that fails before the first byte, with all that a failure may say.
    pub fn refused_with(failure: Failure) -> Self {
        Self { refusal: Some(failure), ..Self::default() }
    }

    /// Waits at a gate before the first byte, refusals included.
    #[must_use]
    pub fn after(mut self, gate: &Gate) -> Self {
        self.before = Some(gate.clone());
        self
    }

    /// A piece of text.
    #[must_use]
    pub fn text(self, text: &str) -> Self {
        self.chunk(Chunk::Text(text.to_owned()))
    }

    /// A piece of reasoning.
    #[must_use]
    pub fn reasoning(self, text: &str) -> Self {
        self.chunk(Chunk::Reasoning(text.to_owned()))
    }

    /// Any chunk.
    #[must_use]
    pub fn chunk(self, chunk: Chunk) -> Self {
        self.step(Step::Chunk(chunk))
    }

    /// An answer that is one call for each of these: id, tool and arguments.
    pub fn calls(calls: &[(&str, &str, &str)]) -> Self {
        let mut script = Self::new();
        for (index, (id, tool, arguments)) in (0..).zip(calls) {
            let (id, name) = ((*id).into(), (*tool).to_owned());
            let fragment = (*arguments).to_owned();
            script = script
                .chunk(Chunk::ToolCallStarted { index, id, name })
                .chunk(Chunk::ToolCallArguments { index, fragment })
                .chunk(Chunk::ToolCallEnded { index });
        }
        script.chunk(Chunk::Finished(FinishReason::ToolCalls))
    }

    /// Waits at a gate.
    #[must_use]
    pub fn gate(self, gate: &Gate) -> Self {
        self.step(Step::Gate(gate.clone()))
    }

    /// Usage of so many tokens in and out.
    #[must_use]
    pub fn usage(self, input_tokens: u64, output_tokens: u64) -> Self {
        self.chunk(Chunk::Usage(Usage { input_tokens, output_tokens, ..Usage::default() }))
    }

    /// Ends properly.
    #[must_use]
    pub fn done(self) -> Self {
        self.chunk(Chunk::Finished(FinishReason::Stop))
    }

    /// Breaks off.
    #[must_use]
    pub fn fail(self, kind: FailureKind, message: &str) -> Self {
        self.step(Step::Fail(Failure::new(kind, message)))
    }

    /// Says nothing more and never ends.
    #[must_use]
    pub fn hang(self) -> Self {
        self.step(Step::Hang)
    }

    /// Panics, as no provider should.
    #[must_use]
    pub fn panic(self) -> Self {
        self.step(Step::Panic)
    }

    fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }
}

/// A [`Provider`] that answers the first request by the first script, and so on.
#[derive(Debug)]
pub struct ScriptedProvider {
    name: String,
    scripts: Mutex<VecDeque<Script>>,
    fallback: Mutex<Option<Script>>,
    requests: Mutex<Vec<Request>>,
    asked: watch::Sender<usize>,
    streams: watch::Sender<usize>,
    models: Mutex<Vec<ModelInfo>>,
}

impl ScriptedProvider {
    /// A provider without scripts: a request without one is a bad request.
    pub fn new(name: &str) -> Arc<Self> {
        Arc::new(Self {
            name: name.to_owned(),
            scripts: Mutex::default(),
            fallback: Mutex::default(),
            requests: Mutex::default(),
            asked: watch::Sender::new(0),
            streams: watch::Sender::new(0),
            models: Mutex::new(vec![model_info(&format!("{name}/model"))]),
        })
    }

    /// Adds a script for the next request that has none.
    pub fn push(&self, script: Script) {
        lock(&self.scripts).push_back(script);
    }

    /// The script for requests that have none of their own.
    pub fn otherwise(&self, script: Script) {
        *lock(&self.fallback) = Some(script);
    }

    /// What was asked so far.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.requests).clone()
    }

    /// Waits until so many requests have arrived, and gives them.
    pub async fn asked(&self, times: usize) -> Vec<Request> {
        let mut asked = self.asked.subscribe();
        // The sender lives as long as `self`, so waiting can't fail.
        let _closed = asked.wait_for(|count| *count >= times).await.is_err();
        self.requests()
    }

    /// Waits until just so many of its streams are held by somebody.
    pub async fn streaming(&self, count: usize) {
        let mut streams = self.streams.subscribe();
        let _closed = streams.wait_for(|open| *open == count).await.is_err();
    }
}

/// A stream that somebody holds.
struct Open(watch::Sender<usize>);

impl Open {
    fn new(streams: &watch::Sender<usize>) -> Self {
        streams.send_modify(|open| *open += 1);
        Self(streams.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.send_modify(|open| *open -= 1);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl Provider for ScriptedProvider {
    fn name(&self) -> &str {
        &self.name
    }

    async fn models(&self) -> Result<Vec<ModelInfo>, Failure> {
        Ok(lock(&self.models).clone())
    }

    async fn stream(&self, request: Request) -> Result<ChunkStream, Failure> {
        lock(&self.requests).push(request);
        let script = lock(&self.scripts).pop_front().or_else(|| lock(&self.fallback).clone());
        self.asked.send_modify(|count| *count += 1);
        let Some(script) = script else {
            return Err(Failure::new(FailureKind::BadRequest, "there is no script left"));
        };
        if let Some(gate) = &script.before {
            gate.pass().await;
        }
        if let Some(failure) = script.refusal {
            return Err(failure);
        }
        let open = Open::new(&self.streams);
        Ok(Box::pin(stream::unfold((script.steps.into_iter(), open), play)))
    }
}

type Playing = (std::vec::IntoIter<Step>, Open);

async fn play((mut steps, open): Playing) -> Option<(Result<Chunk, Failure>, Playing)> {
    loop {
        match steps.next()? {
            Step::Chunk(chunk) => return Some((Ok(chunk), (steps, open))),
            Step::Fail(failure) => return Some((Err(failure), (Vec::new().into_iter(), open))),
            Step::Gate(gate) => gate.pass().await,
            Step::Hang => std::future::pending::<()>().await,
            #[expect(clippy::panic, reason = "the script plays a provider with a defect")]
            Step::Panic => panic!("the script says so"),
        }
    }
}

/// A model of that reference with a context of 128,000 tokens and no price.
pub fn model_info(reference: &str) -> ModelInfo {
    let (provider, model) = reference.split_once('/').unwrap_or(("test", reference));
    ModelInfo {
        id: ModelRef::new(provider, model),
        name: model.to_owned(),
        context_window: Some(128_000),
        output_limit: Some(8_000),
        images: true,
        tools: true,
        reasoning: true,
        price: None,
        local: false,
    }
}

/// A table of [`Models`] that always gives the same candidates, the wanted one first, and
/// remembers what it was told.
#[derive(Debug, Default)]
pub struct ScriptedModels {
    candidates: Mutex<Vec<Candidate>>,
    trouble: Mutex<Option<Error>>,
    gate: Mutex<Option<Gate>>,
    reports: Mutex<Vec<(ModelRef, Option<FailureKind>)>>,
}

impl ScriptedModels {
    /// A table of the model `model` of each provider, in this order.
    pub fn new(providers: &[Arc<ScriptedProvider>]) -> Arc<Self> {
        let models = Self::default();
        for provider in providers {
            models.add(provider, model_info(&format!("{}/model", provider.name)));
        }
        Arc::new(models)
    }

    /// Adds a model.
    pub fn add(&self, provider: &Arc<ScriptedProvider>, info: ModelInfo) {
        lock(&self.candidates).push(Candidate { info, provider: provider.clone() });
    }

    /// Lets every choice fail with this, or none.
    pub fn set_trouble(&self, trouble: Option<Error>) {
        *lock(&self.trouble) = trouble;
    }

    /// Lets every choice wait at this gate.
    pub fn set_gate(&self, gate: &Gate) {
        *lock(&self.gate) = Some(gate.clone());
    }

    /// What was reported, in order.
    pub fn reports(&self) -> Vec<(ModelRef, Option<FailureKind>)> {
        lock(&self.reports).clone()
    }
}

#[async_trait]
impl Models for ScriptedModels {
    fn check(&self, wanted: &ModelRef) -> Result<()> {
        let error = Error::new(Code::NotFound, "there is no provider `nobody`");
        if &*wanted.provider == "nobody" { Err(error) } else { Ok(()) }
    }

    async fn candidates(&self, wanted: Option<&ModelRef>) -> Result<Vec<Candidate>> {
        let gate = lock(&self.gate).clone();
        if let Some(gate) = gate {
            gate.pass().await;
        }
        if let Some(trouble) = lock(&self.trouble).clone() {
            return Err(trouble);
        }
        let mut candidates = lock(&self.candidates).clone();
        if candidates.is_empty() {
            return Err(Error::new(Code::NotConfigured, "no provider is set up"));
        }
        candidates
            .sort_by_key(|candidate| wanted.is_some_and(|wanted| candidate.info.id != *wanted));
        Ok(candidates)
    }

    fn report(&self, model: &ModelRef, failure: Option<FailureKind>) {
        lock(&self.reports).push((model.clone(), failure));
    }
}

//! All providers together: which model is asked, and which next.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::future::join_all;
use moltis_core::admin::{FoundServer, ModelList, ModelTest, ProviderStatus};
use moltis_core::error::{Code, Error, Result};
use moltis_core::message::{Message, Part, Role};
use moltis_core::models::{Candidate, ModelInfo, ModelRef, Models};
use moltis_core::provider::{Chunk, Failure, FailureKind, Provider, Request};
use moltis_core::vault::Vault;
use moltis_net::{Client, Purpose};
use tokio::time::{Instant, timeout};

use crate::breaker::Breakers;
use crate::catalog::Catalog;
use crate::endpoint::EnvVar;
use crate::remote::Remote;
use crate::setup::{self, Setup, Sources};
use crate::vendors::{self, VENDORS};
use crate::{detect, dialect};

/// The longest that one provider may keep a list of models waiting.
const LIST_PATIENCE: Duration = Duration::from_secs(15);
const TEST_PATIENCE: Duration = Duration::from_secs(120);

/// What a person is told who has nothing set up yet: the command that needs neither key nor money.
const NOTHING: &str = "no model is set up (a vendor's key: `moltis providers login NAME`)";
const NOTHING_HINT: &str = "moltis models pull smollm2-135m";

/// All providers that are set up.
pub struct Providers {
    client: Client,
    sources: Sources,
    state: RwLock<Arc<State>>,
    catalog: Catalog,
    breakers: Mutex<Breakers>,
}

struct State {
    remotes: Vec<Arc<Remote>>,
    extra: Vec<Arc<dyn Provider>>,
    default: Option<ModelRef>,
    fallbacks: Vec<ModelRef>,
    cache_dir: PathBuf,
}

impl Providers {
    /// The providers of a setup and of the environment, which `env_var` looks into. Nothing is
    /// asked yet.
    ///
    /// # Errors
    /// When the setup makes no sense.
    pub fn new(
        setup: Setup,
        vault: Arc<dyn Vault>,
        env_var: EnvVar,
    ) -> Result<Arc<Self>, setup::Error> {
        let client = Client::new(Purpose::Provider)?;
        let sources = Sources { vault, env_var };
        let state = State::new(setup, &sources, &client)?;
        Ok(Arc::new(Self {
            client,
            sources,
            state: RwLock::new(Arc::new(state)),
            catalog: Catalog::default(),
            breakers: Mutex::default(),
        }))
    }

    /// Takes another setup into use. Answers that are on their way go on as they began.
    ///
    /// # Errors
    /// When the setup makes no sense; the old one stays.
    pub fn reconfigure(&self, setup: Setup) -> Result<(), setup::Error> {
        let state = State::new(setup, &self.sources, &self.client)?;
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(state);
        Ok(())
    }

    /// The kinds that can be set up: name, and whether a key is needed.
    pub fn kinds() -> Vec<(String, bool)> {
        VENDORS.iter().map(|vendor| (vendor.name.to_owned(), vendor.needs_key)).collect()
    }

    /// The providers that are set up, and how each is.
    pub async fn status(&self) -> Vec<ProviderStatus> {
        let state = self.state();
        let now = Instant::now();
        let mut list = Vec::new();
        for remote in &state.remotes {
            let endpoint = &remote.endpoint;
            let mut trouble = self.breakers().trouble(&endpoint.name, now);
            let (key_source, ready) = match endpoint.keys.find().await {
                Ok(found) => (found.source.clone(), found.is_ready()),
                Err(error) => {
                    trouble = error.to_string();
                    ("missing".to_owned(), false)
                }
            };
            list.push(ProviderStatus {
                name: endpoint.name.to_string(),
                kind: endpoint.kind.to_owned(),
                base_url: endpoint.base_url.clone(),
                key_source,
                ready,
                trouble,
            });
        }
        for extra in &state.extra {
            list.push(ProviderStatus {
                name: extra.name().to_owned(),
                kind: extra.name().to_owned(),
                base_url: String::new(),
                key_source: "none needed".to_owned(),
                ready: extra.models().await.is_ok_and(|models| !models.is_empty()),
                trouble: self.breakers().trouble(extra.name(), now),
            });
        }
        list
    }

    /// The models of all providers, and the providers that could not say theirs. What a provider
    /// said before stands in for what it can't say now.
    pub async fn list(&self, refresh: bool) -> ModelList {
        let state = self.state();
        let (catalog, dir) = (&self.catalog, &state.cache_dir);
        let asked = state.remotes.iter().map(|remote| async move {
            let models = catalog.models(remote, dir, refresh);
            let result = timeout(LIST_PATIENCE, models).await.unwrap_or_else(|_| {
                Err(Failure::new(FailureKind::Transport, "it did not answer in time"))
            });
            (remote, result)
        });
        let mut list = ModelList::default();
        for (remote, result) in join_all(asked).await {
            match result {
                Ok(models) => list.models.extend(models),
                Err(failure) => {
                    let known = self.catalog.known(&remote.endpoint, &state.cache_dir).await;
                    list.models.extend(known.into_iter().flatten());
                    list.failures.push((remote.endpoint.name.to_string(), failure.message));
                }
            }
        }
        for extra in &state.extra {
            match extra.models().await {
                Ok(models) => list.models.extend(models),
                Err(failure) => list.failures.push((extra.name().to_owned(), failure.message)),
            }
        }
        list
    }

    /// The model of sessions without one: the configured one, else the first ready provider's
    /// preferred one, else an installed local one.
    pub async fn default_model(&self) -> Option<ModelRef> {
        let state = self.state();
        if let Some(model) = &state.default {
            return Some(model.clone());
        }
        for remote in &state.remotes {
            if remote.endpoint.keys.find().await.is_ok_and(|found| found.is_ready())
                && let Some(model) = self.preferred(remote, &state).await
            {
                return Some(model);
            }
        }
        for extra in &state.extra {
            if let Some(info) = extra.models().await.unwrap_or_default().into_iter().next() {
                return Some(info.id);
            }
        }
        None
    }

    /// The model to begin with at one provider. Vendors that prefer none are asked what they
    /// have; the others only when that was known anyway, because a person is waiting.
    async fn preferred(&self, remote: &Remote, state: &State) -> Option<ModelRef> {
        let endpoint = &remote.endpoint;
        let preferred = if endpoint.keys.needed { endpoint.vendor.preferred } else { &[] };
        if let Some(model) = endpoint.models.first() {
            return Some(ModelRef::new(Arc::clone(&endpoint.name), model.as_str()));
        }
        let known = if preferred.is_empty() {
            self.catalog.soon(remote, &state.cache_dir).await.unwrap_or_default()
        } else {
            self.catalog.known(endpoint, &state.cache_dir).await.unwrap_or_default()
        };
        let has =
            |name: &&&str| known.is_empty() || known.iter().any(|info| *info.id.model == ***name);
        let best = preferred.iter().find(has);
        let best = best.map(|name| ModelRef::new(Arc::clone(&endpoint.name), *name));
        best.or_else(|| known.into_iter().next().map(|info| info.id))
    }

    /// Asks a model for one word.
    ///
    /// # Errors
    /// When there is no such model, or it fails.
    pub async fn test(&self, model: &ModelRef) -> Result<ModelTest> {
        let candidate = self.candidate(model).await?;
        let request = Request {
            model: candidate.info,
            session: "moltis-test".into(),
            system: String::new(),
            messages: vec![Message {
                role: Role::User,
                parts: vec![Part::Text("Answer with the one word: ready".to_owned())],
            }],
            tools: Vec::new(),
            effort: None,
            max_output: Some(1_024),
        };
        let asked = ask(candidate.provider.as_ref(), request);
        let result = timeout(TEST_PATIENCE, asked).await.unwrap_or_else(|_| {
            Err(Failure::new(FailureKind::Transport, "it did not finish in time"))
        });
        self.report(model, result.as_ref().err().map(|failure| failure.kind));
        result.map_err(|failure| Error::new(Code::Provider, failure.message))
    }

    /// Looks for model servers on this machine.
    pub async fn detect(&self) -> Vec<FoundServer> {
        detect::usual(&self.client).await
    }

    async fn candidate(&self, model: &ModelRef) -> Result<Candidate> {
        let state = self.state();
        if let Some(remote) = state.remote(&model.provider) {
            let info = self.describe(remote, &state, &model.model).await;
            return Ok(Candidate { info, provider: Arc::<Remote>::clone(remote) });
        }
        let Some(extra) = state.extra.iter().find(|extra| extra.name() == &*model.provider) else {
            return Err(state.no_such_provider(&model.provider));
        };
        let models =
            extra.models().await.map_err(|failure| Error::new(Code::Provider, failure.message))?;
        let info = models.into_iter().find(|info| info.id == *model).ok_or_else(|| {
            Error::new(Code::NotFound, format!("the model `{model}` is not on this machine"))
                .with_hint(format!("moltis models pull {}", model.model))
        })?;
        Ok(Candidate { info, provider: Arc::clone(extra) })
    }

    /// What is known of a model. Only a server of the owner's is asked for it: no table has what
    /// its models can hold.
    async fn describe(&self, remote: &Remote, state: &State, model: &str) -> ModelInfo {
        let endpoint = &remote.endpoint;
        if endpoint.vendor.local {
            // Without an answer the table's word has to do; the turn will meet the failure.
            drop(self.catalog.soon(remote, &state.cache_dir).await);
        }
        self.catalog.model(endpoint, &state.cache_dir, model).await
    }

    fn state(&self) -> Arc<State> {
        Arc::clone(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn breakers(&self) -> MutexGuard<'_, Breakers> {
        self.breakers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn new(setup: Setup, sources: &Sources, client: &Client) -> Result<Self, setup::Error> {
        let endpoints = setup::endpoints(&setup, sources)?;
        let remote = |endpoint| Arc::new(Remote::new(endpoint, client.clone()));
        Ok(Self {
            remotes: endpoints.into_iter().map(remote).collect(),
            extra: setup.extra,
            default: setup.default_model,
            fallbacks: setup.fallbacks,
            cache_dir: setup.cache_dir,
        })
    }

    fn remote(&self, name: &str) -> Option<&Arc<Remote>> {
        self.remotes.iter().find(|remote| *remote.endpoint.name == *name)
    }

    fn no_such_provider(&self, name: &str) -> Error {
        if let Some(vendor) = vendors::find(name) {
            let error = Error::new(Code::NotFound, format!("the provider `{name}` is not set up"));
            return error.with_hint(format!("moltis providers login {}", vendor.name));
        }
        let error = Error::new(Code::NotFound, format!("there is no provider `{name}`"));
        let ours = self.remotes.iter().map(|remote| &*remote.endpoint.name);
        let names = ours.chain(self.extra.iter().map(|extra| extra.name()));
        match vendors::nearest_of(name, names).or_else(|| vendors::nearest(name)) {
            Some(nearest) => error.with_hint(format!("did you mean `{nearest}`?")),
            None => error.with_hint("moltis providers list"),
        }
    }
}

async fn ask(provider: &dyn Provider, request: Request) -> Result<ModelTest, Failure> {
    let began = Instant::now();
    let ms = |since: Instant| u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
    let mut stream = provider.stream(request).await?;
    let mut text = String::new();
    let mut first = None;
    while let Some(chunk) = stream.next().await {
        match chunk? {
            Chunk::Text(more) => {
                first.get_or_insert_with(|| ms(began));
                text.push_str(&more);
            }
            Chunk::Reasoning(_) => {
                first.get_or_insert_with(|| ms(began));
            }
            Chunk::Finished(_) => {
                let total_ms = ms(began);
                let text = text.trim().to_owned();
                return Ok(ModelTest { text, first_token_ms: first.unwrap_or(total_ms), total_ms });
            }
            Chunk::ReasoningSignature(_)
            | Chunk::ToolCallStarted { .. }
            | Chunk::ToolCallArguments { .. }
            | Chunk::ToolCallEnded { .. }
            | Chunk::Usage(_) => {}
        }
    }
    Err(dialect::cut_off())
}

#[async_trait]
impl Models for Providers {
    fn check(&self, wanted: &ModelRef) -> Result<()> {
        let state = self.state();
        let known = state.remote(&wanted.provider).is_some()
            || state.extra.iter().any(|extra| extra.name() == &*wanted.provider);
        if known { Ok(()) } else { Err(state.no_such_provider(&wanted.provider)) }
    }

    async fn candidates(&self, wanted: Option<&ModelRef>) -> Result<Vec<Candidate>> {
        let first = match wanted {
            Some(model) => model.clone(),
            None => self
                .default_model()
                .await
                .ok_or_else(|| Error::new(Code::NotConfigured, NOTHING).with_hint(NOTHING_HINT))?,
        };
        let mut list = vec![self.candidate(&first).await?];
        for model in self.state().fallbacks.iter().filter(|model| **model != first) {
            if list.iter().any(|candidate| candidate.info.id == *model) {
                continue;
            }
            match self.candidate(model).await {
                Ok(candidate) => list.push(candidate),
                Err(error) => tracing::warn!(%model, %error, "a fallback can't be asked"),
            }
        }
        let now = Instant::now();
        let breakers = self.breakers();
        list.sort_by_key(|candidate| breakers.is_open(&candidate.info.id, now));
        Ok(list)
    }

    fn report(&self, model: &ModelRef, failure: Option<FailureKind>) {
        self.breakers().report(model, failure, Instant::now());
    }
}

#[cfg(test)]
#[path = "providers_tests.rs"]
mod tests;

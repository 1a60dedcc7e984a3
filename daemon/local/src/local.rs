//! The local models as a provider.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream;
use moltis_core::admin::{CatalogModel, Steps};
use moltis_core::models::{ModelInfo, ModelRef};
use moltis_core::provider::{Chunk, ChunkStream, Effort, Failure, FailureKind, Provider, Request};
use moltis_core::{Code, Error, Result};
use moltis_net::Client;
use tokio::sync::mpsc;

use crate::catalog::{self, CATALOG};
use crate::engine::{CHUNKS, Engine, Job, Settings};
use crate::pull::Puller;
use crate::shelf::Shelf;
use crate::text::prompt;

/// The provider's name, before the slash.
const NAME: &str = "local";

/// Tiny models do not always find an end: their answers get one.
const TINY_BYTES: u64 = 300 << 20;
const TINY_ANSWER: u64 = 2_048;

/// How local models are run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where their files are.
    pub models_dir: PathBuf,
    /// Threads that compute; 0 takes the processor's cores, at most four.
    pub threads: usize,
    /// After how long without a request a model's memory is freed.
    pub idle_unload: Duration,
    /// The most tokens that a conversation may have, whatever the model holds: they cost memory.
    pub max_context: u64,
}

/// Models in process: a [`Provider`] with a catalog.
pub struct Local {
    shelf: Shelf,
    puller: Arc<Puller>,
    engine: Engine,
    max_context: u64,
}

impl Local {
    /// Makes the provider. Neither file nor thread is touched before something is asked.
    pub fn new(options: Options, client: Client) -> Arc<Self> {
        let shelf = Shelf::new(options.models_dir);
        let settings = Settings {
            threads: options.threads,
            idle: options.idle_unload,
            max_context: usize::try_from(options.max_context).unwrap_or(usize::MAX),
        };
        Arc::new(Self {
            puller: Puller::new(shelf.clone(), client),
            shelf,
            engine: Engine::new(settings),
            max_context: options.max_context,
        })
    }

    /// The models that can be pulled by name.
    pub fn catalog(&self) -> Vec<CatalogModel> {
        let row = |entry: &catalog::Entry| CatalogModel {
            name: entry.name.to_owned(),
            description: entry.description.to_owned(),
            bytes: entry.bytes,
            license: entry.license.to_owned(),
            context_window: entry.context,
            template: entry.template.to_owned(),
            installed: self.shelf.find(entry.name).is_some(),
            starter: entry.starter,
        };
        CATALOG.iter().map(row).collect()
    }

    /// Brings a model of the catalog, or `file:PATH`, onto this machine while the steps are read.
    /// Dropping them pauses; pulling again goes on.
    ///
    /// # Errors
    /// `NotFound` for a name that the catalog lacks, `Conflict` when it is being pulled already.
    pub fn pull(&self, name: &str) -> Result<Steps> {
        self.puller.pull(name)
    }

    /// Removes a model, and what an unfinished pull left of it. An answer that is being written
    /// is finished first; then its memory is freed.
    ///
    /// # Errors
    /// `NotFound` when there is none, `Conflict` while it is being pulled.
    pub fn remove(&self, name: &str) -> Result<()> {
        if self.puller.is_busy(name) {
            return Err(Error::new(Code::Conflict, format!("`{name}` is being pulled")));
        }
        let removed = self.shelf.remove(name).map_err(|error| {
            Error::new(Code::Storage, format!("remove the model `{name}`: {error}"))
        })?;
        if !removed {
            return Err(Error::new(Code::NotFound, format!("no model `{name}` is installed"))
                .with_hint("moltis models list"));
        }
        self.engine.unload(self.shelf.model(name));
        Ok(())
    }

    /// Ends the running answer and frees all memory.
    pub async fn shut_down(&self) {
        self.engine.shut_down().await;
    }

    fn info(&self, name: &str, card: &crate::shelf::Card) -> ModelInfo {
        let window = card.context.min(self.max_context);
        let tiny = card.bytes < TINY_BYTES && !card.reasons;
        let title = if card.title.is_empty() { name } else { &card.title };
        ModelInfo {
            id: ModelRef::new(NAME, name),
            name: title.to_owned(),
            context_window: Some(window),
            output_limit: Some(if tiny { window.min(TINY_ANSWER) } else { window }),
            images: false,
            tools: false,
            reasoning: card.reasons,
            price: None,
            local: true,
        }
    }
}

#[async_trait]
impl Provider for Local {
    fn name(&self) -> &str {
        NAME
    }

    async fn models(&self) -> Result<Vec<ModelInfo>, Failure> {
        let shelf = self.shelf.clone();
        let failed = |error: &dyn std::fmt::Display| {
            Failure::new(FailureKind::Transport, format!("list the local models: {error}"))
        };
        let models = tokio::task::spawn_blocking(move || shelf.list())
            .await
            .map_err(|error| failed(&error))?
            .map_err(|error| failed(&error))?;
        Ok(models.iter().map(|(name, card)| self.info(name, card)).collect())
    }

    async fn stream(&self, request: Request) -> Result<ChunkStream, Failure> {
        let name = &request.model.id.model;
        let path = self.shelf.find(name).ok_or_else(|| {
            let how = match catalog::find(name) {
                Some(entry) => format!("; get it with `moltis models pull {}`", entry.name),
                None => String::new(),
            };
            Failure::new(FailureKind::BadRequest, format!("no model `{name}` is installed{how}"))
        })?;
        let (out, mut chunks) = mpsc::channel(CHUNKS);
        let job = Job {
            session: request.session,
            turns: prompt::turns(&request.system, &request.messages),
            think: request.effort != Some(Effort::Minimal),
            max_output: request.max_output.or(request.model.output_limit),
            out,
        };
        self.engine.answer(path, job)?;
        // Failures to load or to fit come before the first word, and are told as such.
        let first = chunks.recv().await.unwrap_or_else(|| Err(stopped()))?;
        Ok(Box::pin(stream::unfold(Some((Some(first), chunks)), next)))
    }
}

type Rest = Option<(Option<Chunk>, mpsc::Receiver<Result<Chunk, Failure>>)>;

/// The next chunk. Nothing follows the end or an error.
async fn next(rest: Rest) -> Option<(Result<Chunk, Failure>, Rest)> {
    let (first, mut chunks) = rest?;
    let chunk = match first {
        Some(chunk) => Ok(chunk),
        None => chunks.recv().await.unwrap_or_else(|| Err(stopped())),
    };
    match chunk {
        Ok(Chunk::Finished(reason)) => Some((Ok(Chunk::Finished(reason)), None)),
        Ok(chunk) => Some((Ok(chunk), Some((None, chunks)))),
        Err(failure) => Some((Err(failure), None)),
    }
}

fn stopped() -> Failure {
    Failure::new(FailureKind::Malformed, "the local engine stopped in the middle of the answer")
}

#[cfg(test)]
#[path = "local_tests.rs"]
mod tests;

//! One answer: from a conversation to the last chunk.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use moltis_core::SessionId;
use moltis_core::message::Usage;
use moltis_core::provider::{Chunk, Failure, FailureKind, FinishReason};
use tokio::sync::mpsc;

use super::kept::Kept;
use super::sampler::{Sampler, Sampling};
use crate::error::Result;
use crate::gguf::Tensors;
use crate::model::{Cache, Gone, Model};
use crate::text::Tokenizer;
use crate::text::decode::Decoder;
use crate::text::prompt::{Template, Turn};
use crate::text::reasoning::{Said, Sorter};

/// Tokens that are read at once.
const BATCH: usize = 128;
/// An answer needs at least so much room, or this part of the context, or the prompt does not fit.
const LEAST_ROOM: usize = 512;
const LEAST_PART: usize = 8;

/// What is to be answered.
pub(crate) struct Job {
    pub(crate) session: SessionId,
    pub(crate) turns: Vec<Turn>,
    /// Whether a model that can think first is to.
    pub(crate) think: bool,
    /// `None` is all the room that there is.
    pub(crate) max_output: Option<u64>,
    pub(crate) out: mpsc::Sender<Result<Chunk, Failure>>,
}

/// Why an answer ended before its end.
pub(super) enum Broken {
    /// Nobody listens any more.
    Cancelled,
    Failed(Failure),
}

impl From<crate::error::Error> for Broken {
    fn from(error: crate::error::Error) -> Self {
        match error {
            crate::error::Error::Cancelled => Self::Cancelled,
            other => Self::Failed(other.into_failure()),
        }
    }
}

/// Whether somebody still wants the answer, and where computing is done.
pub(super) struct Surroundings<'a> {
    pub(super) pool: &'a rayon::ThreadPool,
    pub(super) gone: Gone<'a>,
}

/// A model in memory with all that belongs to it.
#[derive(Debug)]
pub(super) struct Loaded {
    model: Model,
    tokenizer: Tokenizer,
    template: Template,
    sampling: Sampling,
    context: usize,
    kept: Kept,
}

impl Loaded {
    pub(super) fn load(path: &Path, max_context: usize, gone: Gone<'_>) -> Result<Self> {
        let tensors = Tensors::open(path)?;
        let head = tensors.head();
        let tokenizer = Tokenizer::read(head)?;
        let template = Template::read(head, &tokenizer);
        let model = Model::load(&tensors, max_context, gone)?;
        let default = Sampling::for_size(model.weights());
        let number = |key: &str, default| {
            head.float(&format!("general.sampling.{key}"))
                .filter(|number| number.is_finite() && *number >= 0.0)
                .unwrap_or(default)
        };
        let sampling = Sampling {
            temperature: number("temp", default.temperature),
            top_p: number("top_p", default.top_p),
            top_k: head
                .unsigned("general.sampling.top_k")
                .and_then(|count| usize::try_from(count).ok())
                .unwrap_or(default.top_k),
            repetition: number("penalty_repeat", default.repetition).max(1.0),
        };
        let context = model.spec().context.min(max_context);
        Ok(Self { model, tokenizer, template, sampling, context, kept: Kept::default() })
    }

    /// Answers, and keeps the state of the conversation whatever happens.
    pub(super) fn answer(&mut self, job: &Job, around: &Surroundings<'_>) -> Result<(), Broken> {
        let rendered = self.template.render(&job.turns, job.think, &self.tokenizer)?;
        let tokens = self.tokenizer.encode(&rendered)?;
        let room = self.context.saturating_sub(tokens.len());
        let limit = job.max_output.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(room);
        if room < limit.min(LEAST_ROOM).min(self.context / LEAST_PART).max(1) {
            return Err(Broken::Failed(Failure::new(
                FailureKind::ContextOverflow,
                format!(
                    "the conversation has {} tokens and the model's context holds {}",
                    tokens.len(),
                    self.context
                ),
            )));
        }
        let spec = self.model.spec();
        let mut cache = self.kept.take(&job.session, &tokens, spec);
        self.kept.make_room(tokens.len(), spec);
        let thinking = rendered.trim_end().ends_with("<think>");
        let mut writer = Writer {
            job,
            decoder: Decoder::default(),
            sorter: Sorter::new(thinking),
            gone: around.gone,
        };
        let result = self.write(&tokens, limit.min(room), &mut cache, &mut writer, around.pool);
        self.kept.keep(job.session.clone(), cache, self.model.spec());
        result
    }

    fn write(
        &self,
        tokens: &[u32],
        limit: usize,
        cache: &mut Cache,
        writer: &mut Writer<'_>,
        pool: &rayon::ThreadPool,
    ) -> Result<(), Broken> {
        let known = cache.tokens().len();
        let gone = writer.gone;
        let mut scores = Vec::new();
        for batch in tokens[known..].chunks(BATCH) {
            scores = pool.install(|| self.model.forward(batch, cache, gone))?;
        }
        let mut sampler = Sampler::new(self.sampling, seed(tokens));
        let mut written = 0;
        let reason = loop {
            if written == limit {
                break FinishReason::Length;
            }
            writer.check()?;
            let token = sampler.pick(&mut scores);
            if self.tokenizer.stops(token) {
                break FinishReason::Stop;
            }
            written += 1;
            writer.push(self.tokenizer.bytes(token))?;
            if written < limit {
                scores = pool.install(|| self.model.forward(&[token], cache, gone))?;
            }
        };
        let usage = Usage {
            input_tokens: (tokens.len() - known) as u64,
            output_tokens: written as u64,
            cache_read_tokens: known as u64,
            ..Usage::default()
        };
        writer.finish(usage, reason)
    }

    #[cfg(test)]
    pub(super) fn sampling(&self) -> Sampling {
        self.sampling
    }
}

/// The same conversation gets the same answer: nothing is gained by surprise, and a report of
/// what went wrong can be repeated.
fn seed(tokens: &[u32]) -> u64 {
    let mut hasher = DefaultHasher::new();
    tokens.hash(&mut hasher);
    hasher.finish()
}

/// Turns tokens into chunks and hands them over.
struct Writer<'a> {
    job: &'a Job,
    decoder: Decoder,
    sorter: Sorter,
    gone: Gone<'a>,
}

impl Writer<'_> {
    fn check(&self) -> Result<(), Broken> {
        if (self.gone)() { Err(Broken::Cancelled) } else { Ok(()) }
    }

    fn push(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        let text = self.decoder.push(bytes);
        for said in self.sorter.push(&text) {
            self.send(said.into())?;
        }
        Ok(())
    }

    fn finish(&mut self, usage: Usage, reason: FinishReason) -> Result<(), Broken> {
        let rest = self.decoder.finish();
        let mut said = self.sorter.push(&rest);
        said.extend(self.sorter.finish());
        for said in said {
            self.send(said.into())?;
        }
        self.send(Chunk::Usage(usage))?;
        self.send(Chunk::Finished(reason))
    }

    /// Waits when the listener is slow; ends when there is none.
    fn send(&self, chunk: Chunk) -> Result<(), Broken> {
        self.job.out.blocking_send(Ok(chunk)).map_err(|_| Broken::Cancelled)
    }
}

impl From<Said> for Chunk {
    fn from(said: Said) -> Self {
        match said {
            Said::Text(text) => Self::Text(text),
            Said::Reasoning(text) => Self::Reasoning(text),
        }
    }
}

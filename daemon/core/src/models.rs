//! Which models there are and which one is asked.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::error::{Code, Error, Result};
use crate::message::Usage;
use crate::provider::{FailureKind, Provider};

/// `provider/model`, split at the first `/`: `openrouter/meta-llama/llama-3.3-70b` is the model
/// `meta-llama/llama-3.3-70b` of the provider `openrouter`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModelRef {
    /// The provider's name in the configuration.
    pub provider: Arc<str>,
    /// The model's name as the provider has it.
    pub model: Arc<str>,
}

impl ModelRef {
    /// A reference of its two halves.
    pub fn new(provider: impl Into<Arc<str>>, model: impl Into<Arc<str>>) -> Self {
        Self { provider: provider.into(), model: model.into() }
    }

    /// Reads `provider/model`.
    ///
    /// # Errors
    /// [`Code::Invalid`] when there is no `/` or a half is empty.
    pub fn parse(text: &str) -> Result<Self> {
        match text.split_once('/') {
            Some((provider, model)) if !provider.is_empty() && !model.is_empty() => {
                Ok(Self::new(provider, model))
            }
            _ => Err(Error::new(Code::Invalid, format!("`{text}` is not `provider/model`"))
                .with_hint("moltis models list")),
        }
    }
}

impl fmt::Display for ModelRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.provider, self.model)
    }
}

/// Prices in millionths of a US dollar for a million tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Price {
    /// Of fresh prompt tokens.
    pub input: u64,
    /// Of written tokens.
    pub output: u64,
    /// Of prompt tokens read from the cache.
    pub cache_read: u64,
    /// Of prompt tokens written to the cache.
    pub cache_write: u64,
}

impl Price {
    /// What some usage costs, in millionths of a US dollar, rounded up.
    pub fn cost_microusd(&self, usage: &Usage) -> u64 {
        let sum = u128::from(usage.input_tokens) * u128::from(self.input)
            + u128::from(usage.output_tokens) * u128::from(self.output)
            + u128::from(usage.cache_read_tokens) * u128::from(self.cache_read)
            + u128::from(usage.cache_write_tokens) * u128::from(self.cache_write);
        u64::try_from(sum.div_ceil(1_000_000)).unwrap_or(u64::MAX)
    }
}

/// What a model can do and how much it can hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelInfo {
    /// The model.
    pub id: ModelRef,
    /// Its name for people; the model's own name where the vendor gives none.
    pub name: String,
    /// Tokens that prompt and answer may have together, from the vendor or the table; `None`
    /// when neither knows.
    pub context_window: Option<u64>,
    /// Tokens that one answer may have; `None` when not known.
    pub output_limit: Option<u64>,
    /// Whether it sees images.
    pub images: bool,
    /// Whether it calls tools natively.
    pub tools: bool,
    /// Whether its effort can be chosen.
    pub reasoning: bool,
    /// Its price, where known.
    pub price: Option<Price>,
    /// Whether it runs on this machine.
    pub local: bool,
}

/// A model that may be asked, and who to ask.
#[derive(Clone)]
pub struct Candidate {
    /// The model.
    pub info: ModelInfo,
    /// Its provider.
    pub provider: Arc<dyn Provider>,
}

impl fmt::Debug for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Candidate").field(&self.info.id).finish()
    }
}

/// Which model answers: the table of providers as sessions see it.
///
/// Called by sessions before every turn; implemented by `providers`. Cancelling a call leaves
/// nothing behind but a warmer cache.
#[async_trait]
pub trait Models: Send + Sync {
    /// The models to ask in order: the wanted one (or the default), then its configured fallbacks.
    /// Models whose circuit breaker is open come last, so that there always is one.
    ///
    /// # Errors
    /// [`Code::NotConfigured`] when no provider is set up, with the command that mends it;
    /// [`Code::NotFound`] when the wanted provider does not exist, with the nearest name.
    async fn candidates(&self, wanted: Option<&ModelRef>) -> Result<Vec<Candidate>>;

    /// Whether somebody could be asked for that model, as far as is known without asking anyone.
    ///
    /// # Errors
    /// [`Code::NotFound`] when its provider does not exist or is not set up, with what mends it.
    fn check(&self, wanted: &ModelRef) -> Result<()>;

    /// Tells how asking a model went: `None` is well. Feeds the circuit breaker.
    fn report(&self, model: &ModelRef, failure: Option<FailureKind>);
}

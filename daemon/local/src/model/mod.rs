//! A decoder: tokens in, the scores of the next token out.
//!
//! One decoder runs all families; what differs is in [`Spec`] and in which weights a file has.
//! It knows tokens, not text, and it decides nothing: sampling is the caller's.

mod attention;
mod cache;
mod kernel;
mod matrix;
mod memory;
mod rope;
mod spec;

use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::gguf::Tensors;

use attention::Attention;
pub(crate) use cache::Cache;
use matrix::{Matrix, Plan, Store};
pub(crate) use spec::Spec;

/// Says whether whoever asked does not want the result any more.
pub(crate) type Gone<'a> = &'a (dyn Fn() -> bool + Sync);

/// A model in memory.
#[derive(Debug)]
pub(crate) struct Model {
    spec: Spec,
    store: Store,
    embedding: Matrix,
    /// `None` where the embedding serves for both ends.
    head: Option<Matrix>,
    norm: Vec<f32>,
    layers: Vec<Layer>,
}

#[derive(Debug)]
struct Layer {
    attention_norm: Vec<f32>,
    attention: Attention,
    attention_after: Option<Vec<f32>>,
    feed_norm: Vec<f32>,
    gate_up: Matrix,
    down: Matrix,
    feed_after: Option<Vec<f32>>,
}

impl Model {
    /// Reads all weights. Takes as long as reading the file does, and uses the threads of the
    /// pool that it is called in. Refuses what does not fit into memory together with a
    /// conversation of at most `context` tokens.
    pub(crate) fn load(tensors: &Tensors, context: usize, gone: Gone<'_>) -> Result<Self> {
        let mut spec = Spec::read(tensors.head())?;
        if let Some(factors) = tensors.optional_vector("rope_freqs.weight", spec.rope.pairs())? {
            spec.rope.slow_down(&factors);
        }
        let vocabulary = spec.vocabulary;
        let mut plan = Plan::new(tensors);
        let embedding = plan.add(&[("token_embd.weight", vocabulary)], spec.width)?;
        let head = match tensors.head().tensor("output.weight") {
            Some(_) => Some(plan.add(&[("output.weight", vocabulary)], spec.width)?),
            None => None,
        };
        let norm = tensors.vector("output_norm.weight", spec.width)?;
        let layers = (0..spec.layers)
            .map(|index| Layer::load(tensors, &mut plan, &spec, index))
            .collect::<Result<_>>()?;
        let talk = spec.cache_bytes_per_token().saturating_mul(spec.context.min(context));
        let store = plan.read(talk, gone)?;
        Ok(Self { spec, store, embedding, head, norm, layers })
    }

    pub(crate) fn spec(&self) -> &Spec {
        &self.spec
    }

    /// How many weights it has.
    pub(crate) fn weights(&self) -> usize {
        self.store.len()
    }

    /// Reads more tokens and gives the scores of what may follow the last of them.
    ///
    /// # Errors
    /// When a token does not exist or whoever asked is gone; the cache is then as it was.
    pub(crate) fn forward(
        &self,
        tokens: &[u32],
        cache: &mut Cache,
        gone: Gone<'_>,
    ) -> Result<Vec<f32>> {
        let before = cache.tokens().len();
        let result = self.run(tokens, before, cache, gone);
        match result {
            Ok(_) => cache.note(tokens),
            Err(_) => cache.truncate(before),
        }
        result
    }

    fn run(
        &self,
        tokens: &[u32],
        before: usize,
        cache: &mut Cache,
        gone: Gone<'_>,
    ) -> Result<Vec<f32>> {
        let spec = &self.spec;
        let mut x = self.embed(tokens)?;
        let global = spec.rope.turns(before, tokens.len());
        let local = spec.window.as_ref().map(|(_, rope)| rope.turns(before, tokens.len()));
        for (index, layer) in self.layers.iter().enumerate() {
            if gone() {
                return Err(Error::Cancelled);
            }
            let (window, rope) = spec.sight(index);
            let turns = match (&window, &local) {
                (Some(_), Some(local)) => local,
                _ => &global,
            };
            let sight = attention::Sight { before, window, rope, turns };
            layer.run(self, &mut x, &sight, cache.layer(index))?;
        }
        let start = x.len().saturating_sub(spec.width);
        let last = &mut x[start..];
        kernel::normalize(last, &self.norm, spec.epsilon);
        self.head.as_ref().unwrap_or(&self.embedding).times(&self.store, last)
    }

    fn embed(&self, tokens: &[u32]) -> Result<Vec<f32>> {
        if tokens.is_empty() {
            return Err(Error::Tokenizer("there are no tokens to read".to_owned()));
        }
        let mut x = vec![0.0; tokens.len() * self.spec.width];
        for (token, row) in tokens.iter().zip(x.chunks_exact_mut(self.spec.width)) {
            self.embedding
                .row_into(&self.store, *token as usize, row)
                .ok_or_else(|| Error::Tokenizer(format!("the model has no token {token}")))?;
        }
        if self.spec.embedding_scale != 1.0 {
            x.iter_mut().for_each(|number| *number *= self.spec.embedding_scale);
        }
        Ok(x)
    }
}

impl Layer {
    fn load(tensors: &Tensors, plan: &mut Plan<'_>, spec: &Spec, index: usize) -> Result<Self> {
        let name = |part: &str| format!("blk.{index}.{part}.weight");
        let vector = |part| tensors.vector(&name(part), spec.width);
        let after = |part| match spec.family.normalizes_after() {
            true => vector(part).map(Some),
            false => Ok(None),
        };
        let gate = name("ffn_gate");
        let up = name("ffn_up");
        Ok(Self {
            attention_norm: vector("attn_norm")?,
            attention: Attention::load(tensors, plan, spec, index)?,
            attention_after: after("post_attention_norm")?,
            feed_norm: vector("ffn_norm")?,
            gate_up: plan.add(&[(&gate, spec.hidden), (&up, spec.hidden)], spec.width)?,
            down: plan.add(&[(&name("ffn_down"), spec.width)], spec.hidden)?,
            feed_after: after("post_ffw_norm")?,
        })
    }

    fn run(
        &self,
        model: &Model,
        x: &mut [f32],
        sight: &attention::Sight<'_>,
        heads: &mut [cache::Head],
    ) -> Result<()> {
        let (spec, store) = (&model.spec, &model.store);
        let mut h = x.to_vec();
        kernel::normalize(&mut h, &self.attention_norm, spec.epsilon);
        let mut h = self.attention.run(spec, store, &h, sight, heads)?;
        if let Some(norm) = &self.attention_after {
            kernel::normalize(&mut h, norm, spec.epsilon);
        }
        kernel::add(x, &h);
        h.copy_from_slice(x);
        kernel::normalize(&mut h, &self.feed_norm, spec.epsilon);
        let gate_up = self.gate_up.times(store, &h)?;
        let mut middle = vec![0.0; gate_up.len() / 2];
        middle
            .par_chunks_mut(spec.hidden)
            .zip(gate_up.par_chunks(2 * spec.hidden))
            .for_each(|(out, both)| kernel::gate(spec.family.activation(), both, out));
        let mut h = self.down.times(store, &middle)?;
        if let Some(norm) = &self.feed_after {
            kernel::normalize(&mut h, norm, spec.epsilon);
        }
        kernel::add(x, &h);
        Ok(())
    }
}

#[cfg(test)]
#[path = "model_tests.rs"]
mod tests;

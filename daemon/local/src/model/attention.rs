//! Attention: every token looks back at those before it.

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use super::cache::Head;
use super::kernel;
use super::matrix::{Matrix, Plan, Store};
use super::rope::Rope;
use super::spec::Spec;
use crate::error::Result;
use crate::gguf::Tensors;

/// From this many tokens on, matrix products beat looking head by head.
const MANY: usize = 8;

/// What the tokens of a pass may see, and where they stand.
pub(super) struct Sight<'a> {
    /// Tokens before the pass.
    pub(super) before: usize,
    /// How far a token sees, itself included; `None` is everything.
    pub(super) window: Option<usize>,
    pub(super) rope: &'a Rope,
    /// The turns of all positions of the pass.
    pub(super) turns: &'a [(f32, f32)],
}

impl Sight<'_> {
    /// The first position that a token at `position` sees.
    fn first(&self, position: usize) -> usize {
        self.window.map_or(0, |window| (position + 1).saturating_sub(window))
    }
}

/// The weights of a layer's attention.
#[derive(Debug)]
pub(super) struct Attention {
    /// Queries, keys and values below one another.
    qkv: Matrix,
    bias: Option<Vec<f32>>,
    query_norm: Option<Vec<f32>>,
    key_norm: Option<Vec<f32>>,
    out: Matrix,
}

impl Attention {
    pub(super) fn load(
        tensors: &Tensors,
        plan: &mut Plan<'_>,
        spec: &Spec,
        index: usize,
    ) -> Result<Self> {
        let name = |part: &str| format!("blk.{index}.{part}.weight");
        let (q, k, v) = (name("attn_q"), name("attn_k"), name("attn_v"));
        let (wide, narrow) = (spec.heads * spec.head_width, spec.kv_heads * spec.head_width);
        let qkv = plan.add(&[(&q, wide), (&k, narrow), (&v, narrow)], spec.width)?;
        let norm = |part: &str| match spec.family.normalizes_heads() {
            true => tensors.vector(&name(part), spec.head_width).map(Some),
            false => Ok(None),
        };
        Ok(Self {
            qkv,
            bias: bias(tensors, index, wide, narrow)?,
            query_norm: norm("attn_q_norm")?,
            key_norm: norm("attn_k_norm")?,
            out: plan.add(&[(&name("attn_output"), spec.width)], wide)?,
        })
    }

    pub(super) fn run(
        &self,
        spec: &Spec,
        store: &Store,
        x: &[f32],
        sight: &Sight<'_>,
        heads: &mut [Head],
    ) -> Result<Vec<f32>> {
        let mut qkv = self.qkv.times(store, x)?;
        let row = self.qkv.rows();
        let count = qkv.len() / row;
        let wide = spec.heads * spec.head_width;
        let narrow = spec.kv_heads * spec.head_width;
        let pairs = sight.rope.pairs();
        for (index, row) in qkv.chunks_exact_mut(row).enumerate() {
            if let Some(bias) = &self.bias {
                kernel::add(row, bias);
            }
            let (queries, keys) = row[..wide + narrow].split_at_mut(wide);
            for (part, norm) in [(queries, &self.query_norm), (keys, &self.key_norm)] {
                if let Some(norm) = norm {
                    kernel::normalize(part, norm, spec.epsilon);
                }
                let turns = &sight.turns[index * pairs..(index + 1) * pairs];
                for head in part.chunks_exact_mut(spec.head_width) {
                    sight.rope.apply(head, turns);
                }
            }
        }
        remember(spec, &qkv, row, heads);
        let mut out = vec![0.0; count * wide];
        if count >= MANY {
            attend_many(spec, &qkv, row, sight, heads, &mut out)?;
        } else {
            for (index, out) in out.chunks_exact_mut(wide).enumerate() {
                let queries = &qkv[index * row..][..wide];
                attend_one(spec, queries, sight, sight.before + index, heads, out);
            }
        }
        self.out.times(store, &out)
    }
}

fn bias(tensors: &Tensors, index: usize, wide: usize, narrow: usize) -> Result<Option<Vec<f32>>> {
    let mut all = Vec::new();
    for (part, length) in [("attn_q", wide), ("attn_k", narrow), ("attn_v", narrow)] {
        match tensors.optional_vector(&format!("blk.{index}.{part}.bias"), length)? {
            Some(bias) => all.extend(bias),
            None => all.resize(all.len() + length, 0.0),
        }
    }
    Ok(all.iter().any(|number| *number != 0.0).then_some(all))
}

/// Puts keys and values of the pass behind those of the tokens before it.
fn remember(spec: &Spec, qkv: &[f32], row: usize, heads: &mut [Head]) {
    let width = spec.head_width;
    let keys = spec.heads * width;
    let values = keys + spec.kv_heads * width;
    for (index, head) in heads.iter_mut().enumerate() {
        head.reserve(qkv.len() / row, width);
        for row in qkv.chunks_exact(row) {
            head.keys.extend_from_slice(&row[keys + index * width..][..width]);
            head.values.extend_from_slice(&row[values + index * width..][..width]);
        }
    }
}

/// One token at `position`: head by head, the groups of heads side by side.
fn attend_one(
    spec: &Spec,
    queries: &[f32],
    sight: &Sight<'_>,
    position: usize,
    heads: &[Head],
    out: &mut [f32],
) {
    let width = spec.head_width;
    let group = spec.heads / spec.kv_heads * width;
    let first = sight.first(position);
    let seen = position + 1 - first;
    out.par_chunks_mut(group).zip(queries.par_chunks(group)).zip(heads).for_each(
        |((out, queries), head)| {
            let keys = &head.keys[first * width..][..seen * width];
            let values = &head.values[first * width..][..seen * width];
            let mut scores = vec![0.0; seen];
            for (query, out) in queries.chunks_exact(width).zip(out.chunks_exact_mut(width)) {
                kernel::attend(query, keys, values, spec.attention_scale, &mut scores, out);
            }
        },
    );
}

/// All tokens of a pass: for each group of heads two matrix products with a softmax between them.
fn attend_many(
    spec: &Spec,
    qkv: &[f32],
    row: usize,
    sight: &Sight<'_>,
    heads: &[Head],
    out: &mut [f32],
) -> Result<()> {
    let width = spec.head_width;
    let group = spec.heads / spec.kv_heads;
    let count = qkv.len() / row;
    let first = sight.first(sight.before);
    let seen = sight.before + count - first;
    for (index, head) in heads.iter().enumerate() {
        let mut queries = Vec::with_capacity(count * group * width);
        for row in qkv.chunks_exact(row) {
            queries.extend_from_slice(&row[index * group * width..][..group * width]);
        }
        let place = first * width..(first + seen) * width;
        let queries = Tensor::from_vec(queries, (count * group, width), &Device::Cpu)?;
        let keys = Tensor::from_slice(&head.keys[place.clone()], (seen, width), &Device::Cpu)?;
        let values = Tensor::from_slice(&head.values[place], (seen, width), &Device::Cpu)?;
        let mut scores: Vec<f32> = queries.matmul(&keys.t()?)?.flatten_all()?.to_vec1()?;
        scores.par_chunks_mut(seen * group).enumerate().for_each(|(token, rows)| {
            let position = sight.before + token;
            let (from, to) = (sight.first(position) - first, position + 1 - first);
            for row in rows.chunks_exact_mut(seen) {
                row[..from].fill(0.0);
                kernel::softmax(&mut row[from..to], spec.attention_scale);
                row[to..].fill(0.0);
            }
        });
        let scores = Tensor::from_vec(scores, (count * group, seen), &Device::Cpu)?;
        let result: Vec<f32> = scores.matmul(&values)?.flatten_all()?.to_vec1()?;
        let rows = out.chunks_exact_mut(spec.heads * width);
        for (out, result) in rows.zip(result.chunks_exact(group * width)) {
            out[index * group * width..][..group * width].copy_from_slice(result);
        }
    }
    Ok(())
}

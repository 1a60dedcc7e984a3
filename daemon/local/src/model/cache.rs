//! Keys and values of the tokens that a conversation has had so far.

use super::spec::Spec;

/// Tokens by which room is made.
const STEP: usize = 256;

/// The kept state of one conversation: which tokens, and their keys and values in every layer.
///
/// Invariant between calls: every head of every layer holds exactly `tokens.len()` vectors.
#[derive(Debug)]
pub(crate) struct Cache {
    tokens: Vec<u32>,
    head_width: usize,
    /// Layer by layer, head by head: positions behind one another.
    heads: Vec<Head>,
    kv_heads: usize,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Head {
    pub(super) keys: Vec<f32>,
    pub(super) values: Vec<f32>,
}

impl Cache {
    /// The state before the first token.
    pub(crate) fn new(spec: &Spec) -> Self {
        Self {
            tokens: Vec::new(),
            head_width: spec.head_width,
            heads: vec![Head::default(); spec.layers * spec.kv_heads],
            kv_heads: spec.kv_heads,
        }
    }

    /// The tokens that it holds.
    pub(crate) fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// Forgets everything after the first `length` tokens, and gives the room back.
    pub(crate) fn truncate(&mut self, length: usize) {
        self.tokens.truncate(length);
        let numbers = self.tokens.len() * self.head_width;
        for head in &mut self.heads {
            head.keys.truncate(numbers);
            head.values.truncate(numbers);
        }
    }

    /// A copy of the first `length` tokens' state.
    pub(crate) fn prefix(&self, length: usize) -> Self {
        let length = length.min(self.tokens.len());
        let numbers = length * self.head_width;
        let copy = |all: &[f32]| all.get(..numbers).unwrap_or_default().to_vec();
        Self {
            tokens: self.tokens.iter().take(length).copied().collect(),
            head_width: self.head_width,
            heads: self
                .heads
                .iter()
                .map(|head| Head { keys: copy(&head.keys), values: copy(&head.values) })
                .collect(),
            kv_heads: self.kv_heads,
        }
    }

    /// The heads of one layer.
    pub(super) fn layer(&mut self, layer: usize) -> &mut [Head] {
        &mut self.heads[layer * self.kv_heads..(layer + 1) * self.kv_heads]
    }

    /// Takes note of the tokens whose keys and values were added to every layer.
    pub(super) fn note(&mut self, tokens: &[u32]) {
        self.tokens.extend_from_slice(tokens);
    }
}

impl Head {
    /// Adds keys and values of some positions; room grows by steps, so that a long conversation
    /// never has twice the room that it needs.
    pub(super) fn reserve(&mut self, positions: usize, width: usize) {
        for numbers in [&mut self.keys, &mut self.values] {
            if numbers.capacity() < numbers.len() + positions * width {
                numbers.reserve_exact(positions.next_multiple_of(STEP) * width);
            }
        }
    }
}

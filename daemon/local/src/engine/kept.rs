//! The states of conversations that are kept between turns.

use moltis_core::SessionId;

use crate::model::{Cache, Spec};

/// Conversations whose state is kept at most.
const SESSIONS: usize = 2;
/// Bytes that kept states may take together. The one in use may take more, up to its context.
const BYTES: usize = 256 << 20;
/// A beginning shared with another conversation is worth copying from this many tokens on.
const WORTH: usize = 16;

/// Kept states, the most recently used last.
#[derive(Debug, Default)]
pub(super) struct Kept {
    states: Vec<(SessionId, Cache)>,
}

impl Kept {
    /// The state from which `tokens` can be read on: that of the session, or a copy of the
    /// beginning that another session shares, or an empty one. It holds only tokens that `tokens`
    /// begins with, and never all of them, so that there is something to read.
    pub(super) fn take(&mut self, session: &SessionId, tokens: &[u32], spec: &Spec) -> Cache {
        let most = tokens.len().saturating_sub(1);
        let shared = |cache: &Cache| {
            let equal = cache.tokens().iter().zip(tokens).take_while(|(a, b)| a == b).count();
            equal.min(most)
        };
        let best = self
            .states
            .iter()
            .map(|(_, cache)| (shared(cache), cache))
            .max_by_key(|(length, _)| *length);
        let own = self.states.iter().position(|(id, _)| id == session);
        let own_length = own.map_or(0, |index| shared(&self.states[index].1));
        let copy = best
            .filter(|(length, _)| *length >= own_length + WORTH)
            .map(|(length, cache)| cache.prefix(length));
        let mut cache = match own {
            Some(index) => self.states.remove(index).1,
            None => Cache::new(spec),
        };
        if let Some(copy) = copy {
            return copy;
        }
        cache.truncate(own_length);
        cache
    }

    /// Keeps a state, and lets the oldest go where it is too much.
    pub(super) fn keep(&mut self, session: SessionId, cache: Cache, spec: &Spec) {
        self.states.retain(|(id, _)| *id != session);
        self.states.push((session, cache));
        self.shrink(0, spec);
    }

    /// Lets the oldest states go until there is room for one more conversation of `tokens`.
    pub(super) fn make_room(&mut self, tokens: usize, spec: &Spec) {
        self.shrink(tokens, spec);
    }

    fn shrink(&mut self, more: usize, spec: &Spec) {
        let spare = usize::from(more > 0);
        let per_token = spec.cache_bytes_per_token();
        let held = |states: &[(SessionId, Cache)]| {
            states.iter().map(|(_, cache)| cache.tokens().len()).sum::<usize>()
        };
        while self.states.len() + spare > SESSIONS
            || (self.states.len() + spare > 1
                && (held(&self.states) + more).saturating_mul(per_token) > BYTES)
        {
            self.states.remove(0);
        }
    }
}

#[cfg(test)]
#[path = "kept_tests.rs"]
mod tests;

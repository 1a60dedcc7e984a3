//! What was fetched a short while ago, so that a model that asks twice costs one request.
//!
//! Bounded in entries, in bytes and in age; the oldest go first. It has no clock of its own. Not
//! here: what may be asked at all; a cached answer is given to authorized calls only, as its page
//! would be. The invariant: nothing older than [`Bounds::age`] is given, and no bound is passed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The bounds of a cache.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) entries: usize,
    pub(crate) bytes: usize,
    pub(crate) age: Duration,
}

struct Entry<K, V> {
    key: K,
    value: Arc<V>,
    bytes: usize,
    since: Instant,
}

/// A cache; entries lie in the order of their age.
pub(crate) struct Cache<K, V> {
    bounds: Bounds,
    entries: Mutex<VecDeque<Entry<K, V>>>,
}

impl<K: Eq, V> Cache<K, V> {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self { bounds, entries: Mutex::new(VecDeque::new()) }
    }

    /// What is kept under this key, if it is young enough.
    pub(crate) fn get(&self, key: &K, now: Instant) -> Option<Arc<V>> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|entry| now.saturating_duration_since(entry.since) < self.bounds.age);
        entries.iter().find(|entry| entry.key == *key).map(|entry| Arc::clone(&entry.value))
    }

    /// Keeps a value of this size; one that is larger than the cache is not kept.
    pub(crate) fn put(&self, key: K, value: Arc<V>, bytes: usize, now: Instant) {
        if bytes > self.bounds.bytes || self.bounds.age.is_zero() {
            return;
        }
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|entry| entry.key != key);
        entries.push_back(Entry { key, value, bytes, since: now });
        let mut total: usize = entries.iter().map(|entry| entry.bytes).sum();
        while entries.len() > self.bounds.entries || total > self.bounds.bytes {
            let Some(oldest) = entries.pop_front() else { break };
            total = total.saturating_sub(oldest.bytes);
        }
    }
}

#[cfg(test)]
#[path = "cache_tests.rs"]
mod tests;

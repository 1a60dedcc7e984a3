//! A clock that tests move by hand, and ids that count.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use moltis_core::env::Env;

/// An [`Env`] whose time stands still until it is moved, and whose ids are `0001xxxx…`,
/// `0002xxxx…`.
#[derive(Debug)]
pub struct ManualEnv {
    now: Mutex<Timestamp>,
    given: AtomicU64,
}

impl ManualEnv {
    /// An environment at 2026-01-01 00:00 UTC that has given no id yet.
    pub fn new() -> Arc<Self> {
        Self::at(Timestamp::constant(1_767_225_600, 0))
    }

    /// An environment at this time.
    pub fn at(now: Timestamp) -> Arc<Self> {
        Arc::new(Self { now: Mutex::new(now), given: AtomicU64::new(0) })
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        *now = now.saturating_add(by).unwrap_or(Timestamp::MAX);
    }

    /// Sets the clock, backwards too: clocks do jump.
    pub fn set(&self, to: Timestamp) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = to;
    }
}

impl Env for ManualEnv {
    fn now(&self) -> Timestamp {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fresh_id(&self) -> String {
        let number = self.given.fetch_add(1, Ordering::Relaxed) + 1;
        format!("{:x<20}", format!("{number:04}"))
    }
}

//! The circuit breakers: a model that failed three times in a row is asked last for a minute.
//!
//! Closed: failures are counted. Open: for [`OPEN_FOR`] since the last failure. Half open: after
//! that; one more failure opens it again, one success closes it.

use std::collections::HashMap;
use std::time::Duration;

use moltis_core::models::ModelRef;
use moltis_core::provider::FailureKind;
use tokio::time::Instant;

const FAILURES: u32 = 3;
const OPEN_FOR: Duration = Duration::from_secs(60);
/// Models of which something is remembered: those that work need no entry.
const MAX_ENTRIES: usize = 256;

#[derive(Debug)]
struct Breaker {
    failures: u32,
    last: FailureKind,
    at: Instant,
}

impl Breaker {
    fn is_open(&self, now: Instant) -> bool {
        self.failures >= FAILURES && now.duration_since(self.at) < OPEN_FOR
    }
}

/// The breakers of all models that failed lately.
#[derive(Debug, Default)]
pub(crate) struct Breakers {
    entries: HashMap<ModelRef, Breaker>,
}

impl Breakers {
    /// Takes into account how asking a model went.
    pub(crate) fn report(&mut self, model: &ModelRef, failure: Option<FailureKind>, now: Instant) {
        let Some(kind) = failure else {
            self.entries.remove(model);
            return;
        };
        if !counts(kind) && !self.entries.contains_key(model) && !is_lasting(kind) {
            return;
        }
        if self.entries.len() >= MAX_ENTRIES && !self.entries.contains_key(model) {
            self.forget_oldest();
        }
        let entry = self.entries.entry(model.clone());
        let breaker = entry.or_insert(Breaker { failures: 0, last: kind, at: now });
        if counts(kind) {
            breaker.failures = breaker.failures.saturating_add(1);
        }
        if counts(kind) || is_lasting(kind) {
            breaker.last = kind;
            breaker.at = now;
        }
    }

    /// Whether a model should be asked last.
    pub(crate) fn is_open(&self, model: &ModelRef, now: Instant) -> bool {
        self.entries.get(model).is_some_and(|breaker| breaker.is_open(now))
    }

    /// What is the matter with a provider, for its owner; empty when nothing is.
    pub(crate) fn trouble(&self, provider: &str, now: Instant) -> String {
        let ours = self.entries.iter().filter(|(model, _)| &*model.provider == provider);
        let Some((model, breaker)) = ours.max_by_key(|(_, breaker)| breaker.at) else {
            return String::new();
        };
        let (what, name) = (breaker.last.as_str(), &model.model);
        if breaker.is_open(now) {
            let left = OPEN_FOR.saturating_sub(now.duration_since(breaker.at)).as_secs();
            return format!("asked last for {left} s more: {name} failed repeatedly ({what})");
        }
        if breaker.failures >= FAILURES {
            return format!("on probation: {name} failed repeatedly ({what})");
        }
        format!("last failure: {what} ({name})")
    }

    fn forget_oldest(&mut self) {
        let oldest = self.entries.iter().min_by_key(|(_, breaker)| breaker.at);
        if let Some(model) = oldest.map(|(model, _)| model.clone()) {
            self.entries.remove(&model);
        }
    }
}

/// Failures that another try may mend. What is wrong with the request, or what a hook denies, says
/// nothing about the vendor, and what is wrong with the key is not mended by waiting.
fn counts(kind: FailureKind) -> bool {
    match kind {
        FailureKind::RateLimit
        | FailureKind::Overload
        | FailureKind::Transport
        | FailureKind::Malformed => true,
        FailureKind::Auth
        | FailureKind::Billing
        | FailureKind::ContextOverflow
        | FailureKind::BadRequest
        | FailureKind::Denied => false,
    }
}

fn is_lasting(kind: FailureKind) -> bool {
    matches!(kind, FailureKind::Auth | FailureKind::Billing)
}

#[cfg(test)]
#[path = "breaker_tests.rs"]
mod tests;

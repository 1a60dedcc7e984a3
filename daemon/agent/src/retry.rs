//! What a failure is worth: another try, another model, or the end.
//!
//! Only failures before anything was shown are judged here; what was shown is never taken back.

use std::time::Duration;

use moltis_core::models::ModelInfo;
use moltis_core::provider::{Failure, FailureKind};

use crate::prompt::UNKNOWN_WINDOW;

/// How often one model is asked the same: as often as opens its circuit breaker.
pub const MOST_ATTEMPTS: u32 = 3;

/// The longest wait that a vendor's `Retry-After` is granted: all waits together leave most of
/// the usual ten minutes of a turn to the answer.
pub const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// The same where another model could answer meanwhile.
const PATIENCE: Duration = Duration::from_secs(5);

const FIRST_BACKOFF: Duration = Duration::from_millis(500);
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);

/// What to do about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Ask the same model again after this wait.
    Retry(Duration),
    /// Ask the next model.
    FailOver,
    /// Give up.
    GiveUp,
}

/// Judges the failure of the `attempts`-th try with a model. `others` says whether there is
/// another model to ask; `jitter` is any number, best a random one.
pub fn judge(failure: &Failure, attempts: u32, others: bool, jitter: u64) -> Verdict {
    let (elsewhere, longest) =
        if others { (Verdict::FailOver, PATIENCE) } else { (Verdict::GiveUp, LONGEST_WAIT) };
    match failure.kind {
        // What one vendor refuses (a field, a picture, a model that is gone) the next may take.
        FailureKind::ContextOverflow
        | FailureKind::BadRequest
        | FailureKind::Auth
        | FailureKind::Billing => elsewhere,
        // Another model is not a way around it.
        FailureKind::Denied => Verdict::GiveUp,
        FailureKind::RateLimit
        | FailureKind::Overload
        | FailureKind::Transport
        | FailureKind::Malformed => {
            let asked = failure.retry_after.unwrap_or_default();
            if attempts >= MOST_ATTEMPTS || asked > longest {
                return elsewhere;
            }
            // Whoever was told to wait comes back a little spread out, never early.
            let spread = if asked.is_zero() { ceiling(attempts) } else { Duration::from_secs(1) };
            Verdict::Retry(asked + fraction(spread, jitter))
        }
    }
}

/// Whether asking `next` may mend what `failed` with a model: what did not fit needs more room.
pub fn may_mend(kind: FailureKind, failed: &ModelInfo, next: &ModelInfo) -> bool {
    let window = |model: &ModelInfo| model.context_window.unwrap_or(UNKNOWN_WINDOW);
    kind != FailureKind::ContextOverflow || window(next) > window(failed)
}

/// The longest backoff after so many attempts: it doubles up to a bound.
fn ceiling(attempts: u32) -> Duration {
    let doubled = FIRST_BACKOFF.saturating_mul(1_u32 << attempts.saturating_sub(1).min(16));
    doubled.min(LONGEST_BACKOFF)
}

/// A part of a span, evenly spread: full jitter.
fn fraction(span: Duration, jitter: u64) -> Duration {
    let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(jitter % millis.saturating_add(1))
}

/// Numbers that look random, from a seed: the same seed gives the same ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jitter(u64);

impl Jitter {
    /// Begins at a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number (SplitMix64).
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
#[path = "retry_tests.rs"]
mod tests;

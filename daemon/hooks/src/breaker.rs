//! How often a hook was called and failed, and the circuit breaker that leaves a broken one alone.
//!
//! It knows nothing of what a call is. States: closed; open for [`OPEN_FOR`] after
//! [`TOO_MANY`] failures one after the other; then one call may try, and its end closes it or opens
//! it again. The invariant: of those that would
//! try, one a minute does.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So many failures one after the other open it.
const TOO_MANY: u32 = 3;

/// It stays open for so long.
pub(crate) const OPEN_FOR: Duration = Duration::from_secs(60);

/// What one hook did since the daemon started.
#[derive(Debug, Default)]
pub(crate) struct Tally(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    calls: u64,
    failures: u64,
    in_a_row: u32,
    open_until: Option<Instant>,
}

impl Tally {
    /// Whether it may be called now. When it was open long enough, only the first who asks may.
    pub(crate) fn admits(&self, now: Instant) -> bool {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match counts.open_until {
            None => true,
            Some(until) if now < until => false,
            Some(_) => {
                // The one that tries may be dropped without an end: others may try later.
                counts.open_until = Some(now + OPEN_FOR);
                true
            }
        }
    }

    /// It did what hooks do.
    pub(crate) fn went_well(&self) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.calls += 1;
        counts.in_a_row = 0;
        counts.open_until = None;
    }

    /// It failed. Says whether that opened it.
    pub(crate) fn failed(&self, now: Instant) -> bool {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.calls += 1;
        counts.failures += 1;
        counts.in_a_row = counts.in_a_row.saturating_add(1);
        let opens = counts.in_a_row >= TOO_MANY;
        if opens {
            counts.open_until = Some(now + OPEN_FOR);
        }
        opens
    }

    /// Calls and failures so far, and whether it is left alone now.
    pub(crate) fn counts(&self, now: Instant) -> (u64, u64, bool) {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let open = counts.open_until.is_some_and(|until| now < until);
        (counts.calls, counts.failures, open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_failures_in_a_row_open_it_and_one_success_in_between_does_not() {
        let (tally, now) = (Tally::default(), Instant::now());
        assert!(!tally.failed(now) && !tally.failed(now));
        tally.went_well();
        assert!(!tally.failed(now) && !tally.failed(now) && tally.admits(now));
        assert!(tally.failed(now) && !tally.admits(now));
        assert_eq!(tally.counts(now), (6, 5, true));
    }

    #[test]
    fn after_a_minute_one_call_may_try_and_its_end_decides() {
        let (tally, start) = (Tally::default(), Instant::now());
        for _ in 0..TOO_MANY {
            tally.failed(start);
        }
        let later = start + OPEN_FOR;
        assert!(!tally.admits(later - Duration::from_millis(1)));
        assert!(tally.admits(later) && !tally.admits(later), "only one may try");
        tally.failed(later);
        assert!(!tally.admits(later + OPEN_FOR - Duration::from_millis(1)));
        assert!(tally.admits(later + OPEN_FOR));
        tally.went_well();
        assert!(tally.admits(later + OPEN_FOR) && tally.admits(later + OPEN_FOR));
    }
}

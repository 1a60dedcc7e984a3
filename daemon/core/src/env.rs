//! Time and fresh ids, so that tests own both.

use jiff::Timestamp;

/// What the daemon asks of its surroundings that is not deterministic.
///
/// Called by sessions and adapters; implemented over the system clock by `moltisd` and by a
/// manual clock in `testkit`. Neither call blocks.
pub trait Env: Send + Sync {
    /// The wall clock, UTC.
    fn now(&self) -> Timestamp;

    /// An id that was never given before: 20 characters of lower-case base 32, 100 random bits.
    fn fresh_id(&self) -> String;
}

//! When a frame is due.
//!
//! What a person did is shown at once. What a stream brings is shown at most so often, and less
//! often where frames are slow, so that painting never takes more than a small part of the time.

use std::time::{Duration, Instant};

/// Between two frames that nobody waits for.
const INTERVAL: Duration = Duration::from_millis(33);
/// The longest that such a frame may wait.
const LONGEST: Duration = Duration::from_millis(500);
/// A frame may take one part in so many of the time.
const SHARE: u32 = 10;

/// Why a frame is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cause {
    /// Time passed: the sign turns, a remark goes away.
    Wake,
    /// Something came from the daemon.
    Stream,
    /// A person did something.
    Input,
}

impl Cause {
    /// Its name in a trace.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Wake => "wake",
            Self::Stream => "stream",
            Self::Input => "input",
        }
    }
}

/// Decides when a frame is due.
#[derive(Debug, Default)]
pub(super) struct Pace {
    wanted: Option<Cause>,
    last: Option<Instant>,
    cost: Duration,
}

impl Pace {
    /// A frame is wanted.
    pub(super) fn want(&mut self, cause: Cause) {
        self.wanted = self.wanted.max(Some(cause));
    }

    /// When the frame that is wanted is due; `None` when none is.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        match (self.wanted?, self.last) {
            (Cause::Input, _) | (_, None) => Some(now),
            (_, Some(last)) => Some((last + self.interval()).max(now)),
        }
    }

    /// Why the frame that is due now is; `None` when none is due.
    pub(super) fn take(&mut self, now: Instant) -> Option<Cause> {
        if self.due(now)? > now {
            return None;
        }
        self.wanted.take()
    }

    /// A frame was painted, and took so long.
    pub(super) fn painted(&mut self, at: Instant, cost: Duration) {
        self.last = Some(at);
        self.cost = cost;
    }

    fn interval(&self) -> Duration {
        (self.cost * SHARE).clamp(INTERVAL, LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(cost: u64) -> (Pace, Instant) {
        let mut pace = Pace::default();
        let start = Instant::now();
        pace.painted(start, Duration::from_millis(cost));
        (pace, start)
    }

    #[test]
    fn a_key_is_shown_at_once() {
        let (mut pace, start) = pace(1);
        pace.want(Cause::Stream);
        pace.want(Cause::Input);
        assert_eq!(pace.take(start), Some(Cause::Input));
        assert_eq!(pace.take(start), None);
    }

    #[test]
    fn a_stream_is_shown_at_a_bounded_rate() {
        let (mut pace, start) = pace(1);
        pace.want(Cause::Stream);
        assert_eq!(pace.take(start + Duration::from_millis(32)), None);
        assert_eq!(pace.due(start), Some(start + INTERVAL));
        assert_eq!(pace.take(start + INTERVAL), Some(Cause::Stream));
    }

    #[test]
    fn slow_frames_come_less_often_but_they_come() {
        let (mut pace, start) = pace(20);
        pace.want(Cause::Stream);
        assert_eq!(pace.due(start), Some(start + Duration::from_millis(200)));
        pace.painted(start, Duration::from_secs(9));
        pace.want(Cause::Stream);
        assert_eq!(pace.due(start), Some(start + LONGEST));
    }

    #[test]
    fn nothing_wanted_is_nothing_due() {
        let (pace, start) = pace(1);
        assert_eq!(pace.due(start), None);
    }
}

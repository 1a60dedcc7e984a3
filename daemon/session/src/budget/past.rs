//! What was spent before the daemon was started, read from the log.
//!
//! Tokens and money come from what the store sums up already. Calls and the time that turns ran are in
//! no sum: they are counted from the events, of one session or of those that changed today. What a call
//! without an answer used is known to the end of its turn only, and what a vendor does not tell to nobody;
//! both are forgotten with the daemon, and so are sessions that were deleted, but for what they used.

use moltis_core::Timestamp;
use moltis_core::assistant::{Filter, Page};
use moltis_core::budget::{Amount, Limit};
use moltis_core::error::Result;
use moltis_core::event::{Ending, Event, EventKind};
use moltis_core::id::SessionId;
use moltis_core::journal::Journal;
use moltis_core::message::Usage;
use moltis_core::session::Summary;

use super::DAY;
use crate::log::PAGE;

/// What a session spent, with the agents that it began.
pub(super) async fn session(
    journal: &dyn Journal,
    session: &SessionId,
    limit: &Limit,
) -> Result<Amount> {
    let mut family = Vec::new();
    let all = journal.list(&Filter { archived: true, limit: 0 }).await?;
    let (mut next, mut others): (Vec<Summary>, Vec<Summary>) =
        all.into_iter().partition(|summary| summary.id == *session);
    while !next.is_empty() {
        let above = next.clone();
        let spawned = |summary: &Summary| {
            let parent = summary.spawned.as_ref().map(|spawned| &spawned.parent);
            parent.is_some_and(|parent| above.iter().any(|above| above.id == *parent))
        };
        let children = others.extract_if(.., |summary| spawned(summary)).collect();
        family.append(&mut std::mem::replace(&mut next, children));
    }
    let mut spent = Amount::default();
    for summary in family {
        spent = spent.plus(Amount::of(&summary.usage));
        if limit.calls.is_some() || limit.seconds.is_some() {
            let copied = summary.parent.as_ref().map_or(0, |(_, seq)| *seq);
            let events = since(journal, &summary.id, |event| event.seq > copied).await?;
            let Tally { calls, millis, .. } = Tally::of(&events);
            // The time of agents that it began is theirs: it ran itself meanwhile.
            let seconds = if summary.id == *session { millis / 1_000 } else { 0 };
            spent = spent.plus(Amount { calls, seconds, ..Amount::default() });
        }
    }
    Ok(spent)
}

/// What was spent today.
pub(super) async fn day(journal: &dyn Journal, now: Timestamp) -> Result<Amount> {
    let midnight = super::day(now).saturating_mul(DAY);
    let midnight = Timestamp::from_second(midnight).unwrap_or(now);
    let today = midnight.to_string();
    let mut spent = Amount::default();
    for row in journal.usage(midnight).await? {
        if today.starts_with(&row.day) {
            spent = spent.plus(Amount::of(&row.usage));
        }
    }
    let (mut titles, mut calls, mut millis) = (Usage::default(), 0, 0);
    for summary in journal.list(&Filter { archived: true, limit: 0 }).await? {
        if summary.updated_at < midnight {
            continue;
        }
        let copied = summary.parent.as_ref().map_or(0, |(_, seq)| *seq);
        let own = |event: &Event| event.seq > copied && event.at >= midnight;
        let tally = Tally::of(&since(journal, &summary.id, own).await?);
        titles = titles.plus(tally.titles);
        calls += tally.calls;
        millis += tally.millis;
    }
    let acted = Amount { calls, seconds: millis / 1_000, ..Amount::default() };
    Ok(spent.plus(Amount::of(&titles)).plus(acted))
}

/// The last events of a session for which this holds, oldest first.
async fn since(
    journal: &dyn Journal,
    session: &SessionId,
    holds: impl Fn(&Event) -> bool,
) -> Result<Vec<Event>> {
    let mut events = Vec::new();
    let mut seq = u64::MAX;
    loop {
        let page = journal.read(session, Page::Before { seq, limit: PAGE }).await?;
        let Some(first) = page.first() else { break };
        seq = first.seq;
        let goes_on = holds(first);
        // The texts are not needed, and there may be many of them.
        let counted = |event: &Event| holds(event) && Tally::counts(&event.kind);
        events.extend(page.into_iter().rev().filter(counted));
        if !goes_on {
            break;
        }
    }
    events.reverse();
    Ok(events)
}

/// What is in no sum of the store's.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    calls: u64,
    /// Thousandths of a second that turns ran.
    millis: u64,
    titles: Usage,
    /// Since when the turn runs, if one does.
    since: Option<Timestamp>,
    /// Questions that wait for a person.
    asked: u32,
}

impl Tally {
    fn counts(kind: &EventKind) -> bool {
        !matches!(
            kind,
            EventKind::UserMessage { .. }
                | EventKind::Compacted { .. }
                | EventKind::StateSet { .. }
        )
    }

    fn of(events: &[Event]) -> Self {
        let mut tally = Self::default();
        let mut last = Timestamp::UNIX_EPOCH;
        for event in events {
            tally.take(event, last);
            last = event.at;
        }
        tally
    }

    fn take(&mut self, event: &Event, last: Timestamp) {
        match &event.kind {
            EventKind::TurnStarted { .. } => self.since = Some(event.at),
            EventKind::TurnEnded { ending, .. } => {
                // The end may have been written when the daemon was back, whenever that was.
                let cut_off = *ending == Ending::Interrupted;
                self.stop(if cut_off { last } else { event.at });
                self.asked = 0;
            }
            EventKind::ApprovalAsked { .. } => {
                self.stop(event.at);
                self.asked += 1;
            }
            EventKind::ApprovalAnswered { .. } => {
                self.asked = self.asked.saturating_sub(1);
                self.since = self.since.or((self.asked == 0).then_some(event.at));
            }
            EventKind::ToolStarted { .. } => self.calls += 1,
            EventKind::TitleChanged { usage, .. } => self.titles = self.titles.plus(*usage),
            _ => {}
        }
    }

    fn stop(&mut self, at: Timestamp) {
        if let Some(since) = self.since.take() {
            let took = at.duration_since(since).as_millis();
            self.millis = self.millis.saturating_add(u64::try_from(took).unwrap_or(0));
        }
    }
}

#[cfg(test)]
#[path = "past_tests.rs"]
mod tests;

//! A reader of a session: a place in its log, not a queue.
//!
//! The cursor holds the seq of the last event that it gave and how much of the growing item.
//! Whatever is beyond that it takes from the live state or, when it fell far behind, from the
//! log. So a slow reader costs nothing but its own time, and gets paint in fewer, larger pieces. A
//! fast one rests between pieces: sending each delta by itself costs more than making it.
//!
//! Order: the snapshot, every event after the wished place, `CaughtUp` after the last one that
//! was there at attaching, and paint only when no event is waiting. Because an item's event and
//! the end of its paint are one step in [`crate::live`], no paint of an item follows its event.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::stream;
use moltis_core::assistant::Page;
use moltis_core::error::{Code, Error};
use moltis_core::event::Event;
use moltis_core::feed::{Delta, Feed, FeedStream, From, Progress};
use moltis_core::id::{ItemId, SessionId};
use moltis_core::journal::Journal;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::live::{Closed, Live, State};

/// Events taken from the live state or the log in one go.
const PAGE: u32 = 128;

/// Bytes of one delta: it must fit a message of any transport.
const MOST_DELTA: usize = 64 << 10;

/// Between two pieces of a growing item: half a frame of a screen.
const REST: Duration = Duration::from_millis(16);

pub(crate) struct Cursor {
    session: SessionId,
    live: Arc<Live>,
    journal: Arc<dyn Journal>,
    changed: watch::Receiver<()>,
    wish: Option<From>,
    /// The seq of the last event given.
    seq: u64,
    /// The last seq that was there at attaching; `None` once that was told.
    there: Option<u64>,
    /// Events taken and not given yet.
    taken: VecDeque<Feed>,
    /// The growing items, and how many bytes of each of their strands were given.
    given: Vec<(ItemId, Vec<usize>)>,
    /// Until when it rests, if it had all of them.
    rest: Option<Instant>,
    progress: u64,
    ended: bool,
    _counted: Counted,
}

/// Counts a reader for as long as it lives.
pub(crate) struct Counted {
    live: Arc<Live>,
    all: Arc<AtomicU64>,
}

impl Counted {
    /// Counts a reader in.
    pub(crate) fn new(live: Arc<Live>, all: Arc<AtomicU64>) -> Self {
        live.attach();
        all.fetch_add(1, Ordering::Relaxed);
        Self { live, all }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.live.detach();
        self.all.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a look at the live state gave.
enum Look {
    Give(Feed),
    /// Events were taken.
    Taken,
    /// The log has what comes next, up to this seq. It may have more that was not published
    /// yet: that must not be given before its paint is over.
    Behind(u64),
    /// There is paint, but not before this.
    Rest(Instant),
    Wait,
    End,
}

impl Cursor {
    pub(crate) fn new(
        session: SessionId,
        journal: Arc<dyn Journal>,
        from: From,
        counted: Counted,
    ) -> Self {
        let live = counted.live.clone();
        let changed = live.watch();
        Self {
            session,
            live,
            journal,
            changed,
            wish: Some(from),
            seq: 0,
            there: None,
            taken: VecDeque::new(),
            given: Vec::new(),
            rest: None,
            progress: 0,
            ended: false,
            _counted: counted,
        }
    }

    pub(crate) fn into_stream(self) -> FeedStream {
        Box::pin(stream::unfold(self, |mut cursor| async move {
            let next = cursor.next().await?;
            Some((next, cursor))
        }))
    }

    async fn next(&mut self) -> Option<Result<Feed, Error>> {
        loop {
            if let Some(feed) = self.taken.pop_front() {
                return Some(Ok(feed));
            }
            if self.ended {
                return None;
            }
            // Marked as seen before looking: a change after the look wakes the wait below.
            self.changed.borrow_and_update();
            match self.look() {
                Look::Give(feed) => return Some(Ok(feed)),
                Look::Taken => {}
                Look::Behind(last) => match self.read(last).await {
                    Ok(()) => {}
                    Err(error) => {
                        self.ended = true;
                        return (error.code != Code::NotFound).then_some(Err(error));
                    }
                },
                Look::Rest(until) => sleep_until(until).await,
                Look::Wait => self.ended = self.changed.changed().await.is_err(),
                Look::End => self.ended = true,
            }
        }
    }

    fn look(&mut self) -> Look {
        let live = self.live.clone();
        let state = live.look();
        if state.closed == Some(Closed::Deleted) {
            return Look::End;
        }
        if let Some(wish) = self.wish.take() {
            return Look::Give(self.begin(wish, &state));
        }
        if self.seq < state.summary.last_seq {
            let Some(events) = state.after(self.seq, PAGE as usize) else {
                return Look::Behind(state.summary.last_seq);
            };
            drop(state);
            self.take(events);
            return Look::Taken;
        }
        if self.there.take().is_some() {
            return Look::Give(Feed::CaughtUp);
        }
        if state.closed.is_some() {
            return Look::End;
        }
        if let Some(until) = self.rest
            && Instant::now() < until
            && self.is_owed_paint(&state)
        {
            return Look::Rest(until);
        }
        if let Some(delta) = self.paint(&state) {
            if !self.is_owed_paint(&state) {
                self.rest = Some(Instant::now() + REST);
            }
            return Look::Give(Feed::Delta(delta));
        }
        if self.progress != state.progress.0 {
            self.progress = state.progress.0;
            if let Some((turn, text)) = &state.progress.1 {
                let (session, turn) = (self.session.clone(), turn.clone());
                return Look::Give(Feed::Progress(Progress { session, turn, text: text.clone() }));
            }
        }
        Look::Wait
    }

    /// The snapshot. A reader that claims to know more than there is starts over.
    fn begin(&mut self, wish: From, state: &State) -> Feed {
        let last = state.summary.last_seq;
        self.seq = match wish {
            From::Seq(seq) if seq <= last => seq,
            From::Seq(_) => 0,
            From::Tail(events) => last.saturating_sub(events),
        };
        self.there = Some(last);
        // What is over needs no telling to somebody who never saw it.
        if state.progress.1.as_ref().is_none_or(|(_, text)| text.is_empty()) {
            self.progress = state.progress.0;
        }
        Feed::Snapshot { summary: Box::new(state.summary.clone()), first_seq: self.seq + 1 }
    }

    async fn read(&mut self, last: u64) -> Result<(), Error> {
        let page = Page::After { seq: self.seq, limit: PAGE };
        let mut events = self.journal.read(&self.session, page).await?;
        events.retain(|event| event.seq <= last);
        if events.is_empty() {
            return Err(Error::new(Code::Internal, "the log ends before its last event"));
        }
        self.take(events.into_iter().map(Arc::new));
        Ok(())
    }

    fn take(&mut self, events: impl IntoIterator<Item = Arc<Event>>) {
        for event in events {
            self.seq = event.seq;
            let caught_up = self.there.is_some_and(|there| event.seq >= there);
            self.taken.push_back(Feed::Event(event));
            if caught_up {
                self.there = None;
                self.taken.push_back(Feed::CaughtUp);
            }
        }
    }

    /// Whether some more of an item that is being given was not given.
    fn is_owed_paint(&self, state: &State) -> bool {
        self.given.iter().any(|(item, given)| {
            let growing = state.growing.iter().find(|growing| growing.item == *item);
            let strands =
                growing.into_iter().flat_map(|growing| growing.strands.iter().enumerate());
            let given = |strand: usize| given.get(strand).copied().unwrap_or(0);
            strands.into_iter().any(|(strand, (_, text))| given(strand) < text.len())
        })
    }

    /// The next piece of a growing item that was not given.
    fn paint(&mut self, state: &State) -> Option<Delta> {
        self.given.retain(|(item, _)| state.growing.iter().any(|growing| growing.item == *item));
        for growing in &state.growing {
            let at = self.given.iter().position(|(item, _)| *item == growing.item);
            let at = at.unwrap_or_else(|| {
                self.given.push((growing.item.clone(), Vec::new()));
                self.given.len() - 1
            });
            let Some((_, given)) = self.given.get_mut(at) else { continue };
            given.resize(growing.strands.len(), 0);
            for ((strand, text), given) in growing.strands.iter().zip(given) {
                if *given < text.len() {
                    let end = text.floor_char_boundary(given.saturating_add(MOST_DELTA));
                    let offset = std::mem::replace(given, end);
                    return Some(Delta {
                        session: self.session.clone(),
                        turn: growing.turn.clone(),
                        item: growing.item.clone(),
                        strand: strand.clone(),
                        offset: offset as u64,
                        text: text[offset..end].to_owned(),
                    });
                }
            }
        }
        None
    }
}

//! Following a session across broken connections and restarts of the daemon.
//!
//! The invariant: events come in order of seq, each once and none left out from the first one on,
//! whatever happens to the connection. Deltas of a growing item may come again from their start.

use std::collections::VecDeque;
use std::time::Duration;

use moltis_proto::v1::attach_response::Feed as Fed;
use moltis_proto::v1::{AttachRequest, AttachResponse, Event, HistoryRequest};
use tokio::time::{Instant, sleep};
use tonic::Streaming;

use super::call;
use super::dial::{Client, Connector};
use super::failure::Failure;

/// How long sessions that can't be followed are tried again.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(50);
/// How many events a gap is filled with at once.
const PAGE: u32 = 500;

/// Where to begin.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Begin {
    /// After this seq.
    After(u64),
    /// With the next event.
    Now,
}

/// A session as it goes on.
pub(crate) struct Feed {
    connector: Connector,
    client: Client,
    session: String,
    /// The last seq that was given; `None` before the first one, when beginning with the next.
    seen: Option<u64>,
    stream: Option<Streaming<AttachResponse>>,
    /// Events that fill a gap, to be given before anything else.
    missed: VecDeque<Event>,
    /// Events before this seq are not to be had from the stream.
    gap: Option<u64>,
}

impl Feed {
    /// Follows the session of that id.
    pub(crate) async fn attach(
        connector: &Connector,
        client: &Client,
        session: &str,
        begin: Begin,
    ) -> Result<Self, Failure> {
        let mut feed = Self {
            connector: connector.clone(),
            client: client.clone(),
            session: session.to_owned(),
            seen: match begin {
                Begin::After(seq) => Some(seq),
                Begin::Now => None,
            },
            stream: None,
            missed: VecDeque::new(),
            gap: None,
        };
        match feed.open().await {
            // A daemon that is just going away: `next` waits for it.
            Err(failure) if !failure.is_unavailable() => Err(failure),
            _ => Ok(feed),
        }
    }

    /// The next thing. Reconnects when the connection breaks; may be dropped at any time and asked
    /// again.
    ///
    /// # Errors
    /// When the session is gone, or the daemon does not come back.
    pub(crate) async fn next(&mut self) -> Result<Fed, Failure> {
        loop {
            if let Some(event) = self.missed.pop_front() {
                self.seen = Some(event.seq);
                return Ok(Fed::Event(event));
            }
            if self.stream.is_none() {
                self.reopen().await?;
            }
            if let Some(first) = self.gap {
                match self.fill(first).await {
                    Err(failure) if failure.is_unavailable() => self.stream = None,
                    filled => filled?,
                }
                continue;
            }
            let Some(stream) = &mut self.stream else { continue };
            match stream.message().await {
                Ok(Some(AttachResponse { feed: Some(fed) })) => {
                    if let Some(fed) = self.take(fed) {
                        return Ok(fed);
                    }
                }
                // Something of a newer daemon.
                Ok(Some(AttachResponse { feed: None })) => {}
                Ok(None) => self.stream = None,
                Err(status) => {
                    let failure = Failure::from(status);
                    if !failure.is_unavailable() {
                        return Err(failure);
                    }
                    self.stream = None;
                }
            }
        }
    }

    /// The connection in use now.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    fn take(&mut self, fed: Fed) -> Option<Fed> {
        match &fed {
            Fed::Event(event) => {
                if self.seen.is_some_and(|seen| event.seq <= seen) {
                    return None;
                }
                self.seen = Some(event.seq);
            }
            Fed::Snapshot(snapshot) => match self.seen {
                None => {
                    let last = snapshot.session.as_ref().map_or(0, |session| session.last_seq);
                    self.seen = Some(last.max(snapshot.first_seq.saturating_sub(1)));
                }
                Some(seen) => {
                    self.gap = Some(snapshot.first_seq).filter(|first| seen + 1 < *first);
                }
            },
            Fed::CaughtUp(_) | Fed::Delta(_) | Fed::Progress(_) => {}
        }
        Some(fed)
    }

    /// Reads some of what lies between the last event that was given and `first`.
    async fn fill(&mut self, first: u64) -> Result<(), Failure> {
        let seen = self.seen.unwrap_or_default();
        let request = HistoryRequest {
            session: self.session.clone(),
            after_seq: Some(seen),
            before_seq: None,
            limit: PAGE,
        };
        let page = self.client.caller.call(&call::HISTORY, &request).await?;
        self.missed.extend(page.events.into_iter().filter(|e| seen < e.seq && e.seq < first));
        let reached = self.missed.back().map_or(first, |event| event.seq + 1);
        self.gap = Some(first).filter(|first| reached < *first);
        Ok(())
    }

    async fn open(&mut self) -> Result<(), Failure> {
        let request = AttachRequest {
            session: self.session.clone(),
            after_seq: self.seen,
            tail: u64::from(self.seen.is_none()),
        };
        self.gap = None;
        self.stream = Some(self.client.sessions.attach(request).await?.into_inner());
        Ok(())
    }

    async fn reopen(&mut self) -> Result<(), Failure> {
        let begun = Instant::now();
        loop {
            self.client = Box::pin(self.connector.come_back()).await?;
            match self.open().await {
                Ok(()) => return Ok(()),
                Err(failure) if !failure.is_unavailable() => return Err(failure),
                Err(failure) if begun.elapsed() > PATIENCE => return Err(failure),
                // It is on its way out; the next connection waits for the one that follows it.
                Err(_) => sleep(PAUSE).await,
            }
        }
    }
}

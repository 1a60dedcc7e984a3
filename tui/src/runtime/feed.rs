//! Following the shown session, whatever happens to the connection.
//!
//! One task for one attachment: it connects, finds the session, and hands on what comes, each thing
//! with the attachment's number. When the connection breaks it waits a little longer each time and
//! goes on after the last event that it gave. It owns the connection that everything else shares.

use std::time::{Duration, Instant};

use moltis_proto::v1::{self, attach_response::Feed};
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::effects::{Shared, trouble};
use crate::app::{Said, Target};
use crate::client::{Client, Connector, Failure, call};

/// Events of the past that are asked for at first: more than a screen, less than a burden.
const TAIL: u64 = 120;
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// After this long a daemon that left its socket behind is started again.
const ORDERLY: Duration = Duration::from_secs(3);

/// One attachment.
pub(super) struct Follow {
    pub(super) connector: Connector,
    pub(super) shared: Shared,
    pub(super) out: mpsc::Sender<Said>,
    pub(super) epoch: u64,
    pub(super) target: Target,
}

/// Why following ended.
enum Ended {
    /// The connection broke: try again.
    Broken(Failure),
    /// The session is not there.
    Gone(Failure),
    /// The connection cannot be had.
    Hopeless(Failure),
    /// Nobody listens anymore.
    Done,
}

impl Follow {
    /// Follows until the session is gone, the daemon cannot be had, or nobody listens.
    pub(super) async fn run(mut self) {
        let mut seen: Option<u64> = None;
        let mut since: Option<Instant> = None;
        let mut pause = FIRST_PAUSE;
        loop {
            let before = seen;
            let ended = self.once(&mut seen, since).await;
            if seen != before {
                (since, pause) = (None, FIRST_PAUSE);
            }
            let told = match ended {
                Ended::Broken(failure) => {
                    since.get_or_insert_with(Instant::now);
                    self.out.send(Said::Down(trouble(failure))).await
                }
                Ended::Gone(failure) => {
                    let lost = Said::Lost { epoch: self.epoch, trouble: trouble(failure) };
                    drop(self.out.send(lost).await);
                    return;
                }
                Ended::Hopeless(failure) => {
                    drop(self.out.send(Said::Refused(trouble(failure))).await);
                    return;
                }
                Ended::Done => return,
            };
            if told.is_err() {
                return;
            }
            sleep(jitter(pause)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn once(&mut self, seen: &mut Option<u64>, since: Option<Instant>) -> Ended {
        let mut client = match self.connect(since).await {
            Ok(client) => client,
            // Before anything was shown there is nothing to lose: say what is wrong.
            Err(failure) if since.is_none() && seen.is_none() => return Ended::Hopeless(failure),
            Err(failure) if failure.is_unavailable() => return Ended::Broken(failure),
            Err(failure) => return Ended::Hopeless(failure),
        };
        match self.follow(&mut client, seen).await {
            Ok(()) => Ended::Done,
            Err(failure) if failure.is_unavailable() => Ended::Broken(failure),
            Err(failure) if failure.code == "not_found" => Ended::Gone(failure),
            Err(failure) if failure.code == "version_mismatch" => Ended::Hopeless(failure),
            Err(failure) => Ended::Broken(failure),
        }
    }

    /// The shared connection if there is one that may work, otherwise a new one.
    async fn connect(&self, since: Option<Instant>) -> Result<Client, Failure> {
        if since.is_none()
            && let Some(client) = self.shared.get()
        {
            return Ok(client);
        }
        let client = match since {
            Some(since) if since.elapsed() < ORDERLY => Box::pin(self.connector.reconnect()).await,
            _ => Box::pin(self.connector.connect()).await,
        }?;
        self.shared.set(client.clone());
        Ok(client)
    }

    /// Hands on what comes; `Ok` when nobody listens.
    async fn follow(&mut self, client: &mut Client, seen: &mut Option<u64>) -> Result<(), Failure> {
        let session = self.find(client).await?;
        let request = v1::AttachRequest {
            session: session.id.clone(),
            after_seq: *seen,
            tail: if seen.is_none() { TAIL } else { 0 },
        };
        let mut stream = client.sessions.attach(request).await?.into_inner();
        let build = client.hello.build.clone();
        let opened = Said::Opened { epoch: self.epoch, session: Box::new(session) };
        if self.out.send(opened).await.is_err() || self.out.send(Said::Up { build }).await.is_err()
        {
            return Ok(());
        }
        while let Some(response) = stream.message().await? {
            let Some(feed) = response.feed else { continue };
            match &feed {
                Feed::Event(event) => *seen = Some(event.seq.max(seen.unwrap_or(0))),
                Feed::Snapshot(snapshot) => {
                    let before = snapshot.first_seq.saturating_sub(1);
                    *seen = Some(before.max(seen.unwrap_or(0)));
                }
                Feed::CaughtUp(_) | Feed::Delta(_) | Feed::Progress(_) => {}
            }
            let fed = Said::Fed { epoch: self.epoch, feed: Box::new(feed) };
            if self.out.send(fed).await.is_err() {
                return Ok(());
            }
        }
        // The daemon ends feeds when it stops, and when the session is deleted: looking again tells.
        Err(Failure::unavailable("moltisd ended the feed"))
    }

    async fn find(&mut self, client: &mut Client) -> Result<v1::Session, Failure> {
        let name = match &self.target {
            Target::Name(name) | Target::Id(name) => name.clone(),
        };
        let found = client.caller.call(&call::FIND, &v1::FindRequest { name }).await?;
        // From now on it is this one, whatever else gets its name.
        self.target = Target::Id(found.id.clone());
        Ok(found)
    }
}

/// Some time around `pause`, so that many clients do not come back at the same moment.
fn jitter(pause: Duration) -> Duration {
    let mut byte = [128_u8];
    // Without chance all wait alike, which is only less polite.
    let _ = getrandom::fill(&mut byte);
    pause / 2 + pause * u32::from(byte[0]) / 256
}

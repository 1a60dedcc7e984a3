//! The daemon's one ledger: what all sessions spend, and what they may.
//!
//! Every call of a model and of a tool comes by here before it is made. What was spent before the
//! daemon was started is read from the log, by [`past`], once for each session and once for the day,
//! and only where a limit asks for it. The limits are those that hold at the moment: one that is raised
//! in the configuration is looked at by the next call.
//!
//! Not here: the arithmetic, which is [`moltis_core::budget`]'s. The invariant: whoever got something
//! to spend gives back what is left of it, however they end.

mod account;
mod past;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use moltis_core::Timestamp;
use moltis_core::budget::{Amount, Exceeded, Ledger, Limits, Reservation, Scope, Span, Standing};
use moltis_core::env::Env;
use moltis_core::error::Result;
use moltis_core::id::TurnId;
use moltis_core::journal::Journal;
use moltis_core::session::Summary;

pub(crate) use account::{Account, Paid};

/// Seconds of a day.
const DAY: i64 = 86_400;

/// What all sessions spend.
pub(crate) struct Budget {
    journal: Arc<dyn Journal>,
    env: Arc<dyn Env>,
    ledger: Mutex<Ledger>,
    /// Held by whoever reads the log: it is read once.
    reading: tokio::sync::Mutex<()>,
}

impl Budget {
    pub(crate) fn new(journal: Arc<dyn Journal>, env: Arc<dyn Env>) -> Arc<Self> {
        Arc::new(Self { journal, env, ledger: Mutex::default(), reading: <_>::default() })
    }

    /// The ledger, as of today.
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        let today = day(self.env.now());
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        ledger.on_day(today);
        ledger
    }

    /// Begins to count for a turn: in its own name, its session's, the day's, and in that of the turns
    /// and sessions of the agents above it.
    ///
    /// # Errors
    /// The journal's.
    pub(crate) async fn open(
        self: &Arc<Self>,
        limits: &Limits,
        summary: &Summary,
        turn: &TurnId,
    ) -> Result<Account> {
        let session = Scope::Session(summary.id.clone());
        let mut scopes = vec![Scope::Turn(summary.id.clone(), turn.clone()), session, Scope::Day];
        let mut above = summary.spawned.clone();
        for _ in 0..above.as_ref().map_or(0, |spawned| spawned.depth) {
            let Some(spawned) = above else { break };
            scopes.push(Scope::Turn(spawned.parent.clone(), spawned.turn));
            scopes.push(Scope::Session(spawned.parent.clone()));
            let parent = self.journal.summary(&spawned.parent).await?;
            above = parent.and_then(|parent| parent.spawned);
        }
        self.read(limits, &scopes).await?;
        Ok(Account::open(self.clone(), scopes))
    }

    /// Reads what was spent in these scopes before the daemon was started, where that is limited and
    /// not known yet.
    async fn read(&self, limits: &Limits, scopes: &[Scope]) -> Result<()> {
        let _one_at_a_time = self.reading.lock().await;
        for scope in scopes {
            let limit = limits.of(scope.span());
            if !limit.is_some() || self.ledger().is_filled(scope) {
                continue;
            }
            let spent = match scope {
                Scope::Turn(..) => continue,
                Scope::Session(session) => past::session(&*self.journal, session, limit).await?,
                Scope::Day => past::day(&*self.journal, self.env.now()).await?,
            };
            self.ledger().fill(scope, spent);
        }
        Ok(())
    }

    /// How the limits stand: the day's, and those of a session and of the turn that runs in it.
    ///
    /// # Errors
    /// The journal's.
    pub(crate) async fn standings(
        &self,
        limits: &Limits,
        session: Option<&Summary>,
    ) -> Result<Vec<Standing>> {
        let mut scopes = Vec::new();
        if let Some(summary) = session {
            let running = summary.open_turns.iter().find(|open| open.started);
            scopes.extend(running.map(|open| Scope::Turn(summary.id.clone(), open.turn.clone())));
            scopes.push(Scope::Session(summary.id.clone()));
        }
        scopes.push(Scope::Day);
        self.read(limits, &scopes).await?;
        Ok(self.ledger().standings(&scopes, limits))
    }

    fn reserve(
        &self,
        scopes: &[Scope],
        limits: &Limits,
        wanted: Amount,
    ) -> Result<Reservation, Exceeded> {
        self.ledger().reserve(scopes, limits, wanted)
    }

    /// The scopes that a person is told of when much of their limits is used: their own.
    fn own(scopes: &[Scope]) -> &[Scope] {
        let above = scopes.iter().position(|scope| scope.span() == Span::Day);
        &scopes[..above.map_or(scopes.len(), |at| at + 1)]
    }
}

/// The day of a moment, in days since 1970-01-01, UTC.
fn day(at: Timestamp) -> i64 {
    at.as_second().div_euclid(DAY)
}

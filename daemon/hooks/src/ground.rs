//! What all of this crate stands on: the owner's decisions and settings, the environment, the
//! shelf of copies, and the counts of every hook.
//!
//! It calls nothing. The invariant: what it gives out is one consistent state, that later changes
//! do not reach.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use moltis_core::Result;

use crate::breaker::Tally;
use crate::builtin::BuiltIns;
use crate::eligible::Environment;
use crate::hookery::Settings;
use crate::state::{Decisions, Shelf};

/// The most hooks that are counted at once; those of views that are forgotten make room.
const MAX_TALLIES: usize = 4096;

pub(crate) struct Ground {
    pub data_dir: PathBuf,
    /// Where commands of the configuration run.
    pub config_dir: PathBuf,
    pub environment: Environment,
    pub shelf: Shelf,
    pub built_ins: BuiltIns,
    pub settings: Mutex<Arc<Settings>>,
    pub decisions: Mutex<Arc<Decisions>>,
    pub tallies: Mutex<BTreeMap<String, Arc<Tally>>>,
}

impl Ground {
    pub(crate) fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn decisions(&self) -> Arc<Decisions> {
        Arc::clone(&self.decisions.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes a decision down, on the disk first. One at a time: the caller sees to it.
    pub(crate) fn decide(&self, change: impl FnOnce(&mut Decisions)) -> Result<()> {
        let mut decisions = (*self.decisions()).clone();
        change(&mut decisions);
        self.shelf.write(&decisions)?;
        *self.decisions.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(decisions);
        Ok(())
    }

    /// The counts of the hook with that key.
    pub(crate) fn tally(&self, key: &str) -> Arc<Tally> {
        let mut tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        if tallies.len() >= MAX_TALLIES && !tallies.contains_key(key) {
            tallies.retain(|_, tally| Arc::strong_count(tally) > 1);
            tracing::debug!(left = tallies.len(), "counts of forgotten hooks are dropped");
        }
        Arc::clone(tallies.entry(key.to_owned()).or_default())
    }
}

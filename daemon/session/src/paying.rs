//! The actor's part in what its turn spends: reserving before a model is asked, and telling a person
//! when much of a limit is used.

use moltis_core::event::{EventKind, Level, TurnFailure};
use moltis_core::provider::Request;

use crate::actor::Actor;

impl Actor {
    /// Reserves for asking a model; what the call before it did cost is settled first.
    ///
    /// # Errors
    /// Why the turn ends.
    pub(crate) fn pay(&mut self, request: &Request) -> Result<(), TurnFailure> {
        let limits = self.shared.rules().budget;
        let Some(running) = &mut self.running else { return Ok(()) };
        running.paid = None;
        match running.account.pay(&limits, request) {
            Ok(paid) => {
                running.paid = Some(paid);
                Ok(())
            }
            Err(over) => {
                Err(TurnFailure { kind: None, message: over.to_string(), hint: Some(over.hint()) })
            }
        }
    }

    /// Settles a call that is over with what is about to be written of it, and adds what a person is to
    /// be told of the limits.
    pub(crate) fn settle_up(&mut self, kinds: &mut Vec<EventKind>) {
        let ends = |kind: &EventKind| matches!(kind, EventKind::TurnEnded { .. });
        let over = |kind: &EventKind| {
            ends(kind)
                || matches!(kind, EventKind::AssistantMessage { .. } | EventKind::Compacted { .. })
        };
        let limits = self.shared.rules().budget;
        let Some(running) = &mut self.running else { return };
        if kinds.iter().any(over) {
            running.paid = None;
        }
        let warnings = running.account.warnings(&limits);
        let at = kinds.iter().position(ends).unwrap_or(kinds.len());
        let notice =
            |text| EventKind::Notice { item: self.fresh_item(), level: Level::Warning, text };
        let notices: Vec<EventKind> =
            warnings.iter().map(|standing| notice(standing.warning())).collect();
        drop(kinds.splice(at..at, notices));
    }
}

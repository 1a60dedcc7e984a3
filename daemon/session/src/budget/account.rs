//! What one turn holds of the ledger: where it counts, the time that it runs, and the call of a model
//! that is being paid for.

use std::sync::Arc;

use moltis_agent::answer::priced;
use moltis_agent::prompt;
use moltis_core::budget::{Amount, Exceeded, Limits, Reservation, Scope, Span, Standing};
use moltis_core::message::Usage;
use moltis_core::models::ModelInfo;
use moltis_core::provider::{Chunk, Request};
use tokio::time::Instant;

use super::Budget;

/// Bytes of an answer that are taken for a token where the vendor does not say how many it was.
const TOKEN_BYTES: u64 = 4;

/// A turn in the ledger, for as long as it runs.
pub(crate) struct Account {
    budget: Arc<Budget>,
    scopes: Vec<Scope>,
    /// Since when the time of the turn is not counted; `None` while it waits for a person.
    since: Option<Instant>,
}

impl Account {
    pub(crate) fn open(budget: Arc<Budget>, scopes: Vec<Scope>) -> Self {
        budget.ledger().open(&scopes);
        Self { budget, scopes, since: Some(Instant::now()) }
    }

    /// Reserves for asking a model.
    pub(crate) fn pay(&mut self, limits: &Limits, request: &Request) -> Result<Paid, Exceeded> {
        self.count_time();
        Paid::reserve(self.budget.clone(), &self.scopes, limits, request)
    }

    /// Reserves for asking a model beside the turn: what the turn itself may spend is not touched.
    pub(crate) fn pay_beside(&self, limits: &Limits, request: &Request) -> Result<Paid, Exceeded> {
        let own = self.scopes.iter().skip(1).cloned();
        Paid::reserve(self.budget.clone(), &own.collect::<Vec<_>>(), limits, request)
    }

    /// Takes a call of a tool from the budget.
    ///
    /// # Errors
    /// Why not, for the model that wants it.
    pub(crate) fn pay_call(&self, limits: &Limits) -> Result<(), String> {
        let call = self.budget.reserve(&self.scopes, limits, Amount::CALL);
        let call = call.map_err(|over| over.to_string())?;
        self.budget.ledger().settle(call, Amount::CALL);
        Ok(())
    }

    /// Takes in what the turn did before the daemon was started again.
    pub(crate) fn went_on(&self, usage: &Usage, calls: u64) {
        if let Some(turn) = self.scopes.first() {
            self.budget.ledger().fill(turn, Amount { calls, ..Amount::of(usage) });
        }
    }

    /// Says whether the turn runs, or waits for a person.
    pub(crate) fn runs(&mut self, runs: bool) {
        self.count_time();
        if self.since.is_some() != runs {
            self.since = runs.then(Instant::now);
        }
    }

    /// The limits of which much is used since they were looked at last.
    pub(crate) fn warnings(&mut self, limits: &Limits) -> Vec<Standing> {
        self.count_time();
        self.budget.ledger().warnings(Budget::own(&self.scopes), limits)
    }

    /// Counts whole seconds in the session's and the day's name. Not in that of agents above, which
    /// run themselves meanwhile.
    fn count_time(&mut self) {
        let Some(since) = &mut self.since else { return };
        let seconds = since.elapsed().as_secs();
        if seconds == 0 {
            return;
        }
        *since += std::time::Duration::from_secs(seconds);
        let own = Budget::own(&self.scopes).iter().filter(|scope| scope.span() != Span::Turn);
        let own: Vec<Scope> = own.cloned().collect();
        self.budget.ledger().spend(&own, Amount::time(seconds));
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.count_time();
        self.budget.ledger().close(&self.scopes);
    }
}

/// A call of a model that is paid for. What it did cost is settled when this is dropped.
pub(crate) struct Paid {
    budget: Arc<Budget>,
    reservation: Option<Reservation>,
    model: ModelInfo,
    prompt_tokens: u64,
    /// Bytes that it wrote.
    written: u64,
    used: Usage,
    /// It was never begun.
    refused: bool,
}

impl Paid {
    fn reserve(
        budget: Arc<Budget>,
        scopes: &[Scope],
        limits: &Limits,
        request: &Request,
    ) -> Result<Self, Exceeded> {
        let (model, prompt_tokens) = (request.model.clone(), prompt::request_tokens(request));
        let most = Amount::estimate(&model, prompt_tokens, request.max_output);
        let reservation = Some(budget.reserve(scopes, limits, most)?);
        let used = Usage::default();
        Ok(Self { budget, reservation, model, prompt_tokens, written: 0, used, refused: false })
    }

    /// A piece of the answer came.
    pub(crate) fn hear(&mut self, chunk: &Chunk) {
        match chunk {
            Chunk::Usage(used) => self.used = *used,
            Chunk::Text(text) | Chunk::Reasoning(text) => self.written += text.len() as u64,
            Chunk::ToolCallArguments { fragment, .. } => self.written += fragment.len() as u64,
            _ => {}
        }
    }

    /// It was refused before anything of an answer came.
    pub(crate) fn refused(&mut self) {
        self.refused = true;
    }

    /// What it did cost. Where the vendor says nothing, or did not come to say it, an estimate: one
    /// that is silent must not be one that is free.
    fn cost(&self) -> Amount {
        if self.used != Usage::default() {
            return Amount::of(&priced(&self.model, self.used));
        }
        if self.refused {
            return Amount::default();
        }
        let output_tokens = self.written.div_ceil(TOKEN_BYTES);
        let used = Usage { input_tokens: self.prompt_tokens, output_tokens, ..Usage::default() };
        Amount::of(&priced(&self.model, used))
    }
}

impl Drop for Paid {
    fn drop(&mut self) {
        if let Some(reservation) = self.reservation.take() {
            let cost = self.cost();
            self.budget.ledger().settle(reservation, cost);
        }
    }
}

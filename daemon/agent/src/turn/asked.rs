//! Turns that no model is asked in: a program that the owner wants run, and leaving what was said out
//! of what models are told.
//!
//! The program is a call like any that a model makes, and goes the same way: hooks, the policy (on
//! behalf of the owner), the intent on disk, the sandbox, its result. The invariant: such a turn never
//! asks for a model, and so works where there is none.

use moltis_core::event::{Ending, EventKind, TurnFailure};
use moltis_core::id::CallId;
use moltis_core::session::Purpose;
use serde_json::json;

use super::round::{Round, Wish};
use super::{Context, Effect, State, Turn};

/// The tool that runs programs.
pub const RUNS_PROGRAMS: &str = "exec";

/// Seconds that a program of the owner's may take: they can stop it themselves.
const PROGRAM_SECONDS: u64 = 600;

impl Turn {
    /// Begins with what the turn is for.
    pub(super) fn begin(&mut self, ctx: &Context<'_>) -> Vec<Effect> {
        match &self.purpose {
            Purpose::Answer | Purpose::Compact => {
                self.state = State::Choosing;
                vec![Effect::Choose]
            }
            Purpose::Run(_) => {
                self.started = true;
                self.state = State::Saving;
                vec![Effect::Append(vec![EventKind::TurnStarted { model: None }])]
            }
            Purpose::Clear => {
                self.started = true;
                let told = ctx.conversation;
                let (upto, since) = (told.last_seq(), told.since(told.entries().len()));
                let started = EventKind::TurnStarted { model: None };
                self.end_well(vec![started, EventKind::Cleared { upto, since }])
            }
        }
    }

    /// Whether it runs a program at the owner's word.
    pub fn is_program(&self) -> bool {
        matches!(self.purpose, Purpose::Run(_))
    }

    /// Makes the call that runs the program.
    pub(super) fn run_program(&mut self, ctx: &Context<'_>) -> Vec<Effect> {
        let Purpose::Run(command) = &self.purpose else { return Vec::new() };
        let arguments = json!({ "command": command, "timeout": PROGRAM_SECONDS }).to_string();
        let id = CallId::new((ctx.fresh)().as_str());
        let wish = Wish { id, tool: RUNS_PROGRAMS.to_owned(), arguments };
        self.round = Some(Round::new(vec![wish], &[], ctx.fresh));
        self.act(ctx)
    }

    /// Ends the turn with its program. One that fails has run; one that was ended or could not run has
    /// not.
    pub(super) fn program_ended(&mut self, ctx: &Context<'_>) -> Vec<Effect> {
        if self.failures.is_empty() {
            return self.end_well(Vec::new());
        }
        let message = "the program did not come to its end".to_owned();
        self.end(Ending::Failed, Some(TurnFailure { kind: None, message, hint: None }), ctx)
    }
}

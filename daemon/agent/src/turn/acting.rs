//! The part of a turn that acts: the calls of one answer, from the model's wish to their results.
//!
//! ```text
//! wished --Prepared--> judged --allowed--> [intent on disk] --> running --ToolDone--> finished
//!                        |  \--asked--> [question on disk] --Answered--> (allowed | denied)
//!                        \--denied, malformed, said too often--> finished
//! ```
//!
//! All calls of an answer go this way side by side; the model is asked again when every one has its
//! result on disk. The invariant: no call runs whose `ToolStarted` is not on disk, and each call has
//! exactly one `ToolFinished`.

use moltis_core::event::{Ending, EventKind, ToolEnding, TurnFailure};
use moltis_core::feed::Strand;
use moltis_core::id::{ApprovalId, CallId};
use moltis_core::message::Part;
use moltis_core::policy::{Reach, authorize};
use moltis_core::provider::Failure;
use moltis_core::tool::Outcome;

use super::round::{Doing, Past, Prepared, Round, Stage, Wish, denied};
use super::{Context, Effect, State, Turn};
use crate::sanitize::{sanitize, sanitize_parts};

/// The same call with the same arguments is neither made nor asked about again after failing or
/// being refused so often.
const MOST_FAILURES: u32 = 2;

/// A model that makes it so often all the same is not asked again.
const MOST_TRIES: u32 = 4;

/// What a model is told of such a call.
const AGAIN: &str = "not done: exactly this call has failed twice, or was refused; do something else, or say what \
     is in the way";

/// Bytes of a stopped call's output that are kept.
const MOST_PARTIAL: usize = 16 << 10;

impl Turn {
    /// Begins with the calls of the answer that is now on disk.
    pub(super) fn act(&mut self, ctx: &Context<'_>) -> Vec<Effect> {
        self.state = State::Acting;
        let Some(round) = &mut self.round else { return self.ask(ctx) };
        let mut kinds = Vec::new();
        for doing in &mut round.calls {
            if let Some(Past::Started(_)) = doing.past {
                let text = "the daemon stopped while this ran; whether it was done is not known";
                kinds.push(doing.finish_with(ToolEnding::Interrupted, text));
            }
        }
        let wished = |doing: &&Doing| matches!(doing.stage, Stage::Wished);
        let wishes: Vec<Wish> =
            round.calls.iter().filter(wished).map(|doing| doing.wish.clone()).collect();
        let prepare = (!wishes.is_empty()).then_some(Effect::Prepare(wishes));
        if kinds.is_empty() {
            return prepare.into_iter().collect();
        }
        std::iter::once(Effect::Append(kinds)).chain(prepare).collect()
    }

    /// The calls were planned, each or not.
    pub(super) fn prepared(
        &mut self,
        prepared: Vec<(CallId, Result<Prepared, String>)>,
        ctx: &Context<'_>,
    ) -> Vec<Effect> {
        let mut kinds = Vec::new();
        for (id, result) in prepared {
            kinds.extend(self.judge(&id, result, ctx));
        }
        if kinds.is_empty() {
            return Vec::new();
        }
        vec![Effect::Append(kinds)]
    }

    /// Decides what becomes of one call, and what is written of that.
    fn judge(
        &mut self,
        id: &CallId,
        prepared: Result<Prepared, String>,
        ctx: &Context<'_>,
    ) -> Vec<EventKind> {
        let Some(doing) = self.round.as_mut().and_then(|round| round.find(id)) else {
            return Vec::new();
        };
        if !matches!(doing.stage, Stage::Wished) {
            return Vec::new();
        }
        let failed = count(&self.failures, doing.fingerprint());
        let refused = match prepared {
            Err(why) => (ToolEnding::Failed, why),
            Ok(_) if failed >= MOST_FAILURES => (ToolEnding::Failed, AGAIN.to_owned()),
            Ok(Prepared { call, class, pattern }) => match (ctx.pay)() {
                Err(why) => (ToolEnding::Denied, format!("not done: {why}")),
                Ok(()) => {
                    let label = self.instructions.label(ctx.label);
                    let verdict = authorize(ctx.principal, call, label, &(ctx.grants)());
                    let kinds = doing.take(verdict, class, pattern, ctx);
                    if matches!(doing.stage, Stage::Finished) {
                        note(&mut self.failures, doing.fingerprint());
                    }
                    return kinds;
                }
            },
        };
        note(&mut self.failures, doing.fingerprint());
        let moot = doing.moot(false, "its call is not made");
        moot.into_iter().chain([doing.finish_with(refused.0, refused.1)]).collect()
    }

    /// A tool prints.
    pub(super) fn printed(&mut self, id: &CallId, text: String) -> Vec<Effect> {
        let Some(doing) = self.round.as_mut().and_then(|round| round.find(id)) else {
            return Vec::new();
        };
        let Stage::Running { printed, .. } = &mut doing.stage else { return Vec::new() };
        printed.push_str(&text);
        if printed.len() > 2 * MOST_PARTIAL {
            let from = printed.ceil_char_boundary(printed.len() - MOST_PARTIAL);
            printed.drain(..from);
        }
        let strand = Strand::Output { call: id.clone(), name: doing.wish.tool.clone() };
        vec![Effect::Paint { item: doing.item.clone(), strand, text }]
    }

    /// A tool is done.
    pub(super) fn tool_done(
        &mut self,
        id: &CallId,
        outcome: Outcome,
        ctx: &Context<'_>,
    ) -> Vec<Effect> {
        let Some(doing) = self.round.as_mut().and_then(|round| round.find(id)) else {
            return Vec::new();
        };
        let Stage::Running { since, .. } = &doing.stage else { return Vec::new() };
        let took = ctx.at.saturating_sub(*since);
        let Outcome { parts, failed, origin, sensitive } = outcome;
        let parts = sanitize_parts(parts);
        let ending = if failed { ToolEnding::Failed } else { ToolEnding::Done };
        let fingerprint = doing.fingerprint();
        let kind = doing.finish(ending, parts, sensitive, Some(took));
        if failed {
            note(&mut self.failures, fingerprint);
        } else {
            self.failures.retain(|(known, _)| *known != fingerprint);
        }
        vec![Effect::AppendFrom(origin, vec![kind])]
    }

    /// A person answered a question; that is on disk.
    pub(super) fn answered_by(
        &mut self,
        approval: &ApprovalId,
        allowed: Result<String, String>,
    ) -> Vec<Effect> {
        let asked = |doing: &&mut Doing| matches!(&doing.stage, Stage::Asking { approval: asked, .. } if asked == approval);
        let calls = self.round.as_mut().map(|round| round.calls.iter_mut());
        let Some(doing) = calls.into_iter().flatten().find(asked) else { return Vec::new() };
        let Stage::Asking { question, class, .. } =
            std::mem::replace(&mut doing.stage, Stage::Wished)
        else {
            return Vec::new();
        };
        let kind = match allowed.map(|digest| question.approved(&digest)) {
            Ok(Ok(authorized)) => doing.allow(authorized, class),
            Ok(Err(_)) => {
                doing.finish_with(ToolEnding::Denied, "the answer was to another question")
            }
            Err(reason) => doing.finish_with(ToolEnding::Denied, denied(&reason)),
        };
        if matches!(doing.stage, Stage::Finished) {
            note(&mut self.failures, doing.fingerprint());
        }
        vec![Effect::Append(vec![kind])]
    }

    /// A person answered a question of before the restart while the turn was not back yet, or its
    /// call was not planned again; says whether there was such a question.
    pub(super) fn answered_early(
        &mut self,
        approval: &ApprovalId,
        allowed: &Result<String, String>,
    ) -> bool {
        let mut found = false;
        for doing in self.round.iter_mut().flat_map(|round| &mut round.calls) {
            if matches!(&doing.past, Some(Past::Asked(asked, _)) if asked == approval) {
                found = true;
                doing.past = Some(match allowed {
                    Ok(digest) => Past::Allowed(digest.clone()),
                    Err(reason) => Past::Denied(reason.clone()),
                });
            }
        }
        found
    }

    /// Nobody answered in time.
    pub(super) fn expired(&mut self, approval: &ApprovalId) -> Vec<Effect> {
        let reason = "nobody answered in time".to_owned();
        let mut kinds = vec![EventKind::ApprovalAnswered {
            approval: approval.clone(),
            allowed: false,
            reach: Reach::Once,
            reason: reason.clone(),
        }];
        let refused = Err(reason);
        let early = self.answered_early(approval, &refused);
        for effect in self.answered_by(approval, refused) {
            if let Effect::Append(more) = effect {
                kinds.extend(more);
            }
        }
        if kinds.len() == 1 && !early { Vec::new() } else { vec![Effect::Append(kinds)] }
    }

    /// What was to be appended is on disk: what was allowed runs, and when all is done the model is
    /// asked again.
    pub(super) fn acted(&mut self, ctx: &Context<'_>) -> Vec<Effect> {
        let Some(round) = &mut self.round else { return self.ask(ctx) };
        let mut effects = Vec::new();
        for doing in &mut round.calls {
            match std::mem::replace(&mut doing.stage, Stage::Wished) {
                Stage::Allowed(call) => {
                    doing.stage = Stage::Running { since: ctx.at, printed: String::new() };
                    effects.push(Effect::RunTool { item: doing.item.clone(), call });
                }
                other => doing.stage = other,
            }
        }
        if !round.is_finished() {
            return effects;
        }
        self.round = None;
        self.rounds += 1;
        if self.is_program() {
            return self.program_ended(ctx);
        }
        if let Some(failure) = self.gets_nowhere() {
            return self.end(Ending::Failed, Some(failure), ctx);
        }
        self.attempts = 0;
        self.compacted = false;
        self.ask(ctx)
    }

    /// Why the model is not asked again, if it is not.
    fn gets_nowhere(&self) -> Option<TurnFailure> {
        let most = self.instructions.max_rounds;
        let message = if self.failures.iter().any(|(_, count)| *count >= MOST_TRIES) {
            "the model makes the same failing call again and again".to_owned()
        } else if self.rounds >= most {
            format!("it went through {most} rounds of calls without coming to an end")
        } else {
            return None;
        };
        let hint = "say something to let it go on; chat.max_rounds is the limit".to_owned();
        Some(TurnFailure { kind: None, message, hint: Some(hint) })
    }

    /// What prepared or made the calls broke down: the turn ends, because nobody can tell which of
    /// them still will have a result.
    pub(super) fn acting_failed(&mut self, failure: Failure, ctx: &Context<'_>) -> Vec<Effect> {
        let message = format!("a tool, or what plans its calls, broke down: {}", failure.message);
        let hint = Some("moltis doctor".to_owned());
        self.end(Ending::Failed, Some(TurnFailure { kind: None, message, hint }), ctx)
    }

    /// What becomes of calls whose turn ends.
    pub(super) fn abandon(&mut self, ending: Ending) -> Vec<EventKind> {
        let Some(round) = self.round.take() else { return Vec::new() };
        let mut kinds = Vec::new();
        for mut doing in round.calls {
            let how = match ending {
                Ending::Interrupted => ToolEnding::Interrupted,
                _ => ToolEnding::Cancelled,
            };
            match std::mem::replace(&mut doing.stage, Stage::Finished) {
                Stage::Finished => {}
                Stage::Running { printed, .. } => {
                    let mut text = printed;
                    text.push_str("\n[stopped before it was done]");
                    let text = sanitize(text.trim_start()).into_owned();
                    kinds.push(doing.finish(how, vec![Part::Text(text)], true, None));
                }
                Stage::Asking { approval, .. } => {
                    kinds.push(EventKind::ApprovalAnswered {
                        approval,
                        allowed: false,
                        reach: Reach::Once,
                        reason: "the turn ended".to_owned(),
                    });
                    kinds.push(doing.finish_with(how, "not done: the turn was stopped"));
                }
                Stage::Wished | Stage::Allowed(_) => {
                    kinds.extend(doing.moot(false, "the turn ended"));
                    kinds.push(doing.finish_with(how, "not done: the turn was stopped"));
                }
            }
        }
        kinds
    }

    /// Whether the turn may be left as it is and go on after a restart.
    pub(super) fn waits_for_person(&self) -> bool {
        matches!(self.state, State::Choosing | State::Acting)
            && self.round.as_ref().is_some_and(Round::only_asks)
    }
}

/// How often this call failed.
fn count(failures: &[(u64, u32)], fingerprint: u64) -> u32 {
    failures.iter().find(|(known, _)| *known == fingerprint).map_or(0, |(_, count)| *count)
}

fn note(failures: &mut Vec<(u64, u32)>, fingerprint: u64) {
    match failures.iter_mut().find(|(known, _)| *known == fingerprint) {
        Some((_, count)) => *count += 1,
        None => failures.push((fingerprint, 1)),
    }
}

#[cfg(test)]
#[path = "acting_tests.rs"]
mod tests;

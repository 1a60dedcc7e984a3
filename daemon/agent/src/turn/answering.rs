//! The part of a turn that takes an answer: its pieces as they come, and what becomes of it at its end.

use moltis_core::event::{Answer, Ending, EventKind, Level, TurnFailure};
use moltis_core::message::{Part, text_of};
use moltis_core::provider::{Chunk, Failure, FailureKind};

use super::round::Round;
use super::{Call, Context, Effect, State, Turn, Wish};
use crate::answer::Taken;
use crate::prompt::Offer;

impl Turn {
    pub(super) fn chunk(&mut self, chunk: Chunk, ctx: &Context<'_>) -> Vec<Effect> {
        let Some(call) = &mut self.call else { return Vec::new() };
        match call.growing.take(chunk, ctx.at.saturating_sub(call.began)) {
            Taken::Silent => Vec::new(),
            Taken::Painted(..) if call.plan.is_some() => Vec::new(),
            Taken::Painted(strand, text) => {
                call.shown = true;
                let paint = Effect::Paint { item: call.item.clone(), strand, text };
                vec![paint]
            }
            Taken::Refused(why) => self.failed(Failure::new(FailureKind::Malformed, why), ctx),
        }
    }

    pub(super) fn stream_ended(
        &mut self,
        end: Result<(), Failure>,
        ctx: &Context<'_>,
    ) -> Vec<Effect> {
        let finished = self.call.as_ref().is_some_and(|call| call.growing.finish().is_some());
        match end {
            // An answer that said its last word is whole, whatever its connection does then.
            _ if finished => self.answered(ctx),
            Ok(()) => {
                let message = "the stream ended without its terminator";
                self.failed(Failure::new(FailureKind::Malformed, message), ctx)
            }
            Err(failure) => self.failed(failure, ctx),
        }
    }

    pub(super) fn answered(&mut self, ctx: &Context<'_>) -> Vec<Effect> {
        let report = Effect::Report { candidate: self.candidate, failure: None };
        let Some(mut call) = self.call.take() else { return Vec::new() };
        if let Some(plan) = call.plan.take() {
            return [report].into_iter().chain(self.summarized(&plan, &call, ctx)).collect();
        }
        let offer = self.offer();
        let mut used = ctx.conversation.call_ids();
        let (parts, wishes) = call.growing.answer(offer == Offer::Text, &mut used, ctx.fresh);
        let has_tools = offer != Offer::None;
        let parts = if has_tools { parts } else { call.growing.parts() };
        let mut kinds = vec![self.message(call, parts, ctx)];
        let mut failure = None;
        if !wishes.is_empty() && has_tools {
            self.round = Some(Round::new(wishes, &[], ctx.fresh));
            self.state = State::Saving;
            return vec![report, Effect::Append(kinds)];
        }
        if !wishes.is_empty() {
            let (says_something, kind) = no_tools(&kinds, &wishes, ctx);
            if !says_something && let EventKind::Notice { text, .. } = &kind {
                failure = Some(TurnFailure { kind: None, message: text.clone(), hint: None });
            }
            kinds.push(kind);
        }
        if failure.is_none() && ctx.conversation.has_joined() {
            self.compacted = false;
            self.state = State::Saving;
            return vec![report, Effect::Append(kinds)];
        }
        let ending = if failure.is_some() { Ending::Failed } else { Ending::Done };
        kinds.push(EventKind::TurnEnded { ending, failure, usage: self.usage });
        self.state = State::Ended;
        vec![report, Effect::Append(kinds), Effect::Finish]
    }

    /// The event of an answer, whole or not.
    pub(super) fn message(&mut self, call: Call, parts: Vec<Part>, ctx: &Context<'_>) -> EventKind {
        let usage = self.spend(call.growing.usage());
        let model = &self.candidates[self.candidate];
        let finish = call.growing.finish();
        let answer = Answer {
            model: model.id.clone(),
            usage,
            estimated: call.sent,
            finish,
            first_token: call.growing.first_token(),
            took: ctx.at.saturating_sub(call.began),
        };
        EventKind::AssistantMessage { item: call.item, parts, answer, partial: finish.is_none() }
    }
}

/// What a person is told of a model that calls what it was not offered, and whether the model said
/// anything beside.
fn no_tools(kinds: &[EventKind], wishes: &[Wish], ctx: &Context<'_>) -> (bool, EventKind) {
    let said = |kind: &EventKind| match kind {
        EventKind::AssistantMessage { parts, .. } => !text_of(parts).trim().is_empty(),
        _ => false,
    };
    let names: Vec<String> = wishes.iter().map(|wish| format!("`{}`", wish.tool)).collect();
    let text = format!("the model called {}, but it has no tools", names.join(", "));
    let notice = EventKind::Notice { item: (ctx.fresh)(), level: Level::Warning, text };
    (kinds.iter().any(said), notice)
}

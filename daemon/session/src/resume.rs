//! What a turn had done when the daemon went down, read from its events, so that it can go on.
//!
//! Only a turn that waits for a person goes on; any other is closed as interrupted.

use moltis_agent::turn::{Past, Resumed, Wish};
use moltis_core::assistant::Page;
use moltis_core::error::Result;
use moltis_core::event::{Event, EventKind, ToolEnding};
use moltis_core::id::{ApprovalId, CallId, ItemId, TurnId};
use moltis_core::message::Part;
use moltis_core::policy::Reach;

use crate::log::{Log, PAGE};

/// What a model is told of a call that was running when the daemon went down.
const UNKNOWN: &str = "the daemon stopped while this ran; whether it was done is not known";

impl Log {
    /// What a started turn had done.
    ///
    /// # Errors
    /// The journal's.
    pub(crate) async fn resumed(&self, turn: &TurnId) -> Result<Resumed> {
        let mut events = Vec::new();
        let mut seq = u64::MAX;
        'pages: loop {
            let page = self.journal.read(&self.session, Page::Before { seq, limit: PAGE }).await?;
            let Some(first) = page.first() else { break };
            seq = first.seq;
            for event in page.into_iter().rev().filter(|event| event.turn.as_ref() == Some(turn)) {
                let starts = matches!(event.kind, EventKind::TurnStarted { .. });
                events.push(event);
                if starts {
                    break 'pages;
                }
            }
        }
        events.reverse();
        Ok(fold(&events))
    }
}

/// The ends of the calls that were begun or asked about by a turn that does not go on, for this reason.
pub(crate) fn cut_off(resumed: Resumed, why: &str, fresh: &dyn Fn() -> ItemId) -> Vec<EventKind> {
    let Resumed { wishes, past, .. } = resumed;
    let mut kinds = Vec::new();
    for Wish { id: call, tool, .. } in wishes {
        let Some((_, known)) = past.iter().find(|(id, _)| *id == call) else { continue };
        let (item, ending, text) = match known {
            Past::Started(item) => (item.clone(), ToolEnding::Interrupted, UNKNOWN.to_owned()),
            Past::Asked(approval, _) => {
                kinds.push(EventKind::ApprovalAnswered {
                    approval: approval.clone(),
                    allowed: false,
                    reach: Reach::Once,
                    reason: why.to_owned(),
                });
                (fresh(), ToolEnding::Cancelled, format!("not done: {why}"))
            }
            Past::Allowed(_) | Past::Denied(_) => continue,
        };
        let (parts, sensitive, took) = (vec![Part::Text(text)], false, None);
        kinds.push(EventKind::ToolFinished { item, call, tool, ending, parts, sensitive, took });
    }
    kinds
}

/// Folds a turn's events, oldest first.
fn fold(events: &[Event]) -> Resumed {
    let mut resumed = Resumed::default();
    let mut asked: Vec<(ApprovalId, CallId, String)> = Vec::new();
    for event in events {
        match &event.kind {
            EventKind::AssistantMessage { parts, answer, .. } => {
                resumed.usage = resumed.usage.plus(answer.usage);
                resumed.rounds += u32::from(resumed.wishes.is_empty() && has_calls(parts));
                resumed.wishes = parts.iter().filter_map(wish).collect();
                resumed.past.clear();
                asked.clear();
            }
            EventKind::Compacted { usage, .. } => resumed.usage = resumed.usage.plus(*usage),
            EventKind::ToolStarted { call, item, tool, arguments, .. } => {
                // What the owner has run stands in no message.
                if !resumed.wishes.iter().any(|wish| wish.id == *call) {
                    let (id, tool, arguments) = (call.clone(), tool.clone(), arguments.clone());
                    resumed.wishes.push(Wish { id, tool, arguments });
                }
                resumed.past.retain(|(id, _)| id != call);
                resumed.past.push((call.clone(), Past::Started(item.clone())));
                resumed.calls += 1;
            }
            EventKind::ToolFinished { call, .. } => {
                resumed.wishes.retain(|wish| wish.id != *call);
                resumed.past.retain(|(id, _)| id != call);
            }
            EventKind::ApprovalAsked { approval, call, digest, .. } => {
                asked.push((approval.clone(), call.clone(), digest.clone()));
                let past = Past::Asked(approval.clone(), digest.clone());
                resumed.past.push((call.clone(), past));
            }
            EventKind::ApprovalAnswered { approval, allowed, reason, .. } => {
                let Some((_, call, digest)) = asked.iter().find(|(id, ..)| id == approval) else {
                    continue;
                };
                resumed.past.retain(|(id, _)| id != call);
                let past = match allowed {
                    true => Past::Allowed(digest.clone()),
                    false => Past::Denied(reason.clone()),
                };
                resumed.past.push((call.clone(), past));
            }
            _ => {}
        }
    }
    // The round that is going on is not over.
    resumed.rounds = resumed.rounds.saturating_sub(1);
    resumed
}

fn has_calls(parts: &[Part]) -> bool {
    parts.iter().any(|part| matches!(part, Part::ToolCall { .. }))
}

fn wish(part: &Part) -> Option<Wish> {
    match part {
        Part::ToolCall { id, name, arguments } => {
            Some(Wish { id: id.clone(), tool: name.clone(), arguments: arguments.clone() })
        }
        _ => None,
    }
}

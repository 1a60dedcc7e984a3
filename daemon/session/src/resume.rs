//! What a turn had done when the daemon went down, read from its events, so that it can go on.
//!
//! Only a turn that waits for a person goes on; any other is closed as interrupted.

use moltis_agent::turn::{Past, Resumed, Wish};
use moltis_core::assistant::Page;
use moltis_core::error::Result;
use moltis_core::event::{Event, EventKind, ToolEnding};
use moltis_core::id::{ApprovalId, CallId, TurnId};
use moltis_core::message::Part;

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

/// The ends of the calls that were begun by a turn that does not go on.
pub(crate) fn cut_off(resumed: Resumed) -> Vec<EventKind> {
    let Resumed { wishes, past, .. } = resumed;
    let end = |Wish { id: call, tool, .. }: Wish| {
        let item = past.iter().find_map(|(id, past)| match past {
            Past::Started(item) if *id == call => Some(item.clone()),
            _ => None,
        })?;
        let (ending, parts) = (ToolEnding::Interrupted, vec![Part::Text(UNKNOWN.to_owned())]);
        let (sensitive, took) = (false, None);
        Some(EventKind::ToolFinished { item, call, tool, ending, parts, sensitive, took })
    };
    wishes.into_iter().filter_map(end).collect()
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
            EventKind::ToolStarted { call, item, .. } => {
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

//! Pages of a session's history that fit into a message.

use std::collections::VecDeque;

use moltis_codec::event::event_to_wire;
use moltis_core::assistant::{Assistant, Page};
use moltis_core::{Result, SessionId};
use moltis_proto::v1;
use prost::Message as _;

/// Bytes of a page; only a single larger event makes it larger.
const HEAVIEST_PAGE: usize = 32 << 20;

/// Events that are asked for at first: pictures may make each of them large.
const FIRST_STEP: u32 = 64;

/// Below this weight of the first events the rest is asked for at once.
const LIGHT: usize = 1 << 20;

/// The events of a page, in order of seq; fewer when they are heavy. None means that there are
/// none.
pub(crate) async fn read(
    assistant: &dyn Assistant,
    session: &SessionId,
    page: Page,
) -> Result<Vec<v1::Event>> {
    let (mut at, limit, backward) = match page {
        Page::After { seq, limit } => (seq, limit, false),
        Page::Before { seq, limit } => (seq, limit, true),
    };
    let mut events = VecDeque::new();
    let (mut left, mut step, mut weight) = (limit, FIRST_STEP, 0);
    while left > 0 {
        let wanted = step.min(left);
        let part = match backward {
            true => Page::Before { seq: at, limit: wanted },
            false => Page::After { seq: at, limit: wanted },
        };
        let mut found = assistant.history(session, part).await?;
        let count = u32::try_from(found.len()).unwrap_or(u32::MAX);
        if backward {
            found.reverse();
        }
        for event in &found {
            let wire = event_to_wire(event);
            weight += wire.encoded_len();
            if weight > HEAVIEST_PAGE && !events.is_empty() {
                return Ok(events.into());
            }
            at = event.seq;
            if backward { events.push_front(wire) } else { events.push_back(wire) }
        }
        if count == 0 {
            break;
        }
        left = left.saturating_sub(count);
        if weight < LIGHT {
            step = limit;
        }
    }
    Ok(events.into())
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;

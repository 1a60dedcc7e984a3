//! What a model would be told with the next request, for a person to see.

use moltis_core::assistant::Window;
use moltis_core::id::SessionId;
use moltis_core::models::ModelInfo;

use crate::compact;
use crate::conversation::Conversation;
use crate::prompt::{self, Instructions, UNKNOWN_WINDOW};

/// Assembles that request and weighs it. What is going to be compacted first is shown as it is.
pub fn window(
    conversation: &Conversation,
    session: &SessionId,
    model: &ModelInfo,
    instructions: &Instructions,
) -> Window {
    let budget = prompt::budget(model, instructions);
    let due = compact::due(conversation, model, instructions, budget, 0).is_some();
    let budget = if due { u64::MAX } else { budget };
    let assembled = prompt::assemble(conversation, session, model, instructions, budget, 0);
    let size = model.context_window.unwrap_or(UNKNOWN_WINDOW);
    let system = prompt::system_tokens(model, instructions);
    Window {
        model: model.id.clone(),
        size,
        guessed: model.context_window.is_none(),
        fragments: assembled.fragments,
        left: size.saturating_sub(system).saturating_sub(assembled.tokens),
        compact_at: prompt::compact_above(model, instructions).map(|above| above + system),
        due,
        left_out: assembled.left_out,
    }
}

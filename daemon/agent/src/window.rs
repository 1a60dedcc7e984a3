//! What a model would be told with the next request, for a person to see.

use moltis_core::assistant::{Fragment, Window};
use moltis_core::id::SessionId;
use moltis_core::models::ModelInfo;

use crate::compact;
use crate::conversation::Conversation;
use crate::lazy;
use crate::prompt::{self, Instructions, UNKNOWN_WINDOW};
use crate::scale::Scale;

/// Assembles that request and weighs it. What is going to be compacted first is shown as it is.
pub fn window(
    conversation: &Conversation,
    session: &SessionId,
    model: &ModelInfo,
    instructions: &Instructions,
) -> Window {
    let instructions = &*lazy::offered(instructions, conversation);
    let counted = conversation.scale(&model.id);
    let scale = counted.unwrap_or(Scale::NONE);
    let budget = prompt::budget(model, instructions, scale);
    let due = compact::due(conversation, model, instructions, budget, 0).is_some();
    let budget = if due { u64::MAX } else { budget };
    let assembled = prompt::assemble(conversation, session, model, instructions, budget, 0);
    let size = model.context_window.unwrap_or(UNKNOWN_WINDOW);
    let system = prompt::system_tokens(model, instructions);
    let weigh = |one: Fragment| Fragment { tokens: scale.real(one.tokens), ..one };
    let fragments: Vec<Fragment> = assembled.fragments.into_iter().map(weigh).collect();
    let told: u64 = fragments.iter().map(|one| one.tokens).sum();
    let above = prompt::compact_above(model, instructions, scale);
    Window {
        model: model.id.clone(),
        size,
        guessed: model.context_window.is_none(),
        counted: counted.is_some(),
        fragments,
        left: size.saturating_sub(told),
        compact_at: above.map(|above| scale.real(above + system)),
        due,
        left_out: assembled.left_out,
    }
}

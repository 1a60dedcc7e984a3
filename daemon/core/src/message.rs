//! What is said: parts, messages, and what saying it cost.

use std::sync::Arc;

use crate::id::CallId;

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The person, or whoever stands in for them.
    User,
    /// The model.
    Assistant,
    /// A tool's answer to a call of the model.
    Tool,
}

/// A piece of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Plain text, Markdown by custom.
    Text(String),
    /// What a model thought before answering. `signature` is opaque and must be handed back
    /// unchanged to the vendor that made it.
    Reasoning {
        /// The thought, or a vendor's summary of it; may be empty when the vendor hides it.
        text: String,
        /// The vendor's opaque proof.
        signature: Option<String>,
    },
    /// A picture.
    Image {
        /// `image/png`, `image/jpeg`, `image/gif` or `image/webp`.
        media_type: String,
        /// The encoded file.
        data: Arc<[u8]>,
    },
    /// A call that the model made, complete.
    ToolCall {
        /// The provider's id of the call.
        id: CallId,
        /// The tool's name.
        name: String,
        /// The arguments: a JSON document as the model wrote it.
        arguments: String,
    },
    /// What a tool answered.
    ToolResult {
        /// The call that is answered.
        id: CallId,
        /// The answer's text.
        text: String,
        /// Whether the tool failed.
        failed: bool,
    },
}

impl Part {
    /// The text of a [`Part::Text`], nothing of other parts.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Reasoning { .. }
            | Self::Image { .. }
            | Self::ToolCall { .. }
            | Self::ToolResult { .. } => None,
        }
    }
}

/// The visible text of some parts, joined as it was written.
pub fn text_of(parts: &[Part]) -> String {
    parts.iter().filter_map(Part::as_text).collect()
}

/// One message of a conversation as a provider is told it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said, in order.
    pub parts: Vec<Part>,
}

/// What a message, a turn or a session used. Sums are taken field by field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Prompt tokens that were neither read from nor written to a cache.
    pub input_tokens: u64,
    /// Tokens that the model wrote, reasoning included.
    pub output_tokens: u64,
    /// Prompt tokens read from the vendor's cache.
    pub cache_read_tokens: u64,
    /// Prompt tokens written to the vendor's cache.
    pub cache_write_tokens: u64,
    /// Price in millionths of a US dollar; 0 where no price is known.
    pub cost_microusd: u64,
}

impl Usage {
    /// Every token that the model had before it when it answered.
    pub fn prompt_tokens(&self) -> u64 {
        self.input_tokens
            .saturating_add(self.cache_read_tokens)
            .saturating_add(self.cache_write_tokens)
    }

    /// The sum of two usages.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            input_tokens: self.input_tokens.saturating_add(other.input_tokens),
            output_tokens: self.output_tokens.saturating_add(other.output_tokens),
            cache_read_tokens: self.cache_read_tokens.saturating_add(other.cache_read_tokens),
            cache_write_tokens: self.cache_write_tokens.saturating_add(other.cache_write_tokens),
            cost_microusd: self.cost_microusd.saturating_add(other.cost_microusd),
        }
    }
}

//! What is said: parts, messages, and what saying it cost.

use std::sync::Arc;

use crate::error::{Code, Error, Result};
use crate::id::CallId;

/// Bytes of text that a person's message may have.
pub const MOST_TEXT: usize = 4 << 20;

/// Bytes of pictures that a person's message may have.
pub const MOST_PICTURES: usize = 20 << 20;

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

/// Whether a person may say this.
///
/// # Errors
/// `Invalid` when nothing is said, too much, or what only models and tools say.
pub fn check(parts: &[Part]) -> Result<()> {
    let invalid = |message: String| Err(Error::new(Code::Invalid, message));
    let (mut text, mut pictures, mut said) = (0, 0, false);
    for part in parts {
        match part {
            Part::Text(words) => {
                text += words.len();
                said |= !words.trim().is_empty();
            }
            Part::Image { data, .. } => {
                pictures += data.len();
                said |= !data.is_empty();
            }
            Part::Reasoning { .. } | Part::ToolCall { .. } | Part::ToolResult { .. } => {
                return invalid("a person's message has text and pictures only".to_owned());
            }
        }
    }
    if !said {
        return invalid("a message must not be empty".to_owned());
    }
    for (bytes, most, what) in [(text, MOST_TEXT, "text"), (pictures, MOST_PICTURES, "pictures")] {
        if bytes > most {
            let (bytes, most) = (bytes.div_ceil(1 << 20), most >> 20);
            return invalid(format!("a message has at most {most} MiB of {what}, not {bytes} MiB"));
        }
    }
    Ok(())
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

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;

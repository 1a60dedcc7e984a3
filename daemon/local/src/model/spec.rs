//! What a model's metadata say about its shape, checked before anything is allocated by it.

use crate::error::{Error, Result};
use crate::gguf::Gguf;

use super::kernel::Activation;
use super::rope::{Pairing, Rope};

const MAX_LAYERS: usize = 256;
const MAX_WIDTH: usize = 1 << 16;
const MAX_HEADS: usize = 1 << 10;
/// One layer in six of Gemma 3 sees everything.
const GEMMA3_PATTERN: usize = 6;
const GEMMA3_LOCAL_BASE: f32 = 10_000.0;
/// The 27B model scales its queries otherwise; it is the only one with so many layers.
const GEMMA3_27B_LAYERS: usize = 62;

/// The families of decoders that can be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// Llama, Mistral, SmolLM and their like.
    Llama,
    /// Qwen 2 and 2.5.
    Qwen2,
    /// Qwen 3.
    Qwen3,
    /// Gemma 3, text only.
    Gemma3,
}

impl Family {
    fn of(architecture: &str) -> Result<Self> {
        match architecture {
            "llama" => Ok(Self::Llama),
            "qwen2" => Ok(Self::Qwen2),
            "qwen3" => Ok(Self::Qwen3),
            "gemma3" => Ok(Self::Gemma3),
            other => Err(Error::unsupported(format!(
                "its architecture is `{other}`; `llama`, `qwen2`, `qwen3` and `gemma3` can be"
            ))),
        }
    }

    /// Whether queries and keys are normalized head by head.
    pub(crate) fn normalizes_heads(self) -> bool {
        matches!(self, Self::Qwen3 | Self::Gemma3)
    }

    /// Whether what attention and feed-forward give is normalized once more.
    pub(crate) fn normalizes_after(self) -> bool {
        self == Self::Gemma3
    }

    pub(crate) fn activation(self) -> Activation {
        match self {
            Self::Llama | Self::Qwen2 | Self::Qwen3 => Activation::Silu,
            Self::Gemma3 => Activation::GeluTanh,
        }
    }

    fn pairing(self) -> Pairing {
        match self {
            // The conversion to GGUF reorders Llama's rows for this.
            Self::Llama => Pairing::Neighbors,
            Self::Qwen2 | Self::Qwen3 | Self::Gemma3 => Pairing::Halves,
        }
    }
}

/// A model's shape.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub(crate) family: Family,
    /// Tokens that it was trained to hold.
    pub(crate) context: usize,
    pub(crate) layers: usize,
    pub(crate) width: usize,
    pub(crate) hidden: usize,
    pub(crate) vocabulary: usize,
    pub(crate) heads: usize,
    pub(crate) kv_heads: usize,
    pub(crate) head_width: usize,
    pub(crate) epsilon: f32,
    /// What the scores of attention are multiplied with.
    pub(crate) attention_scale: f32,
    /// What embeddings are multiplied with.
    pub(crate) embedding_scale: f32,
    /// The positions of layers that see everything.
    pub(crate) rope: Rope,
    /// How far the other layers see, and their positions.
    pub(crate) window: Option<(usize, Rope)>,
}

impl Spec {
    /// Reads and checks the shape.
    pub(crate) fn read(head: &Gguf) -> Result<Self> {
        let architecture = head.architecture()?;
        let family = Family::of(architecture)?;
        let keys = Keys { head, architecture };
        if keys.find("expert_count").is_some_and(|count| count > 0) {
            return Err(Error::unsupported("a mixture of experts"));
        }
        let width = keys.size("embedding_length", MAX_WIDTH)?;
        let heads = keys.size("attention.head_count", MAX_HEADS)?;
        let kv_heads = keys.size_or("attention.head_count_kv", heads, MAX_HEADS)?;
        let head_width = keys.size_or("attention.key_length", width / heads, MAX_WIDTH)?;
        if keys.size_or("attention.value_length", head_width, MAX_WIDTH)? != head_width {
            return Err(Error::unsupported("keys and values of different width"));
        }
        if heads % kv_heads != 0 || head_width % 2 != 0 {
            return Err(Error::malformed("its attention heads do not add up"));
        }
        let layers = keys.size("block_count", MAX_LAYERS)?;
        let vocabulary = head
            .tensor("token_embd.weight")
            .map(|tensor| tensor.rows)
            .ok_or_else(|| Error::malformed("the tensor `token_embd.weight` is missing"))?;
        let (rope, window) = positions(&keys, family, head_width)?;
        let queries = if family == Family::Gemma3 && layers == GEMMA3_27B_LAYERS {
            width / heads
        } else {
            head_width
        };
        Ok(Self {
            family,
            context: keys.size("context_length", usize::MAX)?,
            layers,
            width,
            hidden: keys.size("feed_forward_length", MAX_WIDTH * 4)?,
            vocabulary,
            heads,
            kv_heads,
            head_width,
            epsilon: keys.float("attention.layer_norm_rms_epsilon").unwrap_or(1e-6),
            attention_scale: 1.0 / (queries as f32).sqrt(),
            embedding_scale: if family == Family::Gemma3 { (width as f32).sqrt() } else { 1.0 },
            rope,
            window,
        })
    }

    /// How far a layer sees, if not everything, and its positions.
    pub(crate) fn sight(&self, layer: usize) -> (Option<usize>, &Rope) {
        match &self.window {
            Some((window, rope)) if !(layer + 1).is_multiple_of(GEMMA3_PATTERN) => {
                (Some(*window), rope)
            }
            _ => (None, &self.rope),
        }
    }

    /// Bytes of keys and values for one token.
    pub(crate) fn cache_bytes_per_token(&self) -> usize {
        2 * self.layers * self.kv_heads * self.head_width * size_of::<f32>()
    }
}

fn positions(
    keys: &Keys<'_>,
    family: Family,
    head_width: usize,
) -> Result<(Rope, Option<(usize, Rope)>)> {
    let turning = keys.size_or("rope.dimension_count", head_width, head_width)?;
    let base = keys.float("rope.freq_base");
    let default = if family == Family::Gemma3 { 1_000_000.0 } else { 10_000.0 };
    let stretch = match keys.text("rope.scaling.type") {
        None | Some("none") => 1.0,
        Some("linear") => keys.float("rope.scaling.factor").unwrap_or(1.0),
        Some(other) => return Err(Error::unsupported(format!("rope scaling `{other}`"))),
    };
    if !(stretch >= 1.0 && base.unwrap_or(default) > 1.0) {
        return Err(Error::malformed("its rope parameters make no sense"));
    }
    let rope = Rope::new(family.pairing(), turning, base.unwrap_or(default), stretch);
    if family != Family::Gemma3 {
        return Ok((rope, None));
    }
    let window = keys.find("attention.sliding_window").filter(|window| *window > 0);
    let local = Rope::new(family.pairing(), turning, GEMMA3_LOCAL_BASE, 1.0);
    Ok((rope, window.map(|window| (usize::try_from(window).unwrap_or(usize::MAX), local))))
}

/// Metadata below the architecture's name.
struct Keys<'a> {
    head: &'a Gguf,
    architecture: &'a str,
}

impl Keys<'_> {
    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.architecture)
    }

    fn find(&self, name: &str) -> Option<u64> {
        self.head.unsigned(&self.key(name))
    }

    fn float(&self, name: &str) -> Option<f32> {
        self.head.float(&self.key(name)).filter(|number| number.is_finite())
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.head.text(&self.key(name))
    }

    fn size(&self, name: &str, most: usize) -> Result<usize> {
        let key = self.key(name);
        let number = self
            .head
            .unsigned(&key)
            .ok_or_else(|| Error::malformed(format!("`{key}` is missing or no number")))?;
        match usize::try_from(number) {
            Ok(size) if (1..=most).contains(&size) => Ok(size),
            _ => Err(Error::malformed(format!("`{key}` is {number}"))),
        }
    }

    fn size_or(&self, name: &str, default: usize, most: usize) -> Result<usize> {
        match self.find(name) {
            Some(_) => self.size(name, most),
            None => Ok(default.max(1)),
        }
    }
}

//! A model's tokenizer, rebuilt from its file.

use std::fmt;

use super::bpe::{self, Bpe};
use super::special::{self, Piece, Specials};
use super::spm::{self, Spm};
use crate::error::{Error, Result};
use crate::gguf::{Gguf, Strings};

/// GGUF's numbers for kinds of tokens.
const CONTROL: f32 = 3.0;
const USER_DEFINED: f32 = 4.0;

/// Tokens by which the families end an answer. A file names one of them; models write others.
const ENDS: [&str; 9] = [
    "<|im_end|>",
    "<|endoftext|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end_of_text|>",
    "<end_of_turn>",
    "<eos>",
    "</s>",
    "<|end|>",
];

/// Tokens by which the families begin a turn and say whose it is. With those that end one they
/// steer the model, whatever kind a file gives them.
const BEGINNINGS: [&str; 16] = [
    "<|im_start|>",
    "<|begin_of_text|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<start_of_turn>",
    "<bos>",
    "<s>",
    "[INST]",
    "[/INST]",
    "[SYSTEM_PROMPT]",
    "[/SYSTEM_PROMPT]",
    "<|system|>",
    "<|user|>",
    "<|assistant|>",
    "<|tool|>",
    "<|im_sep|>",
];

enum Kind {
    Bpe(Box<Bpe>),
    Spm(Spm),
}

/// A vocabulary with the rules of cutting and joining.
pub(crate) struct Tokenizer {
    kind: Kind,
    specials: Specials,
    /// The bytes of each token; empty for control tokens.
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// Tokens that end an answer.
    stops: Vec<u32>,
    bos: Option<u32>,
    add_bos: bool,
    bos_text: String,
    eos_text: String,
}

impl Tokenizer {
    /// Rebuilds the tokenizer of a model.
    pub(crate) fn read(head: &Gguf) -> Result<Self> {
        let tokens = head
            .texts("tokenizer.ggml.tokens")
            .ok_or_else(|| Error::malformed("it has no vocabulary"))?;
        let kinds = head.numbers("tokenizer.ggml.token_type").unwrap_or_default();
        let bos = head.token("tokenizer.ggml.bos_token_id");
        let kind = match head.text("tokenizer.ggml.model") {
            Some("gpt2") => {
                let merges = head
                    .texts("tokenizer.ggml.merges")
                    .ok_or_else(|| Error::malformed("its vocabulary has no merges"))?;
                let words = head.text("tokenizer.ggml.pre").unwrap_or("default");
                Kind::Bpe(Box::new(Bpe::new(tokens, merges, words)?))
            }
            Some("llama") => {
                let scores = head.numbers("tokenizer.ggml.scores").unwrap_or_default();
                let unknown = head.token("tokenizer.ggml.unknown_token_id");
                let prefix = head.flag("tokenizer.ggml.add_space_prefix").unwrap_or(true);
                Kind::Spm(Spm::new(tokens, scores, unknown, prefix)?)
            }
            other => {
                return Err(Error::unsupported(format!(
                    "its tokenizer is `{}`; `gpt2` and `llama` can be used",
                    other.unwrap_or("missing")
                )));
            }
        };
        let text_of = |id: Option<u32>| id.and_then(|id| tokens.get(id as usize)).unwrap_or("");
        let eos = head.token("tokenizer.ggml.eos_token_id");
        let mut tokenizer = Self {
            add_bos: head
                .flag("tokenizer.ggml.add_bos_token")
                .unwrap_or(matches!(kind, Kind::Spm(_))),
            kind,
            specials: Specials::default(),
            bytes: Vec::new(),
            ends: Vec::new(),
            stops: Vec::new(),
            bos,
            bos_text: text_of(bos).to_owned(),
            eos_text: text_of(eos).to_owned(),
        };
        let steers = |token: &str, id| {
            let known = ENDS.contains(&token) || BEGINNINGS.contains(&token);
            // Some files name a word as their first or last token: that one stays a word.
            token.starts_with(['<', '[']) && (known || bos == Some(id) || eos == Some(id))
        };
        tokenizer.take_in(tokens, kinds, steers);
        let named = ["eos_token_id", "eot_token_id", "eom_token_id"];
        let named = named.iter().filter_map(|key| head.token(&format!("tokenizer.ggml.{key}")));
        let known = ENDS.iter().filter_map(|text| tokenizer.specials.find(text));
        tokenizer.stops = named.chain(known).collect();
        Ok(tokenizer)
    }

    fn take_in(&mut self, tokens: &Strings, kinds: &[f32], steers: impl Fn(&str, u32) -> bool) {
        let alphabet = bpe::alphabet();
        for (index, (id, token)) in (0..).zip(tokens.iter()).enumerate() {
            let kind = kinds.get(index).copied().unwrap_or_default();
            let kind = if steers(token, id) { CONTROL } else { kind };
            if kind == CONTROL || kind == USER_DEFINED {
                self.specials.add(token, id, kind == CONTROL);
            }
            if kind == USER_DEFINED {
                self.bytes.extend_from_slice(token.as_bytes());
            } else if kind != CONTROL {
                match &self.kind {
                    Kind::Bpe(_) => {
                        self.bytes.extend(token.chars().filter_map(|c| alphabet.get(&c)));
                    }
                    Kind::Spm(_) => match spm::byte_of(token) {
                        Some(byte) => self.bytes.push(byte),
                        None => {
                            self.bytes.extend_from_slice(token.replace(spm::SPACE, " ").as_bytes());
                        }
                    },
                }
            }
            self.ends.push(self.bytes.len());
        }
    }

    /// How many tokens there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The token at the beginning of every text, as text.
    pub(crate) fn bos_text(&self) -> &str {
        &self.bos_text
    }

    /// The token at the end of every text, as text.
    pub(crate) fn eos_text(&self) -> &str {
        &self.eos_text
    }

    /// Whether some text is one control token.
    pub(crate) fn has(&self, token: &str) -> bool {
        self.specials.find(token).is_some()
    }

    /// Makes a person's words safe to put into a template.
    pub(crate) fn armor(&self, text: &str) -> String {
        self.specials.armor(text)
    }

    /// Cuts a rendered template into tokens.
    pub(crate) fn encode(&self, rendered: &str) -> Result<Vec<u32>> {
        let mut tokens = Vec::new();
        for piece in self.specials.split(rendered) {
            match piece {
                Piece::Token(id) => tokens.push(id),
                Piece::Text(text) => {
                    let text = special::disarm(text);
                    match &self.kind {
                        Kind::Bpe(bpe) => bpe.encode(&text, &mut tokens)?,
                        Kind::Spm(spm) => spm.encode(&text, &mut tokens),
                    }
                }
            }
        }
        if let Some(bos) = self.bos.filter(|_| self.add_bos)
            && tokens.first() != Some(&bos)
        {
            tokens.insert(0, bos);
        }
        Ok(tokens)
    }

    /// Whether a token ends the answer.
    pub(crate) fn stops(&self, id: u32) -> bool {
        self.stops.contains(&id)
    }

    /// The bytes that a token adds to the text; none for control tokens.
    pub(crate) fn bytes(&self, id: u32) -> &[u8] {
        let index = id as usize;
        let start = index.checked_sub(1).and_then(|before| self.ends.get(before)).copied();
        match self.ends.get(index) {
            Some(end) => &self.bytes[start.unwrap_or(0)..*end],
            None => &[],
        }
    }
}

impl fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokenizer").field("tokens", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "tokenizer_tests.rs"]
mod tests;

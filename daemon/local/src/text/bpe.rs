//! Byte-level byte-pair encoding, as GPT-2, Llama 3, Qwen and SmolLM use it.

use std::collections::HashMap;

use tokenizers::models::bpe::BPE;
use tokenizers::normalizers::unicode::NFC;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{NormalizerWrapper, PreTokenizerWrapper, SplitDelimiterBehavior};

use crate::error::{Error, Result};
use crate::gguf::Strings;

/// How text is cut into words before bytes are joined; `{1,3}` is what differs between families.
const LLAMA3_WORDS: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN2_WORDS: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// A byte-level vocabulary with its merges.
pub(crate) struct Bpe {
    inner: tokenizers::Tokenizer,
}

impl Bpe {
    /// A vocabulary. `words` is GGUF's name for how text is cut into words.
    pub(crate) fn new(tokens: &Strings, merges: &Strings, words: &str) -> Result<Self> {
        let vocabulary =
            (0..).zip(tokens.iter()).map(|(id, token)| (token.to_owned(), id)).collect();
        let merges = merges
            .iter()
            .map(|merge| {
                // A token may begin with a space only as `Ġ`, so the first space parts the halves.
                merge
                    .split_once(' ')
                    .map(|(left, right)| (left.to_owned(), right.to_owned()))
                    .ok_or_else(|| Error::malformed("a merge of its tokenizer has no two halves"))
            })
            .collect::<Result<Vec<_>>>()?;
        let bpe = BPE::builder()
            .vocab_and_merges::<tokenizers::models::bpe::Vocab>(vocabulary, merges)
            .ignore_merges(words.starts_with("llama"))
            .build()
            .map_err(|error| Error::Malformed(format!("its tokenizer: {error}")))?;
        let mut inner = tokenizers::Tokenizer::new(bpe);
        inner.with_pre_tokenizer(Some(cutter(words)?));
        if words.starts_with("qwen") {
            let nfc = NormalizerWrapper::NFC(NFC);
            inner.with_normalizer(Some(nfc)).map_err(failed)?;
        }
        Ok(Self { inner })
    }

    /// Cuts text into tokens.
    pub(crate) fn encode(&self, text: &str, out: &mut Vec<u32>) -> Result<()> {
        let encoding = self.inner.encode(text, false).map_err(failed)?;
        out.extend_from_slice(encoding.get_ids());
        Ok(())
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for use with map_err")]
fn failed(error: tokenizers::Error) -> Error {
    Error::Tokenizer(error.to_string())
}

fn cutter(words: &str) -> Result<PreTokenizerWrapper> {
    let bytes = |words| PreTokenizerWrapper::ByteLevel(ByteLevel::new(false, false, words));
    let split = |pattern: &str| {
        let pattern = SplitPattern::Regex(pattern.to_owned());
        Split::new(pattern, SplitDelimiterBehavior::Isolated, false)
            .map(PreTokenizerWrapper::Split)
            .map_err(failed)
    };
    let all = |parts| Ok(PreTokenizerWrapper::Sequence(Sequence::new(parts)));
    match words {
        "default" | "gpt-2" => Ok(bytes(true)),
        "smollm" => all(vec![PreTokenizerWrapper::Digits(Digits::new(true)), bytes(true)]),
        "qwen2" | "deepseek-r1-qwen" => all(vec![split(QWEN2_WORDS)?, bytes(false)]),
        "llama-bpe" | "llama3" | "llama-v3" | "smaug-bpe" => {
            all(vec![split(LLAMA3_WORDS)?, bytes(false)])
        }
        other => Err(Error::unsupported(format!("its tokenizer cuts words as `{other}`"))),
    }
}

/// The characters by which byte-level vocabularies write bytes.
pub(crate) fn alphabet() -> HashMap<char, u8> {
    let mut next = 256;
    (0..=255_u8)
        .map(|byte| match byte {
            b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF => (char::from(byte), byte),
            _ => {
                let stand_in = char::from_u32(next).unwrap_or_default();
                next += 1;
                (stand_in, byte)
            }
        })
        .collect()
}

impl std::fmt::Debug for Bpe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bpe").finish_non_exhaustive()
    }
}

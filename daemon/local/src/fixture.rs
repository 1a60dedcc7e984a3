//! Tiny models that tests write themselves: two layers of random weights.

use std::fs::File;
use std::path::Path;

use candle_core::quantized::gguf_file::{self, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};

/// A GGUF file in the making.
pub(crate) struct Fixture {
    pub(crate) metadata: Vec<(String, Value)>,
    pub(crate) tensors: Vec<(String, QTensor)>,
    seed: u64,
}

const WIDTH: usize = 64;
const HIDDEN: usize = 96;
const HEADS: usize = 4;
const KV_HEADS: usize = 2;
/// Not `WIDTH / HEADS`, so that no code can mistake one for the other.
const HEAD: usize = 32;
const LAYERS: usize = 7;

pub(crate) const CHATML: &str = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}\
<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

impl Fixture {
    /// A model of an architecture with a vocabulary that fits it.
    pub(crate) fn new(architecture: &str) -> Self {
        let mut fixture = Self { metadata: Vec::new(), tensors: Vec::new(), seed: 7 };
        fixture.set("general.architecture", Value::String(architecture.to_owned()));
        fixture.set("general.name", Value::String("Tiny".to_owned()));
        let vocabulary = match architecture {
            "gemma3" => fixture.spm(),
            _ => fixture.bpe(),
        };
        for (key, value) in [
            ("context_length", 256),
            ("embedding_length", WIDTH),
            ("feed_forward_length", HIDDEN),
            ("block_count", LAYERS),
            ("attention.head_count", HEADS),
            ("attention.head_count_kv", KV_HEADS),
            ("attention.key_length", HEAD),
            ("attention.value_length", HEAD),
        ] {
            let value = Value::U32(u32::try_from(value).unwrap());
            fixture.set(&format!("{architecture}.{key}"), value);
        }
        fixture.set(&format!("{architecture}.attention.layer_norm_rms_epsilon"), Value::F32(1e-5));
        if architecture == "gemma3" {
            fixture.set("gemma3.attention.sliding_window", Value::U32(12));
        }
        fixture.weights(architecture, vocabulary);
        fixture
    }

    pub(crate) fn set(&mut self, key: &str, value: Value) {
        self.metadata.retain(|(known, _)| known != key);
        self.metadata.push((key.to_owned(), value));
    }

    pub(crate) fn write(&self, path: &Path) {
        let metadata: Vec<_> = self.metadata.iter().map(|(k, v)| (k.as_str(), v)).collect();
        let tensors: Vec<_> = self.tensors.iter().map(|(k, t)| (k.as_str(), t)).collect();
        gguf_file::write(&mut File::create(path).unwrap(), &metadata, &tensors).unwrap();
    }

    fn strings(&mut self, key: &str, values: &[String]) {
        let values = values.iter().cloned().map(Value::String).collect();
        self.set(key, Value::Array(values));
    }

    /// All bytes, two merges, and ChatML's control tokens.
    fn bpe(&mut self) -> usize {
        let alphabet = crate::text::bpe::alphabet();
        let mut bytes: Vec<(u8, char)> = alphabet.iter().map(|(c, b)| (*b, *c)).collect();
        bytes.sort_unstable();
        let mut tokens: Vec<String> = bytes.iter().map(|(_, c)| c.to_string()).collect();
        tokens.extend(["he", "ll", "hell", "hello", "Ġhello"].map(str::to_owned));
        let plain = tokens.len();
        tokens.extend(["<|endoftext|>", "<|im_start|>", "<|im_end|>"].map(str::to_owned));
        let kinds =
            (0..tokens.len()).map(|id| Value::I32(if id < plain { 1 } else { 3 })).collect();
        self.set("tokenizer.ggml.model", Value::String("gpt2".to_owned()));
        self.set("tokenizer.ggml.pre", Value::String("smollm".to_owned()));
        self.strings("tokenizer.ggml.tokens", &tokens);
        self.set("tokenizer.ggml.token_type", Value::Array(kinds));
        let merges = ["h e", "l l", "he ll", "hell o", "Ġ hello"].map(str::to_owned);
        self.strings("tokenizer.ggml.merges", &merges);
        self.set("tokenizer.ggml.eos_token_id", Value::U32(u32::try_from(plain + 2).unwrap()));
        self.set("tokenizer.chat_template", Value::String(CHATML.to_owned()));
        tokens.len()
    }

    /// SentencePiece's bytes, some words, and Gemma's control tokens.
    fn spm(&mut self) -> usize {
        let mut tokens = vec![("<pad>".to_owned(), 3, 0.0), ("<eos>".to_owned(), 3, 0.0)];
        tokens.push(("<bos>".to_owned(), 3, 0.0));
        tokens.push(("<unk>".to_owned(), 2, 0.0));
        tokens.push(("<start_of_turn>".to_owned(), 3, 0.0));
        tokens.push(("<end_of_turn>".to_owned(), 3, 0.0));
        tokens.push(("\n\n".to_owned(), 4, 0.0));
        tokens.extend((0..256).map(|byte| (format!("<0x{byte:02X}>"), 6, 0.0)));
        let pieces =
            ["▁", "h", "e", "l", "o", "he", "ll", "hell", "hello", "▁hello", "u", "s", "r"];
        tokens.extend((0_u8..).zip(pieces).map(|(rank, p)| (p.to_owned(), 1, -f32::from(rank))));
        let texts: Vec<String> = tokens.iter().map(|(text, ..)| text.clone()).collect();
        self.set("tokenizer.ggml.model", Value::String("llama".to_owned()));
        self.strings("tokenizer.ggml.tokens", &texts);
        let kinds = tokens.iter().map(|(_, kind, _)| Value::I32(*kind)).collect();
        self.set("tokenizer.ggml.token_type", Value::Array(kinds));
        let scores = tokens.iter().map(|(.., score)| Value::F32(*score)).collect();
        self.set("tokenizer.ggml.scores", Value::Array(scores));
        self.set("tokenizer.ggml.add_space_prefix", Value::Bool(false));
        for (key, id) in [("bos", 2), ("eos", 1), ("unknown", 3)] {
            self.set(&format!("tokenizer.ggml.{key}_token_id"), Value::U32(id));
        }
        tokens.len()
    }

    fn weights(&mut self, architecture: &str, vocabulary: usize) {
        self.matrix("token_embd.weight", vocabulary, WIDTH, GgmlDType::F32);
        self.norm("output_norm.weight", WIDTH);
        for layer in 0..LAYERS {
            let name = |part: &str| format!("blk.{layer}.{part}");
            self.norm(&name("attn_norm.weight"), WIDTH);
            self.norm(&name("ffn_norm.weight"), WIDTH);
            self.matrix(&name("attn_q.weight"), HEADS * HEAD, WIDTH, GgmlDType::Q8_0);
            self.matrix(&name("attn_k.weight"), KV_HEADS * HEAD, WIDTH, GgmlDType::F16);
            self.matrix(&name("attn_v.weight"), KV_HEADS * HEAD, WIDTH, GgmlDType::Q4_1);
            self.matrix(&name("attn_output.weight"), WIDTH, HEADS * HEAD, GgmlDType::Q5_0);
            self.matrix(&name("ffn_gate.weight"), HIDDEN, WIDTH, GgmlDType::BF16);
            self.matrix(&name("ffn_up.weight"), HIDDEN, WIDTH, GgmlDType::Q4_0);
            self.matrix(&name("ffn_down.weight"), WIDTH, HIDDEN, GgmlDType::F32);
            if architecture == "qwen2" {
                self.norm(&name("attn_q.bias"), HEADS * HEAD);
                self.norm(&name("attn_k.bias"), KV_HEADS * HEAD);
                self.norm(&name("attn_v.bias"), KV_HEADS * HEAD);
            }
            if matches!(architecture, "qwen3" | "gemma3") {
                self.norm(&name("attn_q_norm.weight"), HEAD);
                self.norm(&name("attn_k_norm.weight"), HEAD);
            }
            if architecture == "gemma3" {
                self.norm(&name("post_attention_norm.weight"), WIDTH);
                self.norm(&name("post_ffw_norm.weight"), WIDTH);
            }
        }
    }

    fn matrix(&mut self, name: &str, rows: usize, cols: usize, dtype: GgmlDType) {
        let numbers: Vec<f32> = (0..rows * cols).map(|_| self.number() * 0.4).collect();
        let tensor = Tensor::from_vec(numbers, (rows, cols), &Device::Cpu).unwrap();
        self.tensors.push((name.to_owned(), QTensor::quantize(&tensor, dtype).unwrap()));
    }

    fn norm(&mut self, name: &str, length: usize) {
        let numbers: Vec<f32> = (0..length).map(|_| 1.0 + self.number() * 0.2).collect();
        let tensor = Tensor::from_vec(numbers, length, &Device::Cpu).unwrap();
        self.tensors.push((name.to_owned(), QTensor::quantize(&tensor, GgmlDType::F32).unwrap()));
    }

    /// From -1 to 1.
    fn number(&mut self) -> f32 {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.seed >> 40) as f32 / (1_u32 << 23) as f32 - 1.0
    }
}

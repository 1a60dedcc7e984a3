use candle_core::quantized::gguf_file::Value;
use proptest::prelude::*;

use super::*;
use crate::fixture::Fixture;
use crate::gguf::Tensors;

fn tokenizer(fixture: &Fixture) -> Result<Tokenizer> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tiny.gguf");
    fixture.write(&path);
    Tokenizer::read(Tensors::open(&path).unwrap().head())
}

fn text(tokenizer: &Tokenizer, tokens: &[u32]) -> String {
    let bytes: Vec<u8> = tokens.iter().flat_map(|id| tokenizer.bytes(*id).to_vec()).collect();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn words_are_joined_by_the_merges() {
    let tokenizer = tokenizer(&Fixture::new("llama")).unwrap();
    assert_eq!(tokenizer.encode("hello hello").unwrap(), [259, 260]);
    // Digits stand alone in SmolLM's way of cutting.
    assert_eq!(tokenizer.encode("12").unwrap().len(), 2);
}

#[test]
fn control_tokens_of_the_template_are_tokens_and_those_of_people_are_text() {
    let tokenizer = tokenizer(&Fixture::new("llama")).unwrap();
    let marks = tokenizer.encode("<|im_start|>hello<|im_end|>").unwrap();
    assert_eq!(marks, [262, 259, 263]);
    assert!(tokenizer.stops(263) && !tokenizer.stops(262));
    let said = tokenizer.encode(&tokenizer.armor("<|im_end|>")).unwrap();
    assert!(said.iter().all(|id| *id < 261), "{said:?}");
    assert_eq!(text(&tokenizer, &said), "<|im_end|>");
    assert_eq!(tokenizer.bytes(263), b"");
}

#[test]
fn what_steers_a_model_is_a_control_token_whatever_the_file_calls_it() {
    for kind in [1, 4] {
        let mut fixture = Fixture::new("llama");
        let kinds = (0..264).map(|id| Value::I32(if id < 261 { 1 } else { kind })).collect();
        fixture.set("tokenizer.ggml.token_type", Value::Array(kinds));
        let tokenizer = tokenizer(&fixture).unwrap();
        for mark in ["<|im_start|>", "<|im_end|>", "<|endoftext|>"] {
            let said = tokenizer.encode(&tokenizer.armor(mark)).unwrap();
            assert!(said.iter().all(|id| *id < 261), "{mark} {said:?}");
            assert!(tokenizer.encode(mark).unwrap()[0] >= 261);
        }
        assert_eq!(tokenizer.bytes(263), b"");
    }
}

#[test]
fn sentencepiece_begins_with_its_first_token_once() {
    let tokenizer = tokenizer(&Fixture::new("gemma3")).unwrap();
    let once = tokenizer.encode("hello").unwrap();
    assert_eq!(once.first(), Some(&2));
    assert_eq!(tokenizer.encode("<bos>hello").unwrap(), once);
    assert_eq!(text(&tokenizer, &once), "hello");
}

#[test]
fn every_way_of_cutting_words_can_be_used() {
    for words in ["default", "gpt-2", "smollm", "qwen2", "llama-bpe"] {
        let mut fixture = Fixture::new("llama");
        fixture.set("tokenizer.ggml.pre", Value::String(words.to_owned()));
        let tokenizer = tokenizer(&fixture).unwrap();
        let said = "It's 12345 hello… ÄÖ\r\n\n  done ";
        assert_eq!(text(&tokenizer, &tokenizer.encode(said).unwrap()), said, "{words}");
    }
}

#[test]
fn tokenizers_that_are_not_known_are_named() {
    let refusal = |key: &str, value: &str| {
        let mut fixture = Fixture::new("llama");
        fixture.set(key, Value::String(value.to_owned()));
        tokenizer(&fixture).unwrap_err().to_string()
    };
    expect_test::expect![[r#"
        this model can't be run here: its tokenizer is `rwkv`; `gpt2` and `llama` can be used
        this model can't be run here: its tokenizer cuts words as `tekken`"#]]
    .assert_eq(&format!(
        "{}\n{}",
        refusal("tokenizer.ggml.model", "rwkv"),
        refusal("tokenizer.ggml.pre", "tekken")
    ));
}

thread_local! {
    static BOTH: [Tokenizer; 2] =
        ["llama", "gemma3"].map(|name| tokenizer(&Fixture::new(name)).unwrap());
}

proptest! {
    #[test]
    fn any_text_comes_back_from_its_tokens(said in "(\\PC|\n|hello| ){0,40}") {
        let said = said.replace(['\u{E0F0}', '▁'], "");
        BOTH.with(|both| {
            for tokenizer in both {
                let tokens = tokenizer.encode(&tokenizer.armor(&said)).unwrap();
                assert_eq!(text(tokenizer, &tokens), said);
            }
        });
    }
}

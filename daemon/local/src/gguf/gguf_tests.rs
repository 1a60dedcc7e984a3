use std::io::Cursor;

use proptest::prelude::*;

use super::*;
use crate::fixture::Fixture;

fn file(architecture: &str) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tiny.gguf");
    Fixture::new(architecture).write(&path);
    std::fs::read(path).unwrap()
}

fn read(bytes: &[u8]) -> Result<Gguf> {
    Gguf::read(Cursor::new(bytes), bytes.len() as u64)
}

#[test]
fn a_head_is_read_as_it_was_written() {
    let head = read(&file("llama")).unwrap();
    assert_eq!(head.architecture().unwrap(), "llama");
    assert_eq!(head.unsigned("llama.block_count"), Some(7));
    assert_eq!(head.float("llama.attention.layer_norm_rms_epsilon"), Some(1e-5));
    let tokens = head.texts("tokenizer.ggml.tokens").unwrap();
    assert_eq!(tokens.len(), 264);
    assert_eq!(tokens.get(260), Some("Ġhello"));
    assert_eq!(tokens.get(264), None);
    let tensor = head.tensor("blk.0.attn_v.weight").unwrap();
    assert_eq!((tensor.dtype, tensor.rows, tensor.cols), (GgmlDType::Q4_1, 64, 64));
}

#[test]
fn a_file_that_was_cut_off_is_an_error() {
    let whole = file("llama");
    for length in (0..whole.len()).step_by(97) {
        assert!(read(&whole[..length]).is_err(), "cut at {length}");
    }
}

/// A head with these counts and then nothing.
fn counts(tensors: u64, entries: u64) -> Vec<u8> {
    let mut bytes = b"GGUF\x03\0\0\0".to_vec();
    bytes.extend(tensors.to_le_bytes());
    bytes.extend(entries.to_le_bytes());
    bytes
}

#[test]
fn lies_about_counts_are_refused_before_anything_is_allocated() {
    let mut array = counts(0, 1);
    array.extend(1_u64.to_le_bytes());
    array.extend(b"k");
    array.extend(9_u32.to_le_bytes());
    array.extend(0_u32.to_le_bytes());
    array.extend(u64::MAX.to_le_bytes());
    let mut string = counts(0, 1);
    string.extend((1_u64 << 40).to_le_bytes());
    string.extend([0; 8]);
    let said = [counts(u64::MAX, 0), counts(1 << 30, 0), counts(0, u64::MAX), array, string]
        .map(|bytes| read(&bytes).unwrap_err().to_string());
    expect_test::expect![[r#"
        the GGUF file is malformed: it claims to have 18446744073709551615 tensors
        the GGUF file is malformed: it claims to have 1073741824 tensors
        the GGUF file is malformed: it claims to have 18446744073709551615 metadata entries
        the GGUF file is malformed: it claims to have 18446744073709551615 elements in an array
        the GGUF file is malformed: it claims to have 1099511627776 characters in a string"#]]
    .assert_eq(&said.join("\n"));
}

#[test]
fn other_files_are_told_apart() {
    let said = [&b"PK\x03\x04 and so on"[..], b"GGUF\x01\0\0\0", b"GGUF\0\0\0\x03", b"<html>"]
        .map(|bytes| read(bytes).unwrap_err().to_string());
    expect_test::expect![[r#"
        the GGUF file is malformed: it does not begin with `GGUF`
        this model can't be run here: GGUF version 1, only 2 and 3 are
        this model can't be run here: GGUF version 50331648, only 2 and 3 are
        the GGUF file is malformed: it does not begin with `GGUF`"#]]
    .assert_eq(&said.join("\n"));
}

proptest! {
    #[test]
    fn any_bytes_give_a_head_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut file = b"GGUF\x03\0\0\0".to_vec();
        file.extend(bytes);
        drop(read(&file));
    }

    #[test]
    fn a_file_with_some_bytes_changed_never_panics(
        changes in prop::collection::vec((0..12_000_usize, any::<u8>()), 1..6),
    ) {
        let mut bytes = HEAD.with(Clone::clone);
        for (place, byte) in changes {
            let place = place % bytes.len();
            bytes[place] = byte;
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("changed.gguf");
        std::fs::write(&path, &bytes).unwrap();
        if let Ok(tensors) = Tensors::open(&path) {
            drop(crate::text::Tokenizer::read(tensors.head()));
            drop(crate::model::Spec::read(tensors.head()));
        }
    }
}

thread_local! {
    static HEAD: Vec<u8> = file("gemma3");
}

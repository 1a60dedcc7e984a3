use proptest::prelude::*;

use super::Decoder;

fn lines(pieces: &[&[u8]]) -> Vec<String> {
    let mut decoder = Decoder::default();
    let mut found = Vec::new();
    for piece in pieces {
        decoder.push(piece, |line| found.push(line)).unwrap();
    }
    decoder.finish(|line| found.push(line));
    found
}

#[test]
fn lines_end_with_a_feed_or_the_stream() {
    assert_eq!(lines(&[b"{\"a\":1}\r\n\n{\"b\"", b":2}\n{}"]), ["{\"a\":1}", "{\"b\":2}", "{}"]);
}

#[test]
fn a_line_beyond_the_bound_is_refused() {
    let mut decoder = Decoder::new(4);
    assert!(decoder.push(b"1234\n", |_| {}).is_ok());
    assert_eq!(decoder.push(b"12345", |_| {}).unwrap_err().limit, 4);
}

proptest! {
    #[test]
    fn cuts_make_no_difference(bytes in "[a\r\n{}é]{0,60}", at in 0_usize..80) {
        let bytes = bytes.as_bytes();
        let (head, tail) = bytes.split_at(at.min(bytes.len()));
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        prop_assert_eq!(lines(&[bytes]), lines(&[head, tail]));
        prop_assert_eq!(lines(&[bytes]), lines(&single));
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        lines(&[&bytes]);
    }
}

//! Any bytes, cut anywhere, give the same lines.
#![no_main]

use libfuzzer_sys::fuzz_target;
use moltis_net::ndjson::Decoder;

fn decode(pieces: &[&[u8]]) -> Option<Vec<String>> {
    let mut decoder = Decoder::new(1 << 16);
    let mut lines = Vec::new();
    for piece in pieces {
        decoder.push(piece, |line| lines.push(line)).ok()?;
    }
    decoder.finish(|line| lines.push(line));
    Some(lines)
}

fuzz_target!(|input: (usize, Vec<u8>)| {
    let (place, bytes) = input;
    let (head, tail) = bytes.split_at(place.min(bytes.len()));
    let (whole, cut) = (decode(&[&bytes]), decode(&[head, tail]));
    if let (Some(whole), Some(cut)) = (whole, cut) {
        assert_eq!(whole, cut);
    }
});

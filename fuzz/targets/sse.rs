//! Any bytes, cut anywhere, give the same events, and never more than the limit allows.
#![no_main]

use libfuzzer_sys::fuzz_target;
use moltis_net::sse::Decoder;

fn decode(pieces: &[&[u8]]) -> Option<Vec<String>> {
    let mut decoder = Decoder::new(1 << 16);
    let mut events = Vec::new();
    for piece in pieces {
        decoder.push(piece, |event| events.push(format!("{event:?}"))).ok()?;
    }
    Some(events)
}

fuzz_target!(|input: (usize, Vec<u8>)| {
    let (place, bytes) = input;
    let (head, tail) = bytes.split_at(place.min(bytes.len()));
    let (whole, cut) = (decode(&[&bytes]), decode(&[head, tail]));
    if let (Some(whole), Some(cut)) = (whole, cut) {
        assert_eq!(whole, cut);
    }
});

//! Any text, cut anywhere, is redacted the same, and no secret is left in it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use moltis_agent::redact::Redactor;

const SECRETS: [(&str, &str); 3] =
    [("A", "sk-7Qx2/Vb9+Lm4"), ("B", "p&ss \"w\\rd\"/\u{fc}\u{20ac}"), ("C", "eight888")];

fuzz_target!(|input: (Vec<usize>, Vec<Result<u8, String>>)| {
    let (places, pieces) = input;
    let mut text = String::new();
    for piece in &pieces {
        match piece {
            // A secret or the beginning of one, so that it need not be guessed.
            Ok(which) => {
                let (_, secret) = SECRETS[usize::from(which % 3)];
                let length = secret.floor_char_boundary(usize::from(which / 3).min(secret.len()));
                text.push_str(&secret[..length]);
            }
            Err(piece) => text.push_str(piece),
        }
    }
    let redactor = Redactor::new(SECRETS.into_iter());
    let whole = redactor.redact(&text);
    for (_, secret) in SECRETS {
        assert!(!whole.contains(secret));
    }
    let (mut stream, mut joined, mut from) = (redactor.stream(), String::new(), 0);
    for place in places {
        let place = text.ceil_char_boundary(from + place % (text.len() - from + 1));
        joined.push_str(&stream.push(&text[from..place]));
        from = place;
    }
    joined.push_str(&stream.push(&text[from..]));
    joined.push_str(&stream.finish());
    assert_eq!(joined, whole);
});

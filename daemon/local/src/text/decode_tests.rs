use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn text_cut_anywhere_comes_out_whole(text in "\\PC{0,40}", cuts in prop::collection::vec(1..5_usize, 1..20)) {
        let mut decoder = Decoder::default();
        let mut out = String::new();
        let mut rest = text.as_bytes();
        for length in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, more) = rest.split_at((*length).min(rest.len()));
            let said = decoder.push(piece);
            prop_assert!(!said.contains(char::REPLACEMENT_CHARACTER) || text.contains(char::REPLACEMENT_CHARACTER));
            out.push_str(&said);
            rest = more;
        }
        out.push_str(&decoder.finish());
        prop_assert_eq!(out, text);
    }

    #[test]
    fn any_bytes_give_what_the_whole_would(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        let mut decoder = Decoder::default();
        let mut out: String = bytes.iter().map(|byte| decoder.push(&[*byte])).collect();
        out.push_str(&decoder.finish());
        prop_assert_eq!(out, String::from_utf8_lossy(&bytes));
    }
}

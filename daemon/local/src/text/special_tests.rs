use proptest::prelude::*;

use super::*;

fn specials() -> Specials {
    let mut specials = Specials::default();
    specials.add("<|im_end|>", 1, true);
    specials.add("<|im_end|>!", 2, true);
    specials.add("\n\n", 3, false);
    specials
}

#[test]
fn the_longest_token_wins() {
    let pieces = specials().split("é<|im_end|>!<|im_end|>\n\nx");
    assert_eq!(
        pieces,
        [Piece::Text("é"), Piece::Token(2), Piece::Token(1), Piece::Token(3), Piece::Text("x")]
    );
}

#[test]
fn what_a_person_writes_is_never_a_control_token() {
    let specials = specials();
    let armored = specials.armor("a<|im_end|>\n\nb");
    let pieces = specials.split(&armored);
    // Tokens that steer nothing are found all the same.
    assert_eq!(pieces.iter().filter(|piece| matches!(piece, Piece::Token(_))).count(), 1);
    assert!(pieces.contains(&Piece::Token(3)));
    assert_eq!(disarm(&armored), "a<|im_end|>\n\nb");
}

proptest! {
    #[test]
    fn armor_holds_against_any_text(parts in prop::collection::vec(
        prop::sample::select(vec!["<", "|im_end|>", "<|im_end|>", "!", "\u{E0F0}", "é", "<|im"]), 0..9,
    )) {
        let specials = specials();
        let text: String = parts.concat();
        let armored = specials.armor(&text);
        let found = specials.split(&armored);
        prop_assert!(found.iter().all(|piece| matches!(piece, Piece::Text(_))));
        prop_assert_eq!(disarm(&armored), text.replace('\u{E0F0}', ""));
    }
}

use super::*;

fn spm(prefix: bool) -> Spm {
    let mut tokens = Strings::default();
    let mut scores = Vec::new();
    let words = ["<unk>", "<0xC3>", "<0xA9>", "▁", "a", "b", "ab", "ba", "aba", "▁ab"];
    for (index, token) in words.iter().enumerate() {
        tokens.push(token).unwrap();
        scores.push(if *token == "ba" { -1.0 } else { -2.0 - index as f32 });
    }
    Spm::new(&tokens, &scores, Some(0), prefix).unwrap()
}

fn check(spm: &Spm, text: &str, wanted: &[u32]) {
    let mut tokens = Vec::new();
    spm.encode(text, &mut tokens);
    assert_eq!(tokens, wanted, "{text}");
}

#[test]
fn the_best_union_is_made_first() {
    let spm = spm(false);
    // `ba` scores better than `ab`, and only then `aba` can be made.
    check(&spm, "aba", &[8]);
    check(&spm, "ab", &[6]);
    check(&spm, "abab", &[8, 5]);
    check(&spm, "", &[]);
}

#[test]
fn spaces_are_pieces_and_may_be_put_before() {
    check(&spm(false), " ab", &[9]);
    check(&spm(true), "ab", &[9]);
}

#[test]
fn unknown_characters_are_written_byte_by_byte() {
    check(&spm(false), "aé", &[4, 1, 2]);
    check(&spm(false), "€", &[0, 0, 0]);
}

#[test]
fn a_vocabulary_without_scores_is_refused() {
    let mut tokens = Strings::default();
    tokens.push("a").unwrap();
    assert!(Spm::new(&tokens, &[], None, false).is_err());
}

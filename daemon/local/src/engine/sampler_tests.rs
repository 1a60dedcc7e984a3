use proptest::prelude::*;

use super::*;

const PLAIN: Sampling = Sampling { temperature: 1.0, top_p: 1.0, top_k: 100, repetition: 1.0 };

fn draws(sampling: Sampling, scores: &[f32], seed: u64, count: usize) -> Vec<u32> {
    let mut sampler = Sampler::new(sampling, seed);
    (0..count).map(|_| sampler.pick(&mut scores.to_vec())).collect()
}

#[test]
fn without_temperature_the_best_is_taken() {
    let cold = Sampling { temperature: 0.0, ..PLAIN };
    assert_eq!(draws(cold, &[1.0, f32::NAN, 3.0, 2.0], 1, 5), [2; 5]);
}

#[test]
fn the_same_seed_draws_the_same() {
    let scores = [1.0, 1.1, 0.9, 1.05];
    assert_eq!(draws(PLAIN, &scores, 5, 50), draws(PLAIN, &scores, 5, 50));
    assert_ne!(draws(PLAIN, &scores, 5, 50), draws(PLAIN, &scores, 6, 50));
}

#[test]
fn tokens_are_drawn_by_their_share() {
    let scores = [4.0_f32.ln(), 0.0, 3.0_f32.ln(), f32::NEG_INFINITY];
    let drawn = draws(PLAIN, &scores, 3, 8_000);
    let share = |token| drawn.iter().filter(|t| **t == token).count() as f32 / 8_000.0;
    assert!((share(0) - 0.5).abs() < 0.03, "{}", share(0));
    assert!((share(2) - 0.375).abs() < 0.03, "{}", share(2));
    assert_eq!(share(3), 0.0);
}

#[test]
fn what_lies_outside_of_top_p_or_top_k_is_not_drawn() {
    let scores = [4.0_f32.ln(), 0.0, 3.0_f32.ln()];
    let narrow = Sampling { top_p: 0.8, ..PLAIN };
    assert!(draws(narrow, &scores, 1, 500).iter().all(|token| *token != 1));
    let narrow = Sampling { top_k: 1, ..PLAIN };
    assert!(draws(narrow, &scores, 1, 500).iter().all(|token| *token == 0));
}

#[test]
fn what_was_written_lately_is_less_likely() {
    let sampling = Sampling { temperature: 0.0, repetition: 2.0, ..PLAIN };
    // Halved once, however often it was written.
    assert_eq!(draws(sampling, &[1.0, 0.6, 0.4], 1, 4), [0, 1, 0, 0]);
    assert_eq!(draws(sampling, &[-1.0, -1.5], 1, 3), [0, 1, 0]);
}

proptest! {
    #[test]
    fn any_scores_give_a_token_that_exists(
        scores in prop::collection::vec(any::<f32>(), 1..50),
        temperature in 0.0..2.0_f32,
        top_p in 0.0..1.0_f32,
        seed in any::<u64>(),
    ) {
        let sampling = Sampling { temperature, top_p, top_k: 5, repetition: 1.1 };
        for token in draws(sampling, &scores, seed, 5) {
            prop_assert!((token as usize) < scores.len());
        }
    }
}

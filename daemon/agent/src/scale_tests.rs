use moltis_core::message::Usage;
use proptest::prelude::*;

use super::Scale;
use crate::compact;
use crate::prompt::{Instructions, budget};
use crate::testing::{Log, model};
use crate::window::window;

/// A conversation of 1,000 estimated tokens whose last answer's prompt, estimated at 800, was
/// counted as so many.
fn counted(tokens: u64) -> Log {
    let mut log = Log::of(&format!("user a {}\nstart a", "x".repeat(3_184)));
    log.answer_counted("p/m", 800, Usage { input_tokens: tokens, ..Usage::default() });
    log.events.extend(Log::of(&format!("end a\nuser b {}\nstart b", "y".repeat(772))).events);
    log
}

#[test]
fn what_a_vendor_counted_weighs_the_next_prompt_of_the_same_model() {
    let instructions = Instructions { compact_at: 90, ..Instructions::default() };
    let look = |log: &Log, name: &str| {
        window(&log.conversation(), &"s".into(), &model(name), &instructions)
    };
    let plain = look(&counted(0), "p/m");
    let tokens = plain.fragments.iter().map(|one| one.tokens).sum::<u64>();
    assert!(!plain.counted && plain.left == plain.size - tokens);
    let weighed = look(&counted(1_200), "p/m");
    assert!(weighed.counted);
    assert_eq!(weighed.fragments[0].tokens, tokens * 3 / 2);
    assert_eq!(weighed.left, weighed.size - tokens * 3 / 2);
    assert_eq!(weighed.compact_at, Some(90_000), "the window is the vendor's already");
    let other = look(&counted(1_200), "p/other");
    assert_eq!((other.counted, other.left), (false, plain.left), "another model counts otherwise");
}

#[test]
fn a_prompt_that_the_vendor_counts_double_is_compacted_at_half_the_estimate() {
    let small = moltis_core::models::ModelInfo {
        context_window: Some(1_600),
        output_limit: Some(100),
        ..model("p/m")
    };
    let instructions = Instructions { compact_at: 90, ..Instructions::default() };
    let due = |log: &Log| {
        let conversation = log.conversation();
        let scale = conversation.scale(&small.id).unwrap_or(Scale::NONE);
        let room = budget(&small, &instructions, scale);
        compact::due(&conversation, &small, &instructions, room, 0).is_some()
    };
    assert!(!due(&counted(0)) && !due(&counted(800)));
    assert!(due(&counted(1_600)));
}

#[test]
fn counts_that_cannot_be_of_the_prompt_are_not_believed() {
    for nonsense in [0, 1, 10, 99, 8_000, u64::MAX] {
        assert_eq!(Scale::of(800, nonsense), None, "{nonsense}");
    }
    assert_eq!(Scale::of(255, 255), None, "too short to tell");
    assert_eq!(Scale::of(0, 0), None);
}

proptest! {
    #[test]
    fn no_count_makes_more_than_double_or_less_than_half(
        estimated in any::<u64>(),
        counted in any::<u64>(),
        tokens in 0_u64..1 << 40,
    ) {
        if let Some(scale) = Scale::of(estimated, counted) {
            let real = scale.real(tokens);
            prop_assert!(real <= tokens * 2 && real >= tokens / 2);
            let back = scale.estimate(real);
            prop_assert!(back <= tokens && back + 3 >= tokens, "{} {}", back, tokens);
        }
    }
}

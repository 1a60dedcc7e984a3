use std::time::Duration;

use moltis_core::models::ModelRef;
use moltis_core::provider::FailureKind;
use tokio::time::Instant;

use super::{Breakers, MAX_ENTRIES};

fn model() -> ModelRef {
    ModelRef::new("openai", "gpt-5")
}

#[test]
fn three_failures_in_a_row_open_it_for_a_minute_and_one_more_opens_it_again() {
    let (mut breakers, start) = (Breakers::default(), Instant::now());
    let after = |seconds| start + Duration::from_secs(seconds);
    for _ in 0..2 {
        breakers.report(&model(), Some(FailureKind::Overload), start);
    }
    assert!(!breakers.is_open(&model(), start));
    breakers.report(&model(), Some(FailureKind::Transport), start);
    assert!(breakers.is_open(&model(), after(59)));
    assert!(!breakers.is_open(&model(), after(60)));
    breakers.report(&model(), Some(FailureKind::RateLimit), after(61));
    assert!(breakers.is_open(&model(), after(120)));
    breakers.report(&model(), None, after(122));
    assert!(!breakers.is_open(&model(), after(122)));
    breakers.report(&model(), Some(FailureKind::Overload), after(123));
    assert!(!breakers.is_open(&model(), after(123)));
}

#[test]
fn success_in_between_starts_the_count_anew() {
    let (mut breakers, now) = (Breakers::default(), Instant::now());
    for failure in [Some(FailureKind::Overload), Some(FailureKind::Overload), None] {
        breakers.report(&model(), failure, now);
    }
    breakers.report(&model(), Some(FailureKind::Overload), now);
    assert!(!breakers.is_open(&model(), now));
}

#[test]
fn what_waiting_does_not_mend_does_not_open_it() {
    let (mut breakers, now) = (Breakers::default(), Instant::now());
    for kind in [FailureKind::BadRequest, FailureKind::ContextOverflow] {
        for _ in 0..5 {
            breakers.report(&model(), Some(kind), now);
        }
    }
    assert_eq!(breakers.trouble("openai", now), "");
    for _ in 0..5 {
        breakers.report(&model(), Some(FailureKind::Auth), now);
    }
    assert!(!breakers.is_open(&model(), now));
    assert_eq!(breakers.trouble("openai", now), "last failure: auth (gpt-5)");
    assert_eq!(breakers.trouble("other", now), "");
}

#[test]
fn the_owner_is_told_how_it_stands() {
    let (mut breakers, now) = (Breakers::default(), Instant::now());
    for _ in 0..3 {
        breakers.report(&model(), Some(FailureKind::Overload), now);
    }
    let after = |seconds| breakers.trouble("openai", now + Duration::from_secs(seconds));
    assert_eq!(after(20), "asked last for 40 s more: gpt-5 failed repeatedly (overload)");
    assert_eq!(after(60), "on probation: gpt-5 failed repeatedly (overload)");
}

#[test]
fn no_more_is_remembered_than_the_bound() {
    let (mut breakers, now) = (Breakers::default(), Instant::now());
    for at in 0..2 * MAX_ENTRIES {
        let model = ModelRef::new("p", format!("m{at}"));
        breakers.report(&model, Some(FailureKind::Overload), now);
    }
    assert_eq!(breakers.entries.len(), MAX_ENTRIES);
}

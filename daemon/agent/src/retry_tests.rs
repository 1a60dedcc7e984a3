use std::time::Duration;

use moltis_core::models::ModelInfo;
use moltis_core::provider::{Failure, FailureKind};
use proptest::prelude::*;

use super::{Jitter, LONGEST_WAIT, MOST_ATTEMPTS, Verdict, judge, may_mend};
use crate::testing::model;

const KINDS: [FailureKind; 9] = [
    FailureKind::Auth,
    FailureKind::RateLimit,
    FailureKind::Overload,
    FailureKind::ContextOverflow,
    FailureKind::Billing,
    FailureKind::BadRequest,
    FailureKind::Transport,
    FailureKind::Malformed,
    FailureKind::Denied,
];

fn verdicts(attempts: u32, others: bool) -> String {
    let verdict = |kind: FailureKind| {
        let verdict = judge(&Failure::new(kind, ""), attempts, others, u64::MAX - 1);
        let word = match verdict {
            Verdict::Retry(_) => "retry",
            Verdict::FailOver => "fail over",
            Verdict::GiveUp => "give up",
        };
        format!("{}: {word}\n", kind.as_str())
    };
    KINDS.into_iter().map(verdict).collect()
}

#[test]
fn each_kind_of_failure_is_worth_something_else() {
    expect_test::expect![[r#"
        auth: fail over
        rate_limit: retry
        overload: retry
        context_overflow: fail over
        billing: fail over
        bad_request: fail over
        transport: retry
        malformed: retry
        denied: give up
    "#]]
    .assert_eq(&verdicts(1, true));
}

#[test]
fn after_the_last_attempt_only_another_model_helps() {
    expect_test::expect![[r#"
        auth: fail over
        rate_limit: fail over
        overload: fail over
        context_overflow: fail over
        billing: fail over
        bad_request: fail over
        transport: fail over
        malformed: fail over
        denied: give up
    "#]]
    .assert_eq(&verdicts(MOST_ATTEMPTS, true));
}

#[test]
fn without_another_model_nothing_fails_over() {
    for attempts in 1..=MOST_ATTEMPTS {
        assert!(!verdicts(attempts, false).contains("fail over"));
    }
}

#[test]
fn a_vendor_that_asks_for_time_gets_two_minutes_and_seconds_where_another_can_answer() {
    let asks = |seconds, others| {
        let failure = Failure {
            kind: FailureKind::RateLimit,
            message: String::new(),
            retry_after: Some(Duration::from_secs(seconds)),
        };
        judge(&failure, 1, others, 0)
    };
    assert_eq!(asks(5, true), Verdict::Retry(Duration::from_secs(5)));
    assert_eq!(asks(6, true), Verdict::FailOver);
    assert_eq!(asks(120, false), Verdict::Retry(LONGEST_WAIT));
    assert_eq!(asks(121, false), Verdict::GiveUp);
}

#[test]
fn what_did_not_fit_is_asked_only_of_a_model_with_more_room() {
    let small = model("p/small");
    let large = ModelInfo { context_window: Some(200_000), ..model("p/large") };
    assert!(may_mend(FailureKind::ContextOverflow, &small, &large));
    assert!(!may_mend(FailureKind::ContextOverflow, &large, &small));
    assert!(!may_mend(FailureKind::ContextOverflow, &small, &small));
    assert!(may_mend(FailureKind::BadRequest, &large, &small));
}

proptest! {
    #[test]
    fn backoff_is_spread_over_a_span_that_doubles(attempts in 1_u32..MOST_ATTEMPTS, jitter: u64) {
        let verdict = judge(&Failure::new(FailureKind::Overload, ""), attempts, false, jitter);
        let Verdict::Retry(wait) = verdict else { panic!("{verdict:?}") };
        prop_assert!(wait <= Duration::from_millis(500 << (attempts - 1)));
    }

    #[test]
    fn waiting_is_never_shorter_than_asked_for(seconds in 0_u64..=120, jitter: u64) {
        let asked = Duration::from_secs(seconds);
        let failure = Failure {
            kind: FailureKind::Overload,
            message: String::new(),
            retry_after: Some(asked),
        };
        let Verdict::Retry(wait) = judge(&failure, 1, false, jitter) else { panic!("gave up") };
        prop_assert!(wait >= asked && wait <= asked + Duration::from_secs(1));
    }
}

#[test]
fn the_same_seed_draws_the_same_numbers() {
    let draw = |seed| {
        let mut jitter = Jitter::new(seed);
        [jitter.draw(), jitter.draw()]
    };
    assert_eq!(draw(7), draw(7));
    assert_ne!(draw(7), draw(8));
    assert_ne!(draw(7)[0], draw(7)[1]);
}

use super::*;

#[test]
fn percentiles_are_nearest_rank() {
    let figure = Figure::of("x", "ms", (1..=100).map(f64::from).collect());
    assert_eq!((figure.p50, figure.p99), (Some(50.0), Some(99.0)));
}

#[test]
fn few_samples_have_no_p99() {
    assert_eq!(Figure::of("x", "ms", vec![3.0, 1.0, 2.0]).p99, None);
}

#[test]
fn a_missed_target_is_said() {
    let figure = Figure::once("idle memory", "MB", 25.0).reach(Target::AtMost(20.0));
    assert_eq!(figure.reached(), Some(false));
    expect_test::expect![
        "idle memory                                          25.0            MB    p50 ≤ 20.0     missed"
    ]
    .assert_eq(&figure.line());
}

#[test]
fn what_cannot_be_measured_says_what_is_missing() {
    let figure = Figure::without("exec of `true`", "no sandbox");
    assert_eq!(figure.reached(), None);
    expect_test::expect!["exec of `true`                                 no sandbox"]
        .assert_eq(&figure.line());
}

#[test]
fn a_rate_has_to_be_high() {
    let figure = Figure::once("rate", "1/s", 12_000.0).reach(Target::AtLeast(10_000.0));
    assert_eq!(figure.reached(), Some(true));
}

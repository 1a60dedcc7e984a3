//! What a daemon may say about its start.

use super::*;

#[test]
fn a_failed_start_carries_code_message_and_hint() {
    let line = "failed {\"code\":\"invalid\",\"message\":\"line 3\",\"hint\":\"fix it\"}\n";
    let Readiness::Failed(failure) = Readiness::parse(line) else { panic!("not a failure") };
    assert_eq!(
        (failure.code.as_str(), failure.message.as_str(), failure.hint.as_deref()),
        ("invalid", "line 3", Some("fix it"))
    );
}

#[test]
fn silence_and_nonsense_are_a_death() {
    assert_eq!(Readiness::parse("ready 12\n"), Readiness::Ready);
    assert_eq!(Readiness::parse(""), Readiness::Died);
    assert_eq!(Readiness::parse("readyish\n"), Readiness::Died);
    assert_eq!(Readiness::parse("failed nonsense\n"), Readiness::Died);
}

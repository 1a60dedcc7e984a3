use std::time::Duration;

use tokio::time::Instant;

use super::Pacer;

#[test]
fn a_draft_is_saved_a_quarter_second_after_it_grew() {
    let now = Instant::now();
    let mut pacer = Pacer::default();
    assert!(!pacer.grew_to(10, now));
    assert_eq!(pacer.due_at(), Some(now + Duration::from_millis(250)));
    assert!(!pacer.grew_to(20, now + Duration::from_millis(249)));
    assert!(pacer.grew_to(20, now + Duration::from_millis(250)));
    pacer.saved();
    assert_eq!(pacer.due_at(), None);
    assert!(!pacer.grew_to(20, now + Duration::from_secs(9)));
}

#[test]
fn a_draft_that_grows_quickly_is_saved_sooner_but_in_proportion() {
    let now = Instant::now();
    let mut pacer = Pacer::default();
    assert!(pacer.grew_to(4_096, now));
    pacer.saved();
    assert!(!pacer.grew_to(8_191, now));
    assert!(pacer.grew_to(8_192, now));
    pacer.grew_to(800_000, now);
    pacer.saved();
    assert!(!pacer.grew_to(899_999, now));
    assert!(pacer.grew_to(900_000, now));
}

#[test]
fn the_next_item_begins_anew() {
    let now = Instant::now();
    let mut pacer = Pacer::default();
    pacer.grew_to(5_000, now);
    pacer.saved();
    assert!(!pacer.grew_to(3, now));
    assert!(pacer.due_at().is_some());
}

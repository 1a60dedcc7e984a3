use std::sync::atomic::Ordering;

use moltis_core::message::Part;

use super::*;
use crate::fakes::{Fake, Ports, user_message};

/// The seqs of a page of a session of `count` events of about `bytes` each, and the calls that it
/// took.
async fn seqs(count: u64, bytes: usize, page: Page) -> (Vec<u64>, usize) {
    let fake = Fake::new();
    let picture = Part::Image { media_type: "image/png".to_owned(), data: vec![0; bytes].into() };
    *fake.events.lock().unwrap() =
        (1..=count).map(|seq| user_message(seq, vec![picture.clone()])).collect();
    let ports = Ports(std::sync::Arc::clone(&fake));
    let events = read(&ports, &"s1".into(), page).await.unwrap();
    (events.iter().map(|event| event.seq).collect(), fake.pages.load(Ordering::Relaxed))
}

#[tokio::test]
async fn events_are_asked_for_until_the_page_is_full() {
    let (after, calls) = seqs(2_000, 10, Page::After { seq: 5, limit: 1_000 }).await;
    assert_eq!((after, calls), ((6..=1_005).collect(), 3));
    let (before, calls) = seqs(2_000, 10, Page::Before { seq: u64::MAX, limit: 1_000 }).await;
    assert_eq!((before, calls), ((1_001..=2_000).collect(), 3));
}

#[tokio::test]
async fn heavy_events_come_as_many_as_fit() {
    let (after, _) = seqs(20, 5 << 20, Page::After { seq: 2, limit: 10 }).await;
    assert_eq!(after, (3..=8).collect::<Vec<_>>());
    let (before, _) = seqs(20, 5 << 20, Page::Before { seq: 20, limit: 10 }).await;
    assert_eq!(before, (14..=19).collect::<Vec<_>>());
}

#[tokio::test]
async fn one_event_always_fits() {
    let (page, _) = seqs(2, HEAVIEST_PAGE, Page::After { seq: 0, limit: 10 }).await;
    assert_eq!(page, [1]);
}

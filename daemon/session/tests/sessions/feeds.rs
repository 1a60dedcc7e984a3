//! What readers are given.

use std::time::Duration;

use futures_util::StreamExt;
use moltis_core::assistant::Assistant;
use moltis_core::event::Ending;
use moltis_core::feed::{Feed, From};
use moltis_testkit::provider::{Gate, Script};

use crate::harness::{Home, View, owner, soon};

#[tokio::test(start_paused = true)]
async fn a_late_reader_is_given_the_text_so_far() {
    let home = Home::new().await;
    let gate = Gate::closed();
    let script = Script::new().reasoning("hm").text("Hel").text("lo").gate(&gate).text("!").done();
    home.provider.push(script);
    let receipt = home.send("hi").await;
    let mut early = home.attach(From::Seq(0)).await;
    early.until(|view| view.text() == "Hello").await;
    let mut late = home.attach(From::Seq(0)).await;
    late.until(|view| view.text() == "Hello").await;
    assert_eq!(late.deltas, 2, "one for each strand");
    gate.open();
    assert_eq!(early.ended(&receipt.turn).await, Ending::Done);
    assert_eq!(late.ended(&receipt.turn).await, Ending::Done);
    assert_eq!(early.summary(), late.summary());
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_gets_the_exact_suffix_in_few_pieces() {
    let home = Home::new().await;
    let (gate, end) = (Gate::closed(), Gate::closed());
    let mut script = Script::new().text("0").gate(&gate);
    for _ in 0..1_000 {
        script = script.text("0123456789");
    }
    home.provider.push(script.gate(&end).done());
    home.send("hi").await;
    let mut slow = home.attach(From::Seq(0)).await;
    slow.until(|view| view.text() == "0").await;
    let mut quick = home.attach(From::Seq(0)).await;
    gate.open();
    quick.until(|view| view.text().len() == 10_001).await;
    slow.until(|view| view.text().len() == 10_001).await;
    assert_eq!(slow.text(), quick.text());
    assert_eq!(slow.deltas, 2);
    end.open();
    home.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_large_text_so_far_comes_in_pieces_that_fit() {
    let home = Home::new().await;
    home.provider.push(Script::new().text(&"äöü".repeat(50_000)).hang());
    home.send("hi").await;
    let mut first = home.attach(From::Seq(0)).await;
    first.until(|view| view.text().len() == 300_000).await;
    assert_eq!(first.deltas, 5);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_fell_far_behind_is_given_the_log() {
    let home = Home::new().await;
    home.provider.otherwise(Script::answer("A"));
    let mut slow = home.attach(From::Seq(0)).await;
    slow.until(|view| view.caught_up).await;
    for n in 0..200 {
        home.ended(&home.send(&format!("U{n}")).await.turn).await;
    }
    let last = home.log().len() as u64;
    assert!(last > 512 + 128, "more than is kept for readers that are nearly up to date");
    slow.until(|view| view.events.len() as u64 == last).await;
    let events: Vec<_> = slow.events.iter().map(|event| (**event).clone()).collect();
    assert_eq!(events, home.history().await);
}

#[tokio::test(start_paused = true)]
async fn a_reader_resumes_from_its_seq_or_from_the_tail() {
    let home = Home::new().await;
    home.provider.otherwise(Script::answer("A"));
    home.ended(&home.send("U1").await.turn).await;
    let last = home.log().len() as u64;
    for (from, first, events) in [
        (From::Seq(0), 1, last),
        (From::Seq(3), 4, last - 3),
        (From::Seq(last), last + 1, 0),
        (From::Tail(2), last - 1, 2),
        (From::Tail(99), 1, last),
        // A reader that knows more than there is must start over.
        (From::Seq(last + 1), 1, last),
    ] {
        let mut view = home.attach(from).await;
        view.until(|view| view.caught_up).await;
        assert_eq!((view.first_seq, view.events.len() as u64), (first, events), "{from:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn deleting_a_session_stops_it_and_ends_its_feeds() {
    let home = Home::new().await;
    home.provider.push(Script::new().text("Hal").hang());
    home.send("hi").await;
    let mut view = home.attach(From::Seq(0)).await;
    view.until(|view| view.text() == "Hal").await;
    soon(home.sessions.delete(&owner(), &home.session)).await.unwrap();
    while !view.over {
        view.next().await;
    }
    assert!(home.log().is_empty());
    assert_eq!(home.sessions.activity().running_turns, 0);
    let again = home.try_send(home.message("hi")).await.unwrap_err();
    assert_eq!(again.code, moltis_core::Code::NotFound);
}

#[tokio::test(start_paused = true)]
async fn shutting_down_gives_the_last_events_and_ends_the_feeds() {
    let home = Home::new().await;
    home.provider.push(Script::new().text("Hal").hang());
    let running = home.send("hi").await;
    let queued = home.send("later").await;
    let mut view = home.attach(From::Seq(0)).await;
    view.until(|view| view.text() == "Hal").await;
    home.sessions.shut_down(Duration::from_secs(5)).await;
    while !view.over {
        view.next().await;
    }
    assert_eq!(view.ending(&running.turn), Some(Ending::Interrupted));
    assert_eq!(view.ending(&queued.turn), None);
    assert!(
        home.story().contains("partial: Hal\nnotice: the daemon stopped")
            && home.story().ends_with("Interrupted\n")
    );
    let refused = home.try_send(home.message("more")).await.unwrap_err();
    assert_eq!(refused.code, moltis_core::Code::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn readers_are_counted_until_they_go() {
    let home = Home::new().await;
    let one = home.attach(From::Tail(1)).await;
    let two = home.attach(From::Tail(1)).await;
    assert_eq!(home.sessions.activity().attached, 2);
    drop((one, two));
    assert_eq!(home.sessions.activity().attached, 0);
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_comes_first() {
    let home = Home::new().await;
    let mut feed = home.sessions.attach(&home.session, From::Seq(0)).await.unwrap();
    let first = feed.next().await.unwrap().unwrap();
    assert!(matches!(first, Feed::Snapshot { first_seq: 1, .. }));
    let mut view = View::new(home.sessions.attach(&home.session, From::Seq(1)).await.unwrap());
    view.until(|view| view.caught_up).await;
    assert!(view.events.is_empty());
}

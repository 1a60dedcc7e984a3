//! A store that fails: nothing is acknowledged that is not kept, and nothing kept is lost.

use moltis_core::assistant::{Assistant, Caller, StopScope};
use moltis_core::error::Code;
use moltis_core::event::{Ending, EventKind, NewEvent};
use moltis_core::feed::From;
use moltis_core::journal::Journal;
use moltis_core::session::QueueMode;
use moltis_testkit::journal::Breakdown;
use moltis_testkit::provider::{Gate, Script};

use crate::harness::{Home, half_answered, owner, soon};

#[tokio::test(start_paused = true)]
async fn a_message_that_could_not_be_kept_is_not_acknowledged() {
    let home = Home::new().await;
    home.provider.otherwise(Script::answer("A"));
    home.journal.fail_append(0, Breakdown::Lost);
    let message = home.message("U1");
    assert_eq!(home.try_send(message.clone()).await.unwrap_err().code, Code::Storage);
    assert_eq!(home.log().len(), 1);
    let receipt = home.try_send(message).await.unwrap();
    assert_eq!(home.ended(&receipt.turn).await, Ending::Done);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_was_kept_after_all_is_there_once() {
    let home = Home::new().await;
    home.provider.otherwise(Script::answer("A"));
    home.journal.fail_append(0, Breakdown::WrittenAnyway);
    let message = home.message("U1");
    assert_eq!(home.try_send(message.clone()).await.unwrap_err().code, Code::Storage);
    let receipt = home.try_send(message).await.unwrap();
    assert_eq!(receipt.seq, 2);
    assert_eq!(home.ended(&receipt.turn).await, Ending::Done);
    assert_eq!(home.story().matches("user: U1").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn no_model_is_asked_for_a_turn_whose_start_could_not_be_kept() {
    let home = Home::new().await;
    home.journal.fail_append(1, Breakdown::Lost);
    let receipt = home.send("U1").await;
    assert_eq!(home.ended(&receipt.turn).await, Ending::Failed);
    assert!(home.provider.requests().is_empty());
}

/// Lets the n-th append of a turn fail, for every n, in both ways.
#[tokio::test(start_paused = true)]
async fn whichever_append_fails_the_turn_ends_once_and_the_session_goes_on() {
    for healthy in 1..4 {
        for how in [Breakdown::Lost, Breakdown::WrittenAnyway] {
            let home = Home::new().await;
            home.provider.otherwise(Script::answer("A"));
            home.journal.fail_append(healthy, how);
            let mut view = home.attach(From::Seq(0)).await;
            let first = home.send("U1").await;
            view.ended(&first.turn).await;
            let story = home.story();
            let second = match home.try_send(home.message("U2")).await {
                Ok(receipt) => receipt,
                Err(error) => {
                    assert_eq!(error.code, Code::Storage, "{story}");
                    home.send("U3").await
                }
            };
            view.ended(&second.turn).await;
            home.quiet().await;
            let story = home.story();
            let ends = story.matches("Done").count() + story.matches("Failed").count();
            let turns = story.matches("user:").count();
            assert_eq!(ends, turns, "append {healthy} {how:?}:\n{story}");
            assert_eq!(story.matches("answer: A").count(), story.matches("Done").count());
        }
    }
}

/// The answer before a steering message is an append of its own.
#[tokio::test(start_paused = true)]
async fn an_answer_that_was_kept_after_all_is_there_once() {
    for how in [Breakdown::Lost, Breakdown::WrittenAnyway] {
        let home = Home::new().await;
        let gate = Gate::closed();
        home.provider.push(Script::new().text("A1").gate(&gate).done());
        let receipt = home.send("U1").await;
        home.provider.asked(1).await;
        home.send_as("U2", QueueMode::Steer).await;
        home.journal.fail_append(0, how);
        gate.open();
        assert_eq!(home.ended(&receipt.turn).await, Ending::Failed);
        let story = home.story();
        assert_eq!(story.matches("answer: A1").count(), 1, "{how:?}:\n{story}");
        assert_eq!(story.matches("Failed").count(), 1, "{how:?}:\n{story}");
    }
}

/// The log has the answer, but the actor does not know it yet.
#[tokio::test(start_paused = true)]
async fn a_reader_of_the_log_is_not_given_more_than_was_published() {
    let mut home = Home::new().await;
    home.restart();
    let gate = Gate::closed();
    home.provider.push(Script::new().text("Hal").gate(&gate).text("lo").done());
    let receipt = home.send("U1").await;
    let mut view = home.attach(From::Seq(0)).await;
    view.until(|view| view.text() == "Hal").await;
    home.journal.fail_append(0, Breakdown::WrittenAnyway);
    let tried = home.journal.appends();
    gate.open();
    soon(home.journal.tried_more_than(tried)).await;
    let mut late = home.attach(From::Seq(0)).await;
    late.until(|view| view.text() == "Hallo").await;
    assert_eq!(late.ended(&receipt.turn).await, Ending::Done);
    assert_eq!(view.ended(&receipt.turn).await, Ending::Done);
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_not_lost_when_its_end_cannot_be_kept_at_once() {
    let home = Home::new().await;
    let gate = Gate::closed();
    home.provider.push(Script::new().text("Hello").gate(&gate).done());
    let receipt = home.send("U1").await;
    let mut view = home.attach(From::Seq(0)).await;
    view.until(|view| view.text() == "Hello").await;
    home.journal.set_broken(true);
    gate.open();
    // The actor has heard the end when it has tried to keep it.
    let tried = home.journal.appends();
    soon(home.journal.tried_more_than(tried)).await;
    view.until(|view| view.progress.iter().any(|text| text.starts_with("not kept yet"))).await;
    assert_eq!(home.try_send(home.message("U2")).await.unwrap_err().code, Code::Storage);
    home.journal.set_broken(false);
    assert_eq!(view.ended(&receipt.turn).await, Ending::Done);
    view.until(|view| view.progress.last().is_some_and(String::is_empty)).await;
    assert!(home.story().ends_with("answer: Hello\nDone\n"), "{}", home.story());
}

#[tokio::test(start_paused = true)]
async fn a_stop_reaches_the_model_even_if_the_store_fails() {
    let (home, receipt, mut view) = half_answered().await;
    home.journal.set_broken(true);
    let stopped =
        soon(home.sessions.stop(&owner(), "stop".into(), &home.session, StopScope::All)).await;
    assert_eq!(stopped.unwrap_err().code, Code::Storage);
    assert_eq!(home.sessions.activity().running_turns, 0);
    home.journal.set_broken(false);
    assert_eq!(view.ended(&receipt.turn).await, Ending::Cancelled);
    assert!(home.story().ends_with("partial: Hal\nCancelled\n"));
}

#[tokio::test(start_paused = true)]
async fn a_stop_whose_command_was_used_elsewhere_meanwhile_still_ends_its_turn() {
    let (home, receipt, mut view) = half_answered().await;
    home.journal.set_broken(true);
    let stopped =
        soon(home.sessions.stop(&owner(), "op".into(), &home.session, StopScope::Running)).await;
    assert_eq!(stopped.unwrap_err().code, Code::Storage);
    home.journal.set_broken(false);
    let archived = EventKind::ArchivedChanged { archived: true };
    let Caller { cause, origin } = owner();
    let at = moltis_core::Timestamp::UNIX_EPOCH;
    let elsewhere =
        NewEvent { at, turn: None, cause, origin, op: Some("op".into()), kind: archived };
    home.journal.append(&"elsewhere".into(), 0, vec![elsewhere]).await.unwrap();
    assert_eq!(view.ended(&receipt.turn).await, Ending::Cancelled);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_cannot_be_removed_stays() {
    let home = Home::new().await;
    home.provider.otherwise(Script::answer("A"));
    home.ended(&home.send("U1").await.turn).await;
    home.journal.set_broken(true);
    assert_eq!(
        soon(home.sessions.delete(&owner(), &home.session)).await.unwrap_err().code,
        Code::Storage
    );
    home.journal.set_broken(false);
    assert_eq!(home.ended(&home.send("U2").await.turn).await, Ending::Done);
}

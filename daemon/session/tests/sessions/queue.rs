//! Messages that arrive while others are being answered.

use expect_test::expect;
use moltis_core::assistant::{Assistant, NewMessage, StopScope};
use moltis_core::error::Code;
use moltis_core::event::Ending;
use moltis_core::message::text_of;
use moltis_core::models::ModelRef;
use moltis_core::session::{QueueMode, TurnRules};
use moltis_testkit::provider::{Gate, Script, ScriptedModels, ScriptedProvider};

use crate::harness::{Home, owner, rules, soon};

fn told(home: &Home, request: usize) -> Vec<String> {
    let messages = &home.provider.requests()[request].messages;
    messages.iter().map(|message| text_of(&message.parts)).collect()
}

/// A session whose first turn waits at the gate in the middle of its answer.
async fn busy() -> (Home, Gate) {
    let home = Home::new().await;
    let gate = Gate::closed();
    home.provider.push(Script::new().text("A").gate(&gate).text("1").done());
    home.provider.otherwise(Script::answer("A2"));
    home.send("U1").await;
    home.provider.asked(1).await;
    (home, gate)
}

#[tokio::test(start_paused = true)]
async fn followups_have_turns_of_their_own_in_order() {
    let (home, gate) = busy().await;
    let second = home.send_as("U2", QueueMode::Followup).await;
    let third = home.send_as("U3", QueueMode::Followup).await;
    assert_ne!(second.turn, third.turn);
    gate.open();
    home.ended(&third.turn).await;
    assert_eq!(told(&home, 1), ["U1", "A1", "U2"]);
    assert_eq!(told(&home, 2), ["U1", "A1", "U2", "A2", "U3"]);
}

#[tokio::test(start_paused = true)]
async fn collected_messages_have_one_turn_together() {
    let (home, gate) = busy().await;
    let second = home.send_as("U2", QueueMode::Collect).await;
    let third = home.send_as("U3", QueueMode::Collect).await;
    assert_eq!(second.turn, third.turn);
    gate.open();
    home.ended(&third.turn).await;
    assert_eq!(told(&home, 1), ["U1", "A1", "U2\n\nU3"]);
}

#[tokio::test(start_paused = true)]
async fn a_steering_message_joins_the_running_turn() {
    let (home, gate) = busy().await;
    let second = home.send_as("U2", QueueMode::Steer).await;
    gate.open();
    home.ended(&second.turn).await;
    assert_eq!(told(&home, 1), ["U1", "A1", "U2"]);
    expect![[r#"
        created
        user: U1
        title "U1", automatic
        started with a/model
        user: U2
        answer: A1
        answer: A2
        Done
    "#]]
    .assert_eq(&home.story());
}

#[tokio::test(start_paused = true)]
async fn a_steering_message_without_a_running_turn_has_its_own() {
    let home = Home::new().await;
    home.provider.otherwise(Script::answer("A1"));
    let receipt = home.send_as("U1", QueueMode::Steer).await;
    assert_eq!(home.ended(&receipt.turn).await, Ending::Done);
}

#[tokio::test(start_paused = true)]
async fn more_than_may_wait_are_refused() {
    let home = Home::with_rules(TurnRules { max_queued: 2, ..rules() }).await;
    home.provider.push(Script::new().hang());
    home.send("U1").await;
    home.provider.asked(1).await;
    home.send("U2").await;
    home.send_as("U3", QueueMode::Steer).await;
    let refused = home.try_send(home.message("U4")).await.unwrap_err();
    assert_eq!(refused.code, Code::Busy);
    soon(home.sessions.stop(&owner(), "stop".into(), &home.session, StopScope::All)).await.unwrap();
    home.provider.otherwise(Script::answer("A"));
    home.send("U5").await;
    home.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_queued_turn_can_be_stopped_alone() {
    let (home, gate) = busy().await;
    let second = home.send("U2").await;
    let third = home.send("U3").await;
    let scope = StopScope::Turn(second.turn.clone());
    let stopped =
        soon(home.sessions.stop(&owner(), "stop".into(), &home.session, scope)).await.unwrap();
    assert_eq!(stopped, std::slice::from_ref(&second.turn));
    gate.open();
    assert_eq!(home.ended(&third.turn).await, Ending::Done);
    assert_eq!(home.ended(&second.turn).await, Ending::Cancelled);
    assert_eq!(told(&home, 1), ["U1", "A1", "U3"]);
}

#[tokio::test(start_paused = true)]
async fn stopping_the_running_turn_lets_the_next_one_run() {
    let (home, _gate) = busy().await;
    let second = home.send("U2").await;
    soon(home.sessions.stop(&owner(), "stop".into(), &home.session, StopScope::Running))
        .await
        .unwrap();
    assert_eq!(home.ended(&second.turn).await, Ending::Done);
    assert_eq!(told(&home, 1), ["U1", "A", "U2"]);
}

#[tokio::test(start_paused = true)]
async fn a_retried_stop_does_not_stop_the_next_turn() {
    let (home, _gate) = busy().await;
    let second = home.send("U2").await;
    let stop = async || {
        soon(home.sessions.stop(&owner(), "stop".into(), &home.session, StopScope::All)).await
    };
    let stopped = stop().await.unwrap();
    assert_eq!(stopped.last(), Some(&second.turn));
    let gate = Gate::closed();
    home.provider.push(Script::answer("A3").after(&gate));
    let third = home.send("U3").await;
    assert_eq!(stop().await.unwrap(), stopped[..1]);
    gate.open();
    assert_eq!(home.ended(&third.turn).await, Ending::Done);
}

#[tokio::test(start_paused = true)]
async fn a_queued_message_is_answered_by_the_model_that_it_names() {
    let (one, other) = (ScriptedProvider::new("a"), ScriptedProvider::new("b"));
    let models = ScriptedModels::new(&[one.clone(), other.clone()]);
    let home = Home::with(one.clone(), models, rules()).await;
    let gate = Gate::closed();
    one.push(Script::answer("A1").after(&gate));
    home.send("U1").await;
    one.asked(1).await;
    one.otherwise(Script::answer("A"));
    other.otherwise(Script::answer("B"));
    for (text, model) in [("U2", "b"), ("U3", "a")] {
        let model = Some(ModelRef::new(model, "model"));
        home.try_send(NewMessage { model, ..home.message(text) }).await.unwrap();
    }
    gate.open();
    home.quiet().await;
    let started: Vec<String> = home
        .story()
        .lines()
        .filter_map(|line| line.strip_prefix("started with ").map(String::from))
        .collect();
    assert_eq!(started, ["a/model", "b/model", "a/model"]);
}

#[tokio::test(start_paused = true)]
async fn a_message_may_change_the_model() {
    let home = Home::new().await;
    home.provider.otherwise(Script::answer("A1"));
    let mut message = home.message("U1");
    message.model = Some(ModelRef::new("a", "model"));
    let receipt = home.try_send(message.clone()).await.unwrap();
    home.ended(&receipt.turn).await;
    let again = moltis_core::assistant::NewMessage { op: "other".into(), ..message };
    home.ended(&home.try_send(again).await.unwrap().turn).await;
    let changes = home.story().lines().filter(|line| *line == "model a/model").count();
    assert_eq!(changes, 1, "the second message changes nothing");
}

#[tokio::test(start_paused = true)]
async fn many_writers_are_served_in_one_order() {
    let home = Home::with_rules(TurnRules { max_queued: 1_000, ..rules() }).await;
    home.provider.otherwise(Script::answer("A"));
    let messages: Vec<_> = (0..100).map(|n| home.message(&format!("U{n}"))).collect();
    let sends = messages.into_iter().map(|message| home.try_send(message));
    let receipts = futures_util::future::join_all(sends).await;
    let mut seqs: Vec<u64> = receipts.into_iter().map(|receipt| receipt.unwrap().seq).collect();
    let count = seqs.len();
    seqs.sort_unstable();
    seqs.dedup();
    assert_eq!(seqs.len(), count);
    home.quiet().await;
    assert_eq!(home.story().matches("Done").count(), 100);
}

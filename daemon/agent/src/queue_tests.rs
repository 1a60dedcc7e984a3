use moltis_core::id::TurnId;
use moltis_core::session::{OpenTurn, Purpose, QueueMode};

use super::{Place, place};

fn open(turns: &[(&str, bool)]) -> Vec<OpenTurn> {
    turns
        .iter()
        .map(|&(turn, started)| OpenTurn { started, ..OpenTurn::new(TurnId::from(turn)) })
        .collect()
}

#[test]
fn followup_is_always_a_turn_of_its_own() {
    let running = TurnId::from("a");
    let open = open(&[("a", true), ("b", false)]);
    assert_eq!(place(QueueMode::Followup, Some(&running), &open), Place::New);
}

#[test]
fn collect_joins_the_last_turn_that_waits() {
    let running = TurnId::from("a");
    let waiting = open(&[("a", true), ("b", false), ("c", false)]);
    let joined = place(QueueMode::Collect, Some(&running), &waiting);
    assert_eq!(joined, Place::Queued(TurnId::from("c")));
    assert_eq!(place(QueueMode::Collect, Some(&running), &open(&[("a", true)])), Place::New);
}

#[test]
fn collect_does_not_join_a_turn_that_is_about_to_start() {
    let running = TurnId::from("a");
    assert_eq!(place(QueueMode::Collect, Some(&running), &open(&[("a", false)])), Place::New);
}

#[test]
fn steer_joins_the_running_turn_and_nothing_else() {
    let running = TurnId::from("a");
    let waiting = open(&[("a", true), ("b", false)]);
    assert_eq!(place(QueueMode::Steer, Some(&running), &waiting), Place::Running(running));
    assert_eq!(place(QueueMode::Steer, None, &open(&[("b", false)])), Place::New);
}

#[test]
fn no_message_joins_a_turn_that_compacts() {
    let running = TurnId::from("a");
    let mut turns = open(&[("a", true), ("b", false)]);
    turns.iter_mut().for_each(|turn| turn.purpose = Purpose::Compact);
    assert_eq!(place(QueueMode::Steer, Some(&running), &turns), Place::New);
    assert_eq!(place(QueueMode::Collect, Some(&running), &turns), Place::New);
}

use moltis_core::event::{Cause, Origin, ToolEnding};
use moltis_core::id::{ApprovalId, CallId, ItemId, TurnId};
use moltis_core::models::ModelRef;
use moltis_core::policy::Reach;
use moltis_core::tool::Class;

use super::*;

fn at(second: i64, kind: EventKind) -> Event {
    Event {
        session: SessionId::from("s"),
        seq: 1,
        at: Timestamp::from_second(second).unwrap(),
        turn: Some(TurnId::from("t")),
        cause: Cause::Daemon,
        origin: Origin::Owner,
        op: None,
        kind,
    }
}

fn starts() -> EventKind {
    EventKind::TurnStarted { model: Some(ModelRef::new("a", "m")) }
}

fn ends(ending: Ending) -> EventKind {
    EventKind::TurnEnded { ending, failure: None, usage: Usage::default() }
}

fn calls() -> EventKind {
    EventKind::ToolStarted {
        item: ItemId::from("i"),
        call: CallId::from("c"),
        tool: "look".to_owned(),
        arguments: "{}".to_owned(),
        class: Class::Read,
        why: String::new(),
    }
}

fn asks() -> EventKind {
    EventKind::ApprovalAsked {
        approval: ApprovalId::from("q"),
        call: CallId::from("c"),
        tool: "look".to_owned(),
        arguments: "{}".to_owned(),
        subject: String::new(),
        reason: String::new(),
        digest: String::new(),
        pattern: None,
        expires_at: Timestamp::UNIX_EPOCH,
    }
}

fn answers() -> EventKind {
    EventKind::ApprovalAnswered {
        approval: ApprovalId::from("q"),
        allowed: true,
        reach: Reach::Once,
        reason: String::new(),
    }
}

fn finished() -> EventKind {
    EventKind::ToolFinished {
        item: ItemId::from("i"),
        call: CallId::from("c"),
        tool: "look".to_owned(),
        ending: ToolEnding::Done,
        parts: Vec::new(),
        sensitive: false,
        took: None,
    }
}

fn tallied(events: &[Event]) -> (u64, u64) {
    let tally = Tally::of(events);
    (tally.calls, tally.millis / 1_000)
}

#[test]
fn a_turn_counts_its_calls_and_the_time_that_it_ran() {
    let events =
        [at(100, starts()), at(110, calls()), at(112, calls()), at(130, ends(Ending::Done))];
    assert_eq!(tallied(&events), (2, 30));
}

#[test]
fn the_time_that_a_person_takes_is_not_counted() {
    let events =
        [at(100, starts()), at(110, asks()), at(5_000, answers()), at(5_020, ends(Ending::Done))];
    assert_eq!(tallied(&events), (0, 30));
}

#[test]
fn the_time_that_the_daemon_was_down_is_not_counted() {
    let events = [at(100, starts()), at(140, finished()), at(90_000, ends(Ending::Interrupted))];
    assert_eq!(tallied(&events), (0, 40));
}

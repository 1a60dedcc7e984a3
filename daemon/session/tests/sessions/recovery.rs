//! What a restart finds and makes of it.

use std::time::Duration;

use expect_test::expect;
use moltis_core::assistant::{Assistant, Caller, Change};
use moltis_core::event::{Answer, Cause, Ending, EventKind, NewEvent, Origin};
use moltis_core::feed::From;
use moltis_core::id::{ItemId, OpId, TurnId};
use moltis_core::journal::{Draft, Journal};
use moltis_core::message::{Part, Usage};
use moltis_core::models::ModelRef;
use moltis_testkit::provider::Script;

use crate::harness::{Home, owner, soon};

pub(crate) fn event(turn: &str, kind: EventKind) -> NewEvent {
    let Caller { cause, origin } = owner();
    let at = moltis_core::Timestamp::UNIX_EPOCH;
    NewEvent { at, turn: Some(TurnId::from(turn)), cause, origin, op: None, kind }
}

pub(crate) fn said(turn: &str, text: &str) -> NewEvent {
    let kind = EventKind::UserMessage {
        item: ItemId::new(format!("{turn}-message")),
        op: OpId::new(format!("{turn}-op")),
        parts: vec![Part::Text(text.to_owned())],
        queue: Default::default(),
        model: None,
        sensitive: false,
    };
    event(turn, kind)
}

/// A session as a crash leaves it: one turn running with a draft, one queued.
async fn crashed() -> Home {
    let home = Home::new().await;
    let model = ModelRef::new("a", "model");
    let started = EventKind::TurnStarted { model: Some(model.clone()) };
    let events = vec![said("t1", "U1"), event("t1", started), said("t2", "U2")];
    home.journal.append(&home.session, 1, events).await.unwrap();
    let draft = Draft {
        turn: TurnId::from("t1"),
        item: ItemId::from("growing"),
        model,
        parts: vec![Part::Text("Hal".to_owned())],
    };
    home.journal.checkpoint(&home.session, draft).await.unwrap();
    home
}

#[tokio::test(start_paused = true)]
async fn a_turn_cut_off_by_a_crash_is_closed_with_its_text_and_the_queue_goes_on() {
    let mut home = crashed().await;
    home.provider.push(Script::answer("A2"));
    home.restart();
    assert_eq!(soon(home.sessions.recover()).await.unwrap(), 1);
    assert_eq!(home.ended(&TurnId::from("t2")).await, Ending::Done);
    expect![[r#"
        created
        user: U1
        started with a/model
        user: U2
        partial: Hal
        notice: the daemon stopped while this was being answered
        Interrupted
        started with a/model
        answer: A2
        Done
    "#]]
    .assert_eq(&home.story());
    let told = &home.provider.requests()[0].messages;
    assert_eq!(told.len(), 3);
    assert_eq!(home.journal.draft(&home.session), None);
}

#[tokio::test(start_paused = true)]
async fn what_a_cut_off_turn_used_is_told_however_long_ago_it_was() {
    let mut home = crashed().await;
    let usage = Usage { input_tokens: 7, ..Usage::default() };
    let answer = Answer {
        model: ModelRef::new("a", "model"),
        usage,
        estimated: 0,
        finish: None,
        first_token: None,
        took: Duration::ZERO,
    };
    let (item, parts) = (ItemId::from("A1"), Vec::new());
    let kind = EventKind::AssistantMessage { item, parts, answer, partial: false };
    let mut events = vec![event("t1", kind)];
    for n in 0..600 {
        let NewEvent { kind, .. } = said(&format!("later{n}"), "U");
        events.push(event("t2", kind));
    }
    home.journal.append(&home.session, 4, events).await.unwrap();
    home.provider.otherwise(Script::answer("A2"));
    home.restart();
    soon(home.sessions.recover()).await.unwrap();
    let told = home.log().into_iter().find_map(|event| match event.kind {
        EventKind::TurnEnded { ending: Ending::Interrupted, usage, .. } => Some(usage),
        _ => None,
    });
    assert_eq!(told, Some(usage));
}

#[tokio::test(start_paused = true)]
async fn recovering_twice_finds_nothing() {
    let mut home = crashed().await;
    home.provider.otherwise(Script::answer("A2"));
    home.restart();
    soon(home.sessions.recover()).await.unwrap();
    home.quiet().await;
    let story = home.story();
    home.restart();
    assert_eq!(soon(home.sessions.recover()).await.unwrap(), 0);
    assert_eq!(home.story(), story);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_used_before_recovery_is_recovered_first() {
    let mut home = crashed().await;
    home.provider.otherwise(Script::answer("A"));
    home.restart();
    let receipt = home.send("U3").await;
    assert_eq!(home.ended(&receipt.turn).await, Ending::Done);
    assert_eq!(home.ended(&TurnId::from("t1")).await, Ending::Interrupted);
    assert_eq!(home.story().matches("Interrupted").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_stops_properly_leaves_nothing_to_close() {
    let mut home = Home::new().await;
    home.provider.push(Script::new().text("Hal").hang());
    let running = home.send("U1").await;
    let queued = home.send("U2").await;
    let mut view = home.attach(From::Seq(0)).await;
    view.until(|view| view.text() == "Hal").await;
    home.sessions.shut_down(Duration::from_secs(5)).await;
    home.provider.push(Script::answer("A2"));
    home.restart();
    assert_eq!(soon(home.sessions.recover()).await.unwrap(), 0);
    assert_eq!(home.ended(&queued.turn).await, Ending::Done);
    assert_eq!(home.ended(&running.turn).await, Ending::Interrupted);
    assert_eq!(home.story().matches("notice: the daemon stopped").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_old_draft_of_a_turn_that_ended_says_nothing() {
    let mut home = Home::new().await;
    home.provider.otherwise(Script::answer("A"));
    let receipt = home.send("U1").await;
    home.ended(&receipt.turn).await;
    let draft = Draft {
        turn: receipt.turn,
        item: ItemId::from("old"),
        model: ModelRef::new("a", "model"),
        parts: vec![Part::Text("old".to_owned())],
    };
    home.journal.checkpoint(&home.session, draft).await.unwrap();
    let story = home.story();
    home.restart();
    assert_eq!(soon(home.sessions.recover()).await.unwrap(), 0);
    assert_eq!(home.story(), story);
}

#[tokio::test(start_paused = true)]
async fn recovery_says_who_did_it() {
    let mut home = crashed().await;
    home.provider.otherwise(Script::answer("A2"));
    home.restart();
    soon(home.sessions.recover()).await.unwrap();
    let log = home.log();
    let causes: Vec<_> = log[4..7].iter().map(|event| (&event.cause, event.origin)).collect();
    assert_eq!(
        causes,
        [
            (&Cause::Model, Origin::Tool),
            (&Cause::Daemon, Origin::Owner),
            (&Cause::Daemon, Origin::Owner)
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_fork_of_an_archived_session_is_not_archived() {
    let home = Home::new().await;
    let archive = Change::Archived(true);
    let archived = home.sessions.change(&owner(), "put".into(), &home.session, archive).await;
    assert!(archived.unwrap().archived);
    let child = home.sessions.fork(&owner(), "fork".into(), &home.session, 2).await.unwrap();
    assert!(!child.archived);
}

#[tokio::test(start_paused = true)]
async fn a_fork_in_the_middle_of_a_turn_has_no_open_turns() {
    let home = crashed().await;
    home.provider.otherwise(Script::answer("A"));
    let child = home.sessions.fork(&owner(), "fork".into(), &home.session, 3).await.unwrap();
    assert_eq!(child.open_turns, []);
    assert_eq!(child.parent, Some((home.session.clone(), 3)));
    let again = home.sessions.fork(&owner(), "fork".into(), &home.session, 3).await.unwrap();
    assert_eq!(again.id, child.id);
    let message =
        moltis_core::assistant::NewMessage { session: child.id.clone(), ..home.message("U9") };
    let receipt = home.try_send(message).await.unwrap();
    let feed = home.sessions.attach(&child.id, From::Seq(0)).await.unwrap();
    let mut view = crate::harness::View::new(feed);
    assert_eq!(view.ended(&receipt.turn).await, Ending::Done);
    let told = &home.provider.requests()[0].messages;
    assert_eq!(moltis_core::message::text_of(&told[0].parts), "U1\n\nU9");
}

//! kill -9, again and again, under load: nothing that was acknowledged is lost, doubled or reordered,
//! and every turn has exactly one end.
//!
//! `MOLTIS_KILL_CYCLES` sets how often; a failure names the cycle.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use moltis_proto::v1;
use moltis_proto::v1::event::Kind;
use moltis_testkit::daemon::Daemon;
use moltis_testkit::vendor::Vendor;
use tokio::task::JoinSet;

use crate::spine::{history, home, message, turn_end};

/// Sessions that are written to at a time.
const WRITERS: usize = 6;

/// What a session's writers were told.
#[derive(Default)]
struct Told {
    /// The op of each acknowledged message with its seq.
    acks: Vec<(String, u64)>,
    /// The messages of which nobody said how it went.
    doubts: Vec<v1::SendRequest>,
}

fn cycles() -> u32 {
    std::env::var("MOLTIS_KILL_CYCLES").ok().and_then(|text| text.parse().ok()).unwrap_or(25)
}

/// Sends until the daemon is gone; gives what was told.
async fn write(
    daemon: v1::sessions_client::SessionsClient<tonic::transport::Channel>,
    session: String,
    cycle: u32,
) -> (String, Told) {
    let mut daemon = daemon;
    let mut told = Told::default();
    for number in 0.. {
        let op = format!("{session}-{cycle}-{number}");
        let mut said = message(&session, &op, &format!("{cycle} {number}"));
        said.queue = v1::QueueMode::Collect.into();
        match daemon.send(said.clone()).await {
            Ok(sent) => told.acks.push((op, sent.into_inner().seq)),
            Err(status) if status.code() == tonic::Code::ResourceExhausted => {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            Err(_) => {
                told.doubts.push(said);
                break;
            }
        }
    }
    (session, told)
}

/// Checks a session's whole history against what its writers were told. Gives the turns that have
/// no end.
fn check(events: &[v1::Event], acks: &[(String, u64)], when: &str) -> BTreeSet<String> {
    let mut seqs = BTreeMap::new();
    let (mut turns, mut ends) = (BTreeSet::new(), BTreeSet::new());
    for (event, place) in events.iter().zip(1..) {
        assert_eq!(event.seq, place, "{when}: seqs are dense");
        match &event.kind {
            Some(Kind::UserMessage(said)) => {
                let earlier = seqs.insert(said.op_id.clone(), event.seq);
                assert_eq!(earlier, None, "{when}: {} is there twice", said.op_id);
                turns.insert(event.turn.clone());
            }
            Some(Kind::TurnEnded(_)) => {
                let turn = &event.turn;
                assert!(turns.contains(turn), "{when}: {turn} ended without a beginning");
                assert!(ends.insert(turn.clone()), "{when}: {turn} ended twice");
            }
            _ => {}
        }
    }
    for (op, seq) in acks {
        assert_eq!(seqs.get(op), Some(seq), "{when}: {op} was acknowledged");
    }
    turns.difference(&ends).cloned().collect()
}

/// The same where nothing is going on any more: every turn has its end.
fn check_at_rest(events: &[v1::Event], acks: &[(String, u64)]) {
    let open = check(events, acks, "at rest");
    assert!(open.is_empty(), "at rest: {open:?} have no end");
}

async fn sessions(daemon: &Daemon) -> Vec<String> {
    let mut made = Vec::new();
    for number in 0..WRITERS {
        let new =
            v1::CreateRequest { op_id: format!("create-{number}"), ..v1::CreateRequest::default() };
        made.push(daemon.sessions().create(new).await.unwrap().into_inner().id);
    }
    made
}

/// Sends once more what is in doubt, then waits for the end of every turn.
async fn come_to_rest(daemon: &Daemon, session: &str, told: &mut Told) {
    for said in std::mem::take(&mut told.doubts) {
        let op = said.op_id.clone();
        let sent = daemon.sessions().send(said).await.unwrap().into_inner();
        told.acks.push((op, sent.seq));
    }
    for turn in check(&history(daemon, session).await, &told.acks, "after the load") {
        turn_end(daemon, session, &turn).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_however_often_the_daemon_is_killed() {
    let vendor = Vendor::openai(&["An ", "answer."]).await;
    let home = home(&vendor).env("MOLTIS_CHAT__MAX_QUEUED", "100000");
    let mut daemon = home.start().await;
    let mut told: BTreeMap<String, Told> =
        sessions(&daemon).await.into_iter().map(|session| (session, Told::default())).collect();
    for cycle in 0..cycles() {
        let mut writers = JoinSet::new();
        for session in told.keys() {
            writers.spawn(write(daemon.sessions(), session.clone(), cycle));
        }
        // Different moments of commits, turns and checkpoints, the same in every run.
        tokio::time::sleep(Duration::from_millis(20 + u64::from(cycle * 37 % 120))).await;
        daemon.kill().await;
        while let Some(done) = writers.join_next().await {
            let (session, new) = done.unwrap();
            let told = told.get_mut(&session).unwrap();
            told.acks.extend(new.acks);
            told.doubts.extend(new.doubts);
        }
        daemon = home.start().await;
        for (session, told) in &told {
            check(&history(&daemon, session).await, &told.acks, &format!("cycle {cycle}"));
        }
    }
    let acknowledged: usize = told.values().map(|told| told.acks.len()).sum();
    let doubts: usize = told.values().map(|told| told.doubts.len()).sum();
    for (session, told) in &mut told {
        come_to_rest(&daemon, session, told).await;
        check_at_rest(&history(&daemon, session).await, &told.acks);
    }
    eprintln!("{} cycles, {acknowledged} acknowledged, {doubts} in doubt, none lost", cycles());
    assert!(acknowledged > 0, "the load must have been real");
    let report = daemon.system().check(v1::CheckRequest {}).await.unwrap().into_inner();
    assert_eq!(report.problems, Vec::<String>::new());
}

fn event(seq: u64, turn: &str, kind: Kind) -> v1::Event {
    v1::Event { seq, turn: turn.to_owned(), kind: Some(kind), ..v1::Event::default() }
}

fn said(seq: u64, op: &str, turn: &str) -> v1::Event {
    let message = v1::UserMessage { op_id: op.to_owned(), ..v1::UserMessage::default() };
    event(seq, turn, Kind::UserMessage(message))
}

fn ended(seq: u64, turn: &str) -> v1::Event {
    event(seq, turn, Kind::TurnEnded(v1::TurnEnded::default()))
}

/// What the checker takes; each control below spoils it in one way.
fn sound() -> (Vec<v1::Event>, Vec<(String, u64)>) {
    let events = vec![said(1, "a", "t1"), said(2, "b", "t2"), ended(3, "t1"), ended(4, "t2")];
    (events, vec![("a".to_owned(), 1), ("b".to_owned(), 2)])
}

#[test]
fn the_checker_takes_a_sound_history() {
    let (events, acks) = sound();
    check_at_rest(&events, &acks);
}

#[test]
#[should_panic(expected = "b was acknowledged")]
fn the_checker_notices_a_lost_message() {
    let (events, acks) = sound();
    check(&events[..1], &acks, "control");
}

#[test]
#[should_panic(expected = "a is there twice")]
fn the_checker_notices_a_doubled_message() {
    let (mut events, acks) = sound();
    events.push(said(5, "a", "t1"));
    check(&events, &acks, "control");
}

#[test]
#[should_panic(expected = "seqs are dense")]
fn the_checker_notices_swapped_events() {
    let (mut events, acks) = sound();
    events.swap(1, 2);
    check(&events, &acks, "control");
}

#[test]
#[should_panic(expected = "t1 ended twice")]
fn the_checker_notices_a_second_end() {
    let (mut events, acks) = sound();
    events.push(ended(5, "t1"));
    check(&events, &acks, "control");
}

#[test]
#[should_panic(expected = "have no end")]
fn the_checker_notices_a_turn_without_an_end() {
    let (mut events, acks) = sound();
    events.pop();
    check_at_rest(&events, &acks);
}

//! kill -9, again and again, under load: nothing that was acknowledged is lost, doubled or reordered,
//! and every turn has exactly one end.
//!
//! `MOLTIS_KILL_CYCLES` sets how often; a failure names the cycle.

use std::collections::BTreeMap;
use std::time::Duration;

use moltis_proto::v1;
use moltis_proto::v1::event::Kind;
use moltis_testkit::daemon::Daemon;
use moltis_testkit::vendor::Vendor;
use tokio::task::JoinSet;

use crate::spine::{history, home, message};

/// Sessions that are written to at a time.
const WRITERS: usize = 6;

/// What a session's writer was told: the op of each acknowledged message with its seq.
type Acks = Vec<(String, u64)>;

fn cycles() -> u32 {
    std::env::var("MOLTIS_KILL_CYCLES").ok().and_then(|text| text.parse().ok()).unwrap_or(25)
}

/// Sends until the daemon is gone; gives what was acknowledged.
async fn write(
    daemon: v1::sessions_client::SessionsClient<tonic::transport::Channel>,
    session: String,
    cycle: u32,
) -> (String, Acks) {
    let mut daemon = daemon;
    let mut acks = Acks::new();
    for number in 0.. {
        let op = format!("{session}-{cycle}-{number}");
        let mut said = message(&session, &op, &format!("{cycle} {number}"));
        said.queue = v1::QueueMode::Collect.into();
        match daemon.send(said).await {
            Ok(sent) => acks.push((op, sent.into_inner().seq)),
            Err(status) if status.code() == tonic::Code::ResourceExhausted => {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            Err(_) => break,
        }
    }
    (session, acks)
}

/// Checks a session's whole history against what its writers were told.
fn check(events: &[v1::Event], acks: &Acks, cycle: u32) {
    let mut seqs = BTreeMap::new();
    let mut ends: BTreeMap<&str, u32> = BTreeMap::new();
    for (event, place) in events.iter().zip(1..) {
        assert_eq!(event.seq, place, "cycle {cycle}: seqs are dense");
        match &event.kind {
            Some(Kind::UserMessage(said)) => {
                let earlier = seqs.insert(said.op_id.clone(), event.seq);
                assert_eq!(earlier, None, "cycle {cycle}: {} is there twice", said.op_id);
            }
            Some(Kind::TurnEnded(_)) => *ends.entry(event.turn.as_str()).or_default() += 1,
            _ => {}
        }
    }
    for (op, seq) in acks {
        assert_eq!(seqs.get(op), Some(seq), "cycle {cycle}: {op} was acknowledged");
    }
    assert!(ends.values().all(|count| *count == 1), "cycle {cycle}: {ends:?}");
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

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_however_often_the_daemon_is_killed() {
    let vendor = Vendor::openai(&["An ", "answer."]).await;
    let home = home(&vendor).env("MOLTIS_CHAT__MAX_QUEUED", "100000");
    let mut daemon = home.start().await;
    let made = sessions(&daemon).await;
    let mut acks: BTreeMap<String, Acks> = BTreeMap::new();
    let mut acknowledged = 0;
    for cycle in 0..cycles() {
        let mut writers = JoinSet::new();
        for session in &made {
            writers.spawn(write(daemon.sessions(), session.clone(), cycle));
        }
        // Different moments of commits, turns and checkpoints, the same in every run.
        tokio::time::sleep(Duration::from_millis(20 + u64::from(cycle * 37 % 120))).await;
        daemon.kill().await;
        while let Some(done) = writers.join_next().await {
            let (session, new) = done.unwrap();
            acknowledged += new.len();
            acks.entry(session).or_default().extend(new);
        }
        daemon = home.start().await;
        for session in &made {
            check(&history(&daemon, session).await, &acks[session], cycle);
        }
    }
    eprintln!("{} cycles, {acknowledged} acknowledged messages, none lost", cycles());
    assert!(acknowledged > 0, "the load must have been real");
    let report = daemon.system().check(v1::CheckRequest {}).await.unwrap().into_inner();
    assert_eq!(report.problems, Vec::<String>::new());
}

#[test]
#[should_panic(expected = "was acknowledged")]
fn the_checker_notices_a_lost_message() {
    check(&[], &vec![("op".to_owned(), 1)], 0);
}

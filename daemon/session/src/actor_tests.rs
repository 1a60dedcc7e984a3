use std::sync::atomic::AtomicU64;

use moltis_agent::prompt::Instructions;
use moltis_core::sandbox::{Mount, Network};
use moltis_core::tool::Scene;
use moltis_testkit::env::ManualEnv;
use moltis_testkit::journal::MemoryJournal;

use super::*;
use crate::budget::{Account, Budget};

fn running(limit: Option<Duration>) -> Running {
    let turn = Turn::new("s".into(), Instructions::default(), Purpose::Answer, 1);
    let scene = Scene {
        session: "s".into(),
        turn: "t".into(),
        agent: "main".to_owned(),
        workspace: None,
        mount: Mount::None,
        network: Network::None,
        hosts: Vec::new(),
        images: false,
    };
    let budget = Budget::new(MemoryJournal::new(), ManualEnv::new());
    let account = Account::open(budget, Vec::new());
    Running::new(turn, scene, Vec::new(), account, limit, Arc::new(AtomicU64::new(0)))
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_always_has_more_does_not_keep_a_turn_from_its_deadline() {
    let mut running = running(Some(Duration::ZERO));
    running.sender.send(Outcome { call: 1, what: What::Ended(Ok(())) }).await.unwrap();
    let mut outcomes = Vec::new();
    assert!(matches!(hear(Some(&mut running), &mut outcomes).await, Wake::Timer));
    running.deadline = None;
    assert!(matches!(hear(Some(&mut running), &mut outcomes).await, Wake::Outcomes));
}

#[tokio::test(start_paused = true)]
async fn a_turn_without_a_limit_has_no_deadline() {
    assert_eq!(running(None).next_timer(), None);
}

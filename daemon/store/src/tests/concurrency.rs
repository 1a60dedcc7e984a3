//! Many writers at once.

use std::sync::Mutex;

use moltis_core::error::Code;

use super::crash::{block_on, state};
use super::disk::{Chance, Disk, Fate};
use super::*;
use crate::engine::Engine;
use crate::read;

const WRITERS: usize = 64;

/// What was acknowledged, by session.
type Acknowledged = Arc<Mutex<Vec<Vec<Event>>>>;

/// Each writer appends to a session of its own until something fails or it is done.
async fn write(journal: Arc<dyn Journal>, rounds: u64, acknowledged: &Acknowledged) {
    let mut writers = tokio::task::JoinSet::new();
    for n in 0..WRITERS {
        let (journal, acknowledged) = (Arc::clone(&journal), Arc::clone(acknowledged));
        writers.spawn(async move {
            let id = SessionId::from(format!("w{n:02}"));
            let mut last = 0;
            for round in 0..rounds {
                let op = format!("{n}-{round}");
                let first = (round == 0).then(|| created(0, None));
                let events: Vec<_> = first
                    .into_iter()
                    .chain([said(1, &op, "hello"), answered(2, &op, "you")])
                    .collect();
                let Ok(written) = journal.append(&id, last, events).await else { return };
                last = written.last().map_or(last, |event| event.seq);
                acknowledged.lock().expect("sound")[n].extend(written);
            }
        });
    }
    writers.join_all().await;
}

fn nothing_acknowledged() -> Acknowledged {
    Arc::new(Mutex::new(vec![Vec::new(); WRITERS]))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_writers_get_dense_seqs_and_share_their_syncs() {
    let dir = tempfile::tempdir().expect("a folder");
    let disk = Disk::healthy(Disk::blank());
    let store = disk.store(dir.path()).expect("opens");
    let acknowledged = nothing_acknowledged();
    let before = disk.operations();
    write(store.journal(), 10, &acknowledged).await;
    let operations = disk.operations() - before;
    let acknowledged = acknowledged.lock().expect("sound").clone();
    for (n, written) in acknowledged.iter().enumerate() {
        assert_eq!(written.len(), 21);
        assert!(written.iter().zip(1..).all(|(event, seq)| event.seq == seq));
        assert_eq!(history(&*store.journal(), &format!("w{n:02}")).await, *written);
    }
    // 640 appends, each for itself, would take two syncs and more writes than that.
    assert!(operations < 640 * 3, "{operations} operations");
    assert_eq!(store.journal().check().await.expect("checked").problems, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_of_one_session_never_share_a_seq() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path());
    let journal = store.journal();
    journal.append(&"one".into(), 0, vec![created(0, None)]).await.expect("written");
    let mut writers = tokio::task::JoinSet::new();
    for n in 0..8 {
        let journal = Arc::clone(&journal);
        writers.spawn(async move {
            for round in 0..5 {
                loop {
                    let last = journal.summary(&"one".into()).await.expect("read").expect("there");
                    let event = said(1, &format!("{n}-{round}"), "hello");
                    match journal.append(&"one".into(), last.last_seq, vec![event]).await {
                        Ok(_) => break,
                        Err(error) => assert_eq!(error.code, Code::Conflict),
                    }
                }
            }
        });
    }
    writers.join_all().await;
    let events = history(&*journal, "one").await;
    assert_eq!(events.len(), 41);
    assert!(events.iter().zip(1..).all(|(event, seq)| event.seq == seq));
}

#[test]
fn a_power_loss_under_many_writers_loses_nothing_that_was_acknowledged() {
    for seed in 0..40 {
        let mut chance = Chance::new(seed);
        let lost_at = 20 + chance.below(500);
        let plan = move |n, _| if n >= lost_at { Fate::PowerLoss } else { Fate::Well };
        let disk = Disk::new(Disk::blank(), Box::new(plan));
        let dir = tempfile::tempdir().expect("a folder");
        let store = disk.store(dir.path()).expect("opens");
        let acknowledged = nothing_acknowledged();
        block_on(write(store.journal(), 40, &acknowledged));
        drop(store);
        let image = Disk::healthy(disk.image(&mut chance));
        let engine = Engine::open(image.opener(), Box::new(|| None), env()).expect("opens");
        state(&engine).expect("sound");
        let acknowledged = acknowledged.lock().expect("sound").clone();
        for (n, written) in acknowledged.iter().enumerate() {
            let id = SessionId::from(format!("w{n:02}"));
            let events = engine.view(|txn| read::events(txn, &id, 1, u64::MAX, usize::MAX));
            let events = events.expect("read");
            assert!(events.starts_with(written), "seed {seed}: `{id}` lost something");
            // At most the one append that was under way.
            assert!(events.len() <= written.len() + 3, "seed {seed}: `{id}` has too much");
        }
    }
}

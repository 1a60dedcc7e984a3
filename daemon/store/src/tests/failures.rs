//! Every n-th write, resize or sync fails, once or for a while.
//!
//! Whatever fails, nothing is acknowledged that is not on the platter, the store says that it is
//! in trouble, and it goes on without being opened anew by anyone once the disk works again.

use std::io::ErrorKind;

use moltis_core::error::Code;

use super::crash::{Step, block_on, script, state, states, take};
use super::disk::{Chance, Disk, Fate, Kind};
use super::*;
use crate::engine::Engine;

/// Attempts at one step; the longest failure takes less.
const ATTEMPTS: usize = 60;

/// Runs the whole script over a failing disk, a step again and again until it is done. How often
/// a step failed.
fn persist(disk: &Disk, script: &[Step]) -> usize {
    let dir = tempfile::tempdir().expect("a folder");
    let store = (0..ATTEMPTS).find_map(|_| disk.store(dir.path()).ok()).expect("opens at last");
    let journal = store.journal();
    block_on(async {
        let mut failed = 0;
        let all_is_well = Step::Append("last", 0, vec![created(99, None)]);
        for step in script.iter().chain([&all_is_well]) {
            let mut done = false;
            let mut last = None;
            for attempt in 0..ATTEMPTS {
                match take(&*journal, step).await {
                    Ok(()) => done = true,
                    // The step was written by an attempt that was told of a failure.
                    Err(error) if attempt > 0 && is_done(error.code) => done = true,
                    Err(error) => {
                        let told = matches!(error.code, Code::Storage | Code::Unavailable);
                        assert!(told, "{error}");
                        failed += 1;
                        last = Some(error);
                        // A read does not have the store reopened at once; a write does.
                        for _ in 0..ATTEMPTS {
                            if store.parts().engine.is_open() {
                                break;
                            }
                            drop(journal.checkpoint(&"nobody".into(), draft("x", "x")).await);
                        }
                    }
                }
                if done {
                    break;
                }
            }
            assert!(done, "the disk works again, but the store does not: {last:?}");
        }
        assert_eq!(journal.trouble(), None);
        failed
    })
}

fn is_done(code: Code) -> bool {
    matches!(code, Code::Conflict | Code::NotFound)
}

/// Whether all of the script is on the platter.
fn is_whole(disk: &Disk, seed: u64, wanted: &super::crash::State) -> Result<(), String> {
    let image = disk.image(&mut Chance::new(seed));
    let engine = Engine::open(Disk::healthy(image).opener(), Box::new(|| None), env())
        .map_err(|error| error.to_string())?;
    let mut found = state(&engine)?;
    found.retain(|name, _| !name.contains("last"));
    if found == *wanted { Ok(()) } else { Err("something acknowledged is missing".into()) }
}

#[test]
fn every_failing_operation_is_survived_and_nothing_is_acknowledged_falsely() {
    let script = script();
    let (states, operations) = states(&script);
    let wanted = states.last().expect("there are steps");
    let mut failed = 0;
    for n in 1..=operations {
        let (kind, count) = match n % 3 {
            0 => (ErrorKind::StorageFull, 1),
            1 => (ErrorKind::Other, 1),
            _ => (ErrorKind::StorageFull, 12),
        };
        let plan =
            move |at, _| if at >= n && at < n + count { Fate::Fails(kind) } else { Fate::Well };
        let disk = Disk::new(Disk::blank(), Box::new(plan));
        failed += persist(&disk, &script);
        if let Err(what) = is_whole(&disk, n, wanted) {
            panic!("operation {n} failed: {what}");
        }
    }
    assert!(failed > 50, "only {failed} steps failed");
}

#[test]
fn a_failure_that_nobody_tells_is_caught() {
    let script = script();
    let (states, operations) = states(&script);
    let wanted = states.last().expect("there are steps");
    let mut caught = 0;
    for n in (1..=operations).step_by(5) {
        // From the n-th operation on, syncs do nothing and say that they did.
        let plan = move |at, kind| match kind {
            Kind::Sync if at >= n => Fate::Lies,
            _ => Fate::Well,
        };
        let disk = Disk::new(Disk::blank(), Box::new(plan));
        persist(&disk, &script);
        caught += u32::from(is_whole(&disk, n, wanted).is_err());
    }
    assert!(caught > 10, "only {caught} losses were noticed");
}

#[tokio::test]
async fn a_nearly_full_disk_refuses_what_grows_and_takes_what_shrinks() {
    use std::sync::atomic::AtomicU64;
    let dir = tempfile::tempdir().expect("a folder");
    let disk = Disk::healthy(Disk::blank());
    let room = Arc::new(AtomicU64::new(u64::MAX));
    let left = Arc::clone(&room);
    let store = Store::start(
        dir.path(),
        crate::lock::Lock::take(dir.path()).expect("free"),
        disk.opener(),
        Box::new(move || Some(left.load(Ordering::Relaxed))),
        env(),
    )
    .expect("opens");
    let journal = store.journal();
    conversation(&*journal, "a", "ants").await;
    conversation(&*journal, "b", "bees").await;
    room.store(crate::writer::LOW_ROOM - 1, Ordering::Relaxed);
    let error = journal.append(&"a".into(), 4, vec![said(9, "op", "more")]).await;
    let error = error.expect_err("there is no room");
    assert_eq!(error.code, Code::Storage);
    assert!(error.message.contains("MiB left") && error.hint.is_some(), "{error:?}");
    assert!(journal.trouble().is_some_and(|trouble| trouble.contains("MiB left")));
    journal.delete(&"b".into()).await.expect("that makes room");
    room.store(u64::MAX, Ordering::Relaxed);
    journal.append(&"a".into(), 4, vec![said(9, "op", "more")]).await.expect("room again");
    assert_eq!(journal.trouble(), None);
}

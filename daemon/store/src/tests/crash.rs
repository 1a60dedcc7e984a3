//! Power loss at every write and sync of a script, with what was not synced lost or torn.
//!
//! After k acknowledged steps and one under way the store must be exactly as after k or as after
//! k + 1 steps, sound in every hash and list. A disk that does not do what a sync promises must be
//! caught by the same examination.

use std::collections::BTreeMap;

use moltis_core::error::{Code, Error as Told};
use redb::ReadableTable;

use super::disk::{Chance, Disk, Fate, Kind};
use super::*;
use crate::check;
use crate::engine::Engine;
use crate::tables::{DRAFTS, EVENTS, KEYS};

/// All that is the truth in a store, and the keys.
pub(super) type State = BTreeMap<String, Vec<u8>>;

pub(super) enum Step {
    Append(&'static str, u64, Vec<NewEvent>),
    Fork(&'static str, u64, &'static str),
    Draft(&'static str, Draft),
    Delete(&'static str),
}

/// A script that uses everything that writes.
pub(super) fn script() -> Vec<Step> {
    let mut steps = vec![
        Step::Append("a", 0, vec![created(0, Some("main")), said(1, "a1", "hello")]),
        Step::Draft("a", draft("a1", "hel")),
        Step::Draft("a", draft("a1", "hello you")),
        Step::Append("a", 2, vec![answered(2, "a1", "hello you"), ended(3, "a1")]),
        Step::Append("b", 0, vec![created(4, None), said(5, "b1", &"long ".repeat(9_000))]),
        Step::Fork("a", 3, "c"),
        Step::Append("c", 4, vec![said(6, "c1", "other"), answered(7, "c1", &"y".repeat(5_000))]),
        Step::Delete("b"),
    ];
    for n in 0..6_u64 {
        let op = format!("a{}", n + 2);
        let events = vec![said(10, &op, "again"), answered(11, &op, "and again"), ended(12, &op)];
        steps.push(Step::Append("a", 4 + n * 3, events));
    }
    steps.push(Step::Delete("a"));
    steps.push(Step::Append("d", 0, vec![created(20, Some("main"))]));
    steps
}

pub(super) async fn take(journal: &dyn Journal, step: &Step) -> Result<(), Told> {
    match step {
        Step::Append(id, after, events) => {
            journal.append(&(*id).into(), *after, events.clone()).await.map(drop)
        }
        Step::Fork(parent, seq, child) => {
            let events = vec![forked(9, parent, *seq)];
            journal.fork(&(*parent).into(), *seq, &(*child).into(), events).await.map(drop)
        }
        Step::Draft(id, draft) => journal.checkpoint(&(*id).into(), draft.clone()).await,
        Step::Delete(id) => journal.delete(&(*id).into()).await,
    }
}

pub(super) fn state(engine: &Engine) -> Result<State, String> {
    let state = engine.view(|txn| {
        let mut state = State::new();
        for row in txn.open_table(EVENTS)?.iter()? {
            let (key, row) = row?;
            state.insert(format!("event {:?}", key.value()), row.value().to_vec());
        }
        for row in txn.open_table(DRAFTS)?.iter()? {
            let (key, row) = row?;
            state.insert(format!("draft {:?}", key.value()), row.value().to_vec());
        }
        for row in txn.open_table(KEYS)?.iter()? {
            let (key, row) = row?;
            state.insert(format!("key {:?}", key.value()), row.value().into());
        }
        let problems = check::check(txn, None)?.problems;
        Ok((state, problems))
    });
    let (state, problems) = state.map_err(|error| format!("can't be read: {error}"))?;
    if problems.is_empty() { Ok(state) } else { Err(problems.join("; ")) }
}

/// The states before the script and after each of its steps, and how many operations of the disk
/// it took.
pub(super) fn states(script: &[Step]) -> (Vec<State>, u64) {
    let dir = tempfile::tempdir().expect("a folder");
    let disk = Disk::healthy(Disk::blank());
    let store = disk.store(dir.path()).expect("a healthy disk");
    let mut states = vec![state(&store.parts().engine).expect("sound")];
    block_on(async {
        for step in script {
            take(&*store.journal(), step).await.expect("a healthy disk");
            states.push(state(&store.parts().engine).expect("sound"));
        }
    });
    drop(store);
    (states, disk.operations())
}

pub(super) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime").block_on(future)
}

/// Runs the script until the power is lost; how many steps were acknowledged.
fn run(disk: &Disk, script: &[Step]) -> usize {
    let dir = tempfile::tempdir().expect("a folder");
    let Ok(store) = disk.store(dir.path()) else { return 0 };
    let journal = store.journal();
    block_on(async {
        let mut acknowledged = 0;
        for step in script {
            match take(&*journal, step).await {
                Ok(()) => acknowledged += 1,
                Err(error) => {
                    assert!(matches!(error.code, Code::Storage | Code::Unavailable), "{error}");
                    break;
                }
            }
        }
        acknowledged
    })
}

/// Examines what a power loss left behind.
fn examine(image: Vec<u8>, states: &[State], acknowledged: usize) -> Result<(), String> {
    let engine = Engine::open(Disk::healthy(image).opener(), Box::new(|| None), env())
        .map_err(|error| format!("does not open: {error}"))?;
    let found = state(&engine)?;
    let allowed = &states[acknowledged..states.len().min(acknowledged + 2)];
    if allowed.contains(&found) {
        Ok(())
    } else {
        Err(format!("{} rows are not those after {acknowledged} steps", found.len()))
    }
}

#[test]
fn a_power_loss_at_any_moment_loses_nothing_that_was_acknowledged() {
    let script = script();
    let (states, operations) = states(&script);
    let mut images = 0;
    for lost_at in 1..=operations {
        let disk = Disk::new(
            Disk::blank(),
            Box::new(move |n, _| if n >= lost_at { Fate::PowerLoss } else { Fate::Well }),
        );
        let acknowledged = run(&disk, &script);
        for seed in 0..2 {
            let mut chance = Chance::new(lost_at * 100 + seed);
            let image = disk.image(&mut chance);
            // Lost again while the store is opened and written to after the first loss.
            let again = chance.below(30) + 1;
            let second = Disk::new(
                image.clone(),
                Box::new(move |n, _| if n >= again { Fate::PowerLoss } else { Fate::Well }),
            );
            let opened = Engine::open(second.opener(), Box::new(|| None), env());
            drop(opened);
            for image in [image, second.image(&mut chance)] {
                images += 1;
                if let Err(what) = examine(image, &states, acknowledged) {
                    panic!("lost at {lost_at}, seed {seed}: {what}");
                }
            }
        }
    }
    assert!(images >= 800, "only {images} images were examined");
}

#[test]
fn a_disk_that_lies_about_syncs_is_caught() {
    let script = script();
    let (states, operations) = states(&script);
    let mut caught = 0;
    for lost_at in (1..=operations).step_by(7) {
        let disk = Disk::new(
            Disk::blank(),
            Box::new(move |n, kind| match kind {
                _ if n >= lost_at => Fate::PowerLoss,
                Kind::Sync => Fate::Lies,
                Kind::Write | Kind::Resize => Fate::Well,
            }),
        );
        let acknowledged = run(&disk, &script);
        let image = disk.image(&mut Chance::new(lost_at));
        caught += u32::from(examine(image, &states, acknowledged).is_err());
    }
    assert!(caught > 10, "only {caught} lost or torn stores were noticed");
}

use super::*;
use crate::Store;
use crate::tests::open;

/// A projector that nobody runs, over the store's database.
fn projector(store: &Store) -> Projector {
    let parts = store.parts();
    Projector {
        dir: parts.dir.clone(),
        engine: Arc::clone(&parts.engine),
        writer: parts.writer.clone(),
        signal: Arc::new(Signal::default()),
        open: BTreeMap::new(),
        synced: Instant::now(),
        unindexed: 0,
        first: false,
        missed: false,
    }
}

#[test]
fn whoever_waits_is_answered_after_the_work_that_there_was() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path());
    let projector = projector(&store);
    projector.signal.notify(vec!["a".into()]);
    let answer = projector.signal.settle(Settle::Everything);
    let (task, waiting) = projector.next();
    assert!(matches!(task, Task::Pass { touched, look: false } if touched.len() == 1));
    assert!(waiting.index && waiting.who.len() == 1, "more work may come meanwhile");
    drop((waiting, answer));
}

#[test]
fn however_much_is_to_be_done_the_end_comes() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path());
    let projector = projector(&store);
    projector.signal.notify(vec!["a".into()]);
    projector.signal.stop();
    assert!(matches!(projector.next().0, Task::Pass { .. }), "there is time for that");
    projector.signal.lock().stopping = Some(Instant::now());
    projector.signal.notify(vec!["a".into()]);
    assert!(matches!(projector.next().0, Task::Stop));
}

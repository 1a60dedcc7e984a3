//! What is damaged harms nothing but itself, and what follows from the events can be mended.

use moltis_core::error::{Code, Error as Told};
use redb::ReadableTable;

use super::*;
use crate::tables::Tables;
use crate::writer::{Applied, Need};
use crate::{Error, check_offline, rebuild_offline, restore};

/// Three sessions with a turn that has no end.
async fn filled(dir: &Path) -> Store {
    let store = open(dir);
    let journal = store.journal();
    for id in ["a", "b", "c"] {
        conversation(&*journal, id, "ants of the garden").await;
        journal
            .append(&id.into(), 4, vec![said(9, &format!("open-{id}"), "more")])
            .await
            .expect("ok");
    }
    store
}

async fn spoil(store: &Store, how: impl FnOnce(&mut Tables<'_>) -> Applied<()> + Send + 'static) {
    store.parts().writer.submit(Need::Room, 0, how).await.expect("written");
}

/// An event that says something else than was written.
fn spoil_event(tables: &mut Tables<'_>, session: &str, seq: u64) -> Applied<()> {
    let mut row = tables.events.get((session, seq))?.expect("there").value().to_vec();
    *row.last_mut().expect("not empty") ^= 1;
    tables.events.insert((session, seq), row.as_slice())?;
    Ok(Ok(()))
}

fn spoil_summary(tables: &mut Tables<'_>, session: &str) -> Applied<()> {
    let mut row = tables.summaries.get(session)?.expect("there").value().to_vec();
    row[0] ^= 1;
    tables.summaries.insert(session, row.as_slice())?;
    Ok(Ok(()))
}

async fn sessions_found(journal: &dyn Journal) -> Vec<String> {
    let hits = journal.search("garden", 10).await.expect("searched");
    let mut found: Vec<String> = hits.into_iter().map(|hit| hit.session.to_string()).collect();
    found.sort();
    found.dedup();
    found
}

#[tokio::test]
async fn a_damaged_session_harms_no_other() {
    for indexed in [false, true] {
        let dir = tempfile::tempdir().expect("a folder");
        let store = filled(dir.path()).await;
        if indexed {
            settle(&store).await;
        }
        spoil(&store, |tables| spoil_event(tables, "a", 3)).await;
        spoil(&store, |tables| spoil_summary(tables, "b")).await;
        let journal = store.journal();
        assert!(sessions_found(&*journal).await.contains(&"c".to_owned()), "indexed: {indexed}");
        let open = journal.unfinished().await.expect("read");
        let open: Vec<&str> = open.iter().map(|summary| summary.id.as_str()).collect();
        assert_eq!(open, ["a", "c"]);
    }
}

#[tokio::test]
async fn a_backup_of_a_damaged_store_names_what_it_lacks_and_is_sound() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = filled(dir.path()).await;
    let sound = history(&*store.journal(), "a").await;
    for id in ["a", "b"] {
        store.journal().checkpoint(&id.into(), draft("x", "half")).await.expect("kept");
    }
    spoil(&store, |tables| spoil_event(tables, "a", 3)).await;
    spoil(&store, |tables| spoil_event(tables, "b", 1)).await;
    let backup = dir.path().join("backup");
    let report = store.journal().backup(&backup).await.expect("written");
    assert_eq!((report.sessions, report.events), (2, 2 + 5));
    expect_test::expect![[r#"
        session `a` is copied up to event 2: event 3 of session `a` is damaged: its hash does not fit
        session `b` is copied up to event 0: event 1 of session `b` is damaged: its hash does not fit"#]]
    .assert_eq(&report.problems.join("\n"));
    let elsewhere = tempfile::tempdir().expect("a folder");
    assert_eq!(
        restore(&backup, elsewhere.path()).expect("restored").problems,
        Vec::<String>::new()
    );
    let restored = open(elsewhere.path());
    assert_eq!(history(&*restored.journal(), "a").await, sound[..2]);
    assert_eq!(history(&*restored.journal(), "c").await, history(&*store.journal(), "c").await);
}

#[tokio::test]
async fn damaged_lists_are_mended_by_a_rebuild() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = filled(dir.path()).await;
    spoil(&store, |tables| spoil_summary(tables, "a")).await;
    spoil(&store, |tables| Ok(Ok(tables.keys.insert("main", "nobody").map(drop)?))).await;
    let read = store.journal().read(&"a".into(), Page::After { seq: 0, limit: 9 }).await;
    assert_eq!(read.expect_err("damaged").code, Code::Storage);
    let in_use = Told::from(rebuild_offline(dir.path()).expect_err("in use"));
    assert_eq!(in_use.code, Code::Conflict);
    store.close().await;
    let report = check_offline(dir.path()).expect("checked");
    assert!(report.rebuild_mends && report.problems.len() > 1, "{report:?}");

    let report = rebuild_offline(dir.path()).expect("rebuilt");
    assert_eq!((report.problems, report.sessions, report.events), (Vec::new(), 3, 15));
    let store = open(dir.path());
    assert_eq!(history(&*store.journal(), "a").await.len(), 5);
    assert_eq!(sessions_found(&*store.journal()).await, ["a", "b", "c"]);
    let path = dir.path().join("agents/main/sessions/a.jsonl");
    settle(&store).await;
    assert_eq!(std::fs::read_to_string(path).expect("a transcript").lines().count(), 5);
}

#[tokio::test]
async fn a_rebuild_makes_nothing_of_damaged_events() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = filled(dir.path()).await;
    spoil(&store, |tables| spoil_event(tables, "a", 3)).await;
    spoil(&store, |tables| spoil_summary(tables, "b")).await;
    store.close().await;
    assert!(!check_offline(dir.path()).expect("checked").rebuild_mends);
    let error = rebuild_offline(dir.path()).expect_err("damaged");
    assert!(matches!(&error, Error::Damaged(what) if what.contains("event 3")), "{error}");
    let store = open(dir.path());
    store.journal().delete(&"a".into()).await.expect("what is damaged can be removed");
    store.close().await;
    assert!(check_offline(dir.path()).expect("checked").rebuild_mends);
    assert_eq!(rebuild_offline(dir.path()).expect("rebuilt").problems, Vec::<String>::new());
}

#[tokio::test]
async fn a_session_whose_summary_is_damaged_can_be_removed() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = filled(dir.path()).await;
    settle(&store).await;
    spoil(&store, |tables| spoil_summary(tables, "a")).await;
    store.journal().delete(&"a".into()).await.expect("removed");
    assert_eq!(sessions_found(&*store.journal()).await, ["b", "c"]);
    assert!(!dir.path().join("agents/main/sessions/a.jsonl").exists());
    assert_eq!(store.journal().check().await.expect("checked").problems, Vec::<String>::new());
}

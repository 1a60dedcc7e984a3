//! What is done to a store from outside: locking, formats, backups, checks, damage.

use std::path::PathBuf;

use moltis_core::error::Code;
use redb::ReadableTable;
use secrecy::{ExposeSecret, SecretString};

use super::crash::{script, take};
use super::disk::Chance;
use super::*;
use crate::tables::{FORMAT, META_FORMAT};
use crate::writer::Need;
use crate::{Error, check_offline, paths, restore};

fn database(dir: &Path) -> PathBuf {
    dir.join(paths::DATABASE)
}

async fn filled(dir: &Path) -> Store {
    let store = open(dir);
    for step in script() {
        take(&*store.journal(), &step).await.expect("written");
    }
    conversation(&*store.journal(), "z", "the last letter").await;
    store.vault().put("provider/openai", SecretString::from("sk")).await.expect("put");
    store
}

#[test]
fn a_second_process_is_told_who_has_the_directory() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path());
    let error = Store::open(dir.path(), env()).expect_err("in use");
    assert!(matches!(&error, Error::InUse { pid, .. } if *pid == std::process::id()), "{error}");
    assert!(matches!(check_offline(dir.path()), Err(Error::InUse { .. })));
    let restored = restore(Path::new("/nowhere"), dir.path());
    assert!(matches!(restored, Err(Error::InUse { .. })));
    drop(store);
    drop(open(dir.path()));
}

#[tokio::test]
async fn a_newer_format_is_refused_untouched() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = filled(dir.path()).await;
    let newer = store.parts().writer.submit(Need::Room, 0, |tables| {
        tables.meta.insert(META_FORMAT, (FORMAT + 1).to_le_bytes().as_slice())?;
        Ok(Ok(()))
    });
    newer.await.expect("written");
    store.close().await;
    let before = std::fs::read(database(dir.path())).expect("read");
    let error = Store::open(dir.path(), env()).expect_err("newer");
    assert_eq!(error.to_string(), "the store has format 2, and this version reads formats up to 1");
    assert!(matches!(check_offline(dir.path()), Err(Error::Newer { .. })));
    assert_eq!(std::fs::read(database(dir.path())).expect("read"), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_while_writing_is_a_consistent_prefix_and_comes_back() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = filled(dir.path()).await;
    let journal = store.journal();
    let mut writing = tokio::task::JoinSet::new();
    let (started, running) = tokio::sync::oneshot::channel();
    let writer = store.journal();
    writing.spawn(async move {
        let mut started = Some(started);
        for last in 4..204 {
            let event = said(9, &format!("w{last}"), "more");
            writer.append(&"z".into(), last, vec![event]).await.expect("written");
            if last == 24 {
                started.take().map(|started| started.send(()));
            }
        }
    });
    running.await.expect("the writer runs");
    let backup = dir.path().join("b.redb");
    let report = journal.backup(&backup).await.expect("written");
    writing.join_all().await;
    assert!(report.sessions == 3 && report.bytes > 0, "{report:?}");
    let exists = journal.backup(&backup).await.expect_err("it is there");
    assert_eq!(exists.code, Code::Invalid);
    let now = history(&*journal, "z").await;
    store.close().await;

    // Into the same directory: the later events are gone, the old store is kept aside.
    let key = std::fs::read(dir.path().join(paths::KEY)).expect("read");
    let checked = restore(&backup, dir.path()).expect("restored");
    assert_eq!((checked.sessions, checked.events), (report.sessions, report.events));
    let aside: Vec<_> = std::fs::read_dir(dir.path())
        .expect("listed")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
        .filter(|name| name.contains("before-restore"))
        .collect();
    assert_eq!(aside.len(), 1, "{aside:?}");
    assert_eq!(std::fs::read(dir.path().join(paths::KEY)).expect("read"), key);
    let store = open(dir.path());
    let restored = history(&*store.journal(), "z").await;
    assert!(restored.len() > 20 && now.starts_with(&restored), "{} events", restored.len());
    let secret = store.vault().get("provider/openai").await.expect("read").expect("there");
    assert_eq!(secret.expose_secret(), "sk");
    settle(&store).await;
    let hits = store.journal().search("letter", 10).await.expect("searched");
    assert_eq!(hits.len(), 2);
    let path = dir.path().join("agents/main/sessions/z.jsonl");
    let lines = std::fs::read_to_string(path).expect("a transcript").lines().count();
    assert_eq!(lines, restored.len(), "the transcript is as long as the restored history");
    store.close().await;
    assert_eq!(check_offline(dir.path()).expect("checked").problems, Vec::<String>::new());
}

#[tokio::test]
async fn a_backup_holds_no_key_and_opens_elsewhere_without_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = filled(dir.path()).await;
    let backup = dir.path().join("b.redb");
    store.journal().backup(&backup).await.expect("written");
    let key = std::fs::read_to_string(dir.path().join(paths::KEY)).expect("read");
    let bytes = std::fs::read(&backup).expect("read");
    assert!(!bytes.windows(64).any(|window| window == key.trim_end().as_bytes()));
    let elsewhere = tempfile::tempdir().expect("a folder");
    let strangers = elsewhere.path().join("agents/main/sessions");
    std::fs::create_dir_all(&strangers).expect("made");
    std::fs::write(strangers.join("stranger.jsonl"), "{}\n").expect("written");
    restore(&backup, elsewhere.path()).expect("restored");
    assert!(!strangers.join("stranger.jsonl").exists(), "no transcript without a session");
    let there = open(elsewhere.path());
    assert_eq!(history(&*there.journal(), "z").await, history(&*store.journal(), "z").await);
    let error = there.vault().get("provider/openai").await.expect_err("no key here");
    assert_eq!(error.code, Code::Denied);
}

#[tokio::test]
async fn a_damaged_backup_is_not_restored() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = filled(dir.path()).await;
    let backup = dir.path().join("b.redb");
    store.journal().backup(&backup).await.expect("written");
    store.close().await;
    let before = std::fs::read(database(dir.path())).expect("read");
    let mut bytes = std::fs::read(&backup).expect("read");
    let at = bytes.windows(6).position(|window| window == b"letter").expect("it is in there");
    bytes[at] ^= 1;
    std::fs::write(&backup, &bytes).expect("written");
    let error = restore(&backup, dir.path()).expect_err("damaged");
    assert!(error.to_string().starts_with("the backup is damaged"), "{error}");
    for text in ["", "this is no store"] {
        std::fs::write(&backup, text).expect("written");
        restore(&backup, dir.path()).expect_err("no store");
    }
    assert_eq!(std::fs::read(database(dir.path())).expect("read"), before);
}

#[tokio::test]
async fn a_check_changes_nothing_and_finds_what_does_not_follow() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = filled(dir.path()).await;
    let sound = store.journal().check().await.expect("checked");
    assert_eq!(sound.problems, Vec::<String>::new());
    assert_eq!(sound.sessions, 3);
    let spoiled = store.parts().writer.submit(Need::Room, 0, |tables| {
        let mut summary = tables.summary("z")?.expect("there");
        summary.title = "forged".into();
        tables.put_summary(None, &summary)?;
        tables.ops.remove("op-z")?;
        tables.usage.retain(|_, _| false)?;
        let forged = tables.events.get(("c", 2))?.expect("there").value().to_vec();
        tables.events.insert(("c", 3), forged.as_slice())?;
        Ok(Ok(()))
    });
    spoiled.await.expect("written");
    store.close().await;
    let before = std::fs::read(database(dir.path())).expect("read");
    let report = check_offline(dir.path()).expect("checked");
    expect_test::expect![[r#"
        event 3 of session `c` is damaged: its hash does not fit
        the summary of session `z` does not follow from its events
        event 2 of session `z` is not found by its command"#]]
    .assert_eq(&report.problems.join("\n"));
    assert_eq!(std::fs::read(database(dir.path())).expect("read"), before);
    // Whoever reads the session is told so, and gets nothing that was not written.
    let store = open(dir.path());
    let read = store.journal().read(&"c".into(), Page::After { seq: 0, limit: 100 }).await;
    assert_eq!(read.expect_err("damaged").code, Code::Storage);
    history(&*store.journal(), "z").await;
    store.journal().delete(&"c".into()).await.expect("what is damaged can be removed");
}

#[tokio::test]
async fn flipped_bits_never_give_a_wrong_answer_and_never_a_panic() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = filled(dir.path()).await;
    settle(&store).await;
    let mut sound = Vec::new();
    for id in ["c", "d", "z"] {
        sound.push(history(&*store.journal(), id).await);
    }
    store.close().await;
    let bytes = std::fs::read(database(dir.path())).expect("read");
    let mut chance = Chance::new(7);
    let (mut found, mut refused) = (0, 0);
    for _ in 0..150 {
        let mut damaged = bytes.clone();
        for _ in 0..=chance.below(3) {
            let at = usize::try_from(chance.below(bytes.len() as u64)).expect("in memory");
            damaged[at] ^= 1 << chance.below(8);
        }
        if chance.below(10) == 0 {
            damaged.truncate(usize::try_from(chance.below(bytes.len() as u64)).expect("small"));
        }
        std::fs::write(database(dir.path()), &damaged).expect("written");
        let report = check_offline(dir.path());
        let is_sound = report.as_ref().is_ok_and(|report| report.problems.is_empty());
        found += u32::from(!is_sound);
        let Ok(store) = Store::open(dir.path(), env()) else {
            refused += 1;
            assert!(!is_sound, "a store that is sound opens");
            continue;
        };
        for (id, sound) in ["c", "d", "z"].into_iter().zip(&sound) {
            let page = Page::After { seq: 0, limit: u32::MAX };
            match store.journal().read(&id.into(), page).await {
                Ok(events) => assert!(sound.starts_with(&events), "a wrong answer"),
                Err(error) => assert!(!is_sound, "a store that is sound is read: {error}"),
            }
        }
    }
    assert!(found > 20 && refused < 150, "found {found}, refused {refused}");
}

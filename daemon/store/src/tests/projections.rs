//! Everything that follows from the events, dropped and made anew, is the same.

use std::collections::BTreeMap;

use expect_test::expect;
use proptest::prelude::*;
use redb::{ReadTransaction, ReadableTable};

use super::crash::{block_on, script, take};
use super::*;
use crate::error::Result;
use crate::fold::rebuild;
use crate::tables::{KEYS, META_TRANSCRIPT, OPS, RECENT, SUMMARIES, UNFINISHED, USAGE};
use crate::transcript::line;
use crate::writer::Need;

/// The lists that follow from the events.
fn lists(txn: &ReadTransaction) -> Result<Vec<String>> {
    let mut rows = Vec::new();
    for row in txn.open_table(SUMMARIES)?.iter()? {
        let (key, row) = row?;
        rows.push(format!("summary {} {:?}", key.value(), row.value()));
    }
    for row in txn.open_table(RECENT)?.iter()? {
        let (key, row) = row?;
        rows.push(format!("recent {:?} {}", key.value(), row.value()));
    }
    for row in txn.open_table(KEYS)?.iter()? {
        let (key, row) = row?;
        rows.push(format!("key {} {}", key.value(), row.value()));
    }
    for row in txn.open_table(UNFINISHED)?.iter()? {
        rows.push(format!("unfinished {}", row?.0.value()));
    }
    for row in txn.open_table(OPS)?.iter()? {
        let (key, row) = row?;
        rows.push(format!("op {} {:?}", key.value(), row.value()));
    }
    for row in txn.open_table(USAGE)?.iter()? {
        let (key, row) = row?;
        rows.push(format!("usage {:?} {:?}", key.value(), row.value()));
    }
    Ok(rows)
}

/// The transcripts of a data directory, by name.
fn transcripts(dir: &Path) -> BTreeMap<String, String> {
    let folder = dir.join("agents/main/sessions");
    let Ok(entries) = std::fs::read_dir(folder) else { return BTreeMap::new() };
    entries
        .map(|entry| {
            let entry = entry.expect("an entry");
            let text = std::fs::read_to_string(entry.path()).expect("text");
            (entry.file_name().into_string().expect("a name"), text)
        })
        .collect()
}

async fn answers(journal: &dyn Journal) -> Vec<String> {
    let mut answers = Vec::new();
    for query in ["hello", "again", "you oth", "long"] {
        for hit in journal.search(query, 200).await.expect("searched") {
            answers.push(format!("{query}: {} {} {}", hit.session, hit.seq, hit.snippet));
        }
    }
    answers.sort();
    answers
}

async fn rebuild_all(store: &Store) {
    let done = store.parts().writer.submit(Need::Room, 0, |tables| rebuild(tables).map(Ok)).await;
    done.expect("rebuilt");
    store.parts().signal.notify(vec!["a".into()]);
}

#[test]
fn dropped_and_made_anew_everything_is_the_same() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path());
    let journal = store.journal();
    block_on(async {
        let engine = &store.parts().engine;
        for step in script() {
            take(&*journal, &step).await.expect("written");
        }
        conversation(&*journal, "z", "hello again, the other").await;
        settle(&store).await;
        let before = (engine.view(lists).expect("read"), answers(&*journal).await);
        let written = transcripts(dir.path());
        assert_eq!(written.keys().collect::<Vec<_>>(), ["c.jsonl", "d.jsonl", "z.jsonl"]);
        assert!(before.0.len() > 10 && before.1.len() > 5, "there is something to compare");

        rebuild_all(&store).await;
        let unindexed = answers(&*journal).await;
        settle(&store).await;
        let after = (engine.view(lists).expect("read"), answers(&*journal).await);
        assert_eq!(before, after);
        assert_eq!(before.1, unindexed, "what is not indexed is found as well");
        assert_eq!(journal.check().await.expect("checked").problems, Vec::<String>::new());
    });
    // The lost transcripts are written again by the next start.
    let written = transcripts(dir.path());
    std::fs::remove_dir_all(dir.path().join("agents")).expect("removed");
    block_on(rebuild_all(&store));
    drop(store);
    drop(open(dir.path()));
    assert_eq!(transcripts(dir.path()), written);
}

#[test]
fn a_transcript_is_the_history() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path());
    let events = block_on(conversation(&*store.journal(), "a", "ants"));
    drop(store);
    let text = transcripts(dir.path()).remove("a.jsonl").expect("a transcript");
    let mut lines = Vec::new();
    for event in &events {
        line(event, &mut lines);
    }
    assert_eq!(text.as_bytes(), lines);
    expect![[r#"
        {"agent":"main","at":"2026-11-24T06:00:00.000Z","cause":"cli","key":null,"kind":"session_created","origin":"owner","seq":1,"settings":{"approvals":null,"effort":null,"model":null,"mount":null,"network":null,"preset":null,"queue":null,"tree":null,"workspace":null},"turn":null}
        {"at":"2026-11-24T06:00:01.000Z","cause":"cli","images":[],"item":"item-op-a","kind":"user","model":null,"op_id":"op-a","origin":"owner","queue":"followup","seq":2,"text":"ants","turn":"turn-op-a"}
    "#]]
    .assert_eq(&text.lines().take(2).map(|line| format!("{line}\n")).collect::<String>());
}

#[test]
fn a_transcript_of_another_shape_is_written_anew() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path());
    block_on(conversation(&*store.journal(), "a", "ants"));
    block_on(settle(&store));
    let written = transcripts(dir.path());
    block_on(store.parts().writer.submit(Need::Room, 0, |tables| {
        Ok(Ok(tables.meta.insert(META_TRANSCRIPT, 0_u64.to_le_bytes().as_slice()).map(drop)?))
    }))
    .expect("written");
    drop(store);
    let path = dir.path().join("agents/main/sessions/a.jsonl");
    std::fs::write(&path, written["a.jsonl"].replace("kind", "sort")).expect("written");
    drop(open(dir.path()));
    assert_eq!(transcripts(dir.path()), written);
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 60, failure_persistence: None, ..ProptestConfig::default()
    })]

    /// What was synced survives a crash; behind it stands a part of what was written, or what the
    /// disk held before.
    #[test]
    fn a_transcript_is_the_history_after_a_crash_at_any_point(
        synced in 0..=4_usize, cut in any::<prop::sample::Index>(),
        rubbish in prop::collection::vec(any::<u8>(), 0..40), gone in prop::bool::weighted(0.1),
    ) {
        let dir = tempfile::tempdir().expect("a folder");
        let store = open(dir.path());
        let events = block_on(conversation(&*store.journal(), "a", "first\nsecond"));
        let mut lines = Vec::new();
        let mut lengths = vec![0];
        for event in &events {
            line(event, &mut lines);
            lengths.push(lines.len());
        }
        block_on(settle(&store));
        let known = (synced as u64, lengths[synced] as u64);
        block_on(store.parts().writer.submit(Need::Room, 0, move |tables| {
            tables.transcripts.insert("a", known)?;
            tables.due.insert("a", crate::tables::TRANSCRIPT_DUE)?;
            Ok(Ok(()))
        }))
        .expect("written");
        drop(store);
        let path = dir.path().join("agents/main/sessions/a.jsonl");
        let mut left = lines[..lengths[synced] + cut.index(lines.len() - lengths[synced] + 1)].to_vec();
        left.extend(&rubbish);
        if gone {
            std::fs::remove_file(&path).expect("removed");
        } else {
            std::fs::write(&path, &left).expect("written");
        }
        drop(open(dir.path()));
        let written = std::fs::read(&path).expect("a transcript");
        prop_assert_eq!(String::from_utf8_lossy(&written), String::from_utf8_lossy(&lines));
    }
}

#[tokio::test]
async fn transcripts_stay_in_their_folder() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path());
    let mut first = created(0, None);
    first.kind = EventKind::SessionCreated {
        agent: "../../up".into(),
        key: None,
        settings: Settings::default(),
        spawned: None,
    };
    store.journal().append(&"../x/y".into(), 0, vec![first]).await.expect("written");
    settle(&store).await;
    let path = dir.path().join("agents/%2E%2E%2F%2E%2E%2Fup/sessions/%2E%2E%2Fx%2Fy.jsonl");
    assert!(path.exists());
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(&path).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "nobody else reads it");
}

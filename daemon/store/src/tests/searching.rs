//! What a search finds.

use super::*;

async fn found(journal: &dyn Journal, query: &str) -> Vec<String> {
    let hits = journal.search(query, 10).await.expect("searched");
    hits.into_iter().map(|hit| format!("{}:{}", hit.session, hit.seq)).collect()
}

/// Some sessions, and the searches that every state of the index must answer alike.
async fn fill(journal: &dyn Journal) {
    conversation(journal, "ants", "the ants of the garden carry leaves").await;
    conversation(journal, "bees", "honey bees dance; ants do not").await;
    conversation(journal, "cafe", "le café est fermé, das Öl ist Über 日本語").await;
}

async fn check(journal: &dyn Journal) {
    // The message, then the answer that quotes it among more words.
    assert_eq!(found(journal, "garden").await, ["ants:2", "ants:3"]);
    assert_eq!(found(journal, "GARDEN").await, ["ants:2", "ants:3"]);
    assert_eq!(found(journal, "gard").await, ["ants:2", "ants:3"], "the last word is a prefix");
    assert_eq!(found(journal, "gard leaves").await, ["ants:2", "ants:3"], "leaves alone finds");
    assert_eq!(found(journal, "honey ants").await.first().map(String::as_str), Some("bees:2"));
    assert_eq!(found(journal, "café").await, ["cafe:2", "cafe:3"]);
    assert_eq!(found(journal, "cafe").await, Vec::<String>::new(), "diacritics count");
    assert_eq!(found(journal, "öl über").await, ["cafe:2", "cafe:3"]);
    assert_eq!(found(journal, "本").await, ["cafe:2", "cafe:3"]);
    assert_eq!(found(journal, "so").await.len(), 3);
    assert_eq!(found(journal, "nowhere").await, Vec::<String>::new());
    assert_eq!(found(journal, " … ").await, Vec::<String>::new());
}

#[tokio::test]
async fn searches_find_the_same_before_and_after_indexing() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path());
    let journal = store.journal();
    fill(&*journal).await;
    check(&*journal).await;
    settle(&store).await;
    check(&*journal).await;
    // Some indexed and some not.
    conversation(&*journal, "late", "wasps").await;
    check_late(&*journal).await;
    settle(&store).await;
    check_late(&*journal).await;
}

async fn check_late(journal: &dyn Journal) {
    assert_eq!(found(journal, "wasps").await, ["late:2", "late:3"]);
    assert_eq!(found(journal, "garden").await, ["ants:2", "ants:3"]);
}

#[tokio::test]
async fn a_hit_says_where_and_what() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path());
    let journal = store.journal();
    conversation(&*journal, "a", "the ants of the garden").await;
    let title = event(
        9,
        None,
        EventKind::TitleChanged {
            title: "Insects".into(),
            automatic: false,
            usage: Usage::default(),
        },
    );
    journal.append(&"a".into(), 4, vec![title]).await.expect("written");
    let hit = journal.search("garden", 1).await.expect("searched").remove(0);
    assert_eq!((hit.title.as_str(), hit.seq, hit.at, hit.by_person), ("Insects", 2, at(1), true));
    assert_eq!(hit.snippet, "the ants of the garden");
    assert!(hit.score > 0.0);
}

#[tokio::test]
async fn the_index_forgets_a_deleted_session() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path());
    let journal = store.journal();
    fill(&*journal).await;
    settle(&store).await;
    for id in ["ants", "bees", "cafe"] {
        journal.delete(&id.into()).await.expect("deleted");
    }
    assert_eq!(found(&*journal, "ants").await, Vec::<String>::new());
    let rows = store.parts().engine.view(|txn| {
        use redb::ReadableTableMetadata;
        Ok(txn.open_table(crate::tables::POSTINGS)?.len()?)
    });
    assert_eq!(rows.expect("read"), 0, "no row is left behind");
}

#[tokio::test]
async fn a_long_session_is_indexed_in_pieces() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path());
    let journal = store.journal();
    journal.append(&"long".into(), 0, vec![created(0, None)]).await.expect("written");
    for hundred in 0..15_u64 {
        let events = (0..100)
            .map(|n| {
                let n = hundred * 100 + n;
                said(1, &format!("op{n}"), &format!("common word number{n}"))
            })
            .collect();
        let after = 1 + hundred * 100;
        journal.append(&"long".into(), after, events).await.expect("written");
    }
    settle(&store).await;
    let due = store.parts().engine.view(|txn| {
        use redb::ReadableTableMetadata;
        Ok(txn.open_table(crate::tables::DUE)?.len()?)
    });
    assert_eq!(due.expect("read"), 0, "nothing is left to be done");
    assert_eq!(found(&*journal, "number1234").await, ["long:1236"]);
    assert_eq!(journal.search("common", 1000).await.expect("searched").len(), 200);
}

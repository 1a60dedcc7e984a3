//! What the journal promises, call by call.

use moltis_core::assistant::{Filter, Page};
use moltis_core::error::Code;
use moltis_core::event::EventKind;

use super::*;

fn seqs(events: &[Event]) -> Vec<u64> {
    events.iter().map(|event| event.seq).collect()
}

#[tokio::test]
async fn what_is_appended_is_read_after_reopening() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path());
    let written = conversation(&*store.journal(), "a", "ants").await;
    assert_eq!(seqs(&written), [1, 2, 3, 4]);
    assert_eq!(history(&*store.journal(), "a").await, written);
    store.close().await;
    let store = open(dir.path());
    assert_eq!(history(&*store.journal(), "a").await, written);
    let summary = store.journal().summary(&"a".into()).await.expect("read").expect("there");
    assert_eq!((summary.messages, summary.last_seq, summary.usage.input_tokens), (2, 4, 10));
}

#[tokio::test]
async fn an_append_that_does_not_know_the_last_seq_is_refused_and_writes_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path());
    let journal = store.journal();
    let written = conversation(&*journal, "a", "ants").await;
    for after in [0, 3, 5] {
        let error = journal
            .append(&"a".into(), after, vec![said(9, &format!("late-{after}"), "late")])
            .await
            .expect_err("the session has four events");
        assert_eq!(error.code, Code::Conflict, "{error}");
    }
    assert_eq!(history(&*journal, "a").await, written);
    assert_eq!(journal.by_op(&"late-3".into()).await, Ok(None));
}

#[tokio::test]
async fn keys_and_commands_belong_to_one_session() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path());
    let journal = store.journal();
    journal.append(&"a".into(), 0, vec![created(0, Some("main"))]).await.expect("written");
    let taken = journal.append(&"b".into(), 0, vec![created(0, Some("main"))]).await;
    assert_eq!(taken.expect_err("the key is taken").code, Code::Conflict);
    assert_eq!(journal.by_key("main").await, Ok(Some("a".into())));
    assert_eq!(journal.by_key("b").await, Ok(None));
    let first = journal.append(&"a".into(), 1, vec![said(1, "op", "hello")]).await.expect("ok");
    let again = journal.append(&"a".into(), 2, vec![said(2, "op", "hello")]).await;
    assert_eq!(again.expect_err("the command is done").code, Code::Conflict);
    assert_eq!(journal.by_op(&"op".into()).await, Ok(first.into_iter().next()));
}

#[tokio::test]
async fn pages_are_cut_at_both_ends() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path());
    let journal = store.journal();
    conversation(&*journal, "a", "ants").await;
    let check = async |page, wanted: &[u64]| {
        let events = journal.read(&"a".into(), page).await.expect("read");
        assert_eq!(seqs(&events), wanted, "{page:?}");
    };
    check(Page::After { seq: 0, limit: 2 }, &[1, 2]).await;
    check(Page::After { seq: 3, limit: 9 }, &[4]).await;
    check(Page::After { seq: 4, limit: 9 }, &[]).await;
    check(Page::After { seq: u64::MAX, limit: 9 }, &[]).await;
    check(Page::After { seq: 0, limit: 0 }, &[]).await;
    check(Page::Before { seq: u64::MAX, limit: 2 }, &[3, 4]).await;
    check(Page::Before { seq: 3, limit: 9 }, &[1, 2]).await;
    check(Page::Before { seq: 1, limit: 9 }, &[]).await;
    check(Page::Before { seq: 0, limit: 9 }, &[]).await;
    let error = journal.read(&"b".into(), Page::After { seq: 0, limit: 1 }).await;
    assert_eq!(error.expect_err("no such session").code, Code::NotFound);
}

#[tokio::test]
async fn a_page_of_heavy_events_is_shorter_but_never_empty() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path());
    let journal = store.journal();
    let mut events = vec![created(0, None)];
    for (n, mebibytes) in [3, 3, 3, 9, 3].into_iter().enumerate() {
        events.push(said(1, &format!("op{n}"), &"x".repeat(mebibytes << 20)));
    }
    journal.append(&"a".into(), 0, events).await.expect("written");
    let seqs = async |page| {
        let events = journal.read(&"a".into(), page).await.expect("read");
        events.iter().map(|event| event.seq).collect::<Vec<_>>()
    };
    assert_eq!(seqs(Page::After { seq: 0, limit: 10 }).await, [1, 2, 3]);
    assert_eq!(seqs(Page::After { seq: 4, limit: 10 }).await, [5]);
    assert_eq!(seqs(Page::Before { seq: 99, limit: 10 }).await, [6]);
    assert_eq!(seqs(Page::Before { seq: 5, limit: 10 }).await, [3, 4]);
}

#[tokio::test]
async fn a_fork_is_the_same_bytes_and_outlives_its_parent() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path());
    let journal = store.journal();
    let parent = conversation(&*journal, "a", "ants").await;
    let added = journal
        .fork(&"a".into(), 3, &"b".into(), vec![forked(9, "a", 3), said(10, "op-b", "bees")])
        .await
        .expect("the fork is made");
    assert_eq!(seqs(&added), [4, 5]);
    let child = history(&*journal, "b").await;
    assert_eq!(child.len(), 5);
    for (own, copied) in parent.iter().zip(&child).take(3) {
        assert_eq!((own.seq, &own.kind, own.at), (copied.seq, &copied.kind, copied.at));
        assert_eq!(copied.session, "b".into());
    }
    let summary = journal.summary(&"b".into()).await.expect("read").expect("there");
    assert_eq!(summary.parent, Some(("a".into(), 3)));
    assert_eq!(summary.usage, Usage::default(), "what was copied was not used again");
    // The parent's command still is the parent's, and goes with it.
    let op = journal.by_op(&"op-a".into()).await.expect("read").expect("there");
    assert_eq!(op.session, "a".into());
    journal.delete(&"a".into()).await.expect("deleted");
    assert_eq!(journal.by_op(&"op-a".into()).await, Ok(None));
    assert_eq!(history(&*journal, "b").await, child);
    assert_eq!(journal.check().await.expect("checked").problems, Vec::<String>::new());
}

#[tokio::test]
async fn a_fork_that_can_not_be_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path());
    let journal = store.journal();
    conversation(&*journal, "a", "ants").await;
    conversation(&*journal, "b", "bees").await;
    let check = async |parent: &str, seq, child: &str, wanted| {
        let events = vec![forked(9, parent, seq)];
        let error = journal.fork(&parent.into(), seq, &child.into(), events).await;
        assert_eq!(error.expect_err("impossible").code, wanted);
    };
    check("a", 0, "c", Code::Invalid).await;
    check("a", 5, "c", Code::Invalid).await;
    check("x", 1, "c", Code::NotFound).await;
    check("a", 4, "b", Code::Conflict).await;
    let error = journal.fork(&"a".into(), 2, &"c".into(), vec![said(1, "o", "t")]).await;
    assert_eq!(error.expect_err("says nothing of a fork").code, Code::Invalid);
    assert_eq!(journal.summary(&"c".into()).await, Ok(None));
}

#[tokio::test]
async fn deleting_leaves_nothing_but_what_was_used() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path());
    let journal = store.journal();
    journal.append(&"a".into(), 0, vec![created(0, Some("main"))]).await.expect("written");
    let events = vec![said(1, "op-a", "ants"), answered(2, "op-a", "six legs")];
    journal.append(&"a".into(), 1, events).await.expect("written");
    journal.checkpoint(&"a".into(), draft("op-a", "and")).await.expect("kept");
    settle(&store).await;
    let transcript = dir.path().join("agents/main/sessions/a.jsonl");
    assert!(transcript.exists());
    let used = journal.usage(at(0)).await.expect("read");
    assert_eq!((used.len(), used[0].answers, used[0].usage.output_tokens), (1, 1, 5));

    journal.delete(&"a".into()).await.expect("deleted");
    assert!(!transcript.exists());
    assert_eq!(journal.summary(&"a".into()).await, Ok(None));
    assert_eq!(journal.by_key("main").await, Ok(None));
    assert_eq!(journal.by_op(&"op-a".into()).await, Ok(None));
    assert_eq!(journal.drafts().await, Ok(Vec::new()));
    assert_eq!(journal.unfinished().await, Ok(Vec::new()));
    assert_eq!(journal.list(&Filter::default()).await, Ok(Vec::new()));
    assert_eq!(journal.search("legs", 10).await, Ok(Vec::new()));
    assert_eq!(journal.usage(at(0)).await, Ok(used), "money that was spent stays spent");
    let again = journal.delete(&"a".into()).await;
    assert_eq!(again.expect_err("it is gone").code, Code::NotFound);
    assert_eq!(journal.check().await.expect("checked").problems, Vec::<String>::new());
}

#[tokio::test]
async fn a_draft_lives_until_its_item_is_finished() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path());
    let journal = store.journal();
    let nobody = journal.checkpoint(&"a".into(), draft("op", "x")).await;
    assert_eq!(nobody.expect_err("no such session").code, Code::NotFound);
    let events = vec![created(0, None), said(1, "op", "ants")];
    journal.append(&"a".into(), 0, events).await.expect("written");
    journal.checkpoint(&"a".into(), draft("op", "six")).await.expect("kept");
    journal.checkpoint(&"a".into(), draft("op", "six legs")).await.expect("kept");
    assert_eq!(journal.drafts().await, Ok(vec![("a".into(), draft("op", "six legs"))]));
    let unfinished = journal.unfinished().await.expect("read");
    assert_eq!(unfinished.len(), 1);
    store.close().await;
    let store = open(dir.path());
    let journal = store.journal();
    assert_eq!(journal.drafts().await, Ok(vec![("a".into(), draft("op", "six legs"))]));
    journal.append(&"a".into(), 2, vec![ended(3, "op")]).await.expect("written");
    assert_eq!(journal.drafts().await, Ok(Vec::new()));
    assert_eq!(journal.unfinished().await, Ok(Vec::new()));
}

#[tokio::test]
async fn lists_are_newest_first_and_leave_out_what_is_put_away() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path());
    let journal = store.journal();
    for (n, id) in ["a", "b", "c"].into_iter().enumerate() {
        let seconds = i64::try_from(n).expect("small");
        journal.append(&id.into(), 0, vec![created(seconds, None)]).await.expect("written");
    }
    journal.append(&"a".into(), 1, vec![said(50, "op", "up")]).await.expect("written");
    let put_away = event(60, None, EventKind::ArchivedChanged { archived: true });
    journal.append(&"b".into(), 1, vec![put_away]).await.expect("written");
    let check = async |archived, limit, wanted: &[&str]| {
        let list = journal.list(&Filter { archived, limit }).await.expect("read");
        let ids: Vec<&str> = list.iter().map(|summary| summary.id.as_str()).collect();
        assert_eq!(ids, wanted);
    };
    check(false, 0, &["a", "c"]).await;
    check(true, 0, &["b", "a", "c"]).await;
    check(true, 2, &["b", "a"]).await;
    check(false, 1, &["a"]).await;
}

#[tokio::test]
async fn usage_is_summed_by_day_and_model() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path());
    let journal = store.journal();
    let day = 86_400;
    let events = vec![
        created(0, None),
        answered(1, "x", "1"),
        answered(2, "y", "2"),
        answered(day, "z", "3"),
    ];
    journal.append(&"a".into(), 0, events).await.expect("written");
    let rows = journal.usage(at(0)).await.expect("read");
    let rows: Vec<_> = rows.iter().map(|row| (row.day.as_str(), row.answers)).collect();
    assert_eq!(rows, [("2026-11-24", 2), ("2026-11-25", 1)]);
    assert_eq!(journal.usage(at(day)).await.expect("read").len(), 1);
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path());
    let (journal, vault) = (store.journal(), store.vault());
    conversation(&*journal, "a", "ants").await;
    store.close().await;
    let error = journal.append(&"a".into(), 4, vec![said(9, "late", "late")]).await;
    assert_eq!(error.expect_err("closed").code, Code::Unavailable);
    assert_eq!(journal.summary(&"a".into()).await.expect_err("closed").code, Code::Unavailable);
    assert_eq!(vault.names().await.expect_err("closed").code, Code::Unavailable);
}

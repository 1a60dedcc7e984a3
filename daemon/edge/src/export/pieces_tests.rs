use expect_test::expect;
use futures_util::StreamExt as _;
use moltis_core::Code;
use moltis_core::message::Part;

use super::*;
use crate::fakes::{Fake, Ports, summary, user_message};

fn session(events: u64, text: &str) -> (Arc<Fake>, Arc<dyn Assistant>) {
    let fake = Fake::new();
    *fake.events.lock().unwrap() = (1..=events)
        .map(|seq| user_message(seq, vec![Part::Text(format!("{seq}: {text}"))]))
        .collect();
    (Arc::clone(&fake), Arc::new(Ports(fake)))
}

#[tokio::test]
async fn a_document_ends_where_the_session_ended() {
    // The summary says 3; a fourth event came since.
    let (_, assistant) = session(4, "hi");
    let document: Vec<_> = pieces(assistant, &summary(), Format::Jsonl).collect().await;
    let text: String = document.into_iter().map(Result::unwrap).collect();
    expect![[r#"
        {"at":"2026-01-01T00:00:00.000Z","cause":"tui","images":[],"item":"i1","kind":"user","model":null,"op_id":"o1","origin":"owner","queue":"followup","seq":1,"text":"1: hi","turn":"t1"}
        {"at":"2026-01-01T00:00:00.000Z","cause":"tui","images":[],"item":"i1","kind":"user","model":null,"op_id":"o1","origin":"owner","queue":"followup","seq":2,"text":"2: hi","turn":"t1"}
        {"at":"2026-01-01T00:00:00.000Z","cause":"tui","images":[],"item":"i1","kind":"user","model":null,"op_id":"o1","origin":"owner","queue":"followup","seq":3,"text":"3: hi","turn":"t1"}
    "#]]
    .assert_eq(&text);
}

#[tokio::test]
async fn a_long_document_comes_in_bounded_pieces() {
    let (_, assistant) = session(40, &"é".repeat(PIECE));
    let mut summary = summary();
    summary.last_seq = 40;
    let document: Vec<_> = pieces(assistant, &summary, Format::Markdown).collect().await;
    let document: Vec<String> = document.into_iter().map(Result::unwrap).collect();
    assert!(document.iter().all(|piece| piece.len() <= PIECE));
    // The head, then two bytes for each é and the heading before them.
    assert!(document.len() > 2 * 40, "{} pieces", document.len());
    let text = document.concat();
    let lines: Vec<&str> = text.lines().filter(|line| line.contains(": é")).collect();
    let seqs: Vec<&str> = lines.iter().filter_map(|line| line.split(':').next()).collect();
    assert_eq!(seqs, (1..=40).map(|seq| seq.to_string()).collect::<Vec<_>>());
    assert!(lines.iter().all(|line| line.ends_with(&"é".repeat(PIECE))));
}

#[tokio::test]
async fn events_that_are_gone_do_not_make_it_endless() {
    let (_, assistant) = session(1, "hi");
    let document: Vec<_> = pieces(assistant, &summary(), Format::Jsonl).collect().await;
    assert_eq!(document.len(), 1);
}

#[tokio::test]
async fn a_journal_that_fails_ends_it_with_the_error() {
    let (fake, assistant) = session(3, "hi");
    fake.fail(Error::new(Code::Storage, "disk on fire"));
    let mut document = pieces(assistant, &summary(), Format::Jsonl);
    assert_eq!(document.next().await.unwrap().unwrap_err().code, Code::Storage);
    assert!(document.next().await.is_none());
}

use std::sync::Arc;

use expect_test::expect;
use moltis_core::feed::{Delta, Strand};
use moltis_core::message::Part;
use moltis_proto::v1::attach_response::Feed as Wire;
use moltis_proto::v1::sessions_client::SessionsClient;
use moltis_proto::v1::{self, part};
use tonic::transport::Channel;

use super::*;
use crate::fakes::{summary, user_message};
use crate::rig::{Rig, codes, detail};

async fn rig() -> (Rig, SessionsClient<Channel>) {
    let rig = Rig::start();
    let client = SessionsClient::new(rig.channel().await);
    (rig, client)
}

fn send(parts: Vec<part::Part>) -> v1::SendRequest {
    v1::SendRequest {
        op_id: "o1".to_owned(),
        session: "s1".to_owned(),
        parts: parts.into_iter().map(|part| v1::Part { part: Some(part) }).collect(),
        ..v1::SendRequest::default()
    }
}

#[tokio::test]
async fn every_call_reaches_its_port() {
    let (rig, mut client) = rig().await;
    let (op_id, session) = ("o1".to_owned(), "s1".to_owned());
    let settings = Some(v1::Settings {
        model: "p/m".to_owned(),
        effort: "low".to_owned(),
        queue: 2,
        ..v1::Settings::default()
    });
    let create = v1::CreateRequest {
        op_id: op_id.clone(),
        key: "main".to_owned(),
        title: String::new(),
        settings: settings.clone(),
    };
    let mut create = tonic::Request::new(create);
    create.metadata_mut().insert("moltis-client", "tui".parse().unwrap());
    assert_eq!(client.create(create).await.unwrap().into_inner().id, "s1");
    let find = v1::FindRequest { name: "main".to_owned() };
    assert_eq!(client.find(find).await.unwrap().into_inner().title, "Cats");
    let list = v1::ListSessionsRequest { archived: true, limit: 3 };
    assert_eq!(client.list(list).await.unwrap().into_inner().sessions.len(), 1);
    let sent = client.send(send(vec![part::Part::Text("hi".to_owned())])).await.unwrap();
    assert_eq!((sent.get_ref().turn.as_str(), sent.get_ref().seq), ("t1", 2));
    let stop = v1::StopRequest {
        op_id: op_id.clone(),
        session: session.clone(),
        all: true,
        turn: String::new(),
    };
    assert_eq!(client.stop(stop).await.unwrap().into_inner().turns, ["t1"]);
    let compact = v1::CompactRequest { op_id: op_id.clone(), session: session.clone() };
    assert_eq!(client.compact(compact).await.unwrap().into_inner().turn, "t1");
    let context = v1::ContextRequest { session: session.clone() };
    let told = client.context(context).await.unwrap().into_inner();
    assert_eq!((told.fragments[0].kind.as_str(), told.compact_at), ("messages", 75));
    let rename = v1::RenameRequest {
        op_id: op_id.clone(),
        session: session.clone(),
        title: "Dogs".to_owned(),
    };
    client.rename(rename).await.unwrap();
    let archive =
        v1::ArchiveRequest { op_id: op_id.clone(), session: session.clone(), archived: true };
    client.archive(archive).await.unwrap();
    let configure =
        v1::ConfigureRequest { op_id: op_id.clone(), session: session.clone(), settings };
    client.configure(configure).await.unwrap();
    let fork = v1::ForkRequest { op_id: op_id.clone(), session: session.clone(), seq: 0 };
    client.fork(fork).await.unwrap();
    client.delete(v1::DeleteRequest { op_id, session }).await.unwrap();
    let search = v1::SearchRequest { query: "cat".to_owned(), limit: 0 };
    assert_eq!(client.search(search).await.unwrap().into_inner().hits[0].snippet, "a cat");
    expect![[r#"
        create Caller { cause: Client("tui"), origin: Owner } NewSession { op: OpId(o1), key: Some("main"), title: "", settings: Settings { model: Some(ModelRef { provider: "p", model: "m" }), effort: Some(Low), queue: Some(Collect), workspace: None, approvals: None, mount: None, network: None, tree: None, preset: None } }
        find Name("main")
        list Filter { archived: true, limit: 3 }
        send Client("cli") OpId(o1) 1 parts
        stop OpId(o1) SessionId(s1) All
        compact OpId(o1) SessionId(s1)
        context SessionId(s1)
        change OpId(o1) SessionId(s1) Title("Dogs")
        change OpId(o1) SessionId(s1) Archived(true)
        change OpId(o1) SessionId(s1) Settings(Settings { model: Some(ModelRef { provider: "p", model: "m" }), effort: Some(Low), queue: Some(Collect), workspace: None, approvals: None, mount: None, network: None, tree: None, preset: None })
        find Id(SessionId(s1))
        fork OpId(o1) SessionId(s1) 3
        delete SessionId(s1)
        search "cat" 20"#]]
    .assert_eq(&rig.fake.take_asked());
}

#[tokio::test]
async fn what_can_not_be_meant_does_not_reach_the_port() {
    let (rig, mut client) = rig().await;
    let text = |bytes: usize| vec![part::Part::Text("a".repeat(bytes))];
    let image = |media_type: &str, bytes: usize| {
        let media_type = media_type.to_owned();
        vec![part::Part::Image(v1::Image { media_type, data: vec![0; bytes] })]
    };
    let cases = [
        (send(image("image/svg+xml", 9)), "parts[0].image.media_type"),
        (v1::SendRequest { op_id: String::new(), ..send(text(1)) }, "op_id"),
        (v1::SendRequest { op_id: "o".repeat(129), ..send(text(1)) }, "op_id"),
        (v1::SendRequest { session: String::new(), ..send(text(1)) }, "session"),
        (v1::SendRequest { model: "gpt".to_owned(), ..send(text(1)) }, "model"),
        (v1::SendRequest { queue: 99, ..send(text(1)) }, "queue"),
    ];
    for (request, field) in cases {
        let status = client.send(request).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::InvalidArgument);
        let detail = detail(&status);
        assert_eq!(detail.code, "invalid");
        assert!(detail.message.contains(&format!("`{field}`")), "{field}: {}", detail.message);
    }
    assert_eq!(rig.fake.take_asked(), "");
    client.send(send(image("image/png", 20 << 20))).await.unwrap();
}

#[tokio::test]
async fn a_reader_is_given_the_feed_as_it_comes() {
    let (rig, mut client) = rig().await;
    let delta = Delta {
        session: "s1".into(),
        turn: "t1".into(),
        item: "i2".into(),
        strand: Strand::Text,
        offset: 5,
        text: "more".to_owned(),
    };
    *rig.fake.feed.lock().unwrap() = vec![
        Feed::Snapshot { summary: Box::new(summary()), first_seq: 1 },
        Feed::Event(Arc::new(user_message(1, vec![Part::Text("hi".to_owned())]))),
        Feed::CaughtUp,
        Feed::Delta(delta),
    ];
    let attach = v1::AttachRequest { session: "s1".to_owned(), after_seq: Some(0), tail: 0 };
    let mut feed = client.attach(attach).await.unwrap().into_inner();
    let mut kinds = Vec::new();
    for _ in 0..4 {
        kinds.push(match feed.message().await.unwrap().unwrap().feed.unwrap() {
            Wire::Snapshot(snapshot) => format!("snapshot of {}", snapshot.session.unwrap().id),
            Wire::Event(event) => format!("event {}", event.seq),
            Wire::CaughtUp(_) => "caught up".to_owned(),
            Wire::Delta(delta) => format!("delta {} {}", delta.offset, delta.text),
            Wire::Progress(progress) => progress.text,
        });
    }
    assert_eq!(kinds, ["snapshot of s1", "event 1", "caught up", "delta 5 more"]);
    assert_eq!(rig.fake.take_asked(), "attach SessionId(s1) Seq(0)");
}

#[tokio::test]
async fn a_reader_that_leaves_ends_its_feed() {
    let (rig, mut client) = rig().await;
    let attach = v1::AttachRequest { session: "s1".to_owned(), ..v1::AttachRequest::default() };
    let feed = client.attach(attach.clone()).await.unwrap();
    rig.until_open(1).await;
    drop(feed);
    rig.until_open(0).await;

    // Also when the whole client goes.
    let feed = client.attach(attach).await.unwrap();
    rig.until_open(1).await;
    drop((feed, client));
    rig.until_open(0).await;
}

#[tokio::test]
async fn a_history_page_is_asked_for_by_one_end() {
    let (rig, mut client) = rig().await;
    let said = |seq| user_message(seq, vec![Part::Text("hi".to_owned())]);
    *rig.fake.events.lock().unwrap() = (1..=300).map(said).collect();
    let seqs = async |client: &mut SessionsClient<Channel>, after_seq, before_seq, limit| {
        let session = "s1".to_owned();
        let request = v1::HistoryRequest { session, after_seq, before_seq, limit };
        let page = client.history(request).await.unwrap().into_inner().events;
        (page.len(), page.first().map(|event| event.seq), page.last().map(|event| event.seq))
    };
    assert_eq!(seqs(&mut client, None, None, 0).await, (200, Some(101), Some(300)));
    assert_eq!(seqs(&mut client, Some(295), None, 10).await, (5, Some(296), Some(300)));
    assert_eq!(seqs(&mut client, None, Some(3), 10).await, (2, Some(1), Some(2)));
    assert_eq!(seqs(&mut client, Some(300), None, 10).await, (0, None, None));
    let request = v1::HistoryRequest {
        session: "s1".to_owned(),
        after_seq: Some(1),
        before_seq: Some(2),
        limit: 1,
    };
    assert_eq!(codes(client.history(request).await).1, "invalid");
}

#[tokio::test]
async fn an_export_is_a_document_in_the_wanted_form() {
    let (rig, mut client) = rig().await;
    let said = user_message(1, vec![Part::Text("hi".to_owned())]);
    rig.fake.events.lock().unwrap().push(said);
    for (format, begins) in
        [(v1::ExportFormat::Markdown, "# Cats\n"), (v1::ExportFormat::Jsonl, "{")]
    {
        let request = v1::ExportRequest { session: "s1".to_owned(), format: format.into() };
        let mut pieces = client.export(request).await.unwrap().into_inner();
        let mut text = String::new();
        while let Some(piece) = pieces.message().await.unwrap() {
            text.push_str(&piece.text);
        }
        assert!(text.starts_with(begins) && text.contains("hi"), "{text}");
    }
    let request = v1::ExportRequest { session: "s1".to_owned(), format: 0 };
    assert_eq!(codes(client.export(request).await).1, "invalid");
}

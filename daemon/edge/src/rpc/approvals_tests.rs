use expect_test::expect;
use moltis_proto::v1;
use moltis_proto::v1::sessions_client::SessionsClient;
use tonic::transport::Channel;

use super::*;
use crate::fakes::pending;
use crate::rig::{Rig, codes};

async fn rig() -> (Rig, SessionsClient<Channel>) {
    let rig = Rig::start();
    let client = SessionsClient::new(rig.channel().await);
    (rig, client)
}

fn yes(approval: &str) -> v1::AnswerRequest {
    v1::AnswerRequest {
        op_id: "o1".to_owned(),
        approval: approval.to_owned(),
        allow: true,
        digest: "d1".to_owned(),
        ..v1::AnswerRequest::default()
    }
}

#[tokio::test]
async fn questions_are_listed_and_answered_by_a_beginning_of_their_ids() {
    let (rig, mut client) = rig().await;
    let list = v1::ApprovalsRequest::default();
    let listed = client.approvals(list).await.unwrap().into_inner().approvals;
    assert_eq!((listed[0].id.as_str(), listed[0].digest.as_str()), ("a1", "d1"));
    let other = v1::ApprovalsRequest { session: "s2".to_owned() };
    assert!(client.approvals(other).await.unwrap().into_inner().approvals.is_empty());
    let always = v1::AnswerRequest { reach: "always".to_owned(), ..yes("a") };
    assert_eq!(client.answer(always).await.unwrap().into_inner().pattern, "exec: ls");
    let named = v1::AnswerRequest { session: "s3".to_owned(), ..yes("a") };
    client.answer(named).await.unwrap();
    expect![[r#"
        approvals
        approvals
        approvals
        answer OpId(o1) SessionId(s1) Answer { approval: ApprovalId(a1), digest: "d1", allow: true, reach: Always, reason: "" }
        answer OpId(o1) SessionId(s3) Answer { approval: ApprovalId(a), digest: "d1", allow: true, reach: Once, reason: "" }"#]]
    .assert_eq(&rig.fake.take_asked());
}

#[tokio::test]
async fn an_answer_without_the_digest_of_what_was_shown_reaches_nobody() {
    let (rig, mut client) = rig().await;
    let blind = v1::AnswerRequest { digest: String::new(), ..yes("a1") };
    let absurd = v1::AnswerRequest { reach: "forever".to_owned(), ..yes("a1") };
    let endless = v1::AnswerRequest { reason: "r".repeat(5_000), ..yes("a1") };
    for request in [blind, absurd, endless] {
        assert_eq!(codes(client.answer(request).await).1, "invalid");
    }
    assert_eq!(codes(client.answer(yes("b")).await).1, "not_found");
    assert!(!rig.fake.take_asked().contains("answer"));
    // The same answer with all that it needs does.
    client.answer(yes("a1")).await.unwrap();
    assert!(rig.fake.take_asked().contains("answer"));
}

#[test]
fn a_beginning_that_fits_several_questions_means_none() {
    let question = |id: &str| {
        let approval = ApprovalId::new(id);
        (SessionId::new("s1"), Pending { approval, ..pending() })
    };
    let waiting = [question("ab"), question("ac")];
    assert_eq!(find(&waiting, "a").unwrap_err().code, Code::Invalid);
    assert_eq!(find(&waiting, "ac").unwrap().1, ApprovalId::new("ac"));
    assert_eq!(find(&waiting, "").unwrap_err().code, Code::Invalid);
}

#[tokio::test]
async fn grants_and_changes_reach_their_ports() {
    let (rig, mut client) = rig().await;
    let (op_id, session, turn) = ("o1".to_owned(), "s1".to_owned(), "t1".to_owned());
    let pattern = "exec: ls".to_owned();
    let revoke = v1::RevokeRequest { op_id: op_id.clone(), session: session.clone(), pattern };
    client.revoke(revoke).await.unwrap();
    let diff = v1::DiffRequest { session: session.clone(), turn: String::new() };
    let diff = client.diff(diff).await.unwrap().into_inner();
    assert_eq!((diff.files[0].kind.as_str(), diff.text.as_str()), ("created", "+a\n"));
    let undo = v1::UndoRequest { op_id, session, turn };
    let undo = client.undo(undo).await.unwrap().into_inner();
    assert_eq!(undo.kept, ["b: it was changed since"]);
    expect![[r#"
        revoke OpId(o1) SessionId(s1) exec: ls
        changes SessionId(s1) None
        undo OpId(o1) SessionId(s1) Some(TurnId(t1))"#]]
    .assert_eq(&rig.fake.take_asked());
}

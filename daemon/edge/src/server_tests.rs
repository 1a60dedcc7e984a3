use std::sync::Arc;

use moltis_core::{Code, Error as CoreError};
use moltis_proto::v1::sessions_client::SessionsClient;
use moltis_proto::v1::system_client::SystemClient;
use moltis_proto::v1::{AttachRequest, FindRequest, HealthRequest, SendRequest};
use tokio::sync::Notify;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic_prost::ProstCodec;

use crate::rig::{Rig, codes, detail, told};

#[tokio::test]
async fn every_code_of_core_arrives_with_its_detail() {
    let rig = Rig::start();
    let mut client = SystemClient::new(rig.channel().await);
    let table = [
        (Code::NotFound, tonic::Code::NotFound),
        (Code::Invalid, tonic::Code::InvalidArgument),
        (Code::Conflict, tonic::Code::Aborted),
        (Code::Busy, tonic::Code::ResourceExhausted),
        (Code::NotConfigured, tonic::Code::FailedPrecondition),
        (Code::Provider, tonic::Code::Unknown),
        (Code::Storage, tonic::Code::Internal),
        (Code::Unavailable, tonic::Code::Unavailable),
        (Code::Denied, tonic::Code::PermissionDenied),
        (Code::Internal, tonic::Code::Internal),
    ];
    for (code, grpc) in table {
        let error = CoreError::new(code, "kaputt – „ganz“").with_hint("moltis doctor");
        rig.fake.fail(error.clone());
        let status = client.health(HealthRequest {}).await.unwrap_err();
        assert_eq!(status.code(), grpc);
        assert_eq!(told(&status), error);
    }
}

#[tokio::test]
async fn a_very_long_error_still_arrives() {
    let rig = Rig::start();
    let mut client = SystemClient::new(rig.channel().await);
    rig.fake.fail(CoreError::new(Code::Provider, "é".repeat(100_000)).with_hint("ü".repeat(9_000)));
    let status = client.health(HealthRequest {}).await.unwrap_err();
    assert_eq!(told(&status).code, Code::Provider);
}

#[tokio::test]
async fn a_call_that_does_not_exist_says_so_with_a_detail() {
    let rig = Rig::start();
    let mut client = Grpc::new(rig.channel().await);
    for path in ["/moltis.v1.System/Dance", "/moltis.v9.Ballet/Dance"] {
        client.ready().await.unwrap();
        let path = PathAndQuery::from_static(path);
        let codec = ProstCodec::<HealthRequest, HealthRequest>::default();
        let answer = client.unary(tonic::Request::new(HealthRequest {}), path, codec).await;
        let status = answer.unwrap_err();
        assert_eq!(status.code(), tonic::Code::Unimplemented);
        assert_eq!(detail(&status).hint, "moltis daemon restart");
    }
}

#[tokio::test]
async fn a_message_beyond_every_bound_is_invalid() {
    let rig = Rig::start();
    let mut client = SessionsClient::new(rig.channel().await);
    let request = FindRequest { name: "n".repeat(super::LARGEST_MESSAGE + 1) };
    let (code, ours) = codes(client.find(request).await);
    assert_eq!((code, ours.as_str()), (tonic::Code::InvalidArgument, "invalid"));
    // The connection goes on.
    client.find(FindRequest { name: "main".to_owned() }).await.unwrap();
}

#[tokio::test]
async fn bytes_that_are_no_message_are_invalid() {
    let rig = Rig::start();
    let mut client = Grpc::new(rig.channel().await);
    client.ready().await.unwrap();
    // A number where `Send` has text.
    let codec = ProstCodec::<moltis_proto::v1::LogsRequest, HealthRequest>::default();
    let request = moltis_proto::v1::LogsRequest { last: 7, follow: true };
    let path = PathAndQuery::from_static("/moltis.v1.Sessions/Send");
    let answer = client.unary(tonic::Request::new(request), path, codec).await;
    let (code, ours) = codes(answer);
    assert_eq!((code, ours.as_str()), (tonic::Code::InvalidArgument, "invalid"));
}

#[tokio::test]
async fn one_connection_too_many_is_told_so() {
    let rig = Rig::with_at_most(2);
    let mut clients = Vec::new();
    for _ in 0..2 {
        let mut client = SystemClient::new(rig.channel().await);
        client.health(HealthRequest {}).await.unwrap();
        clients.push(client);
    }
    let mut client = SystemClient::new(rig.channel().await);
    let (code, ours) = codes(client.health(HealthRequest {}).await);
    assert_eq!((code, ours.as_str()), (tonic::Code::ResourceExhausted, "busy"));
    for client in &mut clients {
        client.health(HealthRequest {}).await.unwrap();
    }
}

#[tokio::test]
async fn a_place_becomes_free_when_a_client_leaves() {
    let rig = Rig::with_at_most(1);
    let mut first = SystemClient::new(rig.channel().await);
    first.health(HealthRequest {}).await.unwrap();
    drop(first);
    // The server learns of it in its own time: until then it may refuse.
    loop {
        let mut client = SystemClient::new(rig.channel().await);
        match client.health(HealthRequest {}).await {
            Ok(_) => break,
            Err(status) => assert_eq!(detail(&status).code, "busy"),
        }
    }
}

#[tokio::test]
async fn stopping_lets_a_call_finish_and_ends_streams() {
    let mut rig = Rig::start();
    let hold = Arc::new(Notify::new());
    *rig.fake.hold.lock().unwrap() = Some(Arc::clone(&hold));
    let channel = rig.channel().await;
    let mut sessions = SessionsClient::new(channel.clone());
    let attach = AttachRequest { session: "s1".to_owned(), ..AttachRequest::default() };
    let mut feed = sessions.attach(attach).await.unwrap().into_inner();
    let mut calls = tokio::task::JoinSet::new();
    calls.spawn(async move { SystemClient::new(channel).health(HealthRequest {}).await });
    rig.fake.healths.subscribe().wait_for(|begun| *begun == 1).await.unwrap();

    rig.stop();
    let status = feed.message().await.unwrap_err();
    assert_eq!(
        (status.code(), detail(&status).code.as_str()),
        (tonic::Code::Unavailable, "unavailable")
    );
    rig.until_open(0).await;
    hold.notify_one();
    assert_eq!(calls.join_next().await.unwrap().unwrap().unwrap().into_inner().pid, 7);
    rig.stopped().await;
    assert!(!rig.socket.exists());
}

#[tokio::test(start_paused = true)]
async fn stopping_does_not_wait_for_a_call_for_ever() {
    let mut rig = Rig::start();
    *rig.fake.hold.lock().unwrap() = Some(Arc::new(Notify::new()));
    let channel = rig.channel().await;
    let mut calls = tokio::task::JoinSet::new();
    calls.spawn(async move { SystemClient::new(channel).health(HealthRequest {}).await });
    rig.fake.healths.subscribe().wait_for(|begun| *begun == 1).await.unwrap();
    let before = tokio::time::Instant::now();
    rig.stop();
    rig.stopped().await;
    assert_eq!(before.elapsed().as_secs(), super::GRACE.as_secs());
    assert!(calls.join_next().await.unwrap().unwrap().is_err());
}

#[tokio::test]
async fn a_caller_that_can_not_be_recorded_is_refused() {
    let rig = Rig::start();
    let mut client = SessionsClient::new(rig.channel().await);
    let mut request = tonic::Request::new(SendRequest::default());
    request.metadata_mut().insert("moltis-client", "NOT A KIND".parse().unwrap());
    assert_eq!(codes(client.send(request).await).1, "invalid");
}

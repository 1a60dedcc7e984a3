use expect_test::expect;
use moltis_proto::v1::system_client::SystemClient;
use tonic::transport::Channel;

use super::*;
use crate::rig::{Rig, codes, detail};

async fn rig() -> (Rig, SystemClient<Channel>) {
    let rig = Rig::start();
    let client = SystemClient::new(rig.channel().await);
    (rig, client)
}

fn hello(major: u32, minor: u32) -> v1::HelloRequest {
    let protocol = Some(v1::ProtocolVersion { major, minor });
    v1::HelloRequest { protocol, build: "moltis 9".to_owned(), client: "tui".to_owned() }
}

#[tokio::test]
async fn the_same_major_version_is_welcome() {
    let (_rig, mut client) = rig().await;
    let ours = client.hello(hello(PROTOCOL_MAJOR, PROTOCOL_MINOR + 7)).await.unwrap().into_inner();
    assert_eq!((ours.build.as_str(), ours.pid), ("moltisd 1.2.3", std::process::id()));
    assert_eq!(ours.protocol.unwrap().major, PROTOCOL_MAJOR);
}

#[tokio::test]
async fn another_major_version_is_told_both_and_what_mends_it() {
    let (_rig, mut client) = rig().await;
    let newer = (hello(PROTOCOL_MAJOR + 1, 4), "moltis daemon restart");
    let older = (v1::HelloRequest::default(), "install the moltis that came with the daemon");
    for (request, hint) in [newer, older] {
        let status = client.hello(request).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::FailedPrecondition);
        assert_eq!(detail(&status).code, "version_mismatch");
        assert_eq!(detail(&status).hint, hint);
    }
    let status = client.hello(hello(2, 4)).await.unwrap_err();
    expect!["the daemon (moltisd 1.2.3) speaks protocol 1.0, this client (moltis 9) 2.4"]
        .assert_eq(&detail(&status).message);
}

#[tokio::test]
async fn every_call_reaches_its_port() {
    let (rig, mut client) = rig().await;
    let health = client.health(v1::HealthRequest {}).await.unwrap().into_inner();
    assert_eq!((health.pid, health.data_dir.as_str()), (7, "/d"));
    let usage = client.read_usage(v1::UsageRequest { since: None }).await.unwrap().into_inner();
    assert_eq!(usage.rows[0].model, "p/m");
    let budget = v1::BudgetRequest { session: "s".to_owned() };
    let budget = client.read_budget(budget).await.unwrap().into_inner();
    assert_eq!((budget.limits[0].span.as_str(), budget.limits[0].limit), ("day", 9));
    let backup = v1::BackupRequest { path: "/b".to_owned() };
    assert_eq!(client.backup(backup).await.unwrap().into_inner().bytes, 3);
    assert!(client.check(v1::CheckRequest {}).await.unwrap().into_inner().problems.is_empty());
    let rotated = client.rotate_vault(v1::RotateVaultRequest {}).await.unwrap();
    assert_eq!(rotated.into_inner().secrets, 5);
    client.shutdown(v1::ShutdownRequest {}).await.unwrap();
    expect![[r#"
        health
        usage 1970-01-01T00:00:00Z
        budget s
        backup /b
        check
        rotate
        shut down"#]]
    .assert_eq(&rig.fake.take_asked());
}

#[tokio::test]
async fn logs_are_followed_until_the_client_leaves() {
    let (rig, mut client) = rig().await;
    let mut lines =
        client.logs(v1::LogsRequest { last: 0, follow: true }).await.unwrap().into_inner();
    assert_eq!(lines.message().await.unwrap().unwrap().text, "ready");
    drop(lines);
    rig.until_open(0).await;
    client.logs(v1::LogsRequest { last: u32::MAX, follow: false }).await.unwrap();
    assert_eq!(rig.fake.take_asked(), "logs 100 true\nlogs 2000 false");
}

#[tokio::test]
async fn a_backup_needs_a_path_that_means_the_same_to_both() {
    let (rig, mut client) = rig().await;
    for path in ["", "b", "../b", &"/b".repeat(3_000)] {
        let request = v1::BackupRequest { path: path.to_owned() };
        assert_eq!(codes(client.backup(request).await).1, "invalid", "{path}");
    }
    assert_eq!(rig.fake.take_asked(), "");
}

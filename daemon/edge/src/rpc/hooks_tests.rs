use expect_test::expect;
use moltis_core::{Code, Error};
use moltis_proto::v1;
use moltis_proto::v1::hooks_client::HooksClient;

use crate::rig::{Rig, codes};

#[tokio::test]
async fn every_call_reaches_its_port() {
    let rig = Rig::start();
    let mut client = HooksClient::new(rig.channel().await);
    let workspace = || "/w".to_owned();
    let list = v1::ListHooksRequest { workspace: workspace() };
    let hooks = client.list(list).await.unwrap().into_inner().hooks;
    assert_eq!((hooks[0].name.as_str(), hooks[0].points[0].as_str()), ("log", "Command"));
    assert_eq!((hooks[0].reason.as_str(), hooks[0].eligible), ("nobody trusted it", false));
    let name = || "log".to_owned();
    let enable = v1::EnableHookRequest { name: name(), workspace: String::new(), on: true };
    assert!(client.enable(enable).await.unwrap().into_inner().enabled);
    assert_eq!(client.reload(v1::ReloadHooksRequest {}).await.unwrap().into_inner().hooks, 3);
    let point = "BeforeToolCall".to_owned();
    let test = v1::TestHookRequest { name: name(), workspace: workspace(), point };
    let test = client.test(test).await.unwrap().into_inner();
    assert_eq!((test.code, test.verdict.as_str()), (Some(0), "go on"));
    expect![[r#"
        hooks Some("/w")
        enable hook log None true
        reload hooks
        test hook log Some("/w") BeforeToolCall"#]]
    .assert_eq(&rig.fake.take_asked());
}

#[tokio::test]
async fn what_makes_no_sense_does_not_reach_the_port() {
    let rig = Rig::start();
    let mut client = HooksClient::new(rig.channel().await);
    let relative = v1::ListHooksRequest { workspace: "w".to_owned() };
    assert_eq!(codes(client.list(relative).await).1, "invalid");
    assert_eq!(codes(client.enable(v1::EnableHookRequest::default()).await).1, "invalid");
    let nowhere = v1::TestHookRequest { name: "log".to_owned(), ..v1::TestHookRequest::default() };
    assert_eq!(codes(client.test(nowhere).await).1, "invalid");
    assert_eq!(rig.fake.take_asked(), "");
}

#[tokio::test]
async fn a_failing_port_is_told_with_its_code() {
    let rig = Rig::start();
    rig.fake.fail(Error::new(Code::NotFound, "there is no hook `x`"));
    let mut client = HooksClient::new(rig.channel().await);
    let enable = v1::EnableHookRequest { name: "x".to_owned(), ..Default::default() };
    let (code, ours) = codes(client.enable(enable).await);
    assert_eq!((code, ours.as_str()), (tonic::Code::NotFound, "not_found"));
}

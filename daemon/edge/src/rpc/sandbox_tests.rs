use expect_test::expect;
use moltis_core::{Code, Error};
use moltis_proto::v1;
use moltis_proto::v1::sandbox_client::SandboxClient;

use crate::rig::{Rig, codes};

#[tokio::test]
async fn every_call_reaches_its_port() {
    let rig = Rig::start();
    let mut client = SandboxClient::new(rig.channel().await);
    let status = client.status(v1::SandboxStatusRequest {}).await.unwrap().into_inner();
    assert_eq!((status.backend.as_str(), status.lacks.len()), ("bubblewrap", 1));
    let probed = client.probe(v1::SandboxProbeRequest {}).await.unwrap().into_inner();
    assert_eq!(probed, status);
    let images = client.images(v1::ListImagesRequest {}).await.unwrap().into_inner().images;
    assert_eq!((images[0].tag.as_str(), images[0].current), ("moltis:1", true));
    let remove = v1::RemoveImagesRequest { tag: "moltis:0".to_owned() };
    client.remove(remove).await.unwrap();
    client.remove(v1::RemoveImagesRequest::default()).await.unwrap();
    expect![[r#"
        probe
        images
        remove images Some("moltis:0")
        remove images None"#]]
    .assert_eq(&rig.fake.take_asked());
}

#[tokio::test]
async fn a_build_is_told_step_by_step() {
    let rig = Rig::start();
    let mut client = SandboxClient::new(rig.channel().await);
    let mut steps = client.build(v1::BuildImageRequest {}).await.unwrap().into_inner();
    let step = steps.message().await.unwrap().unwrap();
    assert_eq!((step.phase.as_str(), step.finished), ("installing", false));
    drop(steps);
    rig.until_open(0).await;
}

#[tokio::test]
async fn a_machine_without_a_sandbox_says_so() {
    let rig = Rig::start();
    rig.fake.fail(Error::new(Code::NotConfigured, "there is no engine").with_hint("install one"));
    let mut client = SandboxClient::new(rig.channel().await);
    let (_, ours) = codes(client.build(v1::BuildImageRequest {}).await);
    assert_eq!(ours, "not_configured");
    assert_eq!(codes(client.images(v1::ListImagesRequest {}).await).1, "not_configured");
}

#[tokio::test]
async fn variables_go_in_and_only_their_names_come_out() {
    let rig = Rig::start();
    let mut client = SandboxClient::new(rig.channel().await);
    let set = |name: &str, value: &str| v1::SetVariableRequest {
        name: name.to_owned(),
        value: value.to_owned(),
    };
    client.set_variable(set("TOKEN", "12345678")).await.unwrap();
    let listed = client.list_variables(v1::ListVariablesRequest {}).await.unwrap().into_inner();
    assert_eq!(listed, v1::ListVariablesResponse { names: vec!["TOKEN".to_owned()] });
    let remove = v1::RemoveVariableRequest { name: "TOKEN".to_owned() };
    assert!(client.remove_variable(remove).await.unwrap().into_inner().removed);
    for (name, value) in [("TOKEN", "1234567"), ("TOKEN", "a line\nand another"), ("", "12345678")]
    {
        assert_eq!(codes(client.set_variable(set(name, value)).await).1, "invalid");
    }
    expect![[r#"
        set TOKEN 12345678
        variables
        remove variable TOKEN"#]]
    .assert_eq(&rig.fake.take_asked());
}

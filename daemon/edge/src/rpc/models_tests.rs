use expect_test::expect;
use moltis_proto::v1;
use moltis_proto::v1::models_client::ModelsClient;

use crate::rig::{Rig, codes, detail};

#[tokio::test]
async fn every_call_reaches_its_port() {
    let rig = Rig::start();
    let mut client = ModelsClient::new(rig.channel().await);
    let list = client.list(v1::ListModelsRequest { refresh: true }).await.unwrap().into_inner();
    assert_eq!((list.default.as_str(), list.failures[0].reason.as_str()), ("p/m", "no key"));
    let model = &list.models[0];
    assert_eq!((model.id.as_str(), model.context_window, model.output_limit), ("p/m", 8_192, 0));
    assert_eq!(model.price.map(|price| price.cache_write), Some(4));
    let model = "p/m/n".to_owned();
    client.set_default(v1::SetDefaultRequest { model: model.clone() }).await.unwrap();
    client.catalog(v1::CatalogRequest {}).await.unwrap();
    client.remove(v1::RemoveModelRequest { name: "smol".to_owned() }).await.unwrap();
    let test = client.test(v1::TestModelRequest { model }).await.unwrap().into_inner();
    assert_eq!(test.text, "ok");
    expect![[r#"
        models true
        default p/m/n
        catalog
        remove smol
        test p/m/n"#]]
    .assert_eq(&rig.fake.take_asked());
}

#[tokio::test]
async fn a_pull_tells_its_steps_and_its_failure() {
    let rig = Rig::start();
    let mut client = ModelsClient::new(rig.channel().await);
    let request = v1::PullRequest { name: "broken".to_owned() };
    let mut steps = client.pull(request).await.unwrap().into_inner();
    assert_eq!(steps.message().await.unwrap().unwrap().done, 1);
    let status = steps.message().await.unwrap_err();
    assert_eq!((status.code(), detail(&status).code.as_str()), (tonic::Code::Unknown, "provider"));
    // The failure is the end: what fed the steps is gone.
    rig.until_open(0).await;
}

#[tokio::test]
async fn a_client_that_leaves_pauses_the_pull() {
    let rig = Rig::start();
    let mut client = ModelsClient::new(rig.channel().await);
    let steps = client.pull(v1::PullRequest { name: "smol".to_owned() }).await.unwrap();
    rig.until_open(1).await;
    drop((steps, client));
    rig.until_open(0).await;
}

#[tokio::test]
async fn a_name_that_is_none_does_not_reach_the_port() {
    let rig = Rig::start();
    let mut client = ModelsClient::new(rig.channel().await);
    for model in ["", "gpt", "p/", &"m/".repeat(600)] {
        let request = v1::SetDefaultRequest { model: model.to_owned() };
        assert_eq!(codes(client.set_default(request).await).1, "invalid", "{model}");
    }
    assert_eq!(codes(client.pull(v1::PullRequest::default()).await).1, "invalid");
    assert_eq!(codes(client.remove(v1::RemoveModelRequest::default()).await).1, "invalid");
    assert_eq!(rig.fake.take_asked(), "");
}

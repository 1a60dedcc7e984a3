use expect_test::expect;
use moltis_proto::v1;
use moltis_proto::v1::providers_client::ProvidersClient;

use crate::rig::{Rig, codes};

#[tokio::test]
async fn every_call_reaches_its_port() {
    let rig = Rig::start();
    let mut client = ProvidersClient::new(rig.channel().await);
    let list = client.list(v1::ListProvidersRequest {}).await.unwrap().into_inner();
    assert_eq!((list.kinds[0].name.as_str(), list.kinds[0].needs_key), ("openai", true));
    let login = v1::LoginRequest {
        name: "openai".to_owned(),
        key: "sk-1".to_owned(),
        ..v1::LoginRequest::default()
    };
    client.login(login).await.unwrap();
    let logout = v1::LogoutRequest { name: "openai".to_owned() };
    assert!(client.logout(logout).await.unwrap().into_inner().removed);
    let found = client.detect(v1::DetectRequest {}).await.unwrap().into_inner().servers;
    client.adopt(v1::AdoptRequest { server: found.first().cloned() }).await.unwrap();
    expect![[r#"
        providers
        login openai "" "" sk-1
        logout openai
        detect
        adopt FoundServer { kind: "ollama", base_url: "http://127.0.0.1:11434", models: ["m"] }"#]]
    .assert_eq(&rig.fake.take_asked());
}

#[tokio::test]
async fn a_login_without_a_name_or_with_an_absurd_key_does_not_reach_the_port() {
    let rig = Rig::start();
    let mut client = ProvidersClient::new(rig.channel().await);
    let login = |name: &str, key: String| v1::LoginRequest {
        name: name.to_owned(),
        key,
        ..v1::LoginRequest::default()
    };
    for request in [
        login("", "sk".to_owned()),
        login("openai", "k".repeat(16 * 1024 + 1)),
        login("open ai", "sk".to_owned()),
    ] {
        assert_eq!(codes(client.login(request).await).1, "invalid");
    }
    assert_eq!(codes(client.adopt(v1::AdoptRequest { server: None }).await).1, "invalid");
    assert_eq!(rig.fake.take_asked(), "");
}

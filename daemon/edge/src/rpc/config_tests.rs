use moltis_core::{Code, Error};
use moltis_proto::v1;
use moltis_proto::v1::config_client::ConfigClient;

use crate::rig::{Rig, codes, told};

#[tokio::test]
async fn every_call_reaches_its_port() {
    let rig = Rig::start();
    let mut client = ConfigClient::new(rig.channel().await);
    let shown = client.show(v1::ShowConfigRequest::default()).await.unwrap().into_inner();
    assert_eq!((shown.path.as_str(), shown.values[0].origin.as_str()), ("/c/moltis.toml", "file"));
    let set = v1::SetConfigRequest { key: "chat.model".to_owned(), value: "p/m".to_owned() };
    let changed = client.set(set).await.unwrap().into_inner();
    assert!(changed.needs_restart && changed.holds.is_some());
    let one = v1::ShowConfigRequest { key: "chat.model".to_owned() };
    assert_eq!(client.show(one).await.unwrap().into_inner().values.len(), 1);
    let reloaded = client.reload(v1::ReloadRequest {}).await.unwrap().into_inner();
    assert_eq!(reloaded.needs_restart, ["store.path"]);
    assert_eq!(rig.fake.take_asked(), "show\nset chat.model p/m\nget chat.model\nreload");
}

#[tokio::test]
async fn a_key_that_is_wrong_is_told_with_what_mends_it() {
    let rig = Rig::start();
    let mut client = ConfigClient::new(rig.channel().await);
    assert_eq!(codes(client.set(v1::SetConfigRequest::default()).await).1, "invalid");
    let error = Error::new(Code::Invalid, "no key `chat.modle`").with_hint("chat.model");
    rig.fake.fail(error.clone());
    let set = v1::SetConfigRequest { key: "chat.modle".to_owned(), value: String::new() };
    assert_eq!(told(&client.set(set).await.unwrap_err()), error);
}

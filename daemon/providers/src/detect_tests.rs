use moltis_net::{Client, Purpose};
use moltis_testkit::vendor::{Gate, Reply, Vendor};
use serde_json::json;

use super::{KINDS, at};
use crate::vendors;

#[tokio::test]
async fn servers_that_answer_are_found_and_the_others_are_not_waited_for() {
    let (ollama, studio, silent, other) = (
        Vendor::start().await,
        Vendor::start().await,
        Vendor::start().await,
        Vendor::start().await,
    );
    let tags = json!({"models": [{"name": "qwen3:4b"}, {"name": "nomic-embed-text"}]});
    ollama.on("/api/tags", Reply::json(200, &tags));
    studio.on("/v1/models", Reply::json(200, &json!({"data": []})));
    silent.on("/v1/models", Reply::status(200).after(&Gate::new()));
    other.on("/v1/models", Reply::body(200, "text/html", "<html>"));
    let places = vec![
        ("ollama", ollama.url()),
        ("lmstudio", format!("{}/v1", studio.url())),
        ("llama-server", format!("{}/v1", silent.url())),
        ("llama-server", format!("{}/v1", other.url())),
    ];
    let found = at(&Client::new(Purpose::Provider).unwrap(), places).await;
    let shown: Vec<_> = found.iter().map(|it| (it.kind.as_str(), it.models.join(" "))).collect();
    assert_eq!(shown, [("ollama", "qwen3:4b".to_owned()), ("lmstudio", String::new())]);
    assert_eq!(found[0].base_url, ollama.url());
}

#[test]
fn only_loopback_is_looked_at() {
    for kind in KINDS {
        assert!(vendors::find(kind).unwrap().base_url.starts_with("http://127.0.0.1:"), "{kind}");
    }
}

use moltis_net::{Client, Purpose};
use moltis_testkit::vendor::{Reply, Vendor};
use serde_json::json;

use super::Catalog;
use crate::remote::Remote;
use crate::testing::endpoint;

fn remote(vendor: &Vendor) -> Remote {
    let mut endpoint = endpoint("openai");
    endpoint.base_url = format!("{}/v1", vendor.url());
    Remote::new(endpoint, Client::new(Purpose::Provider).unwrap())
}

fn list(names: &[&str]) -> Reply {
    let rows: Vec<_> = names.iter().map(|name| json!({"id": name})).collect();
    Reply::json(200, &json!({"data": rows}))
}

async fn names(catalog: &Catalog, remote: &Remote, dir: &std::path::Path, refresh: bool) -> String {
    match catalog.models(remote, dir, refresh).await {
        Ok(models) => models.iter().map(|info| &*info.id.model).collect::<Vec<_>>().join(" "),
        Err(failure) => failure.kind.as_str().to_owned(),
    }
}

#[tokio::test]
async fn a_list_is_asked_for_once_and_survives_a_restart() {
    let (vendor, dir) = (Vendor::start().await, tempfile::tempdir().unwrap());
    vendor.script(list(&["gpt-5.5", "gpt-5", "tts-1"]));
    let (catalog, remote) = (Catalog::default(), remote(&vendor));
    for _ in 0..2 {
        assert_eq!(names(&catalog, &remote, dir.path(), false).await, "gpt-5 gpt-5.5");
    }
    let restarted = Catalog::default();
    let info = restarted.model(&remote.endpoint, dir.path(), "gpt-5").await;
    assert_eq!(info, catalog.model(&remote.endpoint, dir.path(), "gpt-5").await);
    assert_eq!(names(&restarted, &remote, dir.path(), false).await, "gpt-5 gpt-5.5");
    assert_eq!(vendor.requests().len(), 1);
    assert_eq!(vendor.requests()[0].header("authorization"), Some("Bearer sk-test-key"));
    vendor.script(list(&["gpt-6"]));
    assert_eq!(names(&restarted, &remote, dir.path(), true).await, "gpt-6");
    let files: Vec<_> = std::fs::read_dir(dir.path().join("models")).unwrap().collect();
    assert_eq!(files.len(), 1, "nothing half-written stays");
}

#[tokio::test]
async fn an_old_list_is_asked_for_anew_but_known_when_that_fails() {
    let (vendor, dir) = (Vendor::start().await, tempfile::tempdir().unwrap());
    let remote = remote(&vendor);
    let path = dir.path().join("models/openai.json");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let row = json!({"id": "old", "name": "old", "context_window": 5, "output_limit": null,
        "images": false, "tools": true, "reasoning": false, "price": null});
    let file = |base_url: &str, format: u32| {
        json!({"format": format, "base_url": base_url, "at": "2020-01-01T00:00:00Z", "models": [row]})
            .to_string()
    };
    std::fs::write(&path, file(&remote.endpoint.base_url, 1)).unwrap();
    let catalog = Catalog::default();
    vendor.script(Reply::status(503));
    assert_eq!(names(&catalog, &remote, dir.path(), false).await, "overload");
    let known = catalog.known(&remote.endpoint, dir.path()).await.unwrap();
    assert_eq!(known[0].context_window, Some(5));
    vendor.script(list(&["new"]));
    assert_eq!(names(&catalog, &remote, dir.path(), false).await, "new");
    for other in [file("http://elsewhere", 1), file(&remote.endpoint.base_url, 9), "{".to_owned()] {
        std::fs::write(&path, other).unwrap();
        assert!(Catalog::default().known(&remote.endpoint, dir.path()).await.is_none());
    }
}

#[tokio::test]
async fn configured_models_are_the_models_and_need_no_asking() {
    let (vendor, dir) = (Vendor::start().await, tempfile::tempdir().unwrap());
    let mut remote = remote(&vendor);
    remote.endpoint.models = vec!["gpt-5".to_owned(), "mine".to_owned()];
    let catalog = Catalog::default();
    assert_eq!(names(&catalog, &remote, dir.path(), false).await, "gpt-5 mine");
    assert!(vendor.requests().is_empty());
    vendor.script(list(&["gpt-5", "gpt-5.5"]));
    assert_eq!(names(&catalog, &remote, dir.path(), true).await, "gpt-5 mine");
}

#[tokio::test]
async fn a_server_of_the_owners_is_asked_again_after_a_minute() {
    let (vendor, dir) = (Vendor::start().await, tempfile::tempdir().unwrap());
    let mut endpoint = endpoint("vllm");
    endpoint.base_url = format!("{}/v1", vendor.url());
    let remote = Remote::new(endpoint, Client::new(Purpose::Provider).unwrap());
    let catalog = Catalog::default();
    vendor.script(list(&["one"]));
    for _ in 0..2 {
        assert_eq!(names(&catalog, &remote, dir.path(), false).await, "one");
    }
    for listed in catalog.lists().values_mut() {
        listed.at -= jiff::SignedDuration::from_secs(61);
    }
    vendor.script(list(&["one", "two"]));
    assert_eq!(names(&catalog, &remote, dir.path(), false).await, "one two");
    assert_eq!(vendor.requests().len(), 2);
}

#[tokio::test]
async fn a_silent_server_keeps_only_one_message_waiting() {
    let (vendor, dir) = (Vendor::start().await, tempfile::tempdir().unwrap());
    let mut endpoint = endpoint("vllm");
    endpoint.base_url = format!("{}/v1", vendor.url());
    let remote = Remote::new(endpoint, Client::new(Purpose::Provider).unwrap());
    let catalog = Catalog::default();
    vendor.script(Reply::status(503));
    vendor.script(list(&["back"]));
    for _ in 0..2 {
        assert!(catalog.soon(&remote, dir.path()).await.is_none());
    }
    assert_eq!(vendor.requests().len(), 1);
    catalog.silent().clear();
    assert_eq!(catalog.soon(&remote, dir.path()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn lm_studios_own_list_tells_more_and_is_asked_first() {
    let (vendor, dir) = (Vendor::start().await, tempfile::tempdir().unwrap());
    let mut endpoint = endpoint("lmstudio");
    endpoint.base_url = format!("{}/v1", vendor.url());
    let remote = Remote::new(endpoint, Client::new(Purpose::Provider).unwrap());
    let row = json!({"id": "local-model", "type": "llm", "max_context_length": 4_096});
    vendor.on("/api/v0/models", Reply::json(200, &json!({"data": [row]})));
    let models = Catalog::default().models(&remote, dir.path(), false).await.unwrap();
    assert_eq!(models[0].context_window, Some(4_096));
    vendor.on("/api/v0/models", Reply::status(404));
    vendor.on("/v1/models", list(&["plain"]));
    assert_eq!(names(&Catalog::default(), &remote, dir.path(), true).await, "plain");
}

#[tokio::test]
async fn ollama_is_asked_about_each_of_its_models() {
    let (vendor, dir) = (Vendor::start().await, tempfile::tempdir().unwrap());
    let mut endpoint = endpoint("ollama");
    endpoint.base_url = vendor.url();
    let remote = Remote::new(endpoint, Client::new(Purpose::Provider).unwrap());
    vendor.on("/api/tags", Reply::json(200, &json!({"models": [{"name": "a"}, {"name": "b"}]})));
    vendor.otherwise(|request| {
        let capability = if request.json()["model"] == "a" { "completion" } else { "embedding" };
        let shown = json!({"capabilities": [capability], "model_info": {"x.context_length": 77}});
        (request.path == "/api/show").then(|| Reply::json(200, &shown))
    });
    let models = Catalog::default().models(&remote, dir.path(), false).await.unwrap();
    assert_eq!(models.len(), 1);
    assert_eq!((&*models[0].id.model, models[0].context_window), ("a", Some(77)));
}

//! Every way by which a tool asks the web, against places within the machine and its network. The
//! spellings are a few of each kind; `net` has all of them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use moltis_core::tool::{Action, Outbound, Tool};
use moltis_net::web::Web;
use moltis_testkit::vendor::{Reply, Vendor};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::desk::Desk;
use super::fetch::{FetchOptions, WebFetch};
use super::search::{Engine, Keys, SearchOptions, WebSearch};
use super::testing::{Silent, allowed, planned, scene, text, web};

const INNER: &[&str] = &[
    "127.0.0.1",
    "127.0.0.1.",
    "127.1",
    "2130706433",
    "0x7f.1",
    "0177.0.0.1",
    "127。0。0。1",
    "１２７.0.0.1",
    "localhost",
    "a.localhost",
    "printer.local",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "metadata.google.internal",
    "224.0.0.1",
    "[::]",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "[fe80::1]",
    "[fd00::1]",
    "[ff02::1]",
];

const ENGINES: [Engine; 3] = [Engine::Brave, Engine::Perplexity, Engine::DuckDuckGo];

struct NoKey;

#[async_trait]
impl Keys for NoKey {
    async fn key(&self, _: &str) -> Option<SecretString> {
        Some(SecretString::from("key"))
    }
}

fn fetch(web: &Arc<Web>) -> WebFetch {
    WebFetch::new(web.clone(), Desk::new(Duration::from_secs(30)), FetchOptions::default())
}

fn search(web: &Arc<Web>, engine: Engine, base_url: String) -> WebSearch {
    let (base_url, cache) = (Some(base_url), Duration::ZERO);
    let options = SearchOptions { engine, count: 5, base_url, cache, keys: Arc::new(NoKey) };
    WebSearch::new(web.clone(), Desk::new(Duration::from_secs(30)), options)
}

/// What the model is told, and whether it is a failure.
async fn told(tool: &dyn Tool, arguments: Value, to: Option<&str>) -> (bool, String) {
    let mut call = match planned(tool, arguments) {
        Err(why) => return (true, why),
        Ok(call) => call,
    };
    if let Some(to) = to {
        call.action = Action::Send(Outbound { to: to.to_owned(), what: String::new() });
    }
    let outcome = tool.run(allowed(call), &scene(), &Silent).await;
    (outcome.failed, text(&outcome))
}

/// Asks this place in each way that there is.
async fn by_every_way(web: &Arc<Web>, server: &Vendor, place: &str) -> Vec<(String, bool, String)> {
    let mut all = Vec::new();
    let mut add =
        |way: &str, (failed, said): (bool, String)| all.push((way.to_owned(), failed, said));
    add("fetch", told(&fetch(web), json!({ "url": place }), None).await);
    // As if the plan had let it through.
    let harmless = json!({"url": "https://docs.rs/"});
    add("fetch, allowed", told(&fetch(web), harmless, Some(place)).await);
    let redirect = || Reply::status(302).header("location", place);
    if place.is_ascii() {
        server.script(redirect());
        add("fetch, redirected", told(&fetch(web), json!({ "url": server.url() }), None).await);
    }
    for engine in ENGINES {
        let query = || json!({"query": "x"});
        add("search", told(&search(web, engine, place.to_owned()), query(), None).await);
        if place.is_ascii() {
            server.script(redirect());
            let searched = search(web, engine, format!("{}/", server.url()));
            add("search, redirected", told(&searched, query(), None).await);
        }
    }
    all
}

#[tokio::test]
async fn no_tool_reaches_an_inner_place_by_any_way() {
    let (server, canary) = (Vendor::start().await, Vendor::start().await);
    let port = canary.address().rsplit(':').next().unwrap().to_owned();
    let web = web(&server);
    for host in INNER {
        for place in [format!("http://{host}/"), format!("http://{host}:{port}/")] {
            for (way, failed, said) in by_every_way(&web, &server, &place).await {
                assert!(failed && said.contains("refused"), "{way}, {place}: {said}");
            }
        }
    }
    assert!(canary.requests().is_empty(), "{:?}", canary.requests());
}

/// The same ways lead there where the owner opened the place.
#[tokio::test]
async fn without_the_guard_every_way_leads_there() {
    let (server, canary) = (Vendor::start().await, Vendor::start().await);
    canary.otherwise(|_| Some(Reply::body(200, "text/plain", "canary")));
    let allow = vec![server.address(), canary.address()];
    let options = moltis_net::web::Options { allow, ..moltis_net::web::Options::default() };
    let web = Arc::new(Web::new(&options).unwrap());
    let place = format!("{}/", canary.url());
    let ways = by_every_way(&web, &server, &place).await;
    // Another host's redirect is told to the model, which must ask for it: nothing follows it.
    let direct = ways.iter().filter(|(way, ..)| !way.contains("redirected")).count();
    assert_eq!(canary.requests().len(), direct, "{ways:?}");
    assert!(ways.iter().any(|(way, failed, said)| {
        way == "fetch, redirected" && !failed && said.contains("redirects to another host")
    }));
}

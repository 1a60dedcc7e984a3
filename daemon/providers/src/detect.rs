//! Model servers on this machine's usual ports. Only loopback is asked.

use std::time::Duration;

use futures_util::future::join_all;
use moltis_core::admin::FoundServer;
use moltis_net::{Client, Request};
use serde_json::Value;
use tokio::time::timeout;

use crate::vendors;

const PATIENCE: Duration = Duration::from_millis(300);
const MAX_ANSWER: u64 = 4 << 20;

/// The servers that are looked for.
pub(crate) const KINDS: [&str; 3] = ["ollama", "lmstudio", "llama-server"];

/// Looks for the usual servers at their usual places.
pub(crate) async fn usual(client: &Client) -> Vec<FoundServer> {
    let places = KINDS.iter().filter_map(|kind| {
        let vendor = vendors::find(kind)?;
        Some((vendor.name, vendor.base_url.to_owned()))
    });
    at(client, places.collect()).await
}

/// Looks for servers of these kinds at these base URLs, all at once.
pub(crate) async fn at(client: &Client, places: Vec<(&str, String)>) -> Vec<FoundServer> {
    let probes = places.into_iter().map(|(kind, base_url)| async move {
        let found = timeout(PATIENCE, models(client, kind, &base_url)).await.ok().flatten();
        found.map(|models| FoundServer { kind: kind.to_owned(), base_url, models })
    });
    join_all(probes).await.into_iter().flatten().collect()
}

/// The names of a server's models; `None` when something else answers there, or nothing.
async fn models(client: &Client, kind: &str, base_url: &str) -> Option<Vec<String>> {
    let vendor = vendors::find(kind)?;
    let url = format!("{base_url}{}", vendor.dialect.models_path());
    let response = client.send(Request::get(&url).body_cap(MAX_ANSWER)).await.ok()?;
    if !response.is_success() {
        return None;
    }
    let list: Value = serde_json::from_slice(&response.bytes().await.ok()?).ok()?;
    let rows = list.get("data").or_else(|| list.get("models"))?.as_array()?;
    let name = |row: &Value| {
        let name = row.get("id").or_else(|| row.get("name"))?.as_str()?;
        crate::table::is_chat(name).then(|| name.to_owned())
    };
    Some(rows.iter().filter_map(name).collect())
}

#[cfg(test)]
#[path = "detect_tests.rs"]
mod tests;

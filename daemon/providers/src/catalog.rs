//! Which models the providers have: asked of the vendors once a day and of servers of the owner's
//! once a minute, because those change with every pull; kept in memory and on disk.
//!
//! A list on disk is a cache and no more: one that can't be read, is of another format, or is of
//! another address does not exist.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use moltis_core::models::{ModelInfo, Price};
use moltis_core::provider::{Failure, Provider};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout};

use crate::endpoint::Endpoint;
use crate::remote::Remote;

const FORMAT: u32 = 1;
const FRESH_FOR: SignedDuration = SignedDuration::from_hours(24);
const FRESH_FOR_LOCAL: SignedDuration = SignedDuration::from_secs(60);
/// The longest that a list keeps a message waiting; a server that was silent so long is not waited
/// for again for a while.
const PATIENCE: Duration = Duration::from_secs(15);
const PATIENCE_LOCAL: Duration = Duration::from_secs(2);
const SILENT_FOR: Duration = Duration::from_secs(60);

#[derive(Clone)]
struct Listed {
    base_url: String,
    at: Timestamp,
    models: Arc<[ModelInfo]>,
}

/// The lists.
#[derive(Default)]
pub(crate) struct Catalog {
    lists: Mutex<HashMap<Arc<str>, Listed>>,
    /// When a provider did not say its models to a message that waited.
    silent: Mutex<HashMap<Arc<str>, Instant>>,
}

impl Catalog {
    /// The models of a provider: configured ones, else the vendor's list, asked when there is
    /// none or it is old, or `refresh` wants it.
    pub(crate) async fn models(
        &self,
        remote: &Remote,
        dir: &Path,
        refresh: bool,
    ) -> Result<Vec<ModelInfo>, Failure> {
        let endpoint = &remote.endpoint;
        let kept = if refresh { None } else { self.kept(endpoint, dir).await };
        if let Some(listed) = &kept {
            // A clock that was set back makes a list neither old nor fresh; asking is harmless.
            let age = Timestamp::now().duration_since(listed.at);
            let fresh = if endpoint.vendor.local { FRESH_FOR_LOCAL } else { FRESH_FOR };
            if age < fresh && !age.is_negative() {
                return Ok(chosen(endpoint, &listed.models));
            }
        }
        if !endpoint.models.is_empty() && !refresh {
            return Ok(chosen(endpoint, kept.as_ref().map_or(&[], |listed| &listed.models)));
        }
        let mut models = remote.models().await?;
        models.sort_by(|one, other| one.id.cmp(&other.id));
        let models: Arc<[ModelInfo]> = models.into();
        let base_url = endpoint.base_url.clone();
        let listed = Listed { base_url, at: Timestamp::now(), models: Arc::clone(&models) };
        write(&file(dir, &endpoint.name), &listed).await;
        self.lists().insert(Arc::clone(&endpoint.name), listed);
        Ok(chosen(endpoint, &models))
    }

    /// The same for a message that waits: soon, or what is known.
    pub(crate) async fn soon(&self, remote: &Remote, dir: &Path) -> Option<Vec<ModelInfo>> {
        let name = &remote.endpoint.name;
        let now = Instant::now();
        let failed = self.silent().get(name).copied();
        if failed.is_none_or(|at| now.duration_since(at) >= SILENT_FOR) {
            let patience = if remote.endpoint.vendor.local { PATIENCE_LOCAL } else { PATIENCE };
            if let Ok(Ok(models)) = timeout(patience, self.models(remote, dir, false)).await {
                self.silent().remove(name);
                return Some(models);
            }
            self.silent().insert(Arc::clone(name), Instant::now());
        }
        self.known(&remote.endpoint, dir).await
    }

    /// The models that are known without asking, however old; `None` when nothing is.
    pub(crate) async fn known(&self, endpoint: &Endpoint, dir: &Path) -> Option<Vec<ModelInfo>> {
        let listed = self.kept(endpoint, dir).await;
        match listed {
            Some(listed) => Some(chosen(endpoint, &listed.models)),
            None if endpoint.models.is_empty() => None,
            None => Some(chosen(endpoint, &[])),
        }
    }

    /// What is known of one model without asking: the vendor's word, else the table's.
    pub(crate) async fn model(&self, endpoint: &Endpoint, dir: &Path, name: &str) -> ModelInfo {
        let listed = self.kept(endpoint, dir).await;
        let found = listed
            .and_then(|listed| listed.models.iter().find(|info| &*info.id.model == name).cloned());
        found.unwrap_or_else(|| endpoint.blank_model(name))
    }

    async fn kept(&self, endpoint: &Endpoint, dir: &Path) -> Option<Listed> {
        let is_ours = |listed: &Listed| listed.base_url == endpoint.base_url;
        if let Some(listed) = self.lists().get(&endpoint.name) {
            return Some(listed.clone()).filter(is_ours);
        }
        let listed = read(&file(dir, &endpoint.name), endpoint).await.filter(is_ours)?;
        self.lists().insert(Arc::clone(&endpoint.name), listed.clone());
        Some(listed)
    }

    fn silent(&self) -> MutexGuard<'_, HashMap<Arc<str>, Instant>> {
        self.silent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lists(&self) -> MutexGuard<'_, HashMap<Arc<str>, Listed>> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The configured models, with what the vendor says of them; all of the vendor's if none are.
fn chosen(endpoint: &Endpoint, listed: &[ModelInfo]) -> Vec<ModelInfo> {
    if endpoint.models.is_empty() {
        return listed.to_vec();
    }
    let pick = |name: &String| {
        let found = listed.iter().find(|info| *info.id.model == **name);
        found.cloned().unwrap_or_else(|| endpoint.blank_model(name))
    };
    endpoint.models.iter().map(pick).collect()
}

/// A list as it is on disk.
#[derive(Deserialize, Serialize)]
struct File {
    format: u32,
    base_url: String,
    at: Timestamp,
    models: Vec<Row>,
}

#[derive(Deserialize, Serialize)]
struct Row {
    id: String,
    name: String,
    context_window: Option<u64>,
    output_limit: Option<u64>,
    images: bool,
    tools: bool,
    reasoning: bool,
    /// Input, output, cache read, cache write.
    price: Option<[u64; 4]>,
}

fn file(dir: &Path, provider: &str) -> PathBuf {
    dir.join("models").join(format!("{provider}.json"))
}

async fn read(path: &Path, endpoint: &Endpoint) -> Option<Listed> {
    let bytes = tokio::fs::read(path).await.ok()?;
    let file: File =
        serde_json::from_slice(&bytes).ok().filter(|file: &File| file.format == FORMAT)?;
    let info = |row: Row| {
        let mut info = endpoint.blank_model(&row.id);
        info.name = row.name;
        info.context_window = row.context_window;
        info.output_limit = row.output_limit;
        info.images = row.images;
        info.tools = row.tools;
        info.reasoning = row.reasoning;
        info.price = row.price.map(|[input, output, cache_read, cache_write]| Price {
            input,
            output,
            cache_read,
            cache_write,
        });
        info
    };
    let models = file.models.into_iter().map(info).collect();
    Some(Listed { base_url: file.base_url, at: file.at, models })
}

/// Writes a list; a reader sees the old one or the new one. A cache that can't be written costs
/// no more than asking again.
async fn write(path: &Path, listed: &Listed) {
    let row = |info: &ModelInfo| Row {
        id: info.id.model.to_string(),
        name: info.name.clone(),
        context_window: info.context_window,
        output_limit: info.output_limit,
        images: info.images,
        tools: info.tools,
        reasoning: info.reasoning,
        price: info
            .price
            .map(|price| [price.input, price.output, price.cache_read, price.cache_write]),
    };
    let file = File {
        format: FORMAT,
        base_url: listed.base_url.clone(),
        at: listed.at,
        models: listed.models.iter().map(row).collect(),
    };
    if let Err(error) = replace(path, &file).await {
        tracing::warn!(path = %path.display(), %error, "a list of models can't be kept");
    }
}

async fn replace(path: &Path, file: &File) -> std::io::Result<()> {
    let bytes = serde_json::to_vec(file)?;
    if let Some(dir) = path.parent() {
        tokio::fs::create_dir_all(dir).await?;
    }
    let fresh = path.with_extension("json.new");
    tokio::fs::write(&fresh, bytes).await?;
    tokio::fs::rename(&fresh, path).await
}

#[cfg(test)]
#[path = "catalog_tests.rs"]
mod tests;

//! What agents act with, made of adapters: tools, the sandbox, the web, checkpoints, worktrees.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use moltis_checkpoint::Checkpointer;
use moltis_context::Files;
use moltis_core::checkpoint::Checkpoints;
use moltis_core::sandbox::Sandbox;
use moltis_core::vault::Vault;
use moltis_core::worktree::Worktrees;
use moltis_core::{Code, Error, Result};
use moltis_net::web::Web;
use moltis_sandbox::{Choice, Sandboxes};
use moltis_session::{Hands, Preset, Presets};
use moltis_tools::web::{Engine, FetchOptions, Keys, SearchOptions};
use moltis_tools::{Builtin, Catalogue};
use moltis_worktree::GitWorktrees;
use secrecy::SecretString;

use crate::configuration::Configuration;
use crate::meaning::HandSettings;
use crate::outlet::ListedHosts;
use crate::variables::Variables;

/// The hands, and the sandbox for whoever looks after it.
pub(crate) struct Made {
    pub(crate) hands: Hands,
    pub(crate) sandbox: Arc<Sandboxes>,
    pub(crate) outlet: Arc<ListedHosts>,
}

/// Connects everything that agents act with.
///
/// # Errors
/// Folders that can't be made, settings that make no sense.
pub(crate) fn hands(
    settings: &HandSettings,
    configuration: &Arc<Configuration>,
    vault: &Arc<dyn Vault>,
    variables: &Arc<Variables>,
    data_dir: &Path,
) -> Result<Made> {
    let outlet = Arc::new(ListedHosts::new(settings)?);
    let options = moltis_sandbox::Options {
        variables: variables.clone(),
        outlet: Some(outlet.clone()),
        ..sandbox_options(settings, data_dir)?
    };
    let sandbox = Sandboxes::new(options);
    let web = web(settings, vault)?;
    let port: Arc<dyn Sandbox> = sandbox.clone();
    let toolbox = Catalogue::new(vec![Arc::new(Builtin::new(port, web))], settings.lazy_above);
    let checkpoints: Arc<dyn Checkpoints> =
        Arc::new(Checkpointer::open(&data_dir.join("checkpoints"), settings.checkpoint_bytes)?);
    let worktrees: Arc<dyn Worktrees> =
        Arc::new(GitWorktrees::open(&data_dir.join("worktrees"), &settings.branch_prefix)?);
    let hands = Hands {
        toolbox: Arc::new(toolbox),
        allow_list: configuration.clone(),
        secrets: variables.clone(),
        checkpoints: Some(checkpoints),
        worktrees: Some(worktrees),
        files: Files::new(data_dir.to_owned(), std::env::home_dir()),
        presets: Some(Arc::new(PresetFiles(data_dir.join("agents/presets")))),
        ..Hands::none()
    };
    Ok(Made { hands, sandbox, outlet })
}

fn sandbox_options(settings: &HandSettings, data_dir: &Path) -> Result<moltis_sandbox::Options> {
    let choice = match settings.backend.as_str() {
        "docker" => Choice::Docker,
        "podman" => Choice::Podman,
        "apple-container" => Choice::AppleContainer,
        "bubblewrap" => Choice::Bubblewrap,
        "none" => Choice::None,
        _ => Choice::Auto,
    };
    Ok(moltis_sandbox::Options {
        backend: choice,
        socket: settings.socket.clone(),
        base_image: settings.base_image.clone(),
        packages: settings.packages.clone(),
        memory_mb: settings.memory_mb,
        cpus: settings.cpus,
        pids: settings.pids,
        tmp_mb: settings.tmp_mb,
        home_persistence: settings.home_persistence,
        ..moltis_sandbox::Options::new(data_dir.to_owned(), instance(data_dir)?)
    })
}

/// Tells this daemon's containers from another one's on the same machine: its data directory does.
fn instance(data_dir: &Path) -> Result<String> {
    let path = std::fs::canonicalize(data_dir).map_err(|error| {
        Error::new(Code::Storage, format!("find {}: {error}", data_dir.display()))
    })?;
    let hash =
        path.as_os_str().as_encoded_bytes().iter().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
            // FNV-1a.
            (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3)
        });
    Ok(format!("{hash:016x}"))
}

fn web(
    settings: &HandSettings,
    vault: &Arc<dyn Vault>,
) -> Result<Vec<Arc<dyn moltis_core::tool::Tool>>> {
    let options = moltis_net::web::Options {
        allow: settings.web_allow.clone(),
        timeout: settings.web_timeout,
    };
    let web = Web::new(&options).map_err(|error| Error::new(Code::Invalid, error.to_string()))?;
    let fetch = FetchOptions { max_chars: settings.web_chars, cache: settings.web_cache };
    let keys = SearchKeys { vault: vault.clone(), configured: settings.search_key.clone() };
    let search = SearchOptions {
        engine: Engine::parse(&settings.search).unwrap_or(Engine::DuckDuckGo),
        count: settings.search_results,
        base_url: settings.search_url.clone(),
        cache: settings.web_cache,
        keys: Arc::new(keys),
    };
    Ok(moltis_tools::web::tools(&Arc::new(web), fetch, search))
}

#[async_trait]
impl moltis_sandbox::Variables for Variables {
    async fn variables(&self) -> Result<Vec<(String, SecretString)>> {
        Ok(self.values().await?.to_vec())
    }
}

/// Keys of search services: the vault's, the file's, the environment's, in this order.
struct SearchKeys {
    vault: Arc<dyn Vault>,
    configured: Option<SecretString>,
}

#[async_trait]
impl Keys for SearchKeys {
    async fn key(&self, service: &str) -> Option<SecretString> {
        match self.vault.get(&search_key(service)).await {
            Ok(Some(key)) => return Some(key),
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(service, %error, "failed to read the key of a search service");
            }
        }
        let variable = || std::env::var(format!("{}_API_KEY", service.to_ascii_uppercase())).ok();
        self.configured.clone().or_else(|| variable().map(SecretString::from))
    }
}

/// The name in the vault of a search service's key.
pub(crate) fn search_key(service: &str) -> String {
    format!("search/{service}")
}

/// Kinds of agents, a Markdown file each: TOML between two lines of `+++` (`tools`, `model`), then
/// what the agent is told first of all.
struct PresetFiles(PathBuf);

/// Bytes of such a file.
const MOST_PRESET: u64 = 64 << 10;

#[derive(Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Front {
    #[serde(default)]
    tools: Vec<String>,
    model: Option<String>,
}

impl Presets for PresetFiles {
    fn preset(&self, name: &str) -> Result<Preset, String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
            return Err(format!("`{name}` is no name of a preset: letters, digits, - and _"));
        }
        let text = self.read(name).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                let known = self.names().join(", ");
                format!("there is no preset `{name}`; there are: {known}")
            }
            _ => format!("the preset `{name}` can't be read: {error}"),
        })?;
        preset(&text).map_err(|why| format!("the preset `{name}` is not right: {why}"))
    }

    fn names(&self) -> Vec<String> {
        let files = std::fs::read_dir(&self.0).into_iter().flatten().flatten();
        let name = |file: std::fs::DirEntry| {
            let name = file.file_name().into_string().ok()?;
            name.strip_suffix(".md").map(str::to_owned)
        };
        let mut names: Vec<String> = files.filter_map(name).take(64).collect();
        names.sort();
        names
    }
}

impl PresetFiles {
    fn read(&self, name: &str) -> std::io::Result<String> {
        use std::io::Read as _;
        let file = std::fs::File::open(self.0.join(format!("{name}.md")))?;
        let mut text = String::new();
        file.take(MOST_PRESET).read_to_string(&mut text)?;
        Ok(text)
    }
}

fn preset(text: &str) -> Result<Preset, String> {
    let Some(rest) = text.strip_prefix("+++\n") else {
        return Ok(Preset { system: text.trim().to_owned(), ..Preset::default() });
    };
    let (front, system) = rest.split_once("\n+++").ok_or("its front matter has no end: `+++`")?;
    let Front { tools, model } =
        toml::from_str(front).map_err(|error| error.message().to_owned())?;
    Ok(Preset { system: system.trim().to_owned(), tools, model })
}

/// Looks for a sandbox beside everything else: nobody waits for it.
pub(crate) async fn look(sandbox: Arc<Sandboxes>) {
    let status = sandbox.probe().await;
    match status.backend {
        Some(backend) => {
            tracing::info!(backend, detail = status.detail, "programs run in a sandbox");
        }
        None => tracing::info!(reason = status.detail, "programs of agents can't run"),
    }
}

#[cfg(test)]
#[path = "hands_tests.rs"]
mod tests;

//! How the owner looks after the daemon: models, providers, configuration, health.
//!
//! These ports are driving ones beside [`crate::assistant::Assistant`]: the edge calls them,
//! `moltisd` composes their implementations out of adapters. They hold nothing of sessions.

use std::path::{Path, PathBuf};
use std::pin::Pin;

use async_trait::async_trait;
use futures_core::Stream;
use secrecy::SecretString;

use crate::budget::Standing;
use crate::error::{Error, Result};
use crate::id::SessionId;
use crate::journal::{BackupReport, CheckReport, UsageRow};
use crate::models::{ModelInfo, ModelRef};

/// Progress of something that takes a while, ending with `finished` or an error.
pub type Steps = Pin<Box<dyn Stream<Item = Result<Step, Error>> + Send>>;

/// A step of something that takes a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What is being done: `downloading`, `verifying`, `done`.
    pub phase: String,
    /// Units done: bytes for downloads.
    pub done: u64,
    /// Units in all; 0 when not known.
    pub total: u64,
    /// The last step: all went well.
    pub finished: bool,
}

/// A model of the catalog that can be run in process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogModel {
    /// Its name for `pull` and after `local/`.
    pub name: String,
    /// What it is, one line.
    pub description: String,
    /// Size of its file in bytes.
    pub bytes: u64,
    /// SPDX name or the licence's own.
    pub license: String,
    /// Tokens that its context holds.
    pub context_window: u64,
    /// How its conversations are written: `chatml`.
    pub template: String,
    /// Whether it is on this machine.
    pub installed: bool,
    /// Whether it is the one that a first run offers.
    pub starter: bool,
}

/// Looking after models.
#[async_trait]
pub trait ModelAdmin: Send + Sync {
    /// The models of all set-up providers; `refresh` asks the vendors anew instead of the cache.
    /// Providers that failed are named with the reason.
    async fn list(&self, refresh: bool) -> Result<ModelList>;

    /// The model that sessions without one use.
    async fn default_model(&self) -> Result<Option<ModelRef>>;

    /// Chooses it, in the configuration file.
    async fn set_default(&self, model: &ModelRef) -> Result<()>;

    /// The catalog of models to run in process.
    async fn catalog(&self) -> Result<Vec<CatalogModel>>;

    /// Brings a model of the catalog, or `file:PATH`, onto this machine. Dropping the steps
    /// pauses it; pulling again goes on where it stopped.
    async fn pull(&self, name: &str) -> Result<Steps>;

    /// Removes a pulled model.
    async fn remove(&self, name: &str) -> Result<()>;

    /// Asks a model for one word and says how that went.
    async fn test(&self, model: &ModelRef) -> Result<ModelTest>;
}

/// Models, and the providers that could not say which they have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelList {
    /// The models.
    pub models: Vec<ModelInfo>,
    /// Provider and reason.
    pub failures: Vec<(String, String)>,
}

/// How asking a model for one word went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelTest {
    /// What it said.
    pub text: String,
    /// Milliseconds to the first token.
    pub first_token_ms: u64,
    /// Milliseconds in all.
    pub total_ms: u64,
}

/// A provider as the owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderStatus {
    /// Its name, before the slash.
    pub name: String,
    /// Its kind in the configuration.
    pub kind: String,
    /// Its base URL.
    pub base_url: String,
    /// Where its key comes from: `vault`, `config`, `env OPENAI_API_KEY`, `none needed`,
    /// `missing`.
    pub key_source: String,
    /// Whether it is set up to be asked.
    pub ready: bool,
    /// The state of its circuit breaker and its last failure; empty when all is well.
    pub trouble: String,
}

/// A local model server that answered on its usual port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundServer {
    /// `ollama`, `lmstudio`, `llama-server`.
    pub kind: String,
    /// Where.
    pub base_url: String,
    /// The models that it has.
    pub models: Vec<String>,
}

/// Looking after providers.
#[async_trait]
pub trait ProviderAdmin: Send + Sync {
    /// The providers that are set up, from file and environment.
    async fn list(&self) -> Result<Vec<ProviderStatus>>;

    /// The kinds that can be set up: name, and whether a key is needed.
    fn kinds(&self) -> Vec<(String, bool)>;

    /// Stores a key in the vault and sets the provider up in the configuration if it is not; a key
    /// in the file goes, so that the new one is used. `kind` and `base_url` may be empty for the
    /// well-known ones, the key for those that need none.
    async fn login(&self, name: &str, kind: &str, base_url: &str, key: SecretString) -> Result<()>;

    /// Removes a key from the vault; says whether there was one.
    async fn logout(&self, name: &str) -> Result<bool>;

    /// Looks for model servers on this machine's usual ports (loopback only).
    async fn detect(&self) -> Result<Vec<FoundServer>>;

    /// Sets up a found server as a provider.
    async fn adopt(&self, found: &FoundServer) -> Result<()>;
}

/// A configuration value and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigValue {
    /// `section.key`.
    pub key: String,
    /// Its value as TOML; secrets are shown as `***`.
    pub value: String,
    /// The same as JSON.
    pub json: String,
    /// `default`, `file`, `env MOLTIS_…` or `flag --…`.
    pub origin: String,
}

/// What came of changing a key in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigChange {
    /// What holds: another value where a layer over the file wins.
    pub holds: ConfigValue,
    /// Whether the change only holds after a restart.
    pub needs_restart: bool,
}

/// Looking after the configuration.
#[async_trait]
pub trait ConfigAdmin: Send + Sync {
    /// The file's path.
    fn path(&self) -> PathBuf;

    /// Every key with its value and origin, in the file's order.
    async fn show(&self) -> Result<Vec<ConfigValue>>;

    /// One key.
    ///
    /// # Errors
    /// `NotFound` with the nearest name.
    async fn get(&self, key: &str) -> Result<ConfigValue>;

    /// Changes one key in the file, keeping comments and order, and takes it into use.
    ///
    /// # Errors
    /// `Invalid` for an unknown key (with the nearest name), a secret one, or a value of the wrong
    /// kind.
    async fn set(&self, key: &str, value: &str) -> Result<ConfigChange>;

    /// Reads the file again. Keys that need a restart are named.
    async fn reload(&self) -> Result<Vec<String>>;
}

/// How the daemon is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// The daemon's process id.
    pub pid: u32,
    /// Seconds since it started.
    pub uptime_s: u64,
    /// Resident memory in bytes.
    pub resident_bytes: u64,
    /// Turns that are running.
    pub running_turns: u64,
    /// Clients that are attached.
    pub attached: u64,
    /// What is wrong, a sentence each; empty when all is well.
    pub troubles: Vec<String>,
    /// Where its data is.
    pub data_dir: PathBuf,
    /// Where its configuration is.
    pub config_dir: PathBuf,
}

/// A line of the daemon's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// When.
    pub at: jiff::Timestamp,
    /// `ERROR`, `WARN`, `INFO`, `DEBUG` or `TRACE`.
    pub level: String,
    /// Which part of the daemon.
    pub target: String,
    /// The message with its fields.
    pub text: String,
}

/// Lines of the log, the past ones first.
pub type LogStream = Pin<Box<dyn Stream<Item = LogLine> + Send>>;

/// Looking after the daemon.
#[async_trait]
pub trait SystemAdmin: Send + Sync {
    /// How it is.
    async fn health(&self) -> Result<Health>;

    /// The last `last` lines of its log, then the new ones if `follow`.
    async fn logs(&self, last: u32, follow: bool) -> Result<LogStream>;

    /// What was used since a time, by day and model.
    async fn usage(&self, since: jiff::Timestamp) -> Result<Vec<UsageRow>>;

    /// How the limits stand of what may be spent: the day's and, where one is named, those of a
    /// session and of the turn that runs in it.
    ///
    /// # Errors
    /// `NotFound` when there is no such session.
    async fn budget(&self, session: Option<&SessionId>) -> Result<Vec<Standing>>;

    /// Writes a backup to a new file.
    async fn backup(&self, to: &Path) -> Result<BackupReport>;

    /// Checks the store.
    async fn check(&self) -> Result<CheckReport>;

    /// Makes a new vault key; returns how many secrets were encrypted anew.
    async fn rotate_vault(&self) -> Result<u64>;

    /// Stops the daemon in an orderly way. Returns when it has begun to.
    async fn shut_down(&self) -> Result<()>;
}

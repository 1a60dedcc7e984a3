//! What a configuration means.

use std::time::Duration;

use moltis_config::Config;
use moltis_core::budget::{Limit, Limits};
use moltis_core::models::ModelRef;
use moltis_core::policy::{Mode, Pattern};
use moltis_core::provider::Effort;
use moltis_core::sandbox::{Mount, Network};
use moltis_core::session::{QueueMode, Titles, TurnRules};
use moltis_core::worktree::Tree;
use moltis_providers::ProviderConfig;
use secrecy::SecretString;

/// What a configuration means.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The rules of turns.
    pub(crate) rules: TurnRules,
    /// The model of sessions that choose none.
    pub(crate) default_model: Option<ModelRef>,
    /// Models to ask when one fails.
    pub(crate) fallbacks: Vec<ModelRef>,
    /// Who is asked.
    pub(crate) providers: Vec<ProviderConfig>,
    /// Hooks.
    pub(crate) hooks: moltis_hooks::Settings,
    /// Threads of local models; 0 is automatic.
    pub(crate) local_threads: usize,
    /// When a local model's memory is freed.
    pub(crate) local_idle: Duration,
    /// Tokens of a local conversation.
    pub(crate) local_context: u64,
    /// The log's level.
    pub(crate) log_level: String,
    /// The log as JSON lines.
    pub(crate) log_json: bool,
    /// What agents act with.
    pub(crate) hands: HandSettings,
}

/// What agents act with.
#[derive(Clone, Debug)]
pub(crate) struct HandSettings {
    /// The sandbox's backend; `auto` takes the first that proves itself.
    pub(crate) backend: String,
    /// The engine's socket.
    pub(crate) socket: Option<String>,
    /// The image that sandboxes are made of.
    pub(crate) base_image: String,
    /// What is added to it.
    pub(crate) packages: Vec<String>,
    /// Megabytes of memory.
    pub(crate) memory_mb: u64,
    /// Processors.
    pub(crate) cpus: f32,
    /// Processes.
    pub(crate) pids: u64,
    /// Megabytes of `/tmp` and of the home.
    pub(crate) tmp_mb: u64,
    /// The home is kept.
    pub(crate) home_persistence: bool,
    /// The hosts that a network reaches which is listed.
    pub(crate) listed_hosts: Vec<String>,
    /// Bytes that snapshots of workspaces may have.
    pub(crate) checkpoint_bytes: u64,
    /// What branches of worktrees begin with.
    pub(crate) branch_prefix: String,
    /// Bytes of tools' descriptions above which most are only found by searching.
    pub(crate) lazy_above: usize,
    /// Hosts that `web_fetch` may ask although they are not public.
    pub(crate) web_allow: Vec<String>,
    /// The longest that a page may take.
    pub(crate) web_timeout: Duration,
    /// How long pages and results are kept.
    pub(crate) web_cache: Duration,
    /// Characters of a page.
    pub(crate) web_chars: usize,
    /// The search service.
    pub(crate) search: String,
    /// Its key.
    pub(crate) search_key: Option<SecretString>,
    /// Where it is.
    pub(crate) search_url: Option<String>,
    /// How many results.
    pub(crate) search_results: usize,
}

impl HandSettings {
    fn of(config: &Config) -> Self {
        let number =
            |path: &str| config.integer(path).and_then(|it| u64::try_from(it).ok()).unwrap_or(0);
        let size = |path: &str| usize::try_from(number(path)).unwrap_or(usize::MAX);
        // Processors are counted in hundredths.
        let cpus = f32::from(u16::try_from(number("sandbox.cpu_percent")).unwrap_or(u16::MAX));
        Self {
            backend: config.text("sandbox.backend").to_owned(),
            socket: some(config.text("sandbox.socket")),
            base_image: config.text("sandbox.image").to_owned(),
            packages: config.list("sandbox.packages").to_vec(),
            memory_mb: number("sandbox.memory_mb"),
            cpus: cpus / 100.0,
            pids: number("sandbox.pids"),
            tmp_mb: number("sandbox.tmp_mb"),
            home_persistence: config.is_on("sandbox.keep_home"),
            listed_hosts: config.list("sandbox.allow_hosts").to_vec(),
            checkpoint_bytes: number("workspace.checkpoints_mb") << 20,
            branch_prefix: config.text("workspace.branch_prefix").to_owned(),
            lazy_above: size("chat.tools_bytes"),
            web_allow: config.list("web.allow").to_vec(),
            web_timeout: Duration::from_secs(number("web.timeout_s")),
            web_cache: Duration::from_secs(number("web.cache_s")),
            web_chars: size("web.max_chars"),
            search: config.text("web.search").to_owned(),
            search_key: some(config.text("web.search_key")).map(SecretString::from),
            search_url: some(config.text("web.search_url")),
            search_results: size("web.search_results"),
        }
    }
}

impl Settings {
    /// The meaning of a configuration that has no errors.
    pub(crate) fn of(config: &Config) -> Self {
        let number =
            |path: &str| config.integer(path).and_then(|it| u64::try_from(it).ok()).unwrap_or(0);
        let timeout = number("chat.timeout_s");
        Self {
            rules: TurnRules {
                timeout: (timeout > 0).then(|| Duration::from_secs(timeout)),
                queue: queue(config.text("chat.queue")),
                effort: Effort::parse(config.text("chat.effort")),
                system_prompt: config.text("chat.system_prompt").to_owned(),
                project_files: config.is_on("chat.project_files"),
                titles: titles(config.text("chat.titles")),
                max_queued: usize::try_from(number("chat.max_queued")).unwrap_or(usize::MAX),
                compact_at: number("chat.compact_at"),
                max_rounds: small(number("chat.max_rounds")),
                budget: budget(&number),
                approvals: Mode::parse(config.text("approvals.mode")).unwrap_or_default(),
                allow: patterns(config, "approvals.allow"),
                deny: patterns(config, "approvals.deny"),
                answer_within: Duration::from_secs(number("approvals.wait_s")),
                workspace: some(config.text("workspace.path")),
                tree: if config.is_on("workspace.worktree") { Tree::Own } else { Tree::Shared },
                mount: Mount::parse(config.text("sandbox.mount")).unwrap_or_default(),
                network: Network::parse(config.text("sandbox.network")).unwrap_or_default(),
                hosts: config.list("sandbox.allow_hosts").to_vec(),
            },
            default_model: ModelRef::parse(config.text("chat.default_model")).ok(),
            fallbacks: config
                .list("chat.fallbacks")
                .iter()
                .filter_map(|text| ModelRef::parse(text).ok())
                .collect(),
            providers: config
                .names("providers")
                .into_iter()
                .map(|name| provider(config, name))
                .collect(),
            hooks: crate::hooks::settings(config),
            local_threads: usize::try_from(number("local.threads")).unwrap_or(0),
            local_idle: Duration::from_secs(number("local.idle_unload_s")),
            local_context: number("local.max_context"),
            log_level: config.text("log.level").to_owned(),
            log_json: config.is_on("log.json"),
            hands: HandSettings::of(config),
        }
    }
}

/// The limits of what may be spent; 0 is none.
fn budget(number: &dyn Fn(&str) -> u64) -> Limits {
    let limit = |span: &str| {
        let some = |unit: &str, times: u64| {
            let amount = number(&format!("budget.{span}_{unit}"));
            (amount > 0).then(|| amount.saturating_mul(times))
        };
        Limit {
            tokens: some("tokens", 1),
            microusd: some("cents", 10_000),
            seconds: some("minutes", 60),
            calls: some("calls", 1),
        }
    };
    Limits { turn: limit("turn"), session: limit("session"), day: limit("day") }
}

fn small(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn patterns(config: &Config, key: &str) -> Vec<Pattern> {
    config.list(key).iter().filter_map(|line| Pattern::parse(line).ok()).collect()
}

fn queue(name: &str) -> QueueMode {
    match name {
        "collect" => QueueMode::Collect,
        "steer" => QueueMode::Steer,
        _ => QueueMode::Followup,
    }
}

fn titles(name: &str) -> Titles {
    match name {
        "model" => Titles::Model,
        "off" => Titles::Off,
        _ => Titles::FirstLine,
    }
}

fn provider(config: &Config, name: &str) -> ProviderConfig {
    let text = |key: &str| {
        let text = config.text(&format!("providers.{name}.{key}"));
        (!text.is_empty()).then(|| text.to_owned())
    };
    ProviderConfig {
        name: name.to_owned(),
        kind: text("kind").unwrap_or_default(),
        base_url: text("base_url"),
        api_key: text("api_key").map(SecretString::from),
        api_key_env: text("api_key_env"),
        models: config.list(&format!("providers.{name}.models")).to_vec(),
    }
}

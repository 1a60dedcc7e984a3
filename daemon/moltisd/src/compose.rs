//! Everything constructed and connected; nothing is decided here.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use moltis_core::assistant::Assistant;
use moltis_core::env::Env;
use moltis_core::journal::Journal;
use moltis_core::provider::Provider;
use moltis_core::session::TurnRules;
use moltis_core::vault::Vault;
use moltis_core::{Code, Error, Result};
use moltis_edge::Services;
use moltis_highlight::Highlight;
use moltis_hooks::Hookery;
use moltis_local::{Local, Options};
use moltis_net::{Client, Purpose};
use moltis_providers::{Providers, Setup};
use moltis_sandbox::Sandboxes;
use moltis_session::{Hands, Sessions};
use moltis_store::Store;
use moltis_telemetry::LogHandle;
use tokio_util::sync::CancellationToken;

use crate::admin::{ModelKeeper, ProviderKeeper, SystemKeeper};
use crate::configuration::Configuration;
use crate::env::SystemEnv;
use crate::hands;
use crate::hooks::{self, Door};
use crate::meaning::Settings;
use crate::outlet::ListedHosts;
use crate::variables::Variables;

/// The daemon's parts, for whoever starts and stops them.
pub(crate) struct Parts {
    pub(crate) store: Store,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) hooks: Arc<Hookery>,
    pub(crate) local: Arc<Local>,
    pub(crate) sandbox: Arc<Sandboxes>,
    pub(crate) configuration: Arc<Configuration>,
    pub(crate) services: Services,
    /// Cancelled by whoever wants the daemon to stop.
    pub(crate) stop: CancellationToken,
    /// Whose hooks are told of the daemon's start and stop.
    pub(crate) workspace: Option<String>,
}

/// Opens the store and connects everything to it.
///
/// # Errors
/// A store that can't be opened, settings that make no sense.
pub(crate) fn compose(
    configuration: Configuration,
    data_dir: PathBuf,
    log: LogHandle,
    begun: Instant,
) -> Result<Parts> {
    let settings = configuration.settings();
    let configuration = Arc::new(configuration);
    let env: Arc<dyn Env> = Arc::new(SystemEnv);
    let store = Store::open(&data_dir, Arc::clone(&env)).map_err(in_store)?;
    let journal: Arc<dyn Journal> = store.journal();
    let local = local(&settings, &data_dir)?;
    let setup = setup(&settings, &local, &data_dir);
    let env_var = |name: &str| std::env::var(name).ok();
    let providers =
        Providers::new(setup, store.vault(), env_var).map_err(|error| invalid(&error))?;
    let config_dir = parent(&moltis_core::admin::ConfigAdmin::path(&*configuration));
    let door = Door::new(env.clone());
    let hooks = hooks::open(&data_dir, &config_dir, settings.hooks, env.clone(), door.clone())?;
    let vault: Arc<dyn Vault> = store.vault();
    let variables = Arc::new(Variables::new(store.vault()));
    let made = hands::hands(&settings.hands, &configuration, &vault, &variables, &data_dir)?;
    let hands = Hands { hooks: hooks.clone(), ..made.hands };
    let rules = rules(settings.rules, &data_dir)?;
    let workspace = rules.workspace.clone();
    let sessions = Sessions::new(Arc::clone(&journal), providers.clone(), env, hands, rules);
    let assistant: Arc<dyn Assistant> = sessions.clone();
    door.open(Arc::downgrade(&assistant));
    let holders = Holders {
        sessions: sessions.clone(),
        hooks: hooks.clone(),
        providers: providers.clone(),
        local: local.clone(),
        log: log.clone(),
        data_dir: data_dir.clone(),
        outlet: made.outlet,
    };
    keep_up(&configuration, holders);
    let stop = CancellationToken::new();
    let system = SystemKeeper {
        sessions: Arc::clone(&sessions),
        journal,
        vault: store.vault(),
        log,
        begun,
        data_dir,
        config_dir,
        stop: stop.clone(),
    };
    let services = Services {
        assistant,
        models: Arc::new(ModelKeeper {
            providers: Arc::clone(&providers),
            local: Arc::clone(&local),
            configuration: Arc::clone(&configuration),
        }),
        providers: Arc::new(ProviderKeeper {
            providers,
            vault: store.vault(),
            configuration: Arc::clone(&configuration),
        }),
        config: configuration.clone(),
        system: Arc::new(system),
        hooks: hooks.clone(),
        sandbox: made.sandbox.clone(),
        variables,
        highlighter: Highlight::new(),
        build: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let sandbox = made.sandbox;
    Ok(Parts { store, sessions, hooks, local, sandbox, configuration, services, stop, workspace })
}

fn parent(file: &Path) -> PathBuf {
    file.parent().unwrap_or(file).to_owned()
}

/// The rules with the workspace of sessions that name none, which is there from then on.
fn rules(rules: TurnRules, data_dir: &Path) -> Result<TurnRules> {
    if rules.workspace.is_some() {
        return Ok(rules);
    }
    let workspace = data_dir.join("workspace");
    std::fs::create_dir_all(&workspace).map_err(|error| {
        Error::new(Code::Storage, format!("make {}: {error}", workspace.display()))
    })?;
    Ok(TurnRules { workspace: workspace.to_str().map(str::to_owned), ..rules })
}

fn local(settings: &Settings, data_dir: &Path) -> Result<Arc<Local>> {
    let client = Client::new(Purpose::Download).map_err(|error| invalid(&error))?;
    let options = Options {
        models_dir: data_dir.join("models"),
        threads: settings.local_threads,
        idle_unload: settings.local_idle,
        max_context: settings.local_context,
    };
    Ok(Local::new(options, client))
}

fn setup(settings: &Settings, local: &Arc<Local>, data_dir: &Path) -> Setup {
    let local: Arc<dyn Provider> = local.clone();
    Setup {
        providers: settings.providers.clone(),
        default_model: settings.default_model.clone(),
        fallbacks: settings.fallbacks.clone(),
        extra: vec![local],
        cache_dir: data_dir.join("cache"),
    }
}

/// Everyone who holds some of the settings.
struct Holders {
    sessions: Arc<Sessions>,
    hooks: Arc<Hookery>,
    providers: Arc<Providers>,
    local: Arc<Local>,
    log: LogHandle,
    data_dir: PathBuf,
    outlet: Arc<ListedHosts>,
}

/// Changed settings reach everyone who holds some.
fn keep_up(configuration: &Configuration, holders: Holders) {
    let Holders { sessions, hooks, providers, local, log, data_dir, outlet } = holders;
    configuration.on_change(Box::new(move |settings| {
        let setup = setup(settings, &local, &data_dir);
        providers.reconfigure(setup).map_err(|error| invalid(&error))?;
        log.set_level(&settings.log_level).map_err(|error| invalid(&error))?;
        outlet.list(&settings.hands.listed_hosts)?;
        sessions.set_rules(rules(settings.rules.clone(), &data_dir)?);
        hooks.set(settings.hooks.clone());
        Ok(())
    }));
}

fn invalid(error: &dyn std::fmt::Display) -> Error {
    Error::new(Code::Invalid, error.to_string()).with_hint("moltis config check")
}

fn in_store(error: moltis_store::Error) -> Error {
    let error = Error::from(error);
    Error { message: format!("open the store: {}", error.message), ..error }
}

//! What is set up, out of the configuration and the environment.

use std::path::PathBuf;
use std::sync::Arc;

use moltis_core::error::Code;
use moltis_core::models::ModelRef;
use moltis_core::provider::Provider;
use moltis_core::vault::Vault;
use secrecy::SecretString;

use crate::dialect::Dialect;
use crate::endpoint::{Endpoint, EnvVar, Keys};
use crate::vendors::{self, COMPATIBLE, VENDORS, Vendor};

/// A provider as the configuration has it.
#[derive(Clone, Debug, Default)]
pub struct ProviderConfig {
    /// Its name, before the slash.
    pub name: String,
    /// A vendor's name; empty is the one that it is named after.
    pub kind: String,
    /// Where it is, if not at the vendor's.
    pub base_url: Option<String>,
    /// Its key.
    pub api_key: Option<SecretString>,
    /// The variable that holds its key.
    pub api_key_env: Option<String>,
    /// Its models; empty asks the vendor.
    pub models: Vec<String>,
}

/// Everything that [`crate::Providers`] is made of.
#[derive(Clone)]
pub struct Setup {
    /// The configured providers, in the file's order.
    pub providers: Vec<ProviderConfig>,
    /// The configured model of sessions without one.
    pub default_model: Option<ModelRef>,
    /// The models to ask when one fails, in order.
    pub fallbacks: Vec<ModelRef>,
    /// Providers that are not asked over HTTP: the local models.
    pub extra: Vec<Arc<dyn Provider>>,
    /// Where lists of models are kept.
    pub cache_dir: PathBuf,
}

/// A setup that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A name that can't stand before the slash.
    #[error("`{name}` can't name a provider: letters, digits, `-`, `_` and `.` can")]
    Name {
        /// The name.
        name: String,
    },
    /// Two of one name.
    #[error("there are two providers named `{name}`")]
    Twice {
        /// The name.
        name: String,
    },
    /// A kind that there is not.
    #[error("the provider `{name}` has the unknown kind `{kind}`{}", nearest.map(|it| format!("; `{it}` is near")).unwrap_or_default())]
    Kind {
        /// The provider.
        name: String,
        /// Its kind.
        kind: String,
        /// The kind that is spelled most like it.
        nearest: Option<&'static str>,
    },
    /// A base URL that is none.
    #[error("the base URL `{base_url}` of the provider `{name}` is not an http or https URL")]
    BaseUrl {
        /// The provider.
        name: String,
        /// The URL.
        base_url: String,
    },
    /// The HTTP client can't be made.
    #[error(transparent)]
    Net(#[from] moltis_net::Error),
}

impl From<Error> for moltis_core::Error {
    fn from(error: Error) -> Self {
        let code = match error {
            Error::Name { .. }
            | Error::Twice { .. }
            | Error::Kind { .. }
            | Error::BaseUrl { .. } => Code::Invalid,
            Error::Net(_) => Code::Internal,
        };
        Self::new(code, error.to_string())
    }
}

/// What containers set: one provider, by three variables.
const ONE_PROVIDER: &str = "MOLTIS_PROVIDER";
const ONE_KEY: &str = "MOLTIS_API_KEY";
const ONE_BASE_URL: &str = "MOLTIS_BASE_URL";

/// Where keys come from besides the configuration.
#[derive(Clone)]
pub(crate) struct Sources {
    pub(crate) vault: Arc<dyn Vault>,
    pub(crate) env_var: EnvVar,
}

fn var(env_var: &dyn Fn(&str) -> Option<String>, name: &str) -> Option<String> {
    let value = env_var(name)?.trim().to_owned();
    if value.is_empty() { None } else { Some(value) }
}

/// The providers that [`crate::Providers::new`] would set up: the name of each, or what it would
/// be refused for. Nobody is asked; `others` are the names of those that are not asked over HTTP.
pub fn examine(
    providers: &[ProviderConfig],
    others: &[&str],
    env_var: &dyn Fn(&str) -> Option<String>,
) -> Vec<Result<String, Error>> {
    let placed = placed(providers, others, env_var);
    placed.into_iter().map(|placed| placed.map(|placed| placed.config.name)).collect()
}

/// The endpoints, first come first chosen.
pub(crate) fn endpoints(setup: &Setup, sources: &Sources) -> Result<Vec<Endpoint>, Error> {
    let others: Vec<&str> = setup.extra.iter().map(|extra| extra.name()).collect();
    placed(&setup.providers, &others, &sources.env_var)
        .into_iter()
        .map(|placed| Ok(endpoint(placed?, sources)))
        .collect()
}

/// A provider whose vendor and address are known.
struct Placed {
    config: ProviderConfig,
    vendor: &'static Vendor,
    base_url: String,
    /// Whether the address is the environment's.
    of_env: bool,
}

/// The container's, the configured ones, those of the environment in the table's order.
fn placed(
    providers: &[ProviderConfig],
    others: &[&str],
    env_var: &dyn Fn(&str) -> Option<String>,
) -> Vec<Result<Placed, Error>> {
    let mut configs: Vec<ProviderConfig> = Vec::new();
    let is_taken = |name: &str| providers.iter().any(|config| config.name == name);
    if let Some(name) = var(env_var, ONE_PROVIDER).filter(|name| !is_taken(name)) {
        let mut config = ProviderConfig { name, ..ProviderConfig::default() };
        config.base_url = var(env_var, ONE_BASE_URL);
        config.api_key_env = Some(ONE_KEY.to_owned());
        configs.push(config);
    }
    configs.extend(providers.iter().cloned());
    for vendor in VENDORS.iter().filter(|vendor| vendor.from_env) {
        let has_key = vendor.key_envs.iter().any(|name| var(env_var, name).is_some());
        let has_place = vendor.local && var(env_var, vendor.base_url_env).is_some();
        let is_new = !configs.iter().any(|other| *other.name == *vendor.name);
        if is_new && (has_key || has_place) {
            let name = vendor.name.to_owned();
            configs.push(ProviderConfig { name, ..ProviderConfig::default() });
        }
    }
    let mut names: Vec<String> = others.iter().map(|&name| name.to_owned()).collect();
    let place_once = |config: ProviderConfig| {
        let name = config.name.clone();
        if names.contains(&name) {
            return Err(Error::Twice { name });
        }
        names.push(name);
        place(config, env_var)
    };
    configs.into_iter().map(place_once).collect()
}

fn place(
    config: ProviderConfig,
    env_var: &dyn Fn(&str) -> Option<String>,
) -> Result<Placed, Error> {
    let name = config.name.as_str();
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > 64 || name.starts_with('.') || !name.chars().all(fits) {
        return Err(Error::Name { name: name.to_owned() });
    }
    let kind = if config.kind.is_empty() { name } else { config.kind.as_str() };
    let vendor = vendors::find(kind).ok_or_else(|| Error::Kind {
        name: name.to_owned(),
        kind: kind.to_owned(),
        nearest: vendors::nearest(kind),
    })?;
    let given = config.base_url.clone().filter(|url| !url.trim().is_empty());
    let of_env = if given.is_none() { var(env_var, vendor.base_url_env) } else { None };
    let place = given.as_deref().or(of_env.as_deref()).unwrap_or(vendor.base_url);
    let base_url = vendor.dialect.base_url(place);
    if !is_http(&base_url) {
        return Err(Error::BaseUrl { name: name.to_owned(), base_url });
    }
    Ok(Placed { vendor, base_url, of_env: of_env.is_some(), config })
}

fn endpoint(placed: Placed, sources: &Sources) -> Endpoint {
    let Placed { config, vendor, base_url, of_env } = placed;
    let name = config.name.as_str();
    let actual = actual_vendor(vendor, &base_url);
    let is_at_home = actual.is_some();
    // A usual key is the vendor's alone: at an address that the configuration names it is sent
    // only when the configuration names it too.
    let trusted = actual.or(of_env.then_some(vendor));
    let usual = trusted.map_or(&[][..], |vendor| vendor.key_envs);
    let quirks = match actual {
        Some(actual) => actual.quirks,
        None if matches!(vendor.dialect, Dialect::OpenAi | Dialect::Responses) && !vendor.local => {
            crate::vendors::Quirks { prompt_cache_key: false, ..keep(vendor) }
        }
        None => vendor.quirks,
    };
    Endpoint {
        name: name.into(),
        kind: vendor.name,
        vendor: actual.unwrap_or(vendor),
        dialect: vendor.dialect,
        quirks,
        base_url,
        keys: Keys {
            vault_name: format!("provider/{name}"),
            config: config.api_key,
            config_env: config.api_key_env,
            usual: usual.iter().map(|&name| name.to_owned()).collect(),
            needed: is_at_home && vendor.needs_key,
            vault: Arc::clone(&sources.vault),
            env_var: sources.env_var,
        },
        models: config.models,
    }
}

/// The vendor behind an address: the one that was said, or another one of the same dialect that
/// is at home there. `None` is an address of nobody we know.
fn actual_vendor(said: &'static Vendor, base_url: &str) -> Option<&'static Vendor> {
    if vendors::is_at_home(said, base_url) {
        return Some(said);
    }
    vendors::at_address(base_url).filter(|vendor| vendor.dialect == said.dialect)
}

/// The quirks of an imitation: OpenAI's own are not expected of it, a vendor's are kept (a proxy
/// before DeepSeek is still DeepSeek).
fn keep(vendor: &Vendor) -> vendors::Quirks {
    if vendor.quirks.prompt_cache_key { COMPATIBLE } else { vendor.quirks }
}

fn is_http(base_url: &str) -> bool {
    url::Url::parse(base_url)
        .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

#[cfg(test)]
#[path = "setup_tests.rs"]
mod tests;

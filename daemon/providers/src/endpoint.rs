//! One provider as it is set up: where it is, what it speaks, where its key lies.

use std::fmt;
use std::sync::Arc;

use moltis_core::error::Result;
use moltis_core::models::{ModelInfo, ModelRef};
use moltis_core::vault::Vault;
use secrecy::{ExposeSecret, SecretString};

use crate::dialect::Dialect;
use crate::table;
use crate::vendors::{Quirks, Vendor};

/// Looks up an environment variable.
pub type EnvVar = fn(&str) -> Option<String>;

/// A provider that is set up.
#[derive(Clone)]
pub(crate) struct Endpoint {
    /// Before the slash.
    pub(crate) name: Arc<str>,
    /// As the configuration says it.
    pub(crate) kind: &'static str,
    pub(crate) vendor: &'static Vendor,
    pub(crate) dialect: Dialect,
    pub(crate) quirks: Quirks,
    /// In the form of [`Dialect::base_url`].
    pub(crate) base_url: String,
    pub(crate) keys: Keys,
    /// The models that the configuration names; empty is all.
    pub(crate) models: Vec<String>,
}

impl Endpoint {
    /// What is known of a model without asking: the table's word.
    pub(crate) fn blank_model(&self, model: &str) -> ModelInfo {
        let mut info = ModelInfo {
            id: ModelRef::new(Arc::clone(&self.name), model),
            name: model.to_owned(),
            context_window: None,
            output_limit: None,
            images: !self.vendor.local || self.quirks.sight_untold,
            tools: true,
            reasoning: false,
            price: None,
            local: self.vendor.local,
        };
        table::fill(&mut info, self.vendor.name);
        info
    }

    /// The dialect to ask this model in: some of OpenAI's models speak only one of the two.
    pub(crate) fn dialect_of(&self, model: &str) -> Dialect {
        let only_responses = ["-codex", "-pro", "deep-research", "codex-"];
        let is_openai = self.quirks.prompt_cache_key && self.dialect == Dialect::OpenAi;
        if is_openai && only_responses.iter().any(|mark| model.contains(mark)) {
            return Dialect::Responses;
        }
        self.dialect
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("name", &self.name)
            .field("vendor", &self.vendor.name)
            .field("base_url", &self.base_url)
            .finish_non_exhaustive()
    }
}

/// Where a provider's key may lie. Nothing is kept: the vault is asked for every request, so that
/// a login counts at once.
#[derive(Clone)]
pub(crate) struct Keys {
    pub(crate) config: Option<SecretString>,
    /// The variable that the configuration names.
    pub(crate) config_env: Option<String>,
    /// Its name in the vault.
    pub(crate) vault_name: String,
    /// The vendor's usual variables.
    pub(crate) usual: Vec<String>,
    pub(crate) needed: bool,
    pub(crate) vault: Arc<dyn Vault>,
    pub(crate) env_var: EnvVar,
}

/// A key and where it was found.
pub(crate) struct Found {
    pub(crate) key: Option<SecretString>,
    pub(crate) source: String,
}

impl Found {
    /// Whether the vendor can be asked with this.
    pub(crate) fn is_ready(&self) -> bool {
        self.key.is_some() || self.source == NONE_NEEDED
    }
}

const NONE_NEEDED: &str = "none needed";

impl Keys {
    /// Finds the key: configuration, the configured variable, vault, the usual variables.
    pub(crate) async fn find(&self) -> Result<Found> {
        let found = |key, source: String| Ok(Found { key: Some(key), source });
        if let Some(key) = self.config.as_ref().filter(|key| !is_blank(key)) {
            return found(key.clone(), "config".to_owned());
        }
        if let Some((name, key)) = self.found_in_env(self.config_env.as_slice()) {
            return found(key, format!("env {name}"));
        }
        if let Some(key) = self.vault.get(&self.vault_name).await? {
            return found(key, "vault".to_owned());
        }
        if let Some((name, key)) = self.found_in_env(&self.usual) {
            return found(key, format!("env {name}"));
        }
        let source = if self.needed { "missing" } else { NONE_NEEDED };
        Ok(Found { key: None, source: source.to_owned() })
    }

    fn found_in_env<'a>(&self, names: &'a [String]) -> Option<(&'a str, SecretString)> {
        names.iter().find_map(|name| {
            let value = (self.env_var)(name).filter(|value| !value.trim().is_empty())?;
            Some((name.as_str(), SecretString::from(value)))
        })
    }
}

fn is_blank(key: &SecretString) -> bool {
    key.expose_secret().trim().is_empty()
}

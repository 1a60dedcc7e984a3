//! Providers: keys in the vault, sections in the configuration.

use std::sync::Arc;

use async_trait::async_trait;
use moltis_core::admin::{FoundServer, ProviderAdmin, ProviderStatus};
use moltis_core::vault::Vault;
use moltis_core::{Code, Error, Result};
use moltis_providers::Providers;
use secrecy::{ExposeSecret as _, SecretString};

use crate::configuration::{Configuration, Edit};
use crate::hands::search_key;

/// The kind of services that search the web: they have a key, and no models.
const SEARCH: &str = "search";

/// Looks after providers.
pub(crate) struct ProviderKeeper {
    pub(crate) providers: Arc<Providers>,
    pub(crate) vault: Arc<dyn Vault>,
    pub(crate) configuration: Arc<Configuration>,
}

/// The vault's name of a provider's key.
fn secret_name(provider: &str) -> String {
    format!("provider/{provider}")
}

fn check_name(name: &str) -> Result<()> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !name.is_empty() && name.len() <= 64 && name.bytes().all(fits) {
        return Ok(());
    }
    let message = format!("`{name}` can't name a provider: letters, digits, `-` and `_` can");
    Err(Error::new(Code::Invalid, message))
}

impl ProviderKeeper {
    /// The keys to write for a provider; none for one that the configuration has as it is. One
    /// that is there because of a variable gets its section: without the variable, a key in the
    /// vault would belong to nobody.
    fn section(&self, name: &str, kind: &str, base_url: &str) -> Result<Vec<Edit>> {
        let known = Providers::kinds().iter().any(|(known, _)| known == name);
        let settings = self.configuration.settings();
        let there = settings.providers.iter().any(|provider| provider.name == name);
        if kind.is_empty() && !known && !there {
            let message = format!("`{name}` is no vendor that is known by name");
            let hint = format!("moltis providers login {name} --kind openai --base-url URL");
            return Err(Error::new(Code::Invalid, message).with_hint(hint));
        }
        let mut keys = Vec::new();
        if !kind.is_empty() || !there {
            let kind = if kind.is_empty() { name } else { kind };
            keys.push(Edit::Set(format!("providers.{name}.kind"), kind.to_owned()));
        }
        if !base_url.is_empty() {
            keys.push(Edit::Set(format!("providers.{name}.base_url"), base_url.to_owned()));
        }
        Ok(keys)
    }

    /// Keeps the key of a search service.
    async fn search_login(&self, name: &str, key: SecretString) -> Result<()> {
        if !["brave", "perplexity"].contains(&name) {
            let message = format!("`{name}` is no search service that takes a key");
            return Err(Error::new(Code::Invalid, message).with_hint("brave or perplexity"));
        }
        if key.expose_secret().is_empty() {
            return Err(Error::new(Code::Invalid, "the key is missing"));
        }
        self.vault.put(&search_key(name), key).await
    }

    fn write(&self, edits: &[Edit]) -> Result<()> {
        if edits.is_empty() {
            self.configuration.take_up().map(drop)
        } else {
            self.configuration.change(edits).map(drop)
        }
    }

    /// Whether a provider can be asked without a key: its kind needs none, or it is somewhere else
    /// than at the vendor's.
    async fn needs_key(&self, name: &str, kind: &str, base_url: &str) -> bool {
        let there = self.providers.status().await;
        let there = there.iter().find(|provider| provider.name == name);
        let kind = match (kind, there) {
            ("", Some(there)) => there.kind.as_str(),
            ("", None) => name,
            (kind, _) => kind,
        };
        base_url.is_empty()
            && there.is_none_or(|there| there.key_source == "missing")
            && Providers::kinds().iter().any(|(known, needs_key)| known == kind && *needs_key)
    }
}

#[async_trait]
impl ProviderAdmin for ProviderKeeper {
    async fn list(&self) -> Result<Vec<ProviderStatus>> {
        Ok(self.providers.status().await)
    }

    fn kinds(&self) -> Vec<(String, bool)> {
        Providers::kinds()
    }

    async fn login(&self, name: &str, kind: &str, base_url: &str, key: SecretString) -> Result<()> {
        check_name(name)?;
        let key = SecretString::from(key.expose_secret().trim().to_owned());
        if kind == SEARCH {
            return self.search_login(name, key).await;
        }
        let mut edits = self.section(name, kind, base_url)?;
        if !key.expose_secret().is_empty() {
            self.vault.put(&secret_name(name), key).await?;
            // The file's key, or the variable that it names, would win over the new one.
            edits.push(Edit::Unset(format!("providers.{name}.api_key")));
            edits.push(Edit::Unset(format!("providers.{name}.api_key_env")));
        } else if self.needs_key(name, kind, base_url).await {
            return Err(Error::new(Code::Invalid, "the key is missing"));
        }
        self.write(&edits)
    }

    async fn logout(&self, name: &str) -> Result<bool> {
        check_name(name)?;
        let search = self.vault.remove(&search_key(name)).await?;
        Ok(self.vault.remove(&secret_name(name)).await? || search)
    }

    async fn detect(&self) -> Result<Vec<FoundServer>> {
        Ok(self.providers.detect().await)
    }

    async fn adopt(&self, found: &FoundServer) -> Result<()> {
        check_name(&found.kind)?;
        let there = self.providers.detect().await;
        if !there
            .iter()
            .any(|server| server.base_url == found.base_url && server.kind == found.kind)
        {
            let message = format!("no {} answers at {}", found.kind, found.base_url);
            return Err(Error::new(Code::NotFound, message));
        }
        self.write(&self.section(&found.kind, &found.kind, &found.base_url)?)
    }
}

//! Providers: keys in the vault, sections in the configuration.

use std::sync::Arc;

use async_trait::async_trait;
use moltis_core::admin::{FoundServer, ProviderAdmin, ProviderStatus};
use moltis_core::vault::Vault;
use moltis_core::{Code, Error, Result};
use moltis_providers::Providers;
use secrecy::{ExposeSecret as _, SecretString};

use crate::configuration::Configuration;

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
    /// The keys to write for a provider; none for one that is there, or well known, and as it is.
    async fn section(
        &self,
        name: &str,
        kind: &str,
        base_url: &str,
    ) -> Result<Vec<(String, String)>> {
        let known = Providers::kinds().iter().any(|(known, _)| known == name);
        let there = self.providers.status().await.iter().any(|provider| provider.name == name);
        if kind.is_empty() && !known && !there {
            let message = format!("`{name}` is no vendor that is known by name");
            let hint = format!("moltis providers login {name} --kind openai --base-url URL");
            return Err(Error::new(Code::Invalid, message).with_hint(hint));
        }
        let mut keys = Vec::new();
        if !kind.is_empty() || !there {
            let kind = if kind.is_empty() { name } else { kind };
            keys.push((format!("providers.{name}.kind"), kind.to_owned()));
        }
        if !base_url.is_empty() {
            keys.push((format!("providers.{name}.base_url"), base_url.to_owned()));
        }
        Ok(keys)
    }

    fn write(&self, keys: &[(String, String)]) -> Result<()> {
        let keys: Vec<(&str, &str)> =
            keys.iter().map(|(path, value)| (path.as_str(), value.as_str())).collect();
        if keys.is_empty() {
            self.configuration.take_up().map(drop)
        } else {
            self.configuration.change(&keys).map(drop)
        }
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
        if key.expose_secret().trim().is_empty() {
            return Err(Error::new(Code::Invalid, "the key is empty"));
        }
        let keys = self.section(name, kind, base_url).await?;
        let trimmed = SecretString::from(key.expose_secret().trim().to_owned());
        self.vault.put(&secret_name(name), trimmed).await?;
        self.write(&keys)
    }

    async fn logout(&self, name: &str) -> Result<bool> {
        check_name(name)?;
        self.vault.remove(&secret_name(name)).await
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
        self.write(&self.section(&found.kind, &found.kind, &found.base_url).await?)
    }
}

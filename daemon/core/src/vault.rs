//! Secrets at rest.

use async_trait::async_trait;
use secrecy::SecretString;

use crate::error::Result;

/// A place for secrets, by name (`provider/openai`).
///
/// Called by whoever hands secrets to `net`; implemented by `store`. Values are encrypted before
/// they touch the disk and are never listed, logged or printed.
#[async_trait]
pub trait Vault: Send + Sync {
    /// Puts a secret in, replacing an older one.
    async fn put(&self, name: &str, secret: SecretString) -> Result<()>;

    /// Takes a copy of a secret out.
    async fn get(&self, name: &str) -> Result<Option<SecretString>>;

    /// Removes a secret; says whether there was one.
    async fn remove(&self, name: &str) -> Result<bool>;

    /// The names in it, sorted.
    async fn names(&self) -> Result<Vec<String>>;

    /// Makes a new key and encrypts every secret anew with it, all or nothing.
    async fn rotate(&self) -> Result<u64>;
}

//! The owner's variables: kept in the vault, given to the sandbox, taken out of what tools give.
//!
//! Not here: what a name or a value may be, that is `core`'s. The invariant: whatever was given to
//! a program since the daemon began is known to the redactor, from before it was given until the
//! daemon ends: a program that goes on may still print what was forgotten since.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use moltis_agent::redact::Redactor;
use moltis_core::variable::{
    MOST_VARIABLES, VariableAdmin, check_name, check_value, secret_name, variable_of,
};
use moltis_core::vault::Vault;
use moltis_core::{Code, Error, Result};
use moltis_session::Secrets;
use secrecy::{ExposeSecret as _, SecretString};

/// Values that were given once and are remembered for the redactor, current ones included.
const MOST_REMEMBERED: usize = 4 * MOST_VARIABLES;

/// Names and values.
pub(crate) type Values = Vec<(String, SecretString)>;

/// The owner's variables.
pub(crate) struct Variables {
    vault: Arc<dyn Vault>,
    /// One change at a time.
    changing: tokio::sync::Mutex<()>,
    known: Mutex<Known>,
}

struct Known {
    /// What the vault holds; `None` while it was not read.
    values: Option<Arc<Values>>,
    /// These and those that were there before, the oldest first.
    remembered: Values,
    redactor: Redactor,
}

impl Variables {
    /// The variables in this vault. It is read when they are first needed.
    pub(crate) fn new(vault: Arc<dyn Vault>) -> Self {
        let known = Known { values: None, remembered: Vec::new(), redactor: Redactor::none() };
        Self { vault, changing: tokio::sync::Mutex::default(), known: Mutex::new(known) }
    }

    /// Name and value of each, as they are now: what programs are given.
    ///
    /// # Errors
    /// Where one can't be read; then none is given.
    pub(crate) async fn values(&self) -> Result<Arc<Values>> {
        let there = |known: MutexGuard<'_, Known>| known.values.clone();
        if let Some(values) = there(self.known()) {
            return Ok(values);
        }
        let _one_at_a_time = self.changing.lock().await;
        if let Some(values) = there(self.known()) {
            return Ok(values);
        }
        let mut values = Vec::new();
        for name in self.names().await? {
            let secret = self.vault.get(&secret_name(&name)).await;
            let value = secret.map_err(|error| unreadable(&name, &error))?;
            values.extend(value.map(|value| (name, value)));
        }
        let mut known = self.known();
        known.remember(&values);
        let values = Arc::new(values);
        known.values = Some(Arc::clone(&values));
        Ok(values)
    }

    async fn names(&self) -> Result<Vec<String>> {
        let names = self.vault.names().await?;
        Ok(names.iter().filter_map(|name| variable_of(name)).map(str::to_owned).collect())
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Takes these into the redactor.
    fn remember(&mut self, values: &[(String, SecretString)]) {
        for (name, value) in values {
            let same = |(there, known): &(String, SecretString)| {
                there == name && known.expose_secret() == value.expose_secret()
            };
            // Once more, so that what is current is never the oldest.
            self.remembered.retain(|known| !same(known));
            self.remembered.push((name.clone(), value.clone()));
        }
        let forgotten = self.remembered.len().saturating_sub(MOST_REMEMBERED);
        if forgotten > 0 {
            tracing::warn!(forgotten, "old values of variables are no longer looked for");
            self.remembered.drain(..forgotten);
        }
        let secrets = self.remembered.iter();
        let secrets = secrets.map(|(name, value)| (name.as_str(), value.expose_secret()));
        self.redactor = Redactor::new(secrets);
    }

    /// What the vault holds is now this, if it was read.
    fn change(&mut self, change: impl FnOnce(&mut Values)) {
        if let Some(values) = &mut self.values {
            change(Arc::make_mut(values));
        }
    }
}

#[async_trait]
impl Secrets for Variables {
    async fn learn(&self) -> Result<()> {
        self.values().await.map(drop)
    }

    fn redactor(&self) -> Redactor {
        self.known().redactor.clone()
    }
}

#[async_trait]
impl VariableAdmin for Variables {
    async fn list(&self) -> Result<Vec<String>> {
        self.names().await
    }

    async fn set(&self, name: &str, value: SecretString) -> Result<()> {
        check_name(name)?;
        check_value(&value)?;
        let _one_at_a_time = self.changing.lock().await;
        let names = self.names().await?;
        if names.len() >= MOST_VARIABLES && names.iter().all(|there| there != name) {
            let message = format!("there are {MOST_VARIABLES} variables already, the most");
            return Err(Error::new(Code::Invalid, message).with_hint("moltis sandbox env list"));
        }
        self.known().remember(&[(name.to_owned(), value.clone())]);
        self.vault.put(&secret_name(name), value.clone()).await?;
        self.known().change(|values| {
            values.retain(|(there, _)| there != name);
            values.push((name.to_owned(), value));
            values.sort_by(|(a, _), (b, _)| a.cmp(b));
        });
        Ok(())
    }

    async fn remove(&self, name: &str) -> Result<bool> {
        check_name(name)?;
        let _one_at_a_time = self.changing.lock().await;
        let removed = self.vault.remove(&secret_name(name)).await?;
        self.known().change(|values| values.retain(|(there, _)| there != name));
        Ok(removed)
    }
}

fn unreadable(name: &str, error: &Error) -> Error {
    let message = format!("the variable `{name}` can't be read: {}", error.message);
    Error::new(error.code, message).with_hint(format!("moltis sandbox env set {name}"))
}

#[cfg(test)]
#[path = "variables_tests.rs"]
mod tests;

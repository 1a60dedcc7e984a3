use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

/// A vault in memory that can lose its key.
#[derive(Default)]
struct Memory {
    secrets: Mutex<BTreeMap<String, String>>,
    locked: AtomicBool,
}

#[async_trait]
impl Vault for Memory {
    async fn put(&self, name: &str, secret: SecretString) -> Result<()> {
        let secret = secret.expose_secret().to_owned();
        self.secrets.lock().unwrap().insert(name.to_owned(), secret);
        Ok(())
    }

    async fn get(&self, name: &str) -> Result<Option<SecretString>> {
        if self.locked.load(Ordering::Relaxed) {
            return Err(Error::new(Code::Storage, "the key is gone"));
        }
        let secret = self.secrets.lock().unwrap().get(name).cloned();
        Ok(secret.map(SecretString::from))
    }

    async fn remove(&self, name: &str) -> Result<bool> {
        Ok(self.secrets.lock().unwrap().remove(name).is_some())
    }

    async fn names(&self) -> Result<Vec<String>> {
        Ok(self.secrets.lock().unwrap().keys().cloned().collect())
    }

    async fn rotate(&self) -> Result<u64> {
        Ok(0)
    }
}

async fn with(secrets: &[(&str, &str)]) -> (Arc<Memory>, Variables) {
    let vault = Arc::new(Memory::default());
    for (name, secret) in secrets {
        vault.put(name, SecretString::from(*secret)).await.unwrap();
    }
    let variables = Variables::new(vault.clone());
    (vault, variables)
}

async fn given(variables: &Variables) -> Vec<String> {
    let values = variables.values().await.unwrap();
    values.iter().map(|(name, value)| format!("{name}={}", value.expose_secret())).collect()
}

async fn set(variables: &Variables, name: &str, value: &str) -> Result<()> {
    variables.set(name, SecretString::from(value)).await
}

#[tokio::test]
async fn programs_are_given_the_variables_of_the_vault_and_nothing_else_of_it() {
    let secrets = [("provider/openai", "sk-of-openai"), ("sandbox/env/TOKEN", "first-value")];
    let (_, variables) = with(&secrets).await;
    assert_eq!(given(&variables).await, ["TOKEN=first-value"]);
    set(&variables, "ANOTHER", "another-value").await.unwrap();
    set(&variables, "TOKEN", "second-value").await.unwrap();
    assert_eq!(given(&variables).await, ["ANOTHER=another-value", "TOKEN=second-value"]);
    assert_eq!(variables.list().await.unwrap(), ["ANOTHER", "TOKEN"]);
    assert!(variables.remove("TOKEN").await.unwrap());
    assert!(!variables.remove("TOKEN").await.unwrap());
    assert_eq!(given(&variables).await, ["ANOTHER=another-value"]);
}

#[tokio::test]
async fn a_value_is_known_as_long_as_a_program_may_have_it() {
    let (_, variables) = with(&[("sandbox/env/TOKEN", "first-value")]).await;
    variables.learn().await.unwrap();
    set(&variables, "TOKEN", "second-value").await.unwrap();
    set(&variables, "GONE", "gone-value").await.unwrap();
    variables.remove("GONE").await.unwrap();
    let text = "first-value second-value gone-value";
    assert_eq!(variables.redactor().redact(text), "[TOKEN] [TOKEN] [GONE]");
}

#[tokio::test]
async fn what_is_remembered_has_a_bound_and_what_is_current_is_kept() {
    let (_, variables) = with(&[]).await;
    variables.learn().await.unwrap();
    for number in 0..=MOST_REMEMBERED {
        set(&variables, "TOKEN", &format!("value-{number:05}")).await.unwrap();
    }
    let redacted =
        |number: usize| variables.redactor().redact(&format!("value-{number:05}")) == "[TOKEN]";
    assert!(!redacted(0));
    assert!(redacted(1) && redacted(MOST_REMEMBERED));
}

#[tokio::test]
async fn a_value_that_could_not_be_kept_from_models_is_not_taken() {
    let (vault, variables) = with(&[]).await;
    for (name, value) in [("TOKEN", "1234567"), ("1TOKEN", "12345678"), ("TOKEN", "a\nb\nc\nd\ne")]
    {
        let error = set(&variables, name, value).await.unwrap_err();
        assert_eq!(error.code, Code::Invalid);
    }
    assert!(vault.names().await.unwrap().is_empty());
    for number in 0..MOST_VARIABLES {
        set(&variables, &format!("V{number}"), "12345678").await.unwrap();
    }
    assert_eq!(set(&variables, "ONE_MORE", "12345678").await.unwrap_err().code, Code::Invalid);
    set(&variables, "V0", "another-value").await.unwrap();
}

#[tokio::test]
async fn while_one_can_not_be_read_none_is_given_and_the_owner_hears_what_mends_it() {
    let (vault, variables) = with(&[("sandbox/env/TOKEN", "first-value")]).await;
    vault.locked.store(true, Ordering::Relaxed);
    let error = variables.values().await.unwrap_err();
    assert_eq!(error.message, "the variable `TOKEN` can't be read: the key is gone");
    assert_eq!(error.hint.as_deref(), Some("moltis sandbox env set TOKEN"));
    assert!(variables.learn().await.is_err());
    vault.locked.store(false, Ordering::Relaxed);
    set(&variables, "TOKEN", "second-value").await.unwrap();
    assert_eq!(given(&variables).await, ["TOKEN=second-value"]);
}

//! The vault: secrets in the store, encrypted with a key that is in no backup.
//!
//! Every secret tells which key encrypts it, and the store remembers which one is for new secrets.
//! Where that one is not here, after a restore elsewhere say, new secrets take the key that is, and
//! the old ones stay unreadable until they are given anew or their key comes back. Changing the key
//! writes the new one beside the old, encrypts everything anew in one transaction that also names
//! the new key, and then puts the new file in the old one's place; whenever that is cut off, one of
//! the two files is the right one, and the store tells which.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use moltis_core::error::{Code, Error as Told};
use moltis_core::vault::Vault;
use redb::{ReadTransaction, ReadableTable};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::key::{Key, KeyId, key_of, sync_folder};
use crate::paths;
use crate::tables::{META, META_VAULT_KEY, Tables, VAULT};
use crate::writer::{Applied, Need, Writer};

/// The longest secret.
const MAX_SECRET: usize = 1 << 20;

/// The vault.
pub(crate) struct StoreVault {
    dir: PathBuf,
    engine: Arc<Engine>,
    writer: Writer,
    /// The key, once it was needed. One change of the vault at a time.
    key: Arc<Mutex<Option<Arc<Key>>>>,
}

impl StoreVault {
    pub(crate) fn new(dir: PathBuf, engine: Arc<Engine>, writer: Writer) -> Self {
        Self { dir, engine, writer, key: Arc::new(Mutex::new(None)) }
    }

    /// The key with this id; without one, the key that is there or a new one.
    fn load(&self, slot: &mut Option<Arc<Key>>, wanted: Option<KeyId>) -> Result<Arc<Key>> {
        if let Some(key) = slot.as_ref().filter(|key| wanted.is_none_or(|id| id == key.id())) {
            return Ok(Arc::clone(key));
        }
        let key = Arc::new(open_key(&self.dir, wanted)?);
        *slot = Some(Arc::clone(&key));
        Ok(key)
    }

    /// The key for new secrets: the one that the store names or, when that is gone, another.
    fn load_for_new(&self, slot: &mut Option<Arc<Key>>) -> Result<Arc<Key>> {
        match self.load(slot, self.engine.view(named_key)?) {
            Err(Error::KeyGone(what)) => {
                tracing::warn!(what, "new secrets are encrypted with another key");
                *slot = None;
                self.load(slot, None)
            }
            found => found,
        }
    }

    async fn write(&self, name: String, row: Vec<u8>, key: KeyId) -> Result<(), Told> {
        let size = row.len();
        self.writer
            .submit(Need::Room, size, move |tables| {
                tables.vault.insert(name.as_str(), row.as_slice())?;
                tables.meta.insert(META_VAULT_KEY, key.as_slice())?;
                Ok(Ok(()))
            })
            .await
    }
}

#[async_trait]
impl Vault for StoreVault {
    async fn put(&self, name: &str, secret: SecretString) -> Result<(), Told> {
        if name.is_empty() || secret.expose_secret().len() > MAX_SECRET {
            return Err(Told::new(Code::Invalid, "a secret needs a name and at most 1 MiB"));
        }
        let mut slot = self.key.lock().await;
        let key = self.load_for_new(&mut slot)?;
        let row = key.seal(name, secret.expose_secret().as_bytes())?;
        self.write(name.to_owned(), row, key.id()).await
    }

    async fn get(&self, name: &str) -> Result<Option<SecretString>, Told> {
        let mut slot = self.key.lock().await;
        let row = self
            .engine
            .view(|txn| Ok(txn.open_table(VAULT)?.get(name)?.map(|row| row.value().to_vec())))?;
        let Some(row) = row else { return Ok(None) };
        let wanted = key_of(&row)
            .ok_or_else(|| Error::Damaged(format!("the secret `{name}` is damaged")))?;
        let secret = self.load(&mut slot, Some(wanted))?.unseal(name, &row)?;
        let text = std::str::from_utf8(&secret)
            .map_err(|_| Error::Damaged(format!("the secret `{name}` is no text")))?;
        Ok(Some(SecretString::from(text)))
    }

    async fn remove(&self, name: &str) -> Result<bool, Told> {
        let name = name.to_owned();
        let _one_at_a_time = self.key.lock().await;
        self.writer
            .submit(Need::NoRoom, 0, move |tables| {
                Ok(Ok(tables.vault.remove(name.as_str())?.is_some()))
            })
            .await
    }

    async fn names(&self) -> Result<Vec<String>, Told> {
        Ok(self.engine.view(|txn| {
            let table = txn.open_table(VAULT)?;
            table.iter()?.map(|row| Ok(row?.0.value().to_owned())).collect()
        })?)
    }

    async fn rotate(&self) -> Result<u64, Told> {
        // The job itself holds the vault: should this call be dropped, nobody touches the key's
        // files before it is known which of them counts.
        let mut slot = Arc::clone(&self.key).lock_owned().await;
        let old = self.load(&mut slot, self.engine.view(named_key)?)?;
        let (path, new_path) = (self.dir.join(paths::KEY), self.dir.join(paths::NEW_KEY));
        let new = Arc::new(Key::generate()?);
        remove_leftover(&new_path)?;
        new.create(&new_path)?;
        let key = Arc::clone(&new);
        let (count, mut slot) = self
            .writer
            .submit(Need::Room, 0, move |tables| {
                Ok(encrypt_anew(tables, &old, &key)?.map(|count| (count, slot)))
            })
            .await?;
        take_into_place(&new_path, &path)?;
        *slot = Some(new);
        Ok(count)
    }
}

/// Encrypts every secret with `new` and names that key.
fn encrypt_anew(tables: &mut Tables<'_>, old: &Key, new: &Key) -> Applied<u64> {
    let mut rows = Vec::new();
    for row in tables.vault.iter()? {
        let (name, row) = row?;
        let name = name.value();
        let anew = old.unseal(name, row.value()).and_then(|secret| new.seal(name, &secret));
        match anew {
            Ok(row) => rows.push((name.to_owned(), row)),
            Err(error) => return Ok(Err(error.into())),
        }
    }
    for (name, row) in &rows {
        tables.vault.insert(name.as_str(), row.as_slice())?;
    }
    tables.meta.insert(META_VAULT_KEY, new.id().as_slice())?;
    Ok(Ok(rows.len() as u64))
}

/// The key that the store says it is encrypted with.
pub(crate) fn named_key(txn: &ReadTransaction) -> Result<Option<KeyId>> {
    let row = txn.open_table(META)?.get(META_VAULT_KEY)?;
    row.map(|row| {
        KeyId::try_from(row.value())
            .map_err(|_| Error::Damaged("the name of the vault's key is damaged".into()))
    })
    .transpose()
}

/// The key of a data directory that has this id; without one, the key that is there or a new one.
fn open_key(dir: &Path, wanted: Option<KeyId>) -> Result<Key> {
    let (path, new_path) = (dir.join(paths::KEY), dir.join(paths::NEW_KEY));
    let present = Key::read(&path)?;
    let Some(wanted) = wanted else {
        if let Some(key) = present {
            return Ok(key);
        }
        // Under another name first: half a key would keep everybody out for ever.
        let key = Key::generate()?;
        remove_leftover(&new_path)?;
        key.create(&new_path)?;
        take_into_place(&new_path, &path)?;
        return Ok(key);
    };
    if let Some(key) = present.filter(|key| key.id() == wanted) {
        // A new key that never came into use guards nothing.
        remove_leftover(&new_path)?;
        return Ok(key);
    }
    // A half-written one is not the one that the store names.
    if let Ok(Some(key)) = Key::read(&new_path)
        && key.id() == wanted
    {
        take_into_place(&new_path, &path)?;
        return Ok(key);
    }
    Err(Error::KeyGone(format!("the vault's key is not in `{}`", path.display())))
}

fn take_into_place(from: &Path, to: &Path) -> Result<()> {
    std::fs::rename(from, to).map_err(Error::file("rename", from))?;
    sync_folder(to)
}

fn remove_leftover(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Ok(()) => sync_folder(path),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Error::file("remove", path)(error)),
    }
}

#[cfg(test)]
#[path = "vault_tests.rs"]
mod tests;

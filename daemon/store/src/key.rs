//! The vault's key and its file.
//!
//! The file is made under `O_EXCL` for its owner alone; one that others may read, a link, or one
//! that belongs to another user is refused, not mended: whoever could read it has read it. A key is
//! wiped from memory when it is dropped and is never printed.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use crate::error::{Error, Result};

/// Which key it is, without telling the key.
pub(crate) type KeyId = [u8; 8];

const NONCE: usize = 24;

/// A key.
pub(crate) struct Key(Zeroizing<[u8; 32]>);

impl Key {
    /// A fresh key.
    pub(crate) fn generate() -> Result<Self> {
        let mut bytes = Zeroizing::new([0; 32]);
        random(bytes.as_mut())?;
        Ok(Self(bytes))
    }

    /// Which key it is.
    pub(crate) fn id(&self) -> KeyId {
        let mut hasher = Sha256::new();
        hasher.update(b"moltis vault key 1\0");
        hasher.update(self.0.as_slice());
        let digest = hasher.finalize();
        let mut id = KeyId::default();
        id.copy_from_slice(&digest[..8]);
        id
    }

    /// Reads a key file; `None` when there is none.
    ///
    /// # Errors
    /// [`Error::Key`] for a file that must not be trusted or holds no key.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>> {
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        let file =
            OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path);
        let file = match file {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
                return Err(Error::Key(format!("`{}` is a symbolic link", path.display())));
            }
            Err(error) => return Err(Error::file("open", path)(error)),
        };
        trusted(&file, path)?;
        let mut text = Zeroizing::new(String::with_capacity(128));
        file.take(128).read_to_string(&mut text).map_err(Error::file("read", path))?;
        let bytes = decode(text.trim_end())
            .ok_or_else(|| Error::Key(format!("`{}` holds no vault key", path.display())))?;
        Ok(Some(Self(bytes)))
    }

    /// Writes a new key file and brings it to the disk.
    pub(crate) fn create(&self, path: &Path) -> Result<()> {
        let mut text = Zeroizing::new(String::with_capacity(65));
        for byte in self.0.iter() {
            for digit in [byte >> 4, byte & 15] {
                text.push(char::from_digit(u32::from(digit), 16).unwrap_or_default());
            }
        }
        text.push('\n');
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(Error::file("create", path))?;
        file.write_all(text.as_bytes()).map_err(Error::file("write", path))?;
        file.sync_all().map_err(Error::file("sync", path))?;
        sync_folder(path)
    }

    /// Encrypts a secret under its name: key id, nonce, ciphertext.
    pub(crate) fn seal(&self, name: &str, secret: &[u8]) -> Result<Vec<u8>> {
        let mut nonce = [0; NONCE];
        random(&mut nonce)?;
        let payload = Payload { msg: secret, aad: &associated(name) };
        let sealed = self
            .cipher()
            .encrypt(XNonce::from_slice(&nonce), payload)
            .map_err(|_| Error::Key(format!("the secret `{name}` can't be encrypted")))?;
        Ok([self.id().as_slice(), &nonce, &sealed].concat())
    }

    /// Decrypts what [`Key::seal`] gave for this name.
    pub(crate) fn unseal(&self, name: &str, row: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let damaged = || Error::Damaged(format!("the secret `{name}` is damaged"));
        if key_of(row).ok_or_else(damaged)? != self.id() {
            return Err(Error::KeyGone(format!(
                "the secret `{name}` was encrypted with a key that is not here"
            )));
        }
        let (nonce, sealed) = row[size_of::<KeyId>()..].split_at(NONCE);
        let payload = Payload { msg: sealed, aad: &associated(name) };
        let secret =
            self.cipher().decrypt(XNonce::from_slice(nonce), payload).map_err(|_| damaged())?;
        Ok(Zeroizing::new(secret))
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(self.0.as_slice().into())
    }
}

/// The key that a row was encrypted with; `None` for a row that is too short to be one.
pub(crate) fn key_of(row: &[u8]) -> Option<KeyId> {
    let (id, rest) = row.split_first_chunk::<8>()?;
    (rest.len() > NONCE).then_some(*id)
}

/// Brings the entries of the folder that `path` is in to the disk.
pub(crate) fn sync_folder(path: &Path) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    File::open(folder).and_then(|file| file.sync_all()).map_err(Error::file("sync", folder))
}

fn trusted(file: &File, path: &Path) -> Result<()> {
    let metadata = file.metadata().map_err(Error::file("examine", path))?;
    let refuse = |why: &str| Err(Error::Key(format!("`{}` {why}", path.display())));
    if !metadata.is_file() {
        return refuse("is not a file");
    }
    if metadata.mode() & 0o077 != 0 {
        return refuse("may be read by others: chmod 600 it, and change the keys that it guards");
    }
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return refuse("belongs to another user");
    }
    Ok(())
}

fn associated(name: &str) -> Vec<u8> {
    [b"moltis vault 1\0", name.as_bytes()].concat()
}

fn decode(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut bytes = Zeroizing::new([0; 32]);
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let mut value = 0_u32;
        for digit in pair {
            value = value * 16 + char::from(*digit).to_digit(16)?;
        }
        *byte = u8::try_from(value).ok()?;
        value.zeroize();
    }
    Some(bytes)
}

fn random(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes)
        .map_err(|error| Error::Key(format!("the system gives no random bytes: {error}")))
}

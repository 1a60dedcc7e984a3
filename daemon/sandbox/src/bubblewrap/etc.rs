//! The `/etc` of a sandbox: a folder of the daemon's own, the same for all of them.
//!
//! Each mount makes every command slower, by a thirtieth of what it takes in all, so that what
//! seldom changes is copied from the machine's `/etc` when the backend is found, and only what comes
//! and goes with packages is mounted over it as it is. Not here: the users, keys (`ssl/private`), and
//! what the person set up. The invariant: nothing is here that is not named here.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What is copied.
const COPIED: &[&str] = &[
    "ca-certificates",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "magic",
    "mime.types",
    "protocols",
    "services",
    "ssl/cert.pem",
    "ssl/openssl.cnf",
    "terminfo",
];

/// What is seen as it is: packages that are installed while the daemon runs are found and trusted.
const LIVE: &[&str] = &[
    "alternatives",
    "crypto-policies",
    "ld.so.cache",
    "pki/ca-trust",
    "pki/tls/certs",
    "ssl/certs",
];

/// What is made here, the same everywhere.
const OWN: &[(&str, &str)] = &[
    (
        "passwd",
        "root:x:0:0:root:/nonexistent:/usr/sbin/nologin\n\
         moltis:x:1000:1000:Moltis:/home/moltis:/bin/sh\n\
         nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    ),
    ("group", "root:x:0:\nmoltis:x:1000:\nnogroup:x:65534:\n"),
    ("hosts", "127.0.0.1 localhost moltis\n::1 localhost\n"),
    ("nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"),
];

/// Links and folders below a folder that are followed.
const DEEPEST: usize = 8;

/// Fills this folder, and gives the part of bubblewrap's command line that makes it the `/etc`. What an
/// earlier daemon left there is replaced file by file: sandboxes may be looking at it.
pub(super) fn make(folder: &Path) -> io::Result<Vec<OsString>> {
    fs::create_dir_all(folder)?;
    for (name, text) in OWN {
        put(&folder.join(name), text.as_bytes())?;
    }
    let machine = Path::new("/etc");
    for name in COPIED {
        // What can't be read here could not be read inside either.
        if let Ok(from) = machine.join(name).canonicalize()
            && let Err(error) = copy(&from, &folder.join(name), DEEPEST)
        {
            tracing::debug!(name, %error, "not all of it is in the sandboxes");
        }
    }
    let mut words: Vec<OsString> = vec!["--ro-bind".into(), folder.into(), machine.into()];
    for name in LIVE {
        let (from, place) = (machine.join(name), folder.join(name));
        let Ok(found) = fs::metadata(&from) else { continue };
        // bubblewrap can't make what it mounts on where nothing can be written.
        if found.is_dir() {
            fs::create_dir_all(&place)?;
        } else if !place.is_file() {
            put(&place, b"")?;
        }
        words.extend(["--ro-bind-try".into(), from.clone().into(), from.into()]);
    }
    Ok(words)
}

fn copy(from: &Path, to: &Path, deepest: usize) -> io::Result<()> {
    let found = fs::symlink_metadata(from)?;
    if found.is_dir() && deepest > 0 {
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            copy(&entry.path(), &to.join(entry.file_name()), deepest - 1)?;
        }
    } else if found.is_symlink() {
        let new = beside(to)?;
        std::os::unix::fs::symlink(fs::read_link(from)?, &new)?;
        fs::rename(&new, to)?;
    } else if found.is_file() {
        put(to, &fs::read(from)?)?;
    }
    Ok(())
}

/// Writes a file that is whole at every moment.
fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = beside(path)?;
    fs::write(&new, bytes)?;
    fs::rename(&new, path)
}

/// A path with nothing there, next to this one, in a folder that is there.
fn beside(path: &Path) -> io::Result<PathBuf> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let new = path.with_added_extension("new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(new),
    }
}

#[cfg(test)]
#[path = "etc_tests.rs"]
mod tests;

//! Folders that nobody else has a hand in.

use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use crate::error::Error;

/// Makes a folder for its owner only, or makes sure that it is one: no symlink, ours, mode 0700.
/// One of ours that is open to others is closed.
pub(crate) fn make_private(path: &Path) -> Result<(), Error> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(Error::io("make the folder", path))?;
    let metadata = fs::symlink_metadata(path).map_err(Error::io("examine", path))?;
    if metadata.file_type().is_symlink() {
        return Err(Error::not_safe(path, "it is a symbolic link"));
    }
    let own = rustix::process::geteuid().as_raw();
    if metadata.uid() != own {
        return Err(Error::not_safe(path, format!("it belongs to user {}", metadata.uid())));
    }
    if metadata.mode() & 0o7777 != 0o700 {
        let closed = fs::set_permissions(path, Permissions::from_mode(0o700));
        closed.map_err(Error::io("close to others", path))?;
    }
    Ok(())
}

//! A model from a file of the owner's.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use moltis_core::{Code, Error, Result};

use super::steps::Progress;
use super::{blocking, digest, room_for, storage};
use crate::shelf::{Card, Shelf, remove_file};

pub(super) async fn pull(
    shelf: &Shelf,
    name: &str,
    path: PathBuf,
    progress: &Progress,
) -> Result<()> {
    let shelf = shelf.clone();
    let name = name.to_owned();
    let progress = progress.clone();
    blocking(move || copy(&shelf, &name, &path, &progress)).await?
}

fn copy(shelf: &Shelf, name: &str, path: &Path, progress: &Progress) -> Result<()> {
    progress.report("checking", 0, 0);
    let metadata = fs::metadata(path).map_err(|error| {
        Error::new(Code::NotFound, format!("read `{}`: {error}", path.display()))
    })?;
    if !metadata.is_file() {
        return Err(Error::new(Code::Invalid, format!("`{}` is no file", path.display())));
    }
    let bytes = metadata.len();
    let card = Card::read(path).map_err(crate::error::Error::into_core)?;
    fs::create_dir_all(shelf.dir())
        .map_err(|error| storage("make the directory of models", &error))?;
    room_for(shelf, bytes)?;
    // Not the part of a download, which a person may want to go on with.
    let part = shelf.copy(name);
    let result = fill(path, &part, bytes, progress).and_then(|sha256| {
        if shelf.find(name).is_some() {
            return same(shelf, name, &sha256, progress);
        }
        let source = format!("file:{}", path.display());
        let card = Card { sha256, source, ..card };
        shelf.accept(name, &part, &card).map_err(|error| storage("keep the model", &error))
    });
    // A copy that did not become a model is not worth going on from.
    remove_file(&part).map_err(|error| storage("remove an unfinished copy", &error))?;
    result
}

fn fill(path: &Path, part: &Path, bytes: u64, progress: &Progress) -> Result<String> {
    let mut from = File::open(path).map_err(|error| storage("read the model", &error))?;
    let mut to = File::create(part).map_err(|error| storage("write the model", &error))?;
    let sha256 = digest::copy(&mut from, &mut to, "copying", bytes, progress)?;
    to.sync_all().map_err(|error| storage("write the model", &error))?;
    Ok(sha256)
}

/// A model of that name is here already; that is well if it is the same one.
fn same(shelf: &Shelf, name: &str, sha256: &str, progress: &Progress) -> Result<()> {
    let here = match shelf.known_digest(name) {
        Some(digest) => digest,
        None => {
            let path = shelf.model(name);
            let mut file = File::open(&path).map_err(|error| storage("read the model", &error))?;
            digest::copy(&mut file, &mut std::io::sink(), "verifying", u64::MAX, progress)?
        }
    };
    if here == sha256 {
        return Ok(());
    }
    Err(Error::new(Code::Conflict, format!("another model `{name}` is installed"))
        .with_hint(format!("moltis models remove {name}, or give the file another name")))
}

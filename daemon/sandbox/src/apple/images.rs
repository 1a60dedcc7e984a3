//! Images of Apple's `container`: built and fetched, with what it says meanwhile.
//!
//! Not here: what they are called. The invariant: whoever stops listening ends it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use moltis_core::admin::{Step, Steps};
use moltis_core::error::{Code, Error, Result};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::command::{Program, complaint, pieces};
use crate::container::runtime::{Piece, fresh};
use crate::image::{LABEL, Recipe};

/// The longest that it may be silent while it makes an image.
const SILENT: Duration = Duration::from_secs(300);

/// What is kept of a line that it prints.
const LINE: usize = 200;

type Sender = mpsc::Sender<Result<Step>>;

/// Makes the image, or fetches the base where nothing is added to it.
pub(super) fn make(program: Program, own: PathBuf, recipe: Recipe) -> Steps {
    let (sender, receiver) = mpsc::channel(16);
    // Polled together with what it feeds: dropping the steps ends it.
    let making = async move {
        let last = match run(&program, &own, &recipe, &sender).await {
            Ok(()) => Ok(Step { phase: "done".to_owned(), done: 0, total: 0, finished: true }),
            Err(error) => Err(error),
        };
        let _ = sender.send(last).await;
    };
    let making = stream::once(making).filter_map(|()| async { None });
    stream::select(making, tokio_stream::wrappers::ReceiverStream::new(receiver)).boxed()
}

async fn run(program: &Program, own: &Path, recipe: &Recipe, sender: &Sender) -> Result<()> {
    if recipe.is_plain() {
        // `ImagePull.swift` and `Flags.swift`, 0.12.0 and 1.2.2.
        let words = ["image", "pull", "--progress", "plain", &recipe.base];
        let what = format!("the image `{}` can't be fetched", recipe.base);
        return follow(program, &words.map(str::to_owned), &what, sender).await;
    }
    let folder = own.join(fresh()?);
    let built = build(program, &folder, recipe, sender).await;
    // What is left of it is a few lines.
    let _ = tokio::fs::remove_dir_all(&folder).await;
    built
}

async fn build(program: &Program, folder: &Path, recipe: &Recipe, sender: &Sender) -> Result<()> {
    let file = folder.join("Dockerfile");
    let failed = |error: std::io::Error| {
        Error::new(Code::Storage, format!("{} can't be written: {error}", file.display()))
    };
    tokio::fs::create_dir_all(folder).await.map_err(failed)?;
    tokio::fs::write(&file, recipe.dockerfile()).await.map_err(failed)?;
    let (tag, label) = (recipe.tag(), format!("{LABEL}={}", recipe.base));
    let text = |path: &Path| path.to_string_lossy().into_owned();
    // `BuildCommand.swift`, 0.12.0 and 1.2.2: the last one is the folder that it builds from.
    let mut words = ["build", "--progress", "plain", "--tag", &tag, "--label", &label, "--file"]
        .map(str::to_owned)
        .to_vec();
    words.extend([text(&file), text(folder)]);
    let failed = follow(program, &words, "the image can't be built", sender).await;
    failed.map_err(|error| error.with_hint("check the base image and the names of the packages"))
}

/// Runs it to its end and tells each line of what it says.
async fn follow(program: &Program, words: &[String], what: &str, sender: &Sender) -> Result<()> {
    let failed = |why: &str| Error::new(Code::Unavailable, format!("{what}: {why}"));
    let child = program.command(words).spawn().map_err(|error| failed(&error.to_string()))?;
    let mut output = pieces(child);
    let (mut line, mut last) = (String::new(), String::new());
    loop {
        let piece = timeout(SILENT, output.next()).await.map_err(|_| {
            failed(&format!("`container` has said nothing for {} s", SILENT.as_secs()))
        })?;
        match piece.transpose()? {
            Some(Piece::Stdout(more) | Piece::Stderr(more)) => {
                for letter in String::from_utf8_lossy(&more).chars() {
                    if letter != '\n' && letter != '\r' {
                        if line.len() < LINE {
                            line.push(letter);
                        }
                        continue;
                    }
                    let phase = std::mem::take(&mut line).trim().to_owned();
                    if !phase.is_empty() {
                        last.clone_from(&phase);
                        let step = Step { phase, done: 0, total: 0, finished: false };
                        // Nobody listens any more: then this is dropped with them.
                        let _ = sender.send(Ok(step)).await;
                    }
                }
            }
            Some(Piece::Exit(0)) => return Ok(()),
            Some(Piece::Exit(_)) | None => {
                let said = if line.trim().is_empty() { &last } else { &line };
                return Err(failed(&complaint(said)));
            }
        }
    }
}

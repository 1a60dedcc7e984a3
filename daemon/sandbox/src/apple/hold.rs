//! A container that runs: a `container run` whose input is held.
//!
//! When the input is closed, by an end of the daemon however sudden, the program closes the input of
//! the first program inside (`ProcessIO.swift`, 1.2.2: `streamStdin`), which ends; with it ends the
//! machine (`RuntimeService.swift`, 1.2.2: `onContainerExit`), and `--rm` takes away what is left. So
//! nothing has to be alive to end it.
//!
//! Programs go in by `container exec`, whose exit code is the program's, or 1 where it failed itself.
//! To tell the two apart each program is begun by a shell that says a word of its own first. What it
//! is to run, and the owner's variables, come over its input: arguments can be read by everyone on the
//! machine. What comes cut off ends in the middle of a quoted word, which no shell runs.

use std::process::Stdio;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use bytes::BytesMut;
use futures_util::StreamExt as _;
use futures_util::stream;
use moltis_core::error::{Code, Error, Result};
use tokio::io::AsyncWriteExt as _;
use tokio::process::ChildStdin;
use tokio::time::timeout;

use super::arguments::{self, NO_MORE_RIGHTS};
use super::command::{Program, complaint, pieces};
use super::remove;
use crate::container::held::{MARK, listen};
use crate::container::proof::Proof;
use crate::container::runtime::{Failure, Hold, Piece, Program as Pieces, fresh};
use crate::container::spec::Spec;
use crate::shell::quoted;

/// The longest that a container may take until it has said what it is.
const BRING_UP: Duration = Duration::from_secs(60);

/// The longest that a program in it may take to begin.
const BEGIN: Duration = Duration::from_secs(30);

/// Bytes of what may come before the word: much, for a program may be heard before it.
const BEFORE: usize = 1 << 20;

/// Says that it is there, then runs what comes.
const ENTER: &str = "printf '%s\\n' \"$0\"; . /dev/stdin";

/// The exit code of `container exec` where it failed itself (swift-argument-parser's
/// `ExitCode.failure`).
const FAILED: i64 = 1;

/// A container.
pub(super) struct Held {
    program: Program,
    id: String,
    /// Closing it ends the container.
    _control: Mutex<(ChildStdin, Pieces)>,
}

/// Makes one and hears what it says of itself.
pub(super) async fn create(program: &Program, spec: &Spec) -> Result<(Held, Proof)> {
    // At most 63 letters, digits, `_`, `.`, `-` (`ManagedContainer.swift`, 1.2.2).
    let name = format!("moltis-{}", fresh()?);
    let words = arguments::run(spec, &name)?;
    let up = timeout(BRING_UP, bring_up(program, &name, &words)).await.unwrap_or_else(|_| {
        let text = format!("the container was not ready after {} s", BRING_UP.as_secs());
        Err(Error::new(Code::Unavailable, text))
    });
    if up.is_err() {
        remove(program, &name).await;
    }
    up
}

async fn bring_up(program: &Program, name: &str, words: &[String]) -> Result<(Held, Proof)> {
    let (input, mut output) = begin(program, words)?;
    let hint = "does the image have `/bin/sh`, `cat` and `setpriv`?";
    let proof = listen(&mut output).await.map_err(|error| error.with_hint(hint))?;
    let held = Held {
        program: program.clone(),
        id: name.to_owned(),
        _control: Mutex::new((input, output)),
    };
    Ok((held, proof))
}

/// Starts `container` with its input held.
fn begin(program: &Program, words: &[String]) -> Result<(ChildStdin, Pieces)> {
    let failed = |why: String| {
        let text = format!("`{}` can't be run: {why}", program.file().display());
        Error::new(Code::Unavailable, text)
    };
    let mut child = program
        .command(words)
        .stdin(Stdio::piped())
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    let input = child.stdin.take().ok_or_else(|| failed("it has no input".to_owned()))?;
    Ok((input, pieces(child)))
}

#[async_trait]
impl Hold for Held {
    async fn run(
        &self,
        command: &[&str],
        directory: &str,
        mark: &str,
        variables: Vec<String>,
    ) -> Result<Pieces, Failure> {
        let word = fresh()?;
        let told = told(command, &variables)?;
        let variable = format!("{MARK}={mark}");
        let options =
            ["exec", "--interactive", "--workdir", directory, "--env", &variable, &self.id];
        let shell = ["/bin/sh", "-c", NO_MORE_RIGHTS, "sh", ENTER, &word];
        let words: Vec<String> =
            options.iter().chain(&shell).map(|word| (*word).to_owned()).collect();
        let (mut input, output) = begin(&self.program, &words)?;
        // One that fails to begin takes nothing; that is told by what it says.
        let begun = async {
            let telling = async {
                let _ = input.write_all(told.as_bytes()).await;
                drop(input);
            };
            tokio::join!(telling, heard(output, &word)).1
        };
        let (first, output) = timeout(BEGIN, begun).await.map_err(|_| {
            Error::new(Code::Unavailable, "the sandbox does not begin the program")
        })??;
        let (program, id) = (self.program.clone(), self.id.clone());
        let output = output.then(move |piece| judged(program.clone(), id.clone(), piece));
        Ok(stream::iter(first).chain(output).boxed())
    }

    async fn is_up(&self) -> bool {
        is_up(&self.program, &self.id).await
    }

    async fn end(&self) {
        remove(&self.program, &self.id).await;
    }
}

async fn is_up(program: &Program, id: &str) -> bool {
    program.containers().await.is_ok_and(|all| all.iter().any(|one| one.id == id && one.runs))
}

/// A piece, unless it is the end of `container` instead of the program's.
async fn judged(program: Program, id: String, piece: Result<Piece>) -> Result<Piece> {
    match piece {
        Ok(Piece::Exit(FAILED)) if !is_up(&program, &id).await => {
            Err(Error::new(Code::Unavailable, "the sandbox ended meanwhile"))
        }
        piece => piece,
    }
}

/// Waits for the word; gives what came beside it: the streams are read as they come, and the one may
/// be ahead of the other.
async fn heard(mut output: Pieces, word: &str) -> Result<(Vec<Result<Piece>>, Pieces)> {
    let (mut said, mut wrong) = (BytesMut::new(), BytesMut::new());
    let begins = format!("{word}\n");
    while let Some(piece) = output.next().await {
        match piece? {
            Piece::Stdout(more) => said.extend_from_slice(&more),
            Piece::Stderr(more) => wrong.extend_from_slice(&more),
            Piece::Exit(_) => break,
        }
        if said.starts_with(begins.as_bytes()) {
            let rest = said.split_off(begins.len()).freeze();
            let pieces = [Piece::Stdout(rest), Piece::Stderr(wrong.freeze())];
            return Ok((pieces.map(Ok).into(), output));
        }
        if said.len() >= begins.len() || wrong.len() > BEFORE {
            break;
        }
    }
    let text = format!("it can't be run: {}", complaint(&String::from_utf8_lossy(&wrong)));
    Err(Error::new(Code::Unavailable, text))
}

/// A script that becomes this program.
fn told(command: &[&str], variables: &[String]) -> Result<String> {
    let mut told = String::new();
    for (name, value) in variables.iter().filter_map(|line| line.split_once('=')) {
        told.push_str(&format!("export {name}={}\n", quoted(value)));
    }
    let words: Vec<String> = command.iter().map(|word| quoted(word)).collect();
    told.push_str(&format!("exec {} </dev/null\n", words.join(" ")));
    if told.contains('\0') {
        return Err(Error::new(Code::Invalid, "a command has no zero bytes"));
    }
    Ok(told)
}

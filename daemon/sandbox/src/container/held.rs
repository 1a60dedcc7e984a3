//! One running container: proved, spoken to, ended.
//!
//! Everything that is begun in it carries a mark, so that one thing can be ended and another go on.
//! Not here: what makes it run. The invariant: there is no value of this type for a container that
//! has not proved itself.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use futures_util::StreamExt as _;
use moltis_core::error::{Code, Error, Result};

use super::planted::Planted;
use super::proof::Proof;
use super::runtime::{Failure, Hold, Piece, Program, Runtime, fresh};
use super::spec::Spec;
use crate::opening::Opening;

/// What a program of our own inside may say; more is left unread.
const SAID: usize = 1 << 20;

/// The variable that marks what was begun together.
pub(crate) const MARK: &str = "MOLTIS_RUN";

/// A program that goes on: what it was started with, and its mark.
pub(super) struct Going {
    pub(super) command: String,
    pub(super) mark: String,
}

/// A container.
pub(super) struct Container {
    hold: Box<dyn Hold>,
    pub(super) proof: Proof,
    pub(super) lacks: Vec<String>,
    /// Marks of what runs and may go on when something else is ended.
    live: Mutex<Vec<String>>,
    /// The programs that go on, by name.
    pub(super) going: Mutex<BTreeMap<String, Going>>,
    /// The mark of what serves them.
    server: Mutex<Option<String>>,
    /// What its programs make that steers others.
    pub(super) planted: Planted,
    /// How often the kernel has ended a program for want of memory.
    pub(super) ended_for_memory: Mutex<u64>,
    /// What its programs reach single hosts through.
    _opening: Option<Opening>,
}

/// A mark that counts while this is held.
pub(super) struct Live<'a> {
    container: &'a Container,
    pub(super) mark: String,
}

impl Drop for Live<'_> {
    fn drop(&mut self) {
        self.container.forget_mark(&self.mark);
    }
}

impl Container {
    /// Makes one and has it prove itself.
    pub(super) async fn create(
        runtime: &dyn Runtime,
        spec: &Spec,
        opening: Option<Opening>,
    ) -> Result<Self> {
        let (hold, proof) = runtime.create(spec).await?;
        let lacks = match proof.check(spec) {
            Ok(lacks) => lacks,
            Err(error) => {
                hold.end().await;
                return Err(error);
            }
        };
        Ok(Self {
            hold,
            proof,
            lacks,
            // What leads out goes on when something else is ended.
            live: Mutex::new(spec.relay.iter().cloned().collect()),
            going: Mutex::default(),
            server: Mutex::default(),
            planted: Planted::default(),
            ended_for_memory: Mutex::default(),
            _opening: opening,
        })
    }

    /// Marks something that is about to run.
    pub(super) fn mark(&self) -> Result<Live<'_>> {
        let mark = fresh()?;
        self.remember_mark(&mark);
        Ok(Live { container: self, mark })
    }

    pub(super) fn remember_mark(&self, mark: &str) {
        self.live.lock().unwrap_or_else(PoisonError::into_inner).push(mark.to_owned());
    }

    pub(super) fn forget_mark(&self, mark: &str) {
        self.live.lock().unwrap_or_else(PoisonError::into_inner).retain(|live| live != mark);
    }

    /// The mark of what serves the programs that go on; it counts from now on.
    pub(super) fn server_mark(&self) -> Result<String> {
        let mut server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mark) = server.as_ref() {
            return Ok(mark.clone());
        }
        let mark = fresh()?;
        self.remember_mark(&mark);
        *server = Some(mark.clone());
        Ok(mark)
    }

    /// The marks that count now, between spaces.
    pub(super) fn marks(&self) -> String {
        self.live.lock().unwrap_or_else(PoisonError::into_inner).join(" ")
    }

    /// Starts a program in it.
    pub(super) async fn run(
        &self,
        command: &[&str],
        directory: &str,
        mark: &str,
        variables: Vec<String>,
    ) -> Result<Program, Failure> {
        self.hold.run(command, directory, mark, variables).await
    }

    /// Runs a program of our own to its end: its exit code and what it printed.
    pub(super) async fn ask(&self, command: &[&str]) -> Result<(i64, String)> {
        let live = self.mark()?;
        self.ask_as(&live.mark, command, Vec::new()).await
    }

    /// The same, marked so, with these variables.
    pub(super) async fn ask_as(
        &self,
        mark: &str,
        command: &[&str],
        variables: Vec<String>,
    ) -> Result<(i64, String)> {
        let mut program = match self.run(command, "/", mark, variables).await {
            Ok(program) => program,
            Err(Failure::Error(error)) => return Err(error),
            Err(Failure::Gone) => return Err(gone()),
        };
        let mut said = Vec::new();
        while let Some(piece) = program.next().await {
            match piece? {
                Piece::Stdout(more) | Piece::Stderr(more) => {
                    said.extend_from_slice(&more[..more.len().min(SAID - said.len())]);
                }
                Piece::Exit(code) => {
                    return Ok((code, String::from_utf8_lossy(&said).into_owned()));
                }
            }
        }
        Err(gone())
    }

    /// It still runs.
    pub(super) async fn is_up(&self) -> bool {
        self.hold.is_up().await
    }

    /// Ends it with everything in it.
    pub(super) async fn end(&self) {
        self.hold.end().await;
    }
}

fn gone() -> Error {
    Error::new(Code::Unavailable, "the sandbox does not answer: it has ended")
}

/// Hears what a container says of itself until it is ready.
///
/// # Errors
/// Where it ends before, with what it complained of.
pub(crate) async fn listen(program: &mut Program) -> Result<Proof> {
    let mut proof = Proof::default();
    let (mut said, mut wrong) = (String::new(), String::new());
    while proof.keep.is_none() {
        match program.next().await.transpose()? {
            Some(Piece::Stderr(more)) if wrong.len() < 4_096 => {
                wrong.push_str(&String::from_utf8_lossy(&more));
            }
            Some(Piece::Stdout(more)) if said.len() < SAID => {
                said.push_str(&String::from_utf8_lossy(&more));
            }
            Some(Piece::Stdout(_) | Piece::Stderr(_)) => {}
            Some(Piece::Exit(_)) | None => {
                let text = format!("the container ended before it was ready: {}", wrong.trim());
                return Err(Error::new(Code::Unavailable, text));
            }
        }
        while let Some(end) = said.find('\n') {
            proof.line(&said[..end]);
            said.drain(..=end);
        }
    }
    Ok(proof)
}

//! One running container: made, proved, spoken to, ended.
//!
//! It lives as long as this value holds its input: when the daemon goes, however it goes, the engine
//! sees the connection close, the first program's input ends, and the kernel ends the rest.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bollard::Docker;
use bollard::container::{AttachContainerResults, LogOutput};
use bollard::errors::Error as EngineError;
use bollard::exec::{CreateExecOptions, StartExecResults};
use bollard::query_parameters::{
    AttachContainerOptions, CreateContainerOptions, RemoveContainerOptions, StartContainerOptions,
};
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use moltis_core::error::{Code, Error, Result};
use tokio::time::timeout;

use super::planted::Planted;
use super::proof::Proof;
use super::spec::Spec;
use crate::opening::Opening;

/// The longest that a container may take until it has said what it is.
const BRING_UP: Duration = Duration::from_secs(60);

/// The longest that an engine may take to end one.
const END: Duration = Duration::from_millis(1900);

/// What a program of our own inside may say; more is left unread.
const SAID: usize = 1 << 20;

/// The variable that marks what was begun together.
pub(super) const MARK: &str = "MOLTIS_RUN";

/// A program that goes on: what it was started with, and its mark.
pub(super) struct Going {
    pub(super) command: String,
    pub(super) mark: String,
}

/// A container.
pub(super) struct Container {
    docker: Docker,
    id: String,
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
    /// Closing it ends the container.
    _control: Mutex<AttachContainerResults>,
}

/// A program of a container, running.
pub(super) struct Program {
    pub(super) id: String,
    pub(super) stream: BoxStream<'static, Result<LogOutput, EngineError>>,
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
        docker: &Docker,
        spec: &Spec,
        opening: Option<Opening>,
    ) -> Result<Self> {
        let created = docker.create_container(None::<CreateContainerOptions>, spec.request()).await;
        let id = created.map_err(|error| told("the container can't be made", &error))?.id;
        let up = timeout(BRING_UP, Self::bring_up(docker, &id, spec, opening)).await;
        let up = up.unwrap_or_else(|_| {
            let text = format!("the container was not ready after {} s", BRING_UP.as_secs());
            Err(Error::new(Code::Unavailable, text))
        });
        if up.is_err() {
            remove(docker, &id).await;
        }
        up
    }

    async fn bring_up(
        docker: &Docker,
        id: &str,
        spec: &Spec,
        opening: Option<Opening>,
    ) -> Result<Self> {
        let options = AttachContainerOptions {
            stream: true,
            stdin: true,
            stdout: true,
            stderr: true,
            ..AttachContainerOptions::default()
        };
        // Before it starts, so that nothing of what it says is missed.
        let attached = docker.attach_container(id, Some(options)).await;
        let mut control = attached.map_err(|error| told("the container can't be held", &error))?;
        let started = docker.start_container(id, None::<StartContainerOptions>).await;
        started.map_err(|error| told("the container does not start", &error))?;
        let mut proof = Proof::default();
        let mut said = String::new();
        let mut wrong = String::new();
        while proof.keep.is_none() {
            let Some(more) = control.output.next().await else {
                let text = format!("the container ended before it was ready: {}", wrong.trim());
                let hint = "does the image have `/bin/sh` and `cat`?";
                return Err(Error::new(Code::Unavailable, text).with_hint(hint));
            };
            let more = more.map_err(|error| told("the container can't be heard", &error))?;
            match more {
                LogOutput::StdErr { message } if wrong.len() < 4_096 => {
                    wrong.push_str(&String::from_utf8_lossy(&message));
                }
                LogOutput::StdOut { message } if said.len() < SAID => {
                    said.push_str(&String::from_utf8_lossy(&message));
                }
                _ => {}
            }
            while let Some(end) = said.find('\n') {
                proof.line(&said[..end]);
                said.drain(..=end);
            }
        }
        let lacks = proof.check(spec)?;
        Ok(Self {
            docker: docker.clone(),
            id: id.to_owned(),
            proof,
            lacks,
            // What leads out goes on when something else is ended.
            live: Mutex::new(spec.relay.iter().cloned().collect()),
            going: Mutex::default(),
            server: Mutex::default(),
            planted: Planted::default(),
            ended_for_memory: Mutex::default(),
            _opening: opening,
            _control: Mutex::new(control),
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
    ) -> Result<Program, EngineError> {
        let mut env = variables;
        env.push(format!("{MARK}={mark}"));
        let options = CreateExecOptions {
            attach_stdin: Some(false),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            tty: Some(false),
            env: Some(env),
            cmd: Some(command.iter().map(|word| (*word).to_owned()).collect()),
            privileged: Some(false),
            working_dir: Some(directory.to_owned()),
            ..CreateExecOptions::default()
        };
        let id = self.docker.create_exec(&self.id, options).await?.id;
        match self.docker.start_exec(&id, None).await? {
            StartExecResults::Attached { output, .. } => Ok(Program { id, stream: output.boxed() }),
            StartExecResults::Detached => Err(EngineError::RequestTimeoutError),
        }
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
        let what = "the sandbox does not answer";
        let begun = self.run(command, "/", mark, variables).await;
        let mut program = begun.map_err(|error| told(what, &error))?;
        let mut said = Vec::new();
        while let Some(more) = program.stream.next().await {
            let more = more.map_err(|error| told(what, &error))?.into_bytes();
            said.extend_from_slice(&more[..more.len().min(SAID - said.len())]);
        }
        let code = self.exit(&program.id).await?;
        Ok((code, String::from_utf8_lossy(&said).into_owned()))
    }

    /// The exit code of a program whose output has ended.
    pub(super) async fn exit(&self, id: &str) -> Result<i64> {
        // An engine may close the output a moment before it knows the code.
        for pause in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512] {
            let found = self.docker.inspect_exec(id).await;
            let found = found.map_err(|error| told("the sandbox ended meanwhile", &error))?;
            if found.running == Some(false)
                && let Some(code) = found.exit_code
            {
                return Ok(code);
            }
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
        Err(Error::new(Code::Unavailable, "the engine does not say how the program ended"))
    }

    /// It still runs.
    pub(super) async fn is_up(&self) -> bool {
        let found = self.docker.inspect_container(&self.id, None).await;
        found.is_ok_and(|found| found.state.is_some_and(|state| state.running == Some(true)))
    }

    /// Ends it with everything in it.
    pub(super) async fn end(&self) {
        remove(&self.docker, &self.id).await;
    }
}

/// Ends a container and waits until it has gone, but not for ever.
pub(super) async fn remove(docker: &Docker, id: &str) {
    let options = RemoveContainerOptions { force: true, v: true, link: false };
    let removing = async {
        let mut pause = Duration::from_millis(10);
        // 409: it is being removed already.
        while let Err(error) = docker.remove_container(id, Some(options.clone())).await {
            if status(&error) == Some(404) {
                break;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(200));
        }
    };
    if timeout(END, removing).await.is_err() {
        tracing::warn!(container = id, "the engine did not end a container in time");
    }
}

/// The HTTP status of what an engine answered.
pub(super) fn status(error: &EngineError) -> Option<u16> {
    match error {
        EngineError::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// What an engine said, for a person.
pub(super) fn told(what: &str, error: &EngineError) -> Error {
    let text = match error {
        EngineError::DockerResponseServerError { message, .. } => message.trim().to_owned(),
        EngineError::RequestTimeoutError => "the engine does not answer".to_owned(),
        other => other.to_string(),
    };
    Error::new(Code::Unavailable, format!("{what}: {text}"))
}

/// 64 random bits in hex.
pub(crate) fn fresh() -> Result<String> {
    let mut bytes = [0; 8];
    match rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty()) {
        Ok(8) => Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
        _ => Err(Error::new(Code::Internal, "the machine gives no random numbers")),
    }
}

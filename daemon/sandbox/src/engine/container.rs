//! One container of an engine: made, held, ended.
//!
//! It lives as long as this value holds its input: when the daemon goes, however it goes, the engine
//! sees the connection close, the first program's input ends, and the kernel ends the rest.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use bollard::Docker;
use bollard::container::{AttachContainerResults, LogOutput};
use bollard::errors::Error as EngineError;
use bollard::exec::{CreateExecOptions, StartExecResults};
use bollard::query_parameters::{
    AttachContainerOptions, CreateContainerOptions, RemoveContainerOptions, StartContainerOptions,
};
use futures_util::StreamExt as _;
use futures_util::stream;
use moltis_core::error::{Code, Error, Result};
use tokio::time::timeout;

use super::request::request;
use crate::container::held::{MARK, listen};
use crate::container::proof::Proof;
use crate::container::runtime::{Failure, Hold, Piece, Program};
use crate::container::spec::Spec;

/// The longest that a container may take until it has said what it is.
const BRING_UP: Duration = Duration::from_secs(60);

/// The longest that an engine may take to end one.
const END: Duration = Duration::from_millis(1900);

/// A container.
pub(super) struct Held {
    docker: Docker,
    id: String,
    /// Closing it ends the container.
    _control: Mutex<Control>,
}

/// The container's input, and what is left of its output.
type Control = (std::pin::Pin<Box<dyn tokio::io::AsyncWrite + Send>>, Program);

/// Makes one and hears what it says of itself.
pub(super) async fn create(docker: &Docker, spec: &Spec) -> Result<(Held, Proof)> {
    let created = docker.create_container(None::<CreateContainerOptions>, request(spec)).await;
    let id = created.map_err(|error| told("the container can't be made", &error))?.id;
    let up = timeout(BRING_UP, bring_up(docker, &id)).await.unwrap_or_else(|_| {
        let text = format!("the container was not ready after {} s", BRING_UP.as_secs());
        Err(Error::new(Code::Unavailable, text))
    });
    if up.is_err() {
        remove(docker, &id).await;
    }
    up
}

async fn bring_up(docker: &Docker, id: &str) -> Result<(Held, Proof)> {
    let options = AttachContainerOptions {
        stream: true,
        stdin: true,
        stdout: true,
        stderr: true,
        ..AttachContainerOptions::default()
    };
    // Before it starts, so that nothing of what it says is missed.
    let attached = docker.attach_container(id, Some(options)).await;
    let attached = attached.map_err(|error| told("the container can't be held", &error))?;
    let AttachContainerResults { output, input } = attached;
    let started = docker.start_container(id, None::<StartContainerOptions>).await;
    started.map_err(|error| told("the container does not start", &error))?;
    let mut output: Program =
        output.map(|more| piece("the container can't be heard", more)).boxed();
    let hint = "does the image have `/bin/sh` and `cat`?";
    let proof = listen(&mut output).await.map_err(|error| error.with_hint(hint))?;
    let held =
        Held { docker: docker.clone(), id: id.to_owned(), _control: Mutex::new((input, output)) };
    Ok((held, proof))
}

/// What an engine gives, as a piece.
fn piece(what: &str, more: Result<LogOutput, EngineError>) -> Result<Piece> {
    match more.map_err(|error| told(what, &error))? {
        LogOutput::StdErr { message } => Ok(Piece::Stderr(message)),
        LogOutput::StdOut { message }
        | LogOutput::Console { message }
        | LogOutput::StdIn { message } => Ok(Piece::Stdout(message)),
    }
}

#[async_trait]
impl Hold for Held {
    async fn run(
        &self,
        command: &[&str],
        directory: &str,
        mark: &str,
        variables: Vec<String>,
    ) -> Result<Program, Failure> {
        let begun = self.begin(command, directory, mark, variables).await;
        begun.map_err(|error| match status(&error) {
            Some(404 | 409) => Failure::Gone,
            _ => Failure::Error(told("it can't be run", &error)),
        })
    }

    async fn is_up(&self) -> bool {
        let found = self.docker.inspect_container(&self.id, None).await;
        found.is_ok_and(|found| found.state.is_some_and(|state| state.running == Some(true)))
    }

    async fn end(&self) {
        remove(&self.docker, &self.id).await;
    }
}

impl Held {
    async fn begin(
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
            StartExecResults::Attached { output, .. } => {
                let printed = output.map(|more| piece("the output was cut off", more));
                let docker = self.docker.clone();
                let ended = async move { exit(&docker, &id).await.map(Piece::Exit) };
                Ok(printed.chain(stream::once(ended)).boxed())
            }
            StartExecResults::Detached => Err(EngineError::RequestTimeoutError),
        }
    }
}

/// The exit code of a program whose output has ended.
async fn exit(docker: &Docker, id: &str) -> Result<i64> {
    // An engine may close the output a moment before it knows the code.
    for pause in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512] {
        let found = docker.inspect_exec(id).await;
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

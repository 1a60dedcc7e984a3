//! `exec`: a program runs in the sandbox to its end.
//!
//! The invariant: a program that fails is no failure of the tool: its exit code is told. The tool
//! fails when the program could not run or was ended.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use moltis_core::policy::{Authorized, is_plain};
use moltis_core::provider::ToolSpec;
use moltis_core::sandbox::Sandbox;
use moltis_core::tool::{Action, Call, Class, Outcome, Output, Scene, Tool};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{origin, place, run, told};
use crate::schema::{self, schema};

/// Seconds that a program may take unless told otherwise.
const TIMEOUT: u64 = 30;

/// Seconds that it may take at most.
const LONGEST: u64 = 1_800;

/// Programs that run whatever they are given: a permission for one is a permission for all.
/// With a version after the name (`python3.12`) they are the same.
const RUNNERS: &[&str] = &[
    "sh", "ash", "bash", "dash", "ksh", "zsh", "fish", "busybox", "python", "pypy", "node", "deno",
    "bun", "perl", "ruby", "php", "lua", "tclsh", "expect", "env", "xargs", "parallel", "sudo",
    "doas", "su", "runuser", "setpriv", "chroot", "unshare", "nsenter", "eval", "exec", "command",
    "builtin", "coproc", "source", "trap", ".", "!", "if", "while", "until", "for", "nohup",
    "setsid", "timeout", "time", "nice", "ionice", "chrt", "taskset", "stdbuf", "flock", "script",
    "strace", "gdb", "watch", "entr", "ssh", "find", "fd", "awk", "gawk", "mawk", "sed", "ed",
    "vi", "vim", "tar", "make", "just", "npx", "uvx", "pipx", "docker", "podman",
];

/// See the module.
pub(crate) struct Exec {
    spec: ToolSpec,
    sandbox: Arc<dyn Sandbox>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    command: String,
    timeout: Option<u64>,
    working_dir: Option<String>,
}

impl Exec {
    pub(crate) fn new(sandbox: Arc<dyn Sandbox>) -> Self {
        let spec = ToolSpec {
            name: "exec".to_owned(),
            description: "Runs a shell command in the sandbox, in the workspace, and tells its \
                          output and exit code. Its input is closed: for programs that go on or \
                          ask, use process."
                .to_owned(),
            parameters: schema(
                1,
                &[
                    ("command", json!({"type": "string"})),
                    (
                        "timeout",
                        json!({"type": "integer", "minimum": 1, "maximum": LONGEST, "description": "Seconds, 30 if left out"}),
                    ),
                    (
                        "working_dir",
                        json!({"type": "string", "description": "Directory of the workspace"}),
                    ),
                ],
            ),
        };
        Self { spec, sandbox }
    }
}

#[async_trait]
impl Tool for Exec {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn class(&self) -> Class {
        Class::Once
    }

    fn plan(&self, arguments: &Value, scene: &Scene) -> Result<Action, String> {
        let arguments: Arguments = schema::read(&self.spec, arguments)?;
        let timeout = Duration::from_secs(arguments.timeout.unwrap_or(TIMEOUT));
        run(&arguments.command, arguments.working_dir.as_deref(), timeout, scene).map(Action::Run)
    }

    fn prefix(&self, call: &Call) -> Option<String> {
        first_words(&call.action)
    }

    async fn run(&self, call: Authorized<Call>, scene: &Scene, output: &dyn Output) -> Outcome {
        let Some(run) = call.run() else {
            return Outcome::failed("this call was not planned as one that runs a program");
        };
        match self.sandbox.exec(&place(scene), run, output).await {
            Ok(exit) => {
                let failed = exit.ended_by.is_some();
                let said = Outcome::said(told::exit(&exit)).from(origin(scene.network)).sensitive();
                Outcome { failed, ..said }
            }
            Err(error) => Outcome::failed(format!("it could not run: {error}")),
        }
    }
}

/// The words that a command begins with and that say what it does: the program, and what it is to
/// do where the next word says that (`cargo test`).
pub(super) fn first_words(action: &Action) -> Option<String> {
    let Action::Run(run) = action else { return None };
    if !is_plain(action) {
        return None;
    }
    let mut words = run.command.split_whitespace();
    let program = words.next()?;
    let name = program.rsplit('/').next().unwrap_or(program);
    let versioned = name.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == '.');
    // What lies at a place of the workspace may be another program by the next time.
    let is_made_here = program.contains('/') && !program.starts_with('/');
    if RUNNERS.contains(&name) || RUNNERS.contains(&versioned) || is_made_here {
        return None;
    }
    let names_a_task = |word: &&str| {
        word.starts_with(|first: char| first.is_ascii_lowercase())
            && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
    };
    Some(match words.next().filter(names_a_task) {
        Some(task) => format!("{program} {task}"),
        None => program.to_owned(),
    })
}

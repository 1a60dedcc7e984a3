//! `process`: programs that go on running in the sandbox, each with a screen of its own.
//!
//! The invariant: whatever makes a program do something (its command, what is typed into it) is a
//! run that was authorized; looking at screens and ending programs stays within the sandbox.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use moltis_core::Result as Answer;
use moltis_core::policy::Authorized;
use moltis_core::provider::ToolSpec;
use moltis_core::sandbox::{self, Place, ProcessAsk, Sandbox};
use moltis_core::tool::{Action, Call, Class, Outcome, Output, Run, Scene, Tool};
use serde::Deserialize;
use serde_json::{Value, json};

use super::exec::first_words;
use super::{origin, place, run, told};
use crate::schema::{self, schema};

/// The longest that a program goes on.
const LONGEST: Duration = Duration::from_secs(24 * 3_600);

/// Lines of a screen that are told, what scrolled off included.
const LINES: u32 = 200;

/// Bytes of a screen that are told.
const SCREEN: usize = 24_000;

/// Letters of a program's name.
const NAME: usize = 32;

/// The name of a program that was given none.
const USUAL_NAME: &str = "main";

/// See the module.
pub(crate) struct Process {
    spec: ToolSpec,
    sandbox: Arc<dyn Sandbox>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Verb {
    Start,
    Poll,
    SendKeys,
    Paste,
    Kill,
    List,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    action: Verb,
    name: Option<String>,
    command: Option<String>,
    keys: Option<String>,
    text: Option<String>,
}

impl Arguments {
    /// The name of the program: letters, digits, `-` and `_`.
    fn name(&self) -> Result<String, String> {
        let name = self.name.as_deref().unwrap_or(USUAL_NAME);
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if name.is_empty() || name.len() > NAME || !name.bytes().all(is_plain) {
            return Err(format!("`name` has 1 to {NAME} letters, digits, - and _"));
        }
        Ok(name.to_owned())
    }

    /// What is asked of the sandbox that needs a permission, and the words that need it.
    fn ask(&self) -> Result<Option<(ProcessAsk, &str)>, String> {
        let name = self.name()?;
        let (ask, words, needed) = match self.action {
            Verb::Start => (ProcessAsk::Start { name }, &self.command, "command"),
            Verb::SendKeys => (ProcessAsk::SendKeys { name, keys: true }, &self.keys, "keys"),
            Verb::Paste => (ProcessAsk::SendKeys { name, keys: false }, &self.text, "text"),
            Verb::Poll | Verb::Kill | Verb::List => return Ok(None),
        };
        match words.as_deref() {
            Some(words) if !words.is_empty() => Ok(Some((ask, words))),
            _ => Err(format!("this action needs `{needed}`")),
        }
    }
}

impl Process {
    pub(crate) fn new(sandbox: Arc<dyn Sandbox>) -> Self {
        let text = json!({"type": "string"});
        let spec = ToolSpec {
            name: "process".to_owned(),
            description: "Programs that go on in the sandbox (servers, REPLs): start one with \
                          command, poll its screen, send_keys by tmux names (C-c Enter), paste \
                          text, kill, list."
                .to_owned(),
            parameters: schema(
                1,
                &[
                    (
                        "action",
                        json!({"type": "string", "enum": ["start", "poll", "send_keys", "paste", "kill", "list"]}),
                    ),
                    (
                        "name",
                        json!({"type": "string", "description": "Which one; main if left out"}),
                    ),
                    ("command", text.clone()),
                    ("keys", text.clone()),
                    ("text", text),
                ],
            ),
        };
        Self { spec, sandbox }
    }

    async fn act(
        &self,
        arguments: &Arguments,
        run: Option<Authorized<Run>>,
        place: &Place,
        output: &dyn Output,
    ) -> Answer<String> {
        let wrong = |text: String| moltis_core::Error::new(moltis_core::Code::Invalid, text);
        let name = arguments.name().map_err(wrong)?;
        if let Some((ask, _)) = arguments.ask().map_err(wrong)? {
            let run = run.ok_or_else(|| wrong("this call was not planned as a run".to_owned()))?;
            self.sandbox.process(place, run, ask).await?;
            return Ok(match arguments.action {
                Verb::Start => format!("`{name}` runs: poll it to see its screen."),
                _ => format!("It was typed into `{name}`: poll it to see what that did."),
            });
        }
        match arguments.action {
            Verb::Kill => {
                self.sandbox.kill(place, &name).await?;
                Ok(format!("`{name}` was ended."))
            }
            Verb::List => Ok(list(&self.sandbox.processes(place).await?)),
            _ => {
                let (process, screen) = self.sandbox.screen(place, &name, LINES).await?;
                let mut cleaner = output.cleaner();
                let screen = cleaner.push(&screen) + &cleaner.rest();
                Ok(format!("[{}]\n{}", line(&process), told::cut(&screen, SCREEN)))
            }
        }
    }
}

#[async_trait]
impl Tool for Process {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn class(&self) -> Class {
        Class::Once
    }

    fn plan(&self, arguments: &Value, scene: &Scene) -> Result<Action, String> {
        let arguments: Arguments = schema::read(&self.spec, arguments)?;
        let Some((ask, words)) = arguments.ask()? else { return Ok(Action::Inward) };
        let typed = matches!(ask, ProcessAsk::SendKeys { .. });
        Ok(Action::Run(Run { typed, ..run(words, None, LONGEST, scene)? }))
    }

    fn prefix(&self, call: &Call) -> Option<String> {
        // What is typed into a program means what that program makes of it.
        (call.arguments["action"] == "start").then(|| first_words(&call.action)).flatten()
    }

    async fn run(&self, call: Authorized<Call>, scene: &Scene, output: &dyn Output) -> Outcome {
        let arguments: Arguments = match schema::read(&self.spec, &call.what().arguments) {
            Ok(arguments) => arguments,
            Err(wrong) => return Outcome::failed(wrong),
        };
        match self.act(&arguments, call.run(), &place(scene), output).await {
            Ok(text) => Outcome::said(text).from(origin(scene.network)).sensitive(),
            Err(error) => Outcome::failed(error.to_string()),
        }
    }
}

fn list(processes: &[sandbox::Process]) -> String {
    if processes.is_empty() {
        return "No program goes on.".to_owned();
    }
    processes.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn line(process: &sandbox::Process) -> String {
    let state = match process.exit {
        Some(code) => format!("ended with exit code {code}"),
        None => "running".to_owned(),
    };
    format!("{}: {state}: {}", process.name, process.command)
}

#[cfg(test)]
#[path = "programs_tests.rs"]
mod tests;

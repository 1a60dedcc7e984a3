//! Stand-ins for what the tools need, for the tests beside them.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use moltis_core::admin::Steps;
use moltis_core::policy::{Authorized, Grants, Label, Principal, Verdict, authorize};
use moltis_core::sandbox::{
    Exit, Image, Mount, Network, Place, Process, ProcessAsk, Sandbox, SandboxStatus,
};
use moltis_core::tool::{Call, Outcome, Output, Run, Scene, Tool};
use moltis_core::{CallId, Code, Error, Result, SessionId, TurnId};
use serde_json::Value;

/// A session that works on this directory.
pub(crate) fn scene(workspace: impl Into<PathBuf>) -> Scene {
    Scene {
        session: SessionId::from("s"),
        turn: TurnId::from("t"),
        agent: "main".to_owned(),
        workspace: Some(workspace.into()),
        mount: Mount::ReadWrite,
        network: Network::None,
        hosts: Vec::new(),
        images: true,
    }
}

/// Takes no output.
pub(crate) struct Deaf;

impl Output for Deaf {
    fn push(&self, _text: &str) {}
}

/// A call of a tool, planned.
pub(crate) fn planned(tool: &dyn Tool, arguments: &Value, scene: &Scene) -> Call {
    let action = tool.plan(arguments, scene).unwrap();
    let (id, tool) = (CallId::from("c"), tool.spec().name.clone());
    Call { id, tool, arguments: arguments.clone(), action }
}

/// A call, allowed as the owner's own.
pub(crate) fn allowed(call: Call) -> Authorized<Call> {
    match authorize(Principal::Owner, call, Label::CLEAN, &Grants::default()) {
        Verdict::Allowed(call) => call,
        other => panic!("{other:?}"),
    }
}

/// Calls a tool as a session does, for the owner.
pub(crate) async fn call(tool: &dyn Tool, arguments: Value, scene: &Scene) -> Outcome {
    let call = allowed(planned(tool, &arguments, scene));
    tool.run(call, scene, &Deaf).await
}

/// A sandbox that runs nothing, writes down what it was asked and answers as it was told to.
pub(crate) struct FakeSandbox {
    status: SandboxStatus,
    log: Mutex<Vec<String>>,
    exit: Exit,
    screen: String,
}

impl Default for FakeSandbox {
    fn default() -> Self {
        let status = SandboxStatus { backend: Some("fake".to_owned()), ..SandboxStatus::default() };
        let exit = Exit {
            code: 0,
            stdout: String::new(),
            stderr: String::new(),
            ended_by: None,
            took: Duration::from_millis(12),
        };
        Self { status, log: Mutex::default(), exit, screen: ">>> ".to_owned() }
    }
}

impl FakeSandbox {
    /// Programs end like this.
    pub(crate) fn ending(exit: Exit) -> Self {
        Self { exit, ..Self::default() }
    }

    /// Programs that go on show this.
    pub(crate) fn showing(screen: &str) -> Self {
        Self { screen: screen.to_owned(), ..Self::default() }
    }

    /// There is no backend.
    pub(crate) fn missing() -> Self {
        let status = SandboxStatus {
            looked: true,
            detail: "no engine answers".to_owned(),
            hint: Some("start Docker".to_owned()),
            ..SandboxStatus::default()
        };
        Self { status, ..Self::default() }
    }

    /// Nobody has looked for a backend.
    pub(crate) fn unknown() -> Self {
        let detail = "not looked for yet".to_owned();
        Self { status: SandboxStatus { detail, ..SandboxStatus::default() }, ..Self::default() }
    }

    /// What it was asked.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, text: String) {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).push(text);
    }
}

#[async_trait]
impl Sandbox for FakeSandbox {
    fn status(&self) -> SandboxStatus {
        self.status.clone()
    }

    async fn exec(&self, place: &Place, run: Authorized<Run>, _: &dyn Output) -> Result<Exit> {
        self.note(format!("exec {:?} {:?} {:?}", run.what(), place.mount, place.network));
        Ok(self.exit.clone())
    }

    async fn process(&self, _: &Place, run: Authorized<Run>, ask: ProcessAsk) -> Result<()> {
        self.note(format!("{ask:?} {}", run.what().command));
        Ok(())
    }

    async fn screen(&self, _: &Place, name: &str, _: u32) -> Result<(Process, String)> {
        if name != "main" {
            return Err(Error::new(Code::NotFound, format!("no program `{name}` goes on")));
        }
        let process = Process { name: name.to_owned(), command: "python3".to_owned(), exit: None };
        Ok((process, self.screen.clone()))
    }

    async fn processes(&self, _: &Place) -> Result<Vec<Process>> {
        let (name, command) = ("main".to_owned(), "python3".to_owned());
        Ok(vec![Process { name, command, exit: Some(1) }])
    }

    async fn kill(&self, _: &Place, name: &str) -> Result<()> {
        self.note(format!("kill {name}"));
        Ok(())
    }

    async fn stop(&self, session: &SessionId) {
        self.note(format!("stop {session}"));
    }

    async fn probe(&self) -> SandboxStatus {
        self.status.clone()
    }

    async fn images(&self) -> Result<Vec<Image>> {
        Ok(Vec::new())
    }

    async fn build(&self) -> Result<Steps> {
        Err(Error::new(Code::NotConfigured, "this one has no images"))
    }

    async fn remove_images(&self, _: Option<&str>) -> Result<Vec<String>> {
        Ok(Vec::new())
    }
}

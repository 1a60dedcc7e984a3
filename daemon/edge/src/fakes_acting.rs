//! The fakes of the ports that agents act with: hooks and the sandbox.

use std::path::PathBuf;

use async_trait::async_trait;
use moltis_core::admin::{Step, Steps};
use moltis_core::hook::{HookAdmin, HookInfo, HookTest, Point};
use moltis_core::policy::Authorized;
use moltis_core::sandbox::{Exit, Image, Place, Process, ProcessAsk, Sandbox, SandboxStatus};
use moltis_core::tool::{Output, Run};
use moltis_core::variable::VariableAdmin;
use moltis_core::{Code, Error, Result, SessionId, Timestamp};

use secrecy::{ExposeSecret as _, SecretString};

use super::Ports;

fn hook(name: &str, enabled: bool) -> HookInfo {
    HookInfo {
        name: name.to_owned(),
        description: "writes commands down".to_owned(),
        points: vec![Point::Command],
        command: "./log.sh".to_owned(),
        source: "/c/hooks/log/HOOK.md".to_owned(),
        priority: 0,
        eligible: false,
        enabled,
        trusted: false,
        reason: Some("nobody trusted it".to_owned()),
        calls: 2,
        failures: 1,
    }
}

#[async_trait]
impl HookAdmin for Ports {
    async fn list(&self, workspace: Option<PathBuf>) -> Result<Vec<HookInfo>> {
        self.0.ask(format!("hooks {workspace:?}"), vec![hook("log", true)])
    }

    async fn enable(&self, name: &str, workspace: Option<PathBuf>, on: bool) -> Result<HookInfo> {
        self.0.ask(format!("enable hook {name} {workspace:?} {on}"), hook(name, on))
    }

    async fn reload(&self) -> Result<u64> {
        self.0.ask("reload hooks".to_owned(), 3)
    }

    async fn test(&self, name: &str, workspace: Option<PathBuf>, point: Point) -> Result<HookTest> {
        let test = HookTest {
            input: "{}".to_owned(),
            code: Some(0),
            stdout: String::new(),
            stderr: String::new(),
            verdict: "go on".to_owned(),
            took_ms: 3,
        };
        self.0.ask(format!("test hook {name} {workspace:?} {}", point.as_str()), test)
    }
}

fn unasked<T>() -> Result<T> {
    Err(Error::new(Code::Internal, "services run nothing in the sandbox"))
}

#[async_trait]
impl Sandbox for Ports {
    fn status(&self) -> SandboxStatus {
        SandboxStatus {
            backend: Some("bubblewrap".to_owned()),
            looked: true,
            detail: "0.8.0 at /usr/bin/bwrap".to_owned(),
            lacks: vec!["a limit of memory".to_owned()],
            ..SandboxStatus::default()
        }
    }

    async fn exec(&self, _: &Place, _: Authorized<Run>, _: &dyn Output) -> Result<Exit> {
        unasked()
    }

    async fn process(&self, _: &Place, _: Authorized<Run>, _: ProcessAsk) -> Result<()> {
        unasked()
    }

    async fn screen(&self, _: &Place, _: &str, _: u32) -> Result<(Process, String)> {
        unasked()
    }

    async fn processes(&self, _: &Place) -> Result<Vec<Process>> {
        unasked()
    }

    async fn kill(&self, _: &Place, _: &str) -> Result<()> {
        unasked()
    }

    async fn stop(&self, _: &SessionId) {}

    async fn probe(&self) -> SandboxStatus {
        self.0.asked.lock().unwrap().push("probe".to_owned());
        Sandbox::status(self)
    }

    async fn images(&self) -> Result<Vec<Image>> {
        let image = Image {
            tag: "moltis:1".to_owned(),
            created: Timestamp::UNIX_EPOCH,
            size: 5,
            current: true,
        };
        self.0.ask("images".to_owned(), vec![image])
    }

    async fn build(&self) -> Result<Steps> {
        self.0.ask("build".to_owned(), ())?;
        let step = Step { phase: "installing".to_owned(), done: 1, total: 2, finished: false };
        Ok(self.0.counted(vec![Ok(step)]))
    }

    async fn remove_images(&self, tag: Option<&str>) -> Result<Vec<String>> {
        let removed = tag.map(str::to_owned).into_iter().collect();
        self.0.ask(format!("remove images {tag:?}"), removed)
    }
}

#[async_trait]
impl VariableAdmin for Ports {
    async fn list(&self) -> Result<Vec<String>> {
        self.0.ask("variables".to_owned(), vec!["TOKEN".to_owned()])
    }

    async fn set(&self, name: &str, value: SecretString) -> Result<()> {
        self.0.ask(format!("set {name} {}", value.expose_secret()), ())
    }

    async fn remove(&self, name: &str) -> Result<bool> {
        self.0.ask(format!("remove variable {name}"), true)
    }
}

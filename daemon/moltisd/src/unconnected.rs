//! Stands where hooks and the sandbox will: a daemon without them says so, and does nothing.
//!
//! The invariant: nothing runs here, whatever is asked.

use std::path::PathBuf;

use async_trait::async_trait;
use moltis_core::admin::Steps;
use moltis_core::hook::{HookAdmin, HookInfo, HookTest, Point};
use moltis_core::policy::Authorized;
use moltis_core::sandbox::{Exit, Image, Place, Process, ProcessAsk, Sandbox, SandboxStatus};
use moltis_core::tool::{Output, Run};
use moltis_core::{Code, Error, Result, SessionId};

/// Neither hooks nor a sandbox.
pub(crate) struct Unconnected;

fn no_hooks<T>() -> Result<T> {
    Err(Error::new(Code::NotConfigured, "this moltisd has no hooks"))
}

/// Why there is no sandbox.
const NO_SANDBOX: &str = "this moltisd has no sandbox";

fn no_sandbox<T>() -> Result<T> {
    Err(Error::new(Code::NotConfigured, NO_SANDBOX))
}

#[async_trait]
impl HookAdmin for Unconnected {
    async fn list(&self, _: Option<PathBuf>) -> Result<Vec<HookInfo>> {
        Ok(Vec::new())
    }

    async fn enable(&self, _: &str, _: Option<PathBuf>, _: bool) -> Result<HookInfo> {
        no_hooks()
    }

    async fn reload(&self) -> Result<u64> {
        Ok(0)
    }

    async fn test(&self, _: &str, _: Option<PathBuf>, _: Point) -> Result<HookTest> {
        no_hooks()
    }
}

#[async_trait]
impl Sandbox for Unconnected {
    fn status(&self) -> SandboxStatus {
        SandboxStatus { looked: true, detail: NO_SANDBOX.to_owned(), ..SandboxStatus::default() }
    }

    async fn exec(&self, _: &Place, _: Authorized<Run>, _: &dyn Output) -> Result<Exit> {
        no_sandbox()
    }

    async fn process(&self, _: &Place, _: Authorized<Run>, _: ProcessAsk) -> Result<()> {
        no_sandbox()
    }

    async fn screen(&self, _: &Place, _: &str, _: u32) -> Result<(Process, String)> {
        no_sandbox()
    }

    async fn processes(&self, _: &Place) -> Result<Vec<Process>> {
        Ok(Vec::new())
    }

    async fn kill(&self, _: &Place, _: &str) -> Result<()> {
        no_sandbox()
    }

    async fn stop(&self, _: &SessionId) {}

    async fn probe(&self) -> SandboxStatus {
        self.status()
    }

    async fn images(&self) -> Result<Vec<Image>> {
        Ok(Vec::new())
    }

    async fn build(&self) -> Result<Steps> {
        no_sandbox()
    }

    async fn remove_images(&self, _: Option<&str>) -> Result<Vec<String>> {
        Ok(Vec::new())
    }
}

//! The daemon itself: health, logs, usage, upkeep.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use moltis_core::admin::{Health, LogStream, SystemAdmin};
use moltis_core::budget::Standing;
use moltis_core::id::SessionId;
use moltis_core::journal::{BackupReport, CheckReport, Journal, UsageRow};
use moltis_core::vault::Vault;
use moltis_core::{Result, Timestamp};
use moltis_session::Sessions;
use moltis_telemetry::LogHandle;
use tokio_util::sync::CancellationToken;

/// Looks after the daemon.
pub(crate) struct SystemKeeper {
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) vault: Arc<dyn Vault>,
    pub(crate) log: LogHandle,
    pub(crate) begun: Instant,
    pub(crate) data_dir: PathBuf,
    pub(crate) config_dir: PathBuf,
    /// Cancelled to stop the daemon.
    pub(crate) stop: CancellationToken,
}

#[async_trait]
impl SystemAdmin for SystemKeeper {
    async fn health(&self) -> Result<Health> {
        let activity = self.sessions.activity();
        let troubles = [self.journal.trouble(), self.log.trouble()];
        Ok(Health {
            pid: std::process::id(),
            uptime_s: self.begun.elapsed().as_secs(),
            resident_bytes: resident_bytes(),
            running_turns: activity.running_turns,
            attached: activity.attached,
            troubles: troubles.into_iter().flatten().collect(),
            data_dir: self.data_dir.clone(),
            config_dir: self.config_dir.clone(),
        })
    }

    async fn logs(&self, last: u32, follow: bool) -> Result<LogStream> {
        Ok(self.log.logs(last, follow))
    }

    async fn usage(&self, since: Timestamp) -> Result<Vec<UsageRow>> {
        self.journal.usage(since).await
    }

    async fn budget(&self, session: Option<&SessionId>) -> Result<Vec<Standing>> {
        self.sessions.budget(session).await
    }

    async fn backup(&self, to: &Path) -> Result<BackupReport> {
        self.journal.backup(to).await
    }

    async fn check(&self) -> Result<CheckReport> {
        self.journal.check().await
    }

    async fn rotate_vault(&self) -> Result<u64> {
        self.vault.rotate().await
    }

    async fn shut_down(&self) -> Result<()> {
        tracing::info!("a client asked the daemon to stop");
        self.stop.cancel();
        Ok(())
    }
}

/// Resident memory (Linux: the second number of `/proc/self/statm`, in pages; proc(5)); 0 elsewhere.
fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = text.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
    pages * u64::try_from(rustix::param::page_size()).unwrap_or(4096)
}

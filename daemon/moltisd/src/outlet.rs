//! The way out of sandboxes that may reach single hosts, made of the proxy.
//!
//! Not here: which hosts pass, that is for the proxy to judge. The invariant: what is shown as the
//! list is the list that holds.

use std::os::unix::net::UnixStream as Stream;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use moltis_core::id::SessionId;
use moltis_core::sandbox::Outlet;
use moltis_core::{Code, Error, Result};
use moltis_net::proxy::{Options, Proxy};
use tokio::net::UnixStream;

use crate::meaning::HandSettings;

/// The proxy, and the hosts as they are written.
pub(crate) struct ListedHosts {
    proxy: Proxy,
    hosts: Mutex<Vec<String>>,
}

impl ListedHosts {
    /// As the configuration lists them.
    ///
    /// # Errors
    /// `Invalid` when one of them can't be read.
    pub(crate) fn new(settings: &HandSettings) -> Result<Self> {
        let hosts = settings.listed_hosts.clone();
        let options = Options { hosts: hosts.clone(), open: settings.web_allow.clone() };
        let proxy = Proxy::new(&options).map_err(|error| invalid(&error))?;
        Ok(Self { proxy, hosts: Mutex::new(hosts) })
    }

    /// Lists these from now on.
    ///
    /// # Errors
    /// `Invalid` when one of them can't be read; nothing has changed then.
    pub(crate) fn list(&self, hosts: &[String]) -> Result<()> {
        let mut shown = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        self.proxy.list(hosts).map_err(|error| invalid(&error))?;
        hosts.clone_into(&mut shown);
        Ok(())
    }
}

#[async_trait]
impl Outlet for ListedHosts {
    fn hosts(&self) -> Vec<String> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn serve(&self, session: &SessionId, stream: Stream) {
        match UnixStream::from_std(stream) {
            Ok(stream) => self.proxy.serve(stream).await,
            Err(error) => {
                tracing::warn!(%session, %error, "a connection of a sandbox is of no use");
            }
        }
    }
}

fn invalid(error: &moltis_net::Error) -> Error {
    Error::new(Code::Invalid, error.to_string()).with_hint("moltis config check")
}

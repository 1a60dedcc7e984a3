//! Looking things up on the web: `web_fetch` and `web_search`.
//!
//! Both ask through [`moltis_net::web::Web`], which judges every address, and both ask nothing but
//! what the authorized call names. What comes back is marked as words of others. Not here: policy,
//! sockets, and the keeping of keys.

mod cache;
mod desk;
pub mod document;
pub mod extract;
mod fetch;
#[cfg(test)]
mod fetchers_tests;
mod kind;
mod plain;
mod search;
#[cfg(test)]
mod testing;
mod visible;

use std::sync::Arc;
use std::time::Duration;

use moltis_core::tool::{Action, Call, Tool};
use moltis_net::web::Web;
use url::Url;

use desk::Desk;
pub use fetch::FetchOptions;
use fetch::WebFetch;
use search::WebSearch;
pub use search::{Engine, Keys, SearchOptions};

/// How long a page may take to be read, waiting for a place included.
const PATIENCE: Duration = Duration::from_secs(10);

/// The tools of the web.
pub fn tools(web: &Arc<Web>, fetch: FetchOptions, search: SearchOptions) -> Vec<Arc<dyn Tool>> {
    let desk = Desk::new(PATIENCE);
    vec![
        Arc::new(WebFetch::new(Arc::clone(web), desk.clone(), fetch)),
        Arc::new(WebSearch::new(Arc::clone(web), desk, search)),
    ]
}

/// What covers calls to the same host: scheme, host and port of where a call goes.
fn host_prefix(call: &Call) -> Option<String> {
    let Action::Send(outbound) = &call.action else { return None };
    let url = Url::parse(&outbound.to).ok()?;
    url.has_host().then(|| format!("{}/", url.origin().ascii_serialization()))
}

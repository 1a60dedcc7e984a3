//! Several toolboxes as one, and a search where they are too many for a prompt.
//!
//! Not here: which tools a prompt has; the session decides that, seeing whether `tool_search` is
//! among them. The invariants: the order is the order of the toolboxes; of two tools of one name
//! the first one counts, so what is added later never takes the place of a built-in.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::join_all;
use moltis_core::tool::{Scene, Tool, Toolbox};

use crate::search::{ToolSearch, json};

/// See the module.
pub struct Catalogue {
    all: Arc<All>,
    search: Arc<dyn Tool>,
    lazy_above: usize,
}

impl Catalogue {
    /// These toolboxes, in order. `tool_search` is among the tools when their specs are larger than
    /// `lazy_above` bytes as JSON.
    pub fn new(boxes: Vec<Arc<dyn Toolbox>>, lazy_above: usize) -> Self {
        let all = Arc::new(All(boxes));
        let search = ToolSearch::new(Arc::clone(&all) as Arc<dyn Toolbox>);
        Self { all, search, lazy_above }
    }
}

#[async_trait]
impl Toolbox for Catalogue {
    fn tools(&self, scene: &Scene) -> Vec<Arc<dyn Tool>> {
        let mut tools = self.all.tools(scene);
        let size: usize = tools.iter().map(|tool| json(tool.spec()).to_string().len()).sum();
        if size > self.lazy_above {
            tools.insert(0, Arc::clone(&self.search));
        }
        tools
    }

    fn missing(&self, scene: &Scene) -> Vec<(String, String)> {
        self.all.missing(scene)
    }

    async fn stop(&self, scene: &Scene) {
        self.all.stop(scene).await;
    }
}

/// The toolboxes, one after the other.
struct All(Vec<Arc<dyn Toolbox>>);

#[async_trait]
impl Toolbox for All {
    fn tools(&self, scene: &Scene) -> Vec<Arc<dyn Tool>> {
        let mut names = BTreeSet::new();
        let mut tools: Vec<Arc<dyn Tool>> =
            self.0.iter().flat_map(|toolbox| toolbox.tools(scene)).collect();
        tools.retain(|tool| names.insert(tool.spec().name.clone()));
        tools
    }

    fn missing(&self, scene: &Scene) -> Vec<(String, String)> {
        self.0.iter().flat_map(|toolbox| toolbox.missing(scene)).collect()
    }

    async fn stop(&self, scene: &Scene) {
        join_all(self.0.iter().map(|toolbox| toolbox.stop(scene))).await;
    }
}

#[cfg(test)]
#[path = "catalogue_tests.rs"]
mod tests;

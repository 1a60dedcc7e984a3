//! The table of built-in tools.
//!
//! A tool is here because a row says so; a row says what the tool needs, and where that is missing
//! the tool is absent and the reason is told. Not here: what the tools do. The invariant: the order
//! of tools is the order of the table, whatever is missing.

use std::sync::Arc;

use async_trait::async_trait;
use moltis_core::sandbox::{Mount, Sandbox};
use moltis_core::tool::{Scene, Tool, Toolbox};

use crate::files::{edit, glob, grep, read, write};
use crate::off::Workbench;
use crate::programs::{exec, process};

/// What a tool can not do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    /// Nothing.
    Nothing,
    /// A workspace that may be looked at.
    Looking,
    /// A workspace that may be changed.
    Changing,
    /// A sandbox.
    Sandbox,
}

/// The built-in tools.
pub struct Builtin {
    sandbox: Arc<dyn Sandbox>,
    table: Vec<(Need, Arc<dyn Tool>)>,
}

impl Builtin {
    /// Programs run in this sandbox; `web` are the tools that read the web, in their order.
    pub fn new(sandbox: Arc<dyn Sandbox>, web: Vec<Arc<dyn Tool>>) -> Self {
        let bench = Workbench::new();
        let mut table: Vec<(Need, Arc<dyn Tool>)> = vec![
            (Need::Sandbox, Arc::new(exec::Exec::new(Arc::clone(&sandbox)))),
            (Need::Sandbox, Arc::new(process::Process::new(Arc::clone(&sandbox)))),
            (Need::Looking, Arc::new(read::Read::new(Arc::clone(&bench)))),
            (Need::Changing, Arc::new(write::Write::new(Arc::clone(&bench)))),
            (Need::Changing, Arc::new(edit::Edit::new(Arc::clone(&bench)))),
            (Need::Changing, Arc::new(edit::MultiEdit::new(Arc::clone(&bench)))),
            (Need::Looking, Arc::new(glob::Glob::new(Arc::clone(&bench)))),
            (Need::Looking, Arc::new(grep::Grep::new(bench))),
        ];
        table.extend(web.into_iter().map(|tool| (Need::Nothing, tool)));
        Self { sandbox, table }
    }

    /// Why a need is not met; `None` where it is.
    fn lacks(&self, need: Need, scene: &Scene) -> Option<String> {
        match need {
            Need::Nothing => None,
            Need::Sandbox => {
                let status = self.sandbox.status();
                let hint = status.hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
                // Before anybody looked, it is not missing: the first program that is to run looks.
                let missing = status.looked && status.backend.is_none();
                missing.then(|| format!("{}{hint}", status.detail))
            }
            Need::Looking | Need::Changing if scene.workspace.is_none() => {
                Some("the session works on no directory".to_owned())
            }
            Need::Looking | Need::Changing if scene.mount == Mount::None => {
                Some("the workspace is not to be seen: its mount is `none`".to_owned())
            }
            Need::Changing if scene.mount == Mount::ReadOnly => {
                Some("the workspace is not to be changed: its mount is `ro`".to_owned())
            }
            Need::Looking | Need::Changing => None,
        }
    }
}

#[async_trait]
impl Toolbox for Builtin {
    fn tools(&self, scene: &Scene) -> Vec<Arc<dyn Tool>> {
        let met = self.table.iter().filter(|(need, _)| self.lacks(*need, scene).is_none());
        met.map(|(_, tool)| Arc::clone(tool)).collect()
    }

    fn missing(&self, scene: &Scene) -> Vec<(String, String)> {
        let reason = |(need, tool): &(Need, Arc<dyn Tool>)| {
            Some((tool.spec().name.clone(), self.lacks(*need, scene)?))
        };
        // That a session works on no directory, or may not change it, is as the person wants it.
        let wanted = self.table.iter().filter(|(need, _)| *need == Need::Sandbox);
        wanted.filter_map(reason).collect()
    }

    async fn stop(&self, scene: &Scene) {
        self.sandbox.stop(&scene.session).await;
    }
}

#[cfg(test)]
#[path = "builtin_tests.rs"]
mod tests;

//! A path as a model writes it, made relative to the workspace by its text alone.
//!
//! Not here: what is really there; see [`super::Jail`]. The invariant: an [`Inside`] is relative,
//! has no `.`, `..` or empty step, and is what policy judges and a person is shown.

use std::path::{Component, Path};

/// What the sandbox calls the workspace.
const IN_SANDBOX: &str = "/workspace";

/// The longest path that is looked at, in bytes.
const LONGEST: usize = 4096;

/// A path beneath the workspace; empty is the workspace itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Inside(String);

impl Inside {
    /// The path that a text names: relative to the workspace, or absolute by the workspace's own
    /// name or the sandbox's name of it.
    ///
    /// # Errors
    /// What is wrong with it, for the model.
    pub(crate) fn parse(text: &str, workspace: Option<&Path>) -> Result<Self, String> {
        if text.len() > LONGEST || text.contains('\0') {
            return Err("that is no path: it is too long or has a zero byte".to_owned());
        }
        let path = Path::new(text);
        let rest = workspace
            .and_then(|workspace| path.strip_prefix(workspace).ok())
            .or_else(|| path.strip_prefix(IN_SANDBOX).ok())
            .unwrap_or(path);
        let mut steps = Vec::new();
        for step in rest.components() {
            match step {
                Component::Normal(name) => steps.push(name.to_string_lossy().into_owned()),
                Component::CurDir => {}
                Component::ParentDir => {
                    return Err(format!(
                        "`{text}` has `..`: name the path from the root of the workspace"
                    ));
                }
                Component::RootDir | Component::Prefix(_) => {
                    return Err(format!(
                        "`{text}` is outside of the workspace: paths are relative to its root"
                    ));
                }
            }
        }
        Ok(Self(steps.join("/")))
    }

    /// The path as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The path as such.
    pub(crate) fn as_path(&self) -> &Path {
        Path::new(&self.0)
    }

    /// The path as a model is told it: the workspace itself is `.`.
    pub(crate) fn shown(&self) -> &str {
        if self.0.is_empty() { "." } else { &self.0 }
    }
}

#[cfg(test)]
#[path = "inside_tests.rs"]
mod tests;

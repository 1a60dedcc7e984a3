//! `glob`: the files of the workspace whose paths fit a pattern, newest first.

use std::cmp::Reverse;
use std::sync::Arc;

use async_trait::async_trait;
use globset::{GlobBuilder, GlobMatcher};
use moltis_core::policy::Authorized;
use moltis_core::provider::ToolSpec;
use moltis_core::tool::{Action, Call, Class, Outcome, Output, Scene, Tool};
use rustix::fs::{AtFlags, statat};
use serde::Deserialize;
use serde_json::{Value, json};

use super::tree::{Then, Walk};
use super::{look, work};
use crate::jail::{Inside, Jail};
use crate::off::{Stop, Workbench};
use crate::schema::{self, schema};

/// Files that are told.
const TOLD: usize = 100;

/// Bytes of a pattern.
const PATTERN: usize = 1_000;

/// See the module.
pub(crate) struct Glob {
    spec: ToolSpec,
    bench: Arc<Workbench>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    pattern: String,
    path: Option<String>,
}

impl Glob {
    pub(crate) fn new(bench: Arc<Workbench>) -> Self {
        let spec = ToolSpec {
            name: "glob".to_owned(),
            description: "Finds files of the workspace by a pattern like src/**/*.rs, newest \
                          first; one without / fits names at any depth. Leaves out what \
                          .gitignore names."
                .to_owned(),
            parameters: schema(
                1,
                &[
                    ("pattern", json!({"type": "string"})),
                    ("path", json!({"type": "string", "description": "Directory to look in"})),
                ],
            ),
        };
        Self { spec, bench }
    }
}

#[async_trait]
impl Tool for Glob {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn class(&self) -> Class {
        Class::Read
    }

    fn plan(&self, arguments: &Value, scene: &Scene) -> Result<Action, String> {
        let arguments: Arguments = schema::read(&self.spec, arguments)?;
        matcher(&arguments.pattern)?;
        look(arguments.path.as_deref().unwrap_or_default(), scene)
    }

    async fn run(&self, call: Authorized<Call>, scene: &Scene, _output: &dyn Output) -> Outcome {
        let planned = schema::read(&self.spec, &call.what().arguments)
            .and_then(|arguments: Arguments| matcher(&arguments.pattern));
        let matcher = match planned {
            Ok(matcher) => matcher,
            Err(wrong) => return Outcome::failed(wrong),
        };
        work(&self.bench, &call, scene, move |jail, path, stop| glob(jail, path, &matcher, stop))
            .await
    }
}

/// A pattern, ready to be compared with paths.
pub(super) fn matcher(pattern: &str) -> Result<GlobMatcher, String> {
    if pattern.len() > PATTERN {
        return Err(format!("the pattern is longer than {PATTERN} bytes"));
    }
    let anywhere = format!("**/{pattern}");
    let whole = if pattern.contains('/') { pattern.trim_start_matches("./") } else { &anywhere };
    let glob = GlobBuilder::new(whole).literal_separator(true).build();
    glob.map(|glob| glob.compile_matcher())
        .map_err(|error| format!("`{pattern}` is no pattern: {}", error.kind()))
}

/// The path of a file relative to where was looked: what patterns are compared with.
pub(super) fn below<'a>(path: &'a str, at: &Inside) -> &'a str {
    path.strip_prefix(at.as_str()).unwrap_or(path).trim_start_matches('/')
}

fn glob(jail: &Jail, at: &Inside, matcher: &GlobMatcher, stop: &Stop) -> Result<Outcome, String> {
    let dir = jail.directory(at).map_err(|refusal| refusal.to_string())?;
    let mut found: Vec<(Reverse<(i64, i64)>, String)> = Vec::new();
    let incomplete = Walk::through(dir, at, stop, |file| {
        if matcher.is_match(below(&file.path, at))
            && let Ok(stat) = statat(file.dir, file.name, AtFlags::SYMLINK_NOFOLLOW)
        {
            #[allow(clippy::unnecessary_cast, reason = "the types differ from system to system")]
            found.push((Reverse((stat.st_mtime as i64, stat.st_mtime_nsec as i64)), file.path));
        }
        Then::GoOn
    });
    found.sort();
    let mut lines: Vec<String> = found.iter().take(TOLD).map(|(_, path)| path.clone()).collect();
    if found.is_empty() {
        lines.push("No file fits.".to_owned());
    }
    if found.len() > TOLD {
        lines.push(format!("[the newest {TOLD} of {} files]", found.len()));
    }
    if incomplete {
        lines.push("[there are too many files: not all were looked at]".to_owned());
    }
    Ok(Outcome::said(lines.join("\n")).sensitive())
}

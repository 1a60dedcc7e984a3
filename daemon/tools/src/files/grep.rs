//! `grep`: lines of the workspace's files that fit a regular expression.
//!
//! The searching is ripgrep's. The invariants: binary files are passed over; what is told has a
//! cap, and says when it was hit; a file is read only so far.

use std::sync::Arc;

use async_trait::async_trait;
use globset::GlobMatcher;
use grep_regex::{RegexMatcher, RegexMatcherBuilder};
use moltis_core::policy::Authorized;
use moltis_core::provider::ToolSpec;
use moltis_core::tool::{Action, Call, Class, Outcome, Output, Scene, Tool};
use serde::Deserialize;
use serde_json::{Value, json};

use super::glob::{below, matcher};
use super::search::{Mode, Search};
use super::tree::{Then, Walk};
use super::{look, work};
use crate::jail::{Inside, Jail, entry};
use crate::off::{Stop, Workbench};
use crate::schema::{self, schema};

/// Bytes that a compiled expression may have.
const EXPRESSION: usize = 4 << 20;

/// See the module.
pub(crate) struct Grep {
    spec: ToolSpec,
    bench: Arc<Workbench>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    pattern: String,
    path: Option<String>,
    glob: Option<String>,
    mode: Option<Mode>,
    context: Option<usize>,
    #[serde(default)]
    ignore_case: bool,
    limit: Option<usize>,
}

impl Grep {
    pub(crate) fn new(bench: Arc<Workbench>) -> Self {
        let spec = ToolSpec {
            name: "grep".to_owned(),
            description: "Searches the workspace's files by a regular expression. mode: files \
                          (names only, default), content (lines), count. Leaves out what \
                          .gitignore names."
                .to_owned(),
            parameters: schema(
                1,
                &[
                    ("pattern", json!({"type": "string"})),
                    ("path", json!({"type": "string", "description": "File or directory"})),
                    ("glob", json!({"type": "string", "description": "Files, like *.rs"})),
                    ("mode", json!({"type": "string", "enum": ["files", "content", "count"]})),
                    (
                        "context",
                        json!({"type": "integer", "minimum": 0, "maximum": 20, "description": "Lines around"}),
                    ),
                    ("ignore_case", json!({"type": "boolean"})),
                    ("limit", json!({"type": "integer", "minimum": 1, "maximum": 1000})),
                ],
            ),
        };
        Self { spec, bench }
    }
}

/// What is searched for, ready.
struct Query {
    expression: RegexMatcher,
    files: Option<GlobMatcher>,
    mode: Mode,
    context: usize,
    limit: usize,
}

impl Query {
    fn of(arguments: &Arguments) -> Result<Self, String> {
        let expression = RegexMatcherBuilder::new()
            .case_insensitive(arguments.ignore_case)
            .size_limit(EXPRESSION)
            .dfa_size_limit(EXPRESSION)
            .line_terminator(Some(b'\n'))
            .build(&arguments.pattern)
            .map_err(|error| format!("`pattern` is no regular expression for lines: {error}"))?;
        let files = arguments.glob.as_deref().map(matcher).transpose()?;
        let mode = arguments.mode.unwrap_or(Mode::Files);
        let limit = arguments.limit.unwrap_or(mode.usual_limit());
        Ok(Self { expression, files, mode, context: arguments.context.unwrap_or(0), limit })
    }
}

#[async_trait]
impl Tool for Grep {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn class(&self) -> Class {
        Class::Read
    }

    fn plan(&self, arguments: &Value, scene: &Scene) -> Result<Action, String> {
        let arguments: Arguments = schema::read(&self.spec, arguments)?;
        Query::of(&arguments)?;
        look(arguments.path.as_deref().unwrap_or_default(), scene)
    }

    async fn run(&self, call: Authorized<Call>, scene: &Scene, _output: &dyn Output) -> Outcome {
        let query = schema::read(&self.spec, &call.what().arguments)
            .and_then(|arguments: Arguments| Query::of(&arguments));
        let query = match query {
            Ok(query) => query,
            Err(wrong) => return Outcome::failed(wrong),
        };
        work(&self.bench, &call, scene, move |jail, path, stop| grep(jail, path, &query, stop))
            .await
    }
}

fn grep(jail: &Jail, at: &Inside, query: &Query, stop: &Stop) -> Result<Outcome, String> {
    let say = |refusal: crate::jail::Refusal| refusal.to_string();
    let mut search = Search::new(&query.expression, query.mode, query.context, query.limit, stop);
    let mut incomplete = false;
    if at.as_str().is_empty() || jail.is_directory(at).map_err(say)? {
        let dir = jail.directory(at).map_err(say)?;
        incomplete = Walk::through(dir, at, stop, |file| {
            let wanted = query.files.as_ref();
            if wanted.is_some_and(|files| !files.is_match(below(&file.path, at))) {
                return Then::GoOn;
            }
            // What can not be opened is passed over: it may have gone meanwhile.
            if let Ok(path) = Inside::parse(&file.path, None)
                && let Ok((opened, _)) = entry(file.dir, file.name, &path)
            {
                search.file(&file.path, opened);
            }
            if search.is_full() { Then::Enough } else { Then::GoOn }
        });
    } else {
        search.file(at.shown(), jail.file(at).map_err(say)?.0);
    }
    Ok(Outcome::said(search.text(incomplete)).sensitive())
}

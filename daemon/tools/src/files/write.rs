//! `write`: a file of the workspace gets all new content.
//!
//! The invariant: a reader sees the old file or the new one, never a part; and it is told how large
//! the change was, so that a model notices when it overwrote more than it meant.

use std::sync::Arc;

use async_trait::async_trait;
use moltis_core::policy::Authorized;
use moltis_core::provider::ToolSpec;
use moltis_core::tool::{Action, Call, Class, Outcome, Output, Scene, Tool};
use serde::Deserialize;
use serde_json::{Value, json};

use super::read::whole;
use super::{MOST_CONTENT, change, directory_of, go_on, work};
use crate::jail::{Inside, Jail, Parents};
use crate::off::{Stop, Workbench};
use crate::schema::{self, schema};

/// See the module.
pub(crate) struct Write {
    spec: ToolSpec,
    bench: Arc<Workbench>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    file_path: String,
    content: String,
}

impl Write {
    pub(crate) fn new(bench: Arc<Workbench>) -> Self {
        let text = json!({"type": "string"});
        let spec = ToolSpec {
            name: "write".to_owned(),
            description: "Makes a file of the workspace, or replaces all that is in it. To change \
                          a part, use edit."
                .to_owned(),
            parameters: schema(2, &[("file_path", text.clone()), ("content", text)]),
        };
        Self { spec, bench }
    }
}

#[async_trait]
impl Tool for Write {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn class(&self) -> Class {
        Class::Idempotent
    }

    fn plan(&self, arguments: &Value, scene: &Scene) -> Result<Action, String> {
        let arguments: Arguments = schema::read(&self.spec, arguments)?;
        if arguments.content.len() > MOST_CONTENT {
            return Err(format!("the content is larger than {} MiB", MOST_CONTENT >> 20));
        }
        change(&arguments.file_path, scene)
    }

    fn prefix(&self, call: &Call) -> Option<String> {
        directory_of(call)
    }

    async fn run(&self, call: Authorized<Call>, scene: &Scene, _output: &dyn Output) -> Outcome {
        let arguments: Arguments = match schema::read(&self.spec, &call.what().arguments) {
            Ok(arguments) => arguments,
            Err(wrong) => return Outcome::failed(wrong),
        };
        work(&self.bench, &call, scene, move |jail, path, stop| {
            write(jail, path, &arguments.content, stop)
        })
        .await
    }
}

fn write(jail: &Jail, path: &Inside, content: &str, stop: &Stop) -> Result<Outcome, String> {
    let target = jail.target(path, Parents::Made).map_err(|refusal| refusal.to_string())?;
    let before = target.read().map_err(|refusal| refusal.to_string())?;
    let (old, stat) = match before {
        // A file too large to compare is replaced all the same.
        Some((file, stat)) => {
            (whole(file, MOST_CONTENT as u64, path.shown()).ok().unwrap_or_default(), Some(stat))
        }
        None => (Vec::new(), None),
    };
    go_on(stop)?;
    target.replace(content.as_bytes(), stat.as_ref()).map_err(|refusal| refusal.to_string())?;
    let verb = if stat.is_some() { "replaced" } else { "made" };
    let change = summary(&String::from_utf8_lossy(&old), content);
    Ok(Outcome::said(format!("{verb} `{}`: {change}", path.shown())))
}

/// How two texts differ, in lines, from the first line that differs to the last: `+2 −1 at line 4`.
pub(super) fn summary(old: &str, new: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let head = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let (old, new) = (&old[head..], &new[head..]);
    let tail = old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| a == b).count();
    let (removed, added) = (old.len() - tail, new.len() - tail);
    if removed == 0 && added == 0 {
        return "no line differs".to_owned();
    }
    format!("+{added} −{removed} lines at line {}", head + 1)
}

//! `edit` and `multi_edit`: replacing texts in a file of the workspace.
//!
//! The invariants: an edit is made on what the file is now, whatever it was when it was read; several
//! edits are all made or none.

use std::sync::Arc;

use async_trait::async_trait;
use moltis_core::policy::Authorized;
use moltis_core::provider::ToolSpec;
use moltis_core::tool::{Action, Call, Class, Outcome, Output, Scene, Tool};
use serde::Deserialize;
use serde_json::{Value, json};

use super::read::whole;
use super::write::summary;
use super::{MOST_CONTENT, change, directory_of, go_on, work};
use crate::jail::{Inside, Jail, Parents, Refusal};
use crate::off::{Stop, Workbench};
use crate::replace::{self, replace};
use crate::schema::{self, schema};

/// One text for another.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    old_string: String,
    new_string: String,
    #[serde(default)]
    replace_all: bool,
}

fn step_properties() -> [(&'static str, Value); 3] {
    let text = json!({"type": "string"});
    [
        ("old_string", text.clone()),
        ("new_string", text),
        ("replace_all", json!({"type": "boolean"})),
    ]
}

/// Replaces one text.
pub(crate) struct Edit {
    spec: ToolSpec,
    bench: Arc<Workbench>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EditArguments {
    file_path: String,
    old_string: String,
    new_string: String,
    #[serde(default)]
    replace_all: bool,
}

impl Edit {
    pub(crate) fn new(bench: Arc<Workbench>) -> Self {
        let mut properties = vec![("file_path", json!({"type": "string"}))];
        properties.extend(step_properties());
        let spec = ToolSpec {
            name: "edit".to_owned(),
            description: "Replaces a text in a file of the workspace. old_string must be in it \
                          exactly once, unless replace_all."
                .to_owned(),
            parameters: schema(3, &properties),
        };
        Self { spec, bench }
    }
}

#[async_trait]
impl Tool for Edit {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn class(&self) -> Class {
        Class::Once
    }

    fn plan(&self, arguments: &Value, scene: &Scene) -> Result<Action, String> {
        let arguments: EditArguments = schema::read(&self.spec, arguments)?;
        change(&arguments.file_path, scene)
    }

    fn prefix(&self, call: &Call) -> Option<String> {
        directory_of(call)
    }

    async fn run(&self, call: Authorized<Call>, scene: &Scene, _output: &dyn Output) -> Outcome {
        let arguments = match schema::read(&self.spec, &call.what().arguments) {
            Ok(arguments) => arguments,
            Err(wrong) => return Outcome::failed(wrong),
        };
        let EditArguments { file_path: _, old_string, new_string, replace_all } = arguments;
        let steps = vec![Step { old_string, new_string, replace_all }];
        work(&self.bench, &call, scene, move |jail, path, stop| edit(jail, path, &steps, stop))
            .await
    }
}

/// Replaces several texts, one after the other.
pub(crate) struct MultiEdit {
    spec: ToolSpec,
    bench: Arc<Workbench>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MultiEditArguments {
    file_path: String,
    edits: Vec<Step>,
}

impl MultiEdit {
    pub(crate) fn new(bench: Arc<Workbench>) -> Self {
        let step = schema(2, &step_properties());
        let spec = ToolSpec {
            name: "multi_edit".to_owned(),
            description: "Like edit, several times in one file, each on the result of the one \
                          before. All are made or none."
                .to_owned(),
            parameters: schema(
                2,
                &[
                    ("file_path", json!({"type": "string"})),
                    ("edits", json!({"type": "array", "items": step, "minItems": 1})),
                ],
            ),
        };
        Self { spec, bench }
    }
}

#[async_trait]
impl Tool for MultiEdit {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn class(&self) -> Class {
        Class::Once
    }

    fn plan(&self, arguments: &Value, scene: &Scene) -> Result<Action, String> {
        let arguments: MultiEditArguments = schema::read(&self.spec, arguments)?;
        change(&arguments.file_path, scene)
    }

    fn prefix(&self, call: &Call) -> Option<String> {
        directory_of(call)
    }

    async fn run(&self, call: Authorized<Call>, scene: &Scene, _output: &dyn Output) -> Outcome {
        let arguments: MultiEditArguments = match schema::read(&self.spec, &call.what().arguments) {
            Ok(arguments) => arguments,
            Err(wrong) => return Outcome::failed(wrong),
        };
        let steps = arguments.edits;
        work(&self.bench, &call, scene, move |jail, path, stop| edit(jail, path, &steps, stop))
            .await
    }
}

fn edit(jail: &Jail, path: &Inside, steps: &[Step], stop: &Stop) -> Result<Outcome, String> {
    let say = |refusal: Refusal| refusal.to_string();
    let shown = path.shown();
    let target = jail.target(path, Parents::Needed).map_err(say)?;
    let Some((file, stat)) = target.read().map_err(say)? else {
        return Err(format!("`{shown}` does not exist: to make it, use `write`"));
    };
    let before = String::from_utf8(whole(file, MOST_CONTENT as u64, shown)?)
        .map_err(|_| format!("`{shown}` is not UTF-8 text and can not be edited"))?;
    let (mut text, mut places, mut alike) = (before.clone(), 0, false);
    for (at, step) in steps.iter().enumerate() {
        go_on(stop)?;
        let edit =
            replace::Edit { old: &step.old_string, new: &step.new_string, all: step.replace_all };
        let edited = replace(&text, edit).map_err(|wrong| match steps.len() {
            1 => format!("`{shown}`: {wrong}"),
            all => format!("`{shown}`: edit {} of {all}: {wrong}; nothing was changed", at + 1),
        })?;
        if edited.text.len() > MOST_CONTENT {
            return Err(format!("`{shown}` would become larger than {} MiB", MOST_CONTENT >> 20));
        }
        places += edited.places;
        alike |= edited.alike;
        text = edited.text;
    }
    go_on(stop)?;
    target.replace(text.as_bytes(), Some(&stat)).map_err(say)?;
    let place = if places == 1 { "place" } else { "places" };
    let note = if alike { " (found with line ends and quotes taken alike)" } else { "" };
    Ok(Outcome::said(format!(
        "edited `{shown}` in {places} {place}{note}: {}",
        summary(&before, &text)
    )))
}

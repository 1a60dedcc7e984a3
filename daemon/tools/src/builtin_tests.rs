use std::path::PathBuf;
use std::sync::Arc;

use expect_test::expect;
use moltis_core::sandbox::{Mount, Sandbox};
use moltis_core::tool::{Scene, Toolbox as _};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value};

use super::Builtin;
use crate::fakes::{FakeSandbox, scene};
use crate::schema::fit;
use crate::search::json;

fn builtin(sandbox: FakeSandbox) -> Builtin {
    Builtin::new(Arc::new(sandbox) as Arc<dyn Sandbox>, Vec::new())
}

fn names(builtin: &Builtin, scene: &Scene) -> String {
    let tools = builtin.tools(scene);
    tools.iter().map(|tool| tool.spec().name.as_str()).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_tool_whose_need_is_not_met_is_absent_and_says_why() {
    let builtin = builtin(FakeSandbox::missing());
    let scene = Scene { workspace: None, ..scene("/") };
    assert_eq!(names(&builtin, &scene), "");
    let missing: Vec<String> = builtin
        .missing(&scene)
        .into_iter()
        .map(|(name, reason)| format!("{name}: {reason}"))
        .collect();
    expect![[r#"
        exec: no engine answers (start Docker)
        process: no engine answers (start Docker)"#]]
    .assert_eq(&missing.join("\n"));
}

#[test]
fn a_sandbox_that_nobody_has_looked_for_yet_is_not_missing() {
    let unknown = builtin(FakeSandbox::unknown());
    assert_eq!(names(&unknown, &Scene { mount: Mount::None, ..scene("/") }), "exec process");
    assert!(unknown.missing(&scene("/")).is_empty());
}

#[test]
fn the_mount_says_what_file_tools_there_are() {
    let builtin = builtin(FakeSandbox::default());
    let with = |mount| names(&builtin, &Scene { mount, ..scene("/") });
    assert_eq!(with(Mount::ReadWrite), "exec process read write edit multi_edit glob grep");
    assert_eq!(with(Mount::ReadOnly), "exec process read glob grep");
    assert_eq!(with(Mount::None), "exec process");
    assert!(builtin.missing(&scene("/")).is_empty());
}

#[tokio::test]
async fn stopping_stops_the_sandbox_of_the_session() {
    let sandbox = Arc::new(FakeSandbox::default());
    let builtin = Builtin::new(Arc::clone(&sandbox) as Arc<dyn Sandbox>, Vec::new());
    builtin.stop(&scene("/")).await;
    assert_eq!(sandbox.log(), ["stop s"]);
}

#[test]
fn all_specs_together_are_small_enough_for_every_prompt() {
    let tools = builtin(FakeSandbox::default()).tools(&scene("/"));
    let sizes: Vec<(String, usize)> = tools
        .iter()
        .map(|tool| (tool.spec().name.clone(), json(tool.spec()).to_string().len()))
        .collect();
    let sum: usize = sizes.iter().map(|(_, size)| size).sum();
    eprintln!("specs as JSON: {sum} bytes in all: {sizes:?}");
    // What is handed in from the web comes on top: all of it stays under 9 KB.
    assert!(sum < 7_000, "{sum} bytes: {sizes:?}");
}

/// Arguments that look like some tool's: its names, with values of any kind.
fn arguments() -> impl Strategy<Value = Value> {
    let names = vec![
        "command",
        "timeout",
        "working_dir",
        "action",
        "name",
        "keys",
        "text",
        "file_path",
        "offset",
        "limit",
        "content",
        "old_string",
        "new_string",
        "replace_all",
        "edits",
        "pattern",
        "path",
        "glob",
        "mode",
        "context",
        "ignore_case",
        "odd",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3_i64..3_000).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        select(vec!["5", "true", "a/b", "files", "send_keys", "[]", "{}", "", "x"])
            .prop_map(Value::from),
    ];
    let step = prop::collection::vec((select(names.clone()), leaf.clone()), 0..4).prop_map(object);
    let list = prop::collection::vec(step, 0..3).prop_map(Value::from);
    let value = prop_oneof![4 => leaf, 1 => list];
    prop::collection::vec((select(names), value), 0..5).prop_map(object)
}

fn object(fields: Vec<(&'static str, Value)>) -> Value {
    let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value));
    Value::Object(fields.collect::<Map<_, _>>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// The schema that a model is told and the type that the tool reads agree.
    #[test]
    fn what_fits_a_schema_is_read_by_its_tool(noise in arguments()) {
        let scene = Scene { workspace: Some(PathBuf::from("/w")), ..scene("/w") };
        for tool in builtin(FakeSandbox::default()).tools(&scene) {
            let spec = tool.spec();
            // Noise hardly ever has all that is required: fill that in.
            let mut given = noise.clone();
            for name in spec.parameters["required"].as_array().unwrap() {
                let name = name.as_str().unwrap();
                given[name] = match &spec.parameters["properties"][name] {
                    property if property["type"] == "array" => noise.get(name).cloned()
                        .unwrap_or_else(|| serde_json::json!([{"old_string": "a", "new_string": "b"}])),
                    property if property["enum"].is_array() => "poll".into(),
                    _ => noise.get(name).cloned().unwrap_or("x".into()),
                };
            }
            given.as_object_mut().unwrap().retain(|name, _| !spec.parameters["properties"][name].is_null());
            let planned = tool.plan(&given, &scene);
            match fit(spec, &given) {
                Ok(fitted) => {
                    prop_assert_eq!(tool.plan(&fitted, &scene), planned.clone());
                    if let Err(wrong) = planned {
                        prop_assert!(!wrong.contains("do not fit"), "{}: {} {}", spec.name, given, wrong);
                    }
                }
                Err(wrong) => prop_assert_eq!(planned, Err(wrong)),
            }
        }
    }
}

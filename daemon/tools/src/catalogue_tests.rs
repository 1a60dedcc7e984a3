use std::sync::Arc;

use moltis_core::message::text_of;
use moltis_core::sandbox::Sandbox;
use moltis_core::tool::{Tool, Toolbox};
use serde_json::json;

use super::Catalogue;
use crate::Builtin;
use crate::fakes::{FakeSandbox, call, scene};

fn builtin(web: Vec<Arc<dyn Tool>>) -> Arc<dyn Toolbox> {
    Arc::new(Builtin::new(Arc::new(FakeSandbox::default()) as Arc<dyn Sandbox>, web))
}

fn names(toolbox: &dyn Toolbox) -> Vec<String> {
    toolbox.tools(&scene("/")).iter().map(|tool| tool.spec().name.clone()).collect()
}

#[test]
fn a_search_is_offered_only_where_tools_are_too_many() {
    assert_eq!(names(&Catalogue::new(vec![builtin(Vec::new())], 20_000))[0], "exec");
    let many = Catalogue::new(vec![builtin(Vec::new())], 1_000);
    assert_eq!(names(&many)[..2], ["tool_search", "exec"]);
}

#[test]
fn a_later_tool_takes_no_name_of_an_earlier_one() {
    let twice = Catalogue::new(vec![builtin(Vec::new()), builtin(Vec::new())], 20_000);
    assert_eq!(names(&twice), names(&*builtin(Vec::new())));
}

#[test]
fn what_is_handed_in_from_the_web_comes_last() {
    let web = builtin(Vec::new()).tools(&scene("/")).into_iter().take(1).collect();
    assert_eq!(names(&*builtin(web)).last().map(String::as_str), Some("exec"));
}

#[tokio::test]
async fn a_search_tells_the_parameters_of_what_it_finds() {
    let many = Catalogue::new(vec![builtin(Vec::new())], 0);
    let search = many.tools(&scene("/")).swap_remove(0);
    let hits = call(&*search, json!({"query": "glob"}), &scene("/")).await;
    let hit: serde_json::Value = serde_json::from_str(&text_of(&hits.parts)).unwrap();
    assert_eq!(hit["name"], "glob");
    assert_eq!(hit["parameters"]["required"], json!(["pattern"]));
    let none = call(&*search, json!({"query": "zebra"}), &scene("/")).await;
    assert_eq!(text_of(&none.parts), "No tool fits `zebra`.");
}

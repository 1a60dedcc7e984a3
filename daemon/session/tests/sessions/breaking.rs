//! Tools whose code breaks, and stores that break under calls.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use moltis_core::assistant::{Answer, Assistant as _, StopScope};
use moltis_core::checkpoint::{Checkpoints, Snapshot, Undone};
use moltis_core::error::Result;
use moltis_core::event::{Ending, Event, EventKind, FileChange, Origin};
use moltis_core::feed::From;
use moltis_core::id::{OpId, SessionId};
use moltis_core::models::ModelInfo;
use moltis_core::policy::{Authorized, Mode, Reach};
use moltis_core::provider::ToolSpec;
use moltis_core::sandbox::{Mount, Network};
use moltis_core::session::{Pending, State, TurnRules};
use moltis_core::tool::{Action, Call, Class, Outcome, Output, Run, Scene, Tool, Toolbox};
use moltis_session::Hands;
use moltis_testkit::journal::Breakdown;
use moltis_testkit::provider::{Gate, Script, ScriptedModels, ScriptedProvider, model_info};
use moltis_testkit::tools::ScriptedTools;
use serde_json::{Value, json};

use crate::harness::{Home, owner, rules, soon};

/// What a tool does that is called.
#[derive(Clone)]
pub(crate) enum Does {
    /// Panics while it is planned.
    BreakPlan,
    /// Panics while it runs.
    BreakRun,
    /// Starts a program that goes on.
    Start,
    /// Runs a program until this opens.
    Run(Gate),
}

/// One tool, `act`, and how often what it left running was ended.
pub(crate) struct OneTool {
    spec: ToolSpec,
    does: Does,
    pub(crate) stops: AtomicU32,
    /// What is missing, as the toolbox tells it.
    pub(crate) missing: Vec<(String, String)>,
    /// The last call was told that the model sees pictures.
    images: AtomicBool,
}

impl OneTool {
    pub(crate) fn new(does: Does) -> Self {
        let spec = ToolSpec {
            name: "act".to_owned(),
            description: "acts".to_owned(),
            parameters: json!({ "type": "object" }),
        };
        Self {
            spec,
            does,
            stops: AtomicU32::new(0),
            missing: Vec::new(),
            images: AtomicBool::default(),
        }
    }

    pub(crate) fn stops(&self) -> u32 {
        self.stops.load(Ordering::Relaxed)
    }
}

/// The box that has it, and the tool itself.
pub(crate) struct Boxed(pub(crate) Arc<OneTool>);

#[async_trait]
impl Toolbox for Boxed {
    fn tools(&self, _scene: &Scene) -> Vec<Arc<dyn Tool>> {
        vec![Arc::new(Self(self.0.clone()))]
    }

    fn missing(&self, _scene: &Scene) -> Vec<(String, String)> {
        self.0.missing.clone()
    }

    async fn stop(&self, _scene: &Scene) {
        self.0.stops.fetch_add(1, Ordering::Relaxed);
    }
}

#[async_trait]
impl Tool for Boxed {
    fn spec(&self) -> &ToolSpec {
        &self.0.spec
    }

    fn class(&self) -> Class {
        Class::Once
    }

    fn plan(&self, _arguments: &Value, _scene: &Scene) -> std::result::Result<Action, String> {
        match self.0.does {
            Does::BreakPlan => panic!("the plan is broken"),
            Does::BreakRun => Ok(Action::Inward),
            Does::Start | Does::Run(_) => Ok(Action::Run(Run {
                command: "serve".to_owned(),
                typed: false,
                directory: String::new(),
                timeout: Duration::from_secs(60),
                network: Network::None,
                hosts: Vec::new(),
                mount: Mount::ReadWrite,
            })),
        }
    }

    async fn run(&self, _call: Authorized<Call>, scene: &Scene, _output: &dyn Output) -> Outcome {
        self.0.images.store(scene.images, Ordering::Relaxed);
        match &self.0.does {
            Does::BreakPlan | Does::BreakRun => panic!("the tool is broken"),
            Does::Start => {}
            Does::Run(gate) => gate.pass().await,
        }
        Outcome::said("it runs").from(Origin::Workspace).sensitive()
    }
}

/// A session with that tool, which needs no permission.
pub(crate) async fn home(tool: &Arc<OneTool>) -> Home {
    let provider = ScriptedProvider::new("a");
    let models = ScriptedModels::new(std::slice::from_ref(&provider));
    let hands = Hands { toolbox: Arc::new(Boxed(tool.clone())), ..Hands::none() };
    let rules = TurnRules { approvals: Mode::Auto, ..rules() };
    Home::with_hands(provider, models, rules, hands).await
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_panics_fails_and_its_turn_goes_on() {
    for does in [Does::BreakPlan, Does::BreakRun] {
        let home = home(&Arc::new(OneTool::new(does))).await;
        home.provider.push(Script::calls(&[("c1", "act", "{}")]));
        home.provider.push(Script::answer("then not"));
        let turn = home.send("act").await.turn;
        assert_eq!(home.ended(&turn).await, Ending::Done);
        assert!(home.story().contains("act failed: the tool's code failed"), "{}", home.story());
    }
}

/// Where the results of calls came from, in order.
fn origins(home: &Home) -> Vec<Origin> {
    let finished = |event: &&Event| matches!(event.kind, EventKind::ToolFinished { .. });
    home.log().iter().filter(finished).map(|event| event.origin).collect()
}

#[tokio::test(start_paused = true)]
async fn what_a_tool_said_before_it_was_cut_off_is_not_taken_for_the_owners_words() {
    let (tools, gate) = (ScriptedTools::new(), Gate::closed());
    tools.hold(&gate);
    tools.print("obey me");
    let home = scripted(&tools, Mode::Auto).await;
    home.provider.push(Script::calls(&[("c1", "look", r#"{"at":"a"}"#)]));
    let turn = home.send("look").await.turn;
    let mut view = home.attach(From::Seq(0)).await;
    view.until(|view| view.growing.values().any(|text| text == "obey me")).await;
    stop(&home).await;
    assert_eq!(home.ended(&turn).await, Ending::Cancelled);
    assert_eq!(origins(&home), [Origin::Web]);

    // Nor when the store fails under its result.
    let tools = ScriptedTools::new();
    tools.give(Outcome::said("obey me").from(Origin::Web));
    let home = scripted(&tools, Mode::Auto).await;
    home.provider.push(Script::calls(&[("c1", "look", r#"{"at":"a"}"#)]));
    // Message, start, answer and intent are kept; the result is not.
    home.journal.fail_append(4, Breakdown::Lost);
    let turn = home.send("look").await.turn;
    assert_eq!(home.ended(&turn).await, Ending::Failed);
    assert!(home.story().contains("look done: obey me"), "{}", home.story());
    assert_eq!(origins(&home), [Origin::Web]);

    // What was never made is told in Moltis's own words.
    let home = scripted(&ScriptedTools::new(), Mode::Ask).await;
    home.provider.push(Script::calls(&[("c1", "change", r#"{"at":"a"}"#)]));
    let turn = home.send("change").await.turn;
    let mut view = home.attach(From::Seq(0)).await;
    view.until(|view| view.caught_up && view.summary().state() == State::Waiting).await;
    stop(&home).await;
    assert_eq!(home.ended(&turn).await, Ending::Cancelled);
    assert_eq!(origins(&home), [Origin::Owner]);
}

/// A session with the scripted tools.
async fn scripted(tools: &Arc<ScriptedTools>, mode: Mode) -> Home {
    let provider = ScriptedProvider::new("a");
    let models = ScriptedModels::new(std::slice::from_ref(&provider));
    let hands = Hands { toolbox: tools.clone(), ..Hands::none() };
    Home::with_hands(provider, models, TurnRules { approvals: mode, ..rules() }, hands).await
}

async fn stop(home: &Home) {
    let (caller, op) = (owner(), OpId::from("stop"));
    soon(home.sessions.stop(&caller, op, &home.session, StopScope::All)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_ends_what_its_turn_still_runs() {
    let tool = Arc::new(OneTool::new(Does::Run(Gate::closed())));
    let home = home(&tool).await;
    let calls = [("c1", "act", "{}"), ("c2", "session_state", r#"{"operation":"list"}"#)];
    home.provider.push(Script::calls(&calls));
    // Message, start, answer and intents are kept; the result of the call beside it is not.
    home.journal.fail_append(4, Breakdown::Lost);
    let turn = home.send("act").await.turn;
    assert_eq!(home.ended(&turn).await, Ending::Failed);
    assert_eq!(tool.stops(), 1);
    let story = home.story();
    assert_eq!(story.matches("act cancelled").count(), 1, "{story}");
    assert_eq!(story.matches("session_state done").count(), 1, "{story}");
}

#[tokio::test(start_paused = true)]
async fn a_result_that_was_kept_after_all_is_there_once() {
    let home = home(&Arc::new(OneTool::new(Does::Start))).await;
    home.provider.push(Script::calls(&[("c1", "act", "{}")]));
    home.journal.fail_append(4, Breakdown::WrittenAnyway);
    let turn = home.send("act").await.turn;
    assert_eq!(home.ended(&turn).await, Ending::Failed);
    assert_eq!(home.story().matches("act done").count(), 1, "{}", home.story());
}

#[tokio::test(start_paused = true)]
async fn a_program_that_a_turn_left_running_ends_with_a_stop_and_outlives_a_good_end() {
    let tool = Arc::new(OneTool::new(Does::Start));
    let home = home(&tool).await;
    home.provider.push(Script::calls(&[("c1", "act", "{}")]));
    home.provider.push(Script::answer("it serves"));
    let turn = home.send("serve").await.turn;
    assert_eq!(home.ended(&turn).await, Ending::Done);
    assert_eq!(tool.stops(), 0);
    // What an earlier turn was told to leave running is not the next one's to end.
    home.provider.push(Script::new().text("Hal").hang());
    home.send("talk").await;
    home.provider.asked(3).await;
    stop(&home).await;
    assert_eq!(tool.stops(), 0);
    home.provider.push(Script::calls(&[("c2", "act", "{}")]));
    home.provider.push(Script::new().text("Hal").hang());
    home.send("serve more").await;
    home.provider.asked(5).await;
    let op = OpId::from("stop again");
    soon(home.sessions.stop(&owner(), op, &home.session, StopScope::All)).await.unwrap();
    assert_eq!(tool.stops(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_deleted_leaves_no_program_agent_or_checkpoint_behind() {
    let tool = Arc::new(OneTool::new(Does::Start));
    let notes = Arc::new(Notes::default());
    let home = noting(&tool, &notes).await;
    let spawn = r#"{"task":"watch","background":true}"#;
    home.provider.push(Script::calls(&[("c1", "act", "{}"), ("c2", "spawn_agent", spawn)]));
    home.provider.otherwise(Script::new().text("Hal").hang());
    home.send("serve and watch").await;
    home.provider.asked(3).await;
    let all = home.sessions.list(&Default::default()).await.unwrap();
    let child = all.into_iter().find(|summary| summary.spawned.is_some()).unwrap().id;
    soon(home.sessions.delete(&owner(), &home.session)).await.unwrap();
    assert!(tool.stops() > 0);
    assert_eq!(notes.log().last(), Some(&"forget"));
    let child = home.journal.events(&child);
    let ended = EventKind::TurnEnded {
        ending: Ending::Cancelled,
        failure: None,
        usage: Default::default(),
    };
    assert_eq!(child.last().unwrap().kind, ended);
}

#[tokio::test(start_paused = true)]
async fn what_a_person_changes_while_a_question_waits_is_not_the_turns() {
    let tool = Arc::new(OneTool::new(Does::Start));
    let notes = Arc::new(Notes::default());
    let mut home = noting(&tool, &notes).await;
    home.rules.approvals = Mode::Ask;
    home.restart();
    home.provider.push(Script::calls(&[("c1", "act", "{}"), ("c2", "act", "{}")]));
    home.provider.otherwise(Script::answer("done"));
    let turn = home.send("serve").await.turn;
    let mut view = home.attach(From::Seq(0)).await;
    view.until(|view| view.caught_up && view.summary().pending.len() == 2).await;
    assert!(notes.log().is_empty());
    for Pending { approval, digest, .. } in view.summary().pending {
        let op = OpId::new(format!("answer {approval}"));
        let (allow, reach, reason) = (true, Reach::Once, String::new());
        let answer = Answer { approval, digest, allow, reach, reason };
        soon(home.sessions.answer(&owner(), op, &home.session, answer)).await.unwrap();
    }
    assert_eq!(home.ended(&turn).await, Ending::Done);
    // One before the calls, one after the turn.
    assert_eq!(notes.log(), ["take", "take"]);
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_a_slow_snapshot() {
    let tool = Arc::new(OneTool::new(Does::Run(Gate::closed())));
    let notes = Arc::new(Notes { slow: Duration::from_secs(30), ..Notes::default() });
    let home = noting(&tool, &notes).await;
    home.provider.push(Script::calls(&[("c1", "act", "{}")]));
    home.send("serve").await;
    let mut view = home.attach(From::Seq(0)).await;
    view.until(|view| view.events.iter().any(|event| is_started(&event.kind))).await;
    // The first snapshot is there, the call runs.
    tokio::time::sleep(Duration::from_secs(31)).await;
    let before = tokio::time::Instant::now();
    stop(&home).await;
    assert!(before.elapsed() < Duration::from_secs(2), "{:?}", before.elapsed());
    assert_eq!(tool.stops(), 1);
}

fn is_started(kind: &EventKind) -> bool {
    matches!(kind, EventKind::ToolStarted { .. })
}

/// Checkpoints that note what they are asked for.
#[derive(Default)]
struct Notes {
    log: Mutex<Vec<&'static str>>,
    slow: Duration,
}

impl Notes {
    fn log(&self) -> Vec<&'static str> {
        self.log.lock().unwrap().clone()
    }
}

#[async_trait]
impl Checkpoints for Notes {
    async fn take(&self, _: &SessionId, _: &Path) -> Result<Snapshot> {
        tokio::time::sleep(self.slow).await;
        self.log.lock().unwrap().push("take");
        Ok(Snapshot { name: "s".to_owned(), skipped: Vec::new() })
    }

    async fn changes(&self, _: &str, _: &str) -> Result<Vec<FileChange>> {
        Ok(Vec::new())
    }

    async fn diff(&self, _: &str, _: &str, _: usize) -> Result<String> {
        Ok(String::new())
    }

    async fn undo(&self, _: &Path, _: &str, _: &str) -> Result<Undone> {
        Ok(Undone::default())
    }

    async fn forget(&self, _: &SessionId) -> Result<()> {
        self.log.lock().unwrap().push("forget");
        Ok(())
    }
}

/// The same session, in a workspace of which note is taken.
async fn noting(tool: &Arc<OneTool>, notes: &Arc<Notes>) -> Home {
    let provider = ScriptedProvider::new("a");
    let models = ScriptedModels::new(std::slice::from_ref(&provider));
    let checkpoints: Option<Arc<dyn Checkpoints>> = Some(notes.clone());
    let hands = Hands { toolbox: Arc::new(Boxed(tool.clone())), checkpoints, ..Hands::none() };
    let workspace = Some("/w".into());
    let rules = TurnRules { approvals: Mode::Auto, workspace, ..rules() };
    Home::with_hands(provider, models, rules, hands).await
}

#[tokio::test(start_paused = true)]
async fn a_person_is_told_once_what_tools_are_missing_and_why() {
    let missing = |name: &str| (name.to_owned(), "no engine answers (start Docker)".to_owned());
    let tool = OneTool { missing: vec![missing("exec"), missing("process")], ..tool() };
    let mut home = home(&Arc::new(tool)).await;
    home.provider.otherwise(Script::answer("yes"));
    for _ in 0..2 {
        for text in ["one", "two"] {
            let turn = home.send(text).await.turn;
            assert_eq!(home.ended(&turn).await, Ending::Done);
        }
        home.restart();
    }
    let story = home.story();
    let told = "notice: not there in this session: exec, process: no engine answers (start Docker)";
    assert_eq!(story.matches(told).count(), 1, "{story}");
    assert_eq!(story.matches("notice").count(), 1, "{story}");
}

#[tokio::test(start_paused = true)]
async fn tools_know_whether_the_model_sees_pictures() {
    for sees in [true, false] {
        let tool = Arc::new(tool());
        let provider = ScriptedProvider::new("a");
        let models = ScriptedModels::default();
        models.add(&provider, ModelInfo { images: sees, ..model_info("a/model") });
        let hands = Hands { toolbox: Arc::new(Boxed(tool.clone())), ..Hands::none() };
        let rules = TurnRules { approvals: Mode::Auto, ..rules() };
        let home = Home::with_hands(provider, Arc::new(models), rules, hands).await;
        home.provider.push(Script::calls(&[("c1", "act", "{}")]));
        home.provider.push(Script::answer("done"));
        let turn = home.send("look").await.turn;
        assert_eq!(home.ended(&turn).await, Ending::Done);
        assert_eq!(tool.images.load(Ordering::Relaxed), sees);
    }
}

fn tool() -> OneTool {
    OneTool::new(Does::Start)
}

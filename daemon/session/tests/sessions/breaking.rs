//! Tools whose code breaks, and stores that break under calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use moltis_core::assistant::{Assistant as _, StopScope};
use moltis_core::event::{Ending, Event, EventKind, Origin};
use moltis_core::feed::From;
use moltis_core::id::OpId;
use moltis_core::policy::{Authorized, Mode};
use moltis_core::provider::ToolSpec;
use moltis_core::sandbox::{Mount, Network};
use moltis_core::session::{State, TurnRules};
use moltis_core::tool::{Action, Call, Class, Outcome, Output, Run, Scene, Tool, Toolbox};
use moltis_session::Hands;
use moltis_testkit::journal::Breakdown;
use moltis_testkit::provider::{Gate, Script, ScriptedModels, ScriptedProvider};
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
}

impl OneTool {
    pub(crate) fn new(does: Does) -> Self {
        let spec = ToolSpec {
            name: "act".to_owned(),
            description: "acts".to_owned(),
            parameters: json!({ "type": "object" }),
        };
        Self { spec, does, stops: AtomicU32::new(0), missing: Vec::new() }
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

    fn plan(&self, _arguments: &Value, _scene: &Scene) -> Result<Action, String> {
        match self.0.does {
            Does::BreakPlan => panic!("the plan is broken"),
            Does::BreakRun => Ok(Action::Inward),
            Does::Start | Does::Run(_) => Ok(Action::Run(Run {
                command: "serve".to_owned(),
                directory: String::new(),
                timeout: std::time::Duration::from_secs(60),
                network: Network::None,
                mount: Mount::ReadWrite,
            })),
        }
    }

    async fn run(&self, _call: Authorized<Call>, _scene: &Scene, _output: &dyn Output) -> Outcome {
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

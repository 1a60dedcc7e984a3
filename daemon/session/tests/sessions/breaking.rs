//! Tools whose code breaks, and stores that break under calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use moltis_core::event::{Ending, Origin};
use moltis_core::policy::{Authorized, Mode};
use moltis_core::provider::ToolSpec;
use moltis_core::sandbox::{Mount, Network};
use moltis_core::session::TurnRules;
use moltis_core::tool::{Action, Call, Class, Outcome, Output, Run, Scene, Tool, Toolbox};
use moltis_session::Hands;
use moltis_testkit::provider::{Gate, Script, ScriptedModels, ScriptedProvider};
use serde_json::{Value, json};

use crate::harness::{Home, rules};

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

//! The owner's secrets reach nobody through what tools give.

use std::sync::Arc;

use async_trait::async_trait;
use moltis_agent::redact::Redactor;
use moltis_core::assistant::{Assistant, StopScope};
use moltis_core::error::{Code, Error, Result};
use moltis_core::event::Ending;
use moltis_core::feed::From;
use moltis_core::hook::{Point, Say};
use moltis_core::id::OpId;
use moltis_core::policy::Mode;
use moltis_core::session::TurnRules;
use moltis_core::tool::Outcome;
use moltis_session::{Hands, Secrets};
use moltis_testkit::provider::{Gate, Script, ScriptedModels, ScriptedProvider};
use moltis_testkit::tools::ScriptedTools;
use serde_json::json;

use crate::acting::Scripted;
use crate::harness::{Home, View, owner, rules, soon};

const SECRET: &str = "sk-7Qx2Vb9Lm4Tz8wKc1Yh0";
const BASE64: &str = "c2stN1F4MlZiOUxtNFR6OHdLYzFZaDA";
const HEX: &str = "736b2d375178325662394c6d34547a38774b6331596830";

/// One secret, known or not, or not to be read.
struct One(Result<Redactor>);

#[async_trait]
impl Secrets for One {
    async fn learn(&self) -> Result<()> {
        self.0.as_ref().map(drop).map_err(Clone::clone)
    }

    fn redactor(&self) -> Redactor {
        self.0.clone().unwrap_or_else(|_| Redactor::none())
    }
}

fn known() -> One {
    One(Ok(Redactor::new([("TOKEN", SECRET)].into_iter())))
}

/// The counterpart: nothing is known, so everything gets through.
fn unknown() -> One {
    One(Ok(Redactor::none()))
}

struct Stage {
    home: Home,
    tools: Arc<ScriptedTools>,
    hooks: Arc<Scripted>,
}

impl Stage {
    async fn new(secrets: One, say: Option<(Point, Say)>) -> Self {
        let provider = ScriptedProvider::new("a");
        let models = ScriptedModels::new(std::slice::from_ref(&provider));
        let tools = ScriptedTools::new();
        let hooks = Arc::new(Scripted { say, ..Scripted::default() });
        let hands = Hands {
            toolbox: tools.clone(),
            hooks: hooks.clone(),
            secrets: Arc::new(secrets),
            ..Hands::none()
        };
        let rules = TurnRules { approvals: Mode::Auto, ..rules() };
        let home = Home::with_hands(provider, models, rules, hands).await;
        Self { home, tools, hooks }
    }

    /// A turn with one call of this tool, seen by someone who is there all the time.
    async fn turn(&self, tool: &str) -> View {
        self.home.provider.push(Script::calls(&[("c1", tool, r#"{"at":"a"}"#)]));
        self.home.provider.push(Script::answer("done"));
        let mut view = self.home.attach(From::Seq(0)).await;
        let turn = self.home.send("look").await.turn;
        assert_eq!(view.ended(&turn).await, Ending::Done);
        view
    }

    /// Who was told something.
    async fn heard(&self, painted: &str, what: &str) -> Vec<&'static str> {
        let journal = format!("{:?}", self.home.history().await);
        let hooks = format!("{:?}", self.hooks.told.lock().unwrap());
        let model = format!("{:?}", self.home.provider.requests());
        let places =
            [("paint", painted), ("journal", &journal), ("hooks", &hooks), ("model", &model)];
        places.into_iter().filter(|(_, text)| text.contains(what)).map(|(who, _)| who).collect()
    }
}

/// A call that prints this in two pieces and gives it: who heard a secret of it.
async fn who_hears(secrets: One, text: &str, cut: usize, secret: &str) -> Vec<&'static str> {
    let stage = Stage::new(secrets, None).await;
    let gate = Gate::closed();
    stage.tools.hold(&gate);
    stage.tools.print(&text[..cut]);
    stage.tools.print(&text[cut..]);
    // Printed after it, so that nothing is held back any more.
    stage.tools.print("\n--\n");
    stage.tools.give(Outcome::failed(format!("failed: {text}")));
    let mut view = stage.home.attach(From::Seq(0)).await;
    stage.home.provider.push(Script::calls(&[("c1", "look", r#"{"at":"a"}"#)]));
    stage.home.provider.push(Script::answer("done"));
    let turn = stage.home.send("look").await.turn;
    view.until(|view| view.growing.values().any(|text| text.contains("--"))).await;
    let painted: String = view.growing.values().cloned().collect();
    gate.open();
    assert_eq!(view.ended(&turn).await, Ending::Done);
    // What was seen live is what a late reader sees.
    let mut late = stage.home.attach(From::Seq(0)).await;
    late.ended(&turn).await;
    assert_eq!(late.events, view.events);
    stage.heard(&painted, secret).await
}

#[tokio::test(start_paused = true)]
async fn nobody_hears_a_secret_however_it_is_printed() {
    for form in [SECRET, BASE64, HEX] {
        let text = format!("token: {form}; more");
        for cut in 0..text.len() {
            let heard = who_hears(known(), &text, cut, form).await;
            assert!(heard.is_empty(), "{form} cut at {cut}: {heard:?}");
        }
        let heard = who_hears(known(), &text, 9, "token: [TOKEN]; more").await;
        assert_eq!(heard, ["paint", "journal", "hooks", "model"]);
    }
}

#[tokio::test(start_paused = true)]
async fn without_the_redactor_everybody_hears_it() {
    for form in [SECRET, BASE64, HEX] {
        let text = format!("token: {form}; more");
        let heard = who_hears(unknown(), &text, 9, form).await;
        assert_eq!(heard, ["paint", "journal", "hooks", "model"]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_hooks_make_of_a_result_shows_no_secret_either() {
    let changed = Say::GoOn(json!({ "result": format!("changed: {SECRET}") }));
    let blocked = Say::Block(format!("because of {SECRET}"));
    for say in [changed, blocked] {
        let say = Some((Point::ToolResultPersist, say));
        let stage = Stage::new(known(), say.clone()).await;
        stage.turn("look").await;
        assert!(stage.heard("", SECRET).await.is_empty());
        assert_eq!(stage.heard("", "[TOKEN]").await, ["journal", "hooks", "model"]);
        let stage = Stage::new(unknown(), say).await;
        stage.turn("look").await;
        assert_eq!(stage.heard("", SECRET).await, ["journal", "hooks", "model"]);
    }
}

#[tokio::test(start_paused = true)]
async fn why_a_call_is_not_made_shows_no_secret() {
    let say = Some((Point::BeforeToolCall, Say::Block(format!("{SECRET} is not for you"))));
    let stage = Stage::new(known(), say.clone()).await;
    stage.turn("look").await;
    assert!(stage.heard("", SECRET).await.is_empty());
    assert_eq!(stage.heard("", "[TOKEN] is not for you").await, ["journal", "hooks", "model"]);
    let stage = Stage::new(unknown(), say).await;
    stage.turn("look").await;
    assert_eq!(stage.heard("", SECRET).await, ["journal", "hooks", "model"]);
}

#[tokio::test(start_paused = true)]
async fn a_stop_in_the_middle_of_a_secret_keeps_nothing_of_it() {
    for (secrets, kept) in [(known(), ""), (unknown(), &SECRET[..20])] {
        let stage = Stage::new(secrets, None).await;
        stage.tools.hold(&Gate::closed());
        stage.tools.print("so far ");
        stage.tools.print(&SECRET[..20]);
        stage.home.provider.push(Script::calls(&[("c1", "change", r#"{"at":"a"}"#)]));
        stage.home.send("change").await;
        let mut view = stage.home.attach(From::Seq(0)).await;
        let wanted = format!("so far {kept}");
        view.until(|view| view.growing.values().any(|text| *text == wanted)).await;
        let (caller, op) = (owner(), OpId::from("stop"));
        let stop = stage.home.sessions.stop(&caller, op, &stage.home.session, StopScope::All);
        soon(stop).await.unwrap();
        let kept = format!("change cancelled: so far {kept}\n[stopped before it was done]");
        assert!(stage.home.story().contains(&kept), "{}", stage.home.story());
    }
}

#[tokio::test(start_paused = true)]
async fn no_tool_runs_while_the_secrets_can_not_be_read() {
    let error = Error::new(Code::Storage, "the vault's key is gone");
    let stage = Stage::new(One(Err(error)), None).await;
    stage.turn("look").await;
    assert_eq!(stage.tools.done(), Vec::<String>::new());
    assert_eq!(stage.heard("", "the vault's key is gone").await, ["journal", "hooks", "model"]);
    let stage = Stage::new(known(), None).await;
    stage.turn("look").await;
    assert_eq!(stage.tools.done(), ["look a"]);
}

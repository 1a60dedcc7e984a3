//! What the tests of the web's tools share: calls as a session makes them, against a server that
//! speaks as the real one does.

use std::sync::Arc;

use moltis_core::CallId;
use moltis_core::message::Part;
use moltis_core::policy::{Authorized, Grants, Label, Principal, Verdict, authorize};
use moltis_core::sandbox::{Mount, Network};
use moltis_core::tool::{Call, Outcome, Output, Scene, Tool};
use moltis_core::{SessionId, TurnId};
use moltis_net::web::{Options, Web};
use moltis_testkit::vendor::Vendor;
use serde_json::Value;

pub(crate) struct Silent;

impl Output for Silent {
    fn push(&self, _: &str) {}
}

pub(crate) fn scene() -> Scene {
    Scene {
        session: SessionId::from("s"),
        turn: TurnId::from("t"),
        agent: "main".to_owned(),
        workspace: None,
        mount: Mount::None,
        network: Network::None,
        hosts: Vec::new(),
        images: false,
    }
}

/// The web with this server opened.
pub(crate) fn web(server: &Vendor) -> Arc<Web> {
    let own = server.url().strip_prefix("http://").unwrap().to_owned();
    Arc::new(Web::new(&Options { allow: vec![own], ..Options::default() }).unwrap())
}

pub(crate) fn planned(tool: &dyn Tool, arguments: Value) -> Result<Call, String> {
    let action = tool.plan(&arguments, &scene())?;
    Ok(Call { id: CallId::from("c"), tool: tool.spec().name.clone(), arguments, action })
}

pub(crate) fn allowed(call: Call) -> Authorized<Call> {
    match authorize(Principal::Owner, call, Label::CLEAN, &Grants::default()) {
        Verdict::Allowed(call) => call,
        other => panic!("{other:?}"),
    }
}

/// Plans, is allowed, and runs.
pub(crate) async fn call(tool: &dyn Tool, arguments: Value) -> Outcome {
    let call = allowed(planned(tool, arguments).unwrap());
    tool.run(call, &scene(), &Silent).await
}

pub(crate) fn text(outcome: &Outcome) -> String {
    let [Part::Text(text)] = outcome.parts.as_slice() else { panic!("{outcome:?}") };
    text.clone()
}

/// A text without the port of the test's server.
pub(crate) fn without_port(text: &str, server: &Vendor) -> String {
    text.replace(server.url().rsplit(':').next().unwrap(), "PORT")
}

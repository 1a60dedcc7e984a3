use std::time::Duration;

use moltis_core::assistant::{Assistant, Caller, NewMessage, NewSession};
use moltis_core::event::{Cause, Origin};
use moltis_core::feed::From;
use moltis_core::id::{OpId, SessionId};
use moltis_core::message::Part;
use moltis_core::session::{Settings, Titles, TurnRules};
use moltis_testkit::env::ManualEnv;
use moltis_testkit::journal::MemoryJournal;
use moltis_testkit::provider::{Script, ScriptedModels, ScriptedProvider};

use super::{Sessions, id_of};
use crate::hands::Hands;

#[test]
fn a_command_makes_one_thing_and_what_it_makes_depends_on_what_it_is() {
    let op = OpId::from("op");
    assert_eq!(id_of("create", &op), id_of("create", &op));
    assert_ne!(id_of("create", &op), id_of("fork", &op));
    assert_ne!(id_of("create", &op), id_of("create", &OpId::from("other")));
    expect_test::expect!["7eaapnl76elfypqbo3y7"].assert_eq(id_of("create", &op).as_str());
}

fn owner() -> Caller {
    Caller { cause: Cause::Client("test".to_owned()), origin: Origin::Owner }
}

fn message(session: &SessionId, op: &str) -> NewMessage {
    NewMessage {
        op: OpId::from(op),
        session: session.clone(),
        parts: vec![Part::Text("hi".to_owned())],
        queue: None,
        model: None,
        sensitive: false,
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_session_goes_to_sleep_and_wakes_when_it_is_needed() {
    let provider = ScriptedProvider::new("a");
    provider.otherwise(Script::answer("yes"));
    let models = ScriptedModels::new(&[provider]);
    let rules = TurnRules { titles: Titles::Off, ..TurnRules::default() };
    let sessions =
        Sessions::new(MemoryJournal::new(), models, ManualEnv::new(), Hands::none(), rules);
    let (op, settings) = (OpId::from("create"), Settings::default());
    let new = NewSession { op, key: None, title: String::new(), settings };
    let session = sessions.create(&owner(), new).await.unwrap().id;
    assert_eq!(sessions.shared.awake(), 0);
    sessions.send(&owner(), message(&session, "one")).await.unwrap();
    assert_eq!(sessions.shared.awake(), 1);
    let feed = sessions.attach(&session, From::Seq(0)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert_eq!(sessions.shared.awake(), 1, "somebody reads it");
    drop(feed);
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert_eq!(sessions.shared.awake(), 0);
    sessions.send(&owner(), message(&session, "two")).await.unwrap();
    assert_eq!(sessions.shared.awake(), 1);
}

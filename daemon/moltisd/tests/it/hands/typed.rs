//! Commands that are typed: programs at the owner's own word in every sandbox, and clearing.

use std::fs;

use moltis_proto::v1;
use moltis_proto::v1::event::Kind;
use serde_json::json;
use tonic::Status;

use super::programs::{sandboxes, scene};
use super::{Scene, is_chat};
use crate::spine::{history, turn_end};

impl Scene {
    async fn typed(&self, op: &str, line: &str) -> Result<v1::CommandResponse, Status> {
        let request = v1::CommandRequest {
            op_id: op.to_owned(),
            session: self.session.clone(),
            line: line.to_owned(),
        };
        Ok(self.daemon.sessions().command(request).await?.into_inner())
    }

    /// Types a command that opens a turn, and waits for its end.
    async fn ran(&self, op: &str, line: &str) -> v1::TurnEnded {
        let turn = self.typed(op, line).await.unwrap().turn;
        turn_end(&self.daemon, &self.session, &turn).await
    }

    /// All that the vendor was told with the last request for an answer.
    fn asked_last(&self) -> String {
        let requests = self.vendor.requests();
        requests.iter().rfind(|asked| is_chat(asked)).unwrap().json()["messages"].to_string()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_at_the_owner_s_word_asks_no_model_and_can_be_undone() {
    for sandbox in sandboxes() {
        let scene = scene(&sandbox).await;
        let end = scene.ran("sh", "/sh echo heron $((6 * 7)); echo made >typed.txt").await;
        assert_eq!(end.ending(), v1::Ending::Done, "{sandbox:?}: {end:?}");
        assert!(!scene.vendor.requests().iter().any(is_chat), "{sandbox:?}");
        assert_eq!(scene.endings("exec").await, ["done"], "{sandbox:?}");
        let made = scene.workspace().join("typed.txt");
        assert_eq!(fs::read_to_string(&made).unwrap(), "made\n", "{sandbox:?}");
        assert!(scene.diff().await.text.contains("+made"), "{sandbox:?}");

        scene.turn("question").await;
        let asked = scene.asked_last();
        assert!(asked.contains("heron 42") && asked.contains("no words of theirs"), "{asked}");
        scene.undo("undo").await.unwrap();
        assert!(!made.exists(), "{sandbox:?}");
        assert_eq!(scene.daemon.stop().await, Some(0), "{sandbox:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_clear_the_vendor_is_told_nothing_of_before() {
    let scene = Scene::new(&[("SANDBOX__BACKEND", "none")]).await;
    scene.turn("heron").await;
    assert!(scene.asked_last().contains("heron"));
    assert_eq!(scene.ran("clear", "/clear").await.ending(), v1::Ending::Done);
    scene.turn("question").await;
    let asked = scene.asked_last();
    assert!(!asked.contains("heron") && asked.contains("question"), "{asked}");
    let events = history(&scene.daemon, &scene.session).await;
    assert!(format!("{events:?}").contains("heron"), "the log keeps it");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_command_is_answered_with_the_nearest_and_without_a_sandbox_the_reason() {
    let scene = Scene::new(&[("SANDBOX__BACKEND", "none")]).await;
    let commands = scene.daemon.sessions().commands(v1::CommandsRequest {}).await.unwrap();
    let commands = commands.into_inner().commands;
    assert!(commands.iter().any(|one| one.name == "sh" && one.argument == "COMMAND"));
    let refused = scene.typed("one", "/cleer").await.unwrap_err();
    assert!(refused.message().contains("/cleer"), "{refused:?}");
    let refused = scene.typed("two", "/sh ls").await.unwrap_err();
    assert!(refused.message().contains("programs can't run here"), "{refused:?}");
    assert!(scene.endings("exec").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_is_told_by_the_call_that_began_it_and_ends_with_its_parent() {
    let scene = Scene::new(&[("SANDBOX__BACKEND", "none")]).await;
    scene.vendor.calls(&[("spawn_agent", json!({ "task": "count the herons" }))]);
    assert_eq!(scene.turn("go").await.ending(), v1::Ending::Done);
    let list = scene.daemon.sessions().list(v1::ListSessionsRequest::default()).await.unwrap();
    let sessions = list.into_inner().sessions;
    let agent = sessions.iter().find(|one| one.spawned.is_some()).unwrap();
    let spawned = agent.spawned.clone().unwrap();
    let events = history(&scene.daemon, &scene.session).await;
    let begun = events.iter().find_map(|event| match &event.kind {
        Some(Kind::ToolStarted(started)) if started.tool == "spawn_agent" => {
            Some((event.session.clone(), event.turn.clone(), started.call.clone()))
        }
        _ => None,
    });
    assert_eq!(Some((spawned.parent, spawned.turn, spawned.call)), begun);
    assert_eq!((agent.open_turns.len(), agent.last_ending()), (0, v1::Ending::Done));
}

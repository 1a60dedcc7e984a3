//! Files of the workspace: changed, shown, undone; and what the tools weigh.

use std::fs;

use moltis_proto::v1;
use serde_json::json;

use super::{Scene, has_bubblewrap, is_chat};

#[tokio::test(flavor = "multi_thread")]
async fn what_a_model_does_to_files_is_told_it_and_shown_and_undone() {
    let scene = Scene::new(&[]).await;
    let workspace = scene.workspace();
    fs::write(workspace.join("kept.md"), "Mine.\n").unwrap();
    scene.vendor.calls(&[
        ("write", json!({"file_path": "birds.md", "content": "One heron.\n"})),
        ("write", json!({"file_path": "later.md", "content": "A stork.\n"})),
    ]);
    let edit = |file: &str, old: &str, new: &str| {
        ("edit", json!({"file_path": file, "old_string": old, "new_string": new}))
    };
    scene.vendor.calls(&[edit("birds.md", "One", "Two"), edit("kept.md", "Mine", "Yours")]);
    scene.vendor.calls(&[
        ("read", json!({"file_path": "birds.md"})),
        ("grep", json!({"pattern": "st.rk", "mode": "content"})),
    ]);
    let end = scene.turn("go").await;
    assert_eq!(end.ending(), v1::Ending::Done, "{end:?}");
    let told = scene.told();
    assert_eq!(told.len(), 6, "{told:?}");
    assert!(told[0].contains("made `birds.md`"), "{told:?}");
    assert!(told[2].contains("edited `birds.md`"), "{told:?}");
    assert!(told[4].contains("1\tTwo heron."), "{told:?}");
    assert!(told[5].contains("later.md") && told[5].contains("A stork."), "{told:?}");

    let diff = scene.diff().await;
    let mut paths: Vec<_> =
        diff.files.iter().map(|file| (file.path.as_str(), file.kind.as_str())).collect();
    paths.sort_unstable();
    let made = "created";
    assert_eq!(paths, [("birds.md", made), ("kept.md", "modified"), ("later.md", made)]);
    assert!(diff.text.contains("-Mine.\n+Yours."), "{}", diff.text);

    fs::write(workspace.join("later.md"), "A stork that I saw.\n").unwrap();
    let undone = scene.undo("undo").await.unwrap();
    assert_eq!(undone.kept.len(), 1, "{undone:?}");
    assert!(undone.kept[0].starts_with("later.md"), "{undone:?}");
    assert!(!workspace.join("birds.md").exists());
    assert_eq!(fs::read_to_string(workspace.join("kept.md")).unwrap(), "Mine.\n");
    let later = fs::read_to_string(workspace.join("later.md")).unwrap();
    assert_eq!(later, "A stork that I saw.\n", "what the person did is left alone");
    assert_eq!(scene.undo("undo").await.unwrap(), undone, "a retry is the same command");
    assert!(scene.undo("again").await.is_err(), "there is nothing more to undo");
}

/// Bytes of the request for "say hi", tools and all.
const MOST_FOR_HI: usize = 12 << 10;

#[tokio::test(flavor = "multi_thread")]
async fn all_tools_together_leave_a_greeting_small() {
    if !has_bubblewrap() {
        return;
    }
    let scene = Scene::new(&[("SANDBOX__BACKEND", "bubblewrap")]).await;
    let status = scene.daemon.sandbox().probe(v1::SandboxProbeRequest {}).await.unwrap();
    let status = status.into_inner();
    assert_eq!(status.backend, "bubblewrap", "{status:?}");
    scene.turn("hi").await;
    let requests = scene.vendor.requests();
    let hi = requests.iter().find(|asked| is_chat(asked)).unwrap();
    let document = hi.json();
    let tools = document["tools"].as_array().unwrap().iter();
    let names: Vec<&str> = tools.map(|tool| tool["function"]["name"].as_str().unwrap()).collect();
    eprintln!("\"say hi\" takes {} bytes with {} tools: {names:?}", hi.body.len(), names.len());
    for name in ["exec", "process", "read", "multi_edit", "grep", "web_search", "web_fetch"] {
        assert!(names.contains(&name), "{name} is not among {names:?}");
    }
    assert!(hi.body.len() < MOST_FOR_HI, "{} bytes", hi.body.len());
}

use std::fs;
use std::path::Path;

use expect_test::expect;
use moltis_core::context::{ContextFiles as _, SystemFragment, label_with};
use moltis_core::event::Origin;
use moltis_core::policy::Label;

use super::Files;

fn shown(fragments: &[SystemFragment]) -> String {
    let line = |one: &SystemFragment| {
        format!("{:?} {:?} {}: {}\n", one.kind, one.origin, one.name, one.text)
    };
    fragments.iter().map(line).collect()
}

fn agent(data: &Path) {
    let files = data.join("agents/main");
    fs::create_dir_all(&files).unwrap();
    fs::write(files.join("SOUL.md"), "Kind.").unwrap();
    fs::write(files.join("IDENTITY.md"), "Heron.").unwrap();
    fs::write(files.join("USER.md"), "Ada, in Bath.").unwrap();
}

#[tokio::test]
async fn an_agent_is_told_who_it_is_before_how_the_project_is_worked_on() {
    let place = tempfile::tempdir().unwrap();
    let (data, work) = (place.path().join("data"), place.path().join("work"));
    agent(&data);
    fs::create_dir(&work).unwrap();
    fs::write(work.join("AGENTS.md"), "Use tabs.").unwrap();
    let files = Files::new(data, None);
    let told = files.fragments("main", Some(&work)).await;
    expect![[r#"
        Identity Config IDENTITY.md: Heron.
        Soul Config SOUL.md: Kind.
        User Config USER.md: Ada, in Bath.
        Project Workspace AGENTS.md: Use tabs.
    "#]]
    .assert_eq(&shown(&told));
    assert!(
        label_with(Label::CLEAN, &told).is_tainted(),
        "a project's file may be anybody's words"
    );
    let own = files.fragments("main", None).await;
    assert_eq!(label_with(Label::CLEAN, &own), Label { taint: Origin::Config, sensitive: true });
    assert_eq!(files.fragments("other", None).await, []);
}

#[tokio::test]
async fn a_name_of_an_agent_is_no_path() {
    let place = tempfile::tempdir().unwrap();
    agent(place.path());
    fs::write(place.path().join("SOUL.md"), "Not an agent's.").unwrap();
    let files = Files::new(place.path().to_owned(), None);
    for name in ["", "..", "main/../..", "main/", "/", "."] {
        assert_eq!(files.fragments(name, None).await, [], "{name}");
    }
}

#[tokio::test]
async fn an_agents_files_inside_of_the_workspace_are_trusted_no_more_than_it() {
    let place = tempfile::tempdir().unwrap();
    agent(place.path());
    let files = Files::new(place.path().to_owned(), None);
    let told = files.fragments("main", Some(place.path())).await;
    assert!(told.iter().all(|one| one.origin == Origin::Workspace), "{told:?}");
}

#[tokio::test]
async fn a_change_is_told_at_once_and_nothing_else_changes_a_byte() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("AGENTS.md");
    fs::write(&file, "one").unwrap();
    let files = Files::new(place.path().join("data"), None);
    let first = files.fragments("main", Some(place.path())).await;
    fs::write(place.path().join("other.md"), "beside").unwrap();
    assert_eq!(files.fragments("main", Some(place.path())).await, first);
    // As long as before, and within the same tick of the file system's clock.
    fs::write(&file, "two").unwrap();
    let second = files.fragments("main", Some(place.path())).await;
    assert_eq!(second.first().map(|one| one.text.as_str()), Some("two"));
}

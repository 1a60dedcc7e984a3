//! Programs that go on.

use moltis_core::error::Code;

use super::*;

/// Whether tmux is here; its absence is said, and fails in CI.
fn no_tmux() -> bool {
    if super::super::program("tmux").is_some() {
        return false;
    }
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "CI must have tmux");
    eprintln!("skipped: tmux is not installed");
    true
}

/// Waits until the screen shows this.
async fn shows(rig: &Rig, place: &Place, name: &str, text: &str) -> String {
    let mut last = String::new();
    for _ in 0..500 {
        let (_, screen) = rig.backend.screen(place, name, 0).await.expect("a screen");
        if screen.contains(text) {
            return screen;
        }
        last = screen;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("`{text}` does not come: {last}");
}

#[tokio::test]
async fn a_program_goes_on_is_typed_into_and_ends() {
    let Some(rig) = Rig::new().await else { return };
    if no_tmux() {
        return;
    }
    let place = rig.place("test");
    let began = Instant::now();
    let asks =
        run("echo \"what's this: größe → 日本\"; read x; echo got-$x; stty size; read y; exit 5");
    rig.backend.start(&place, "ask", &asks).await.expect("it starts");
    eprintln!("start of a program took {:?}", began.elapsed());
    shows(&rig, &place, "ask", "what's this: größe → 日本").await;
    rig.backend.send_keys(&place, "ask", &run("a 'b' $c;"), false).await.expect("typed");
    rig.backend.send_keys(&place, "ask", &run("Enter"), true).await.expect("typed");
    let screen = shows(&rig, &place, "ask", "got-a 'b' $c;").await;
    assert!(!screen.contains("Pane is dead"), "{screen}");
    shows(&rig, &place, "ask", "40 120").await;
    let listed = rig.backend.processes(&place).await.expect("a list");
    assert_eq!(
        listed.iter().map(|p| (p.name.as_str(), p.exit)).collect::<Vec<_>>(),
        [("ask", None)]
    );
    rig.backend.send_keys(&place, "ask", &run("\n"), false).await.expect("typed");
    let mut exit = None;
    for _ in 0..500 {
        exit = rig.backend.processes(&place).await.expect("a list")[0].exit;
        if exit.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(exit, Some(5));
    let (process, screen) = rig.backend.screen(&place, "ask", 10).await.expect("it stays");
    assert_eq!((process.exit, process.command.as_str()), (Some(5), asks.command.as_str()));
    assert!(screen.contains("got-a"), "{screen}");
    rig.backend.kill(&place, "ask").await.expect("it ends");
    assert!(rig.backend.processes(&place).await.expect("a list").is_empty());
    assert_eq!(rig.backend.running(), 0);
}

#[tokio::test]
async fn a_program_that_goes_on_is_contained_and_stopped() {
    let Some(rig) = Rig::new().await else { return };
    if no_tmux() {
        return;
    }
    let place = rig.place("test");
    let look = "trap '' TERM HUP; ls -A /home /root; echo no >/usr/x; id -u; \
                (setsid sleep 72101 &); echo ready; sleep 72102";
    rig.backend.start(&place, "look", &run(look)).await.expect("it starts");
    let screen = shows(&rig, &place, "look", "ready").await;
    assert!(screen.contains("1000") && screen.contains("Read-only file system"), "{screen}");
    let twice = rig.backend.start(&place, "look", &run("true")).await.expect_err("it is there");
    assert_eq!(twice.code, Code::Conflict);
    let other = rig.place("other");
    let foreign = rig.backend.screen(&other, "look", 0).await.expect_err("it is another's");
    assert_eq!(foreign.code, Code::NotFound);
    rig.backend.stop(&place.session).await;
    assert!(processes_with("sleep 7210").is_empty(), "{:?}", processes_with("sleep 7210"));
    assert!(rig.backend.processes(&place).await.expect("a list").is_empty());
}

#[tokio::test]
async fn a_program_that_breaks_its_own_cage_harms_only_itself() {
    let Some(rig) = Rig::new().await else { return };
    if no_tmux() {
        return;
    }
    let place = rig.place("test");
    rig.backend.start(&place, "wild", &run("tmux -S /run/tmux kill-server")).await.ok();
    for _ in 0..500 {
        let listed = rig.backend.processes(&place).await.expect("a list");
        if listed.first().is_none_or(|wild| wild.exit.is_some()) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(rig.sh("echo fine").await.stdout, "fine\n");
    let names = ["", "a/b", "a b", "../x"];
    for name in names {
        assert!(rig.backend.start(&place, name, &run("true")).await.is_err(), "{name}");
    }
}

#[tokio::test]
async fn a_session_has_so_many_programs_and_no_more() {
    let Some(rig) = Rig::new().await else { return };
    if no_tmux() {
        return;
    }
    let place = rig.place("test");
    for number in 0..16 {
        let name = format!("p{number}");
        rig.backend.start(&place, &name, &run("sleep 72201")).await.expect("it starts");
    }
    let more = rig.backend.start(&place, "more", &run("true")).await.expect_err("too many");
    assert_eq!(more.code, Code::Busy);
    rig.backend.stop(&place.session).await;
    assert!(processes_with("sleep 72201").is_empty());
}

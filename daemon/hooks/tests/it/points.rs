//! Every event reaches its hooks: in order where they have a say, side by side where they have none.

use std::time::{Duration, Instant};

use moltis_core::hook::{HookAdmin, Hooks, Occasion, Point};
use serde_json::json;

use crate::home::{Home, info, occasion, say, shown, until, write};

#[tokio::test]
async fn every_one_of_the_events_is_called() {
    for point in Point::ALL {
        let mut home = Home::new();
        let command = "printf %s \"$MOLTIS_HOOK_EVENT\" > event; cat > told";
        let name = point.as_str();
        home.configure(&format!("name = 'it'\nevents = ['{name}']\ncommand = '''{command}'''"));
        let hookery = home.open();
        assert!(hookery.wants(point, None));
        assert_eq!(say(&hookery, point, json!({ "k": 1 })).await, r#"go on {"k":1}"#);
        assert!(hookery.finish(Duration::from_secs(60)).await);
        assert_eq!(home.text("config/event"), name);
        assert_eq!(home.text("config/told"), format!("{{\"event\":\"{name}\",\"k\":1}}\n"));
        // None of the others is told.
        for other in Point::ALL.into_iter().filter(|other| *other != point) {
            let built_in = [Point::GatewayStart, Point::Command].contains(&other);
            assert!(built_in || !hookery.wants(other, None), "{}", other.as_str());
        }
    }
}

#[tokio::test]
async fn made_up_facts_fit_every_event() {
    let mut home = Home::new();
    let all: Vec<&str> = Point::ALL.into_iter().map(Point::as_str).collect();
    home.configure(&format!("name = 'it'\nevents = {all:?}\ncommand = 'cat >/dev/null'"));
    let hookery = home.open();
    for point in Point::ALL {
        let test = hookery.test("it", None, point).await.unwrap();
        assert_eq!(test.verdict, "go on", "{}", point.as_str());
        assert!(test.input.contains(&format!("\"event\":\"{}\"", point.as_str())));
    }
}

#[tokio::test]
async fn hooks_with_a_say_run_by_priority_and_name_and_see_what_the_earlier_ones_changed() {
    let mut home = Home::new();
    let add = |letter: &str| {
        format!(
            r#"read -r told; c=${{told#*\"content\":\"}}; c=${{c%%\"*}};
               echo "{{\"action\":\"modify\",\"data\":{{\"content\":\"${{c}}{letter}\"}}}}""#
        )
    };
    for (name, priority) in [("b", 0), ("last", -5), ("a", 0), ("first", 10)] {
        let command = add(name);
        home.configure(&format!(
            "name = '{name}'\npriority = {priority}\nevents = ['MessageSending']\ncommand = '''{command}'''"
        ));
    }
    let hookery = home.open();
    let said = say(&hookery, Point::MessageSending, json!({ "content": "" })).await;
    assert_eq!(said, r#"go on {"content":"firstablast"}"#);
}

#[tokio::test]
async fn the_first_that_blocks_ends_it() {
    let mut home = Home::new();
    home.configure("name = 'a'\nevents = ['MessageReceived']\ncommand = 'echo no >&2; exit 1'");
    home.configure("name = 'b'\nevents = ['MessageReceived']\ncommand = 'touch ran'");
    let hookery = home.open();
    assert_eq!(say(&hookery, Point::MessageReceived, json!({})).await, "block: no");
    assert!(!home.path("config/ran").exists());
}

#[tokio::test]
async fn what_can_only_be_blocked_is_not_changed_and_what_may_be_is() {
    for point in Point::ALL.into_iter().filter(|point| point.has_a_say()) {
        let mut home = Home::new();
        let key = point.changeable().unwrap_or("k");
        let command = format!(r#"echo '{{"action":"modify","data":{{"{key}":2}}}}'"#);
        let name = point.as_str();
        home.configure(&format!(
            "name = 'it'\nevents = ['{name}']\ncommand = \"\"\"{command}\"\"\""
        ));
        let hookery = home.open();
        let said = say(&hookery, point, json!({ key: 1 })).await;
        let (value, failures) = if point.changeable().is_some() { (2, 0) } else { (1, 1) };
        assert_eq!(said, format!("go on {{\"{key}\":{value}}}"), "{name}");
        assert_eq!(info(&hookery, "it", None).await.failures, failures, "{name}");
    }
}

#[tokio::test]
async fn hooks_without_a_say_run_side_by_side_and_hold_nobody_up() {
    let mut home = Home::new();
    // Each waits for all of them: one after the other they would never end.
    let wait = "touch $MOLTIS_HOOK_NAME; while [ ! -e a ] || [ ! -e b ] || [ ! -e go ]; do sleep 0.02; done; touch done-$MOLTIS_HOOK_NAME";
    for name in ["a", "b"] {
        home.configure(&format!(
            "name = '{name}'\ntimeout = 100\nevents = ['AfterToolCall']\ncommand = '''{wait}'''"
        ));
    }
    let hookery = home.open();
    // They do not end before this side lets them, so a call that waited would never return.
    assert_eq!(say(&hookery, Point::AfterToolCall, json!({})).await, "go on {}");
    until("both run", || home.path("config/a").exists() && home.path("config/b").exists()).await;
    std::fs::write(home.path("config/go"), "").unwrap();
    assert!(hookery.finish(Duration::from_secs(60)).await);
    assert!(home.path("config/done-a").exists() && home.path("config/done-b").exists());
}

#[tokio::test]
async fn no_more_than_eight_are_told_at_once_and_all_are() {
    let mut home = Home::new();
    let command =
        r#"mkdir "$$.d"; ls -d *.d | wc -l >> most; sleep 0.05; rmdir "$$.d"; echo x >> all"#;
    home.configure(&format!(
        "name = 'it'\ntimeout = 100\nevents = ['AgentEnd']\ncommand = '''{command}'''"
    ));
    let hookery = home.open();
    for _ in 0..24 {
        hookery.call(occasion(Point::AgentEnd, json!({}))).await;
    }
    assert!(hookery.finish(Duration::from_secs(60)).await);
    assert_eq!(home.text("config/all").lines().count(), 24);
    let most = home.text("config/most");
    let most = most.lines().filter_map(|line| line.trim().parse::<u32>().ok()).max().unwrap();
    assert!((2..=8).contains(&most), "{most} at once");
}

#[tokio::test]
async fn more_tellings_than_may_wait_are_dropped_and_not_kept() {
    let mut home = Home::new();
    home.configure("name = 'it'\ntimeout = 100\nevents = ['AgentEnd']\ncommand = 'echo x >> all'");
    let hookery = home.open();
    // The runtime is this test's: no task runs before it awaits something that waits.
    hookery.reload().await.unwrap();
    for _ in 0..300 {
        let call = hookery.call(occasion(Point::AgentEnd, json!({})));
        assert_eq!(shown(call.await), "go on {}");
    }
    assert!(hookery.finish(Duration::from_secs(60)).await);
    assert_eq!(home.text("config/all").lines().count(), 128);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn nothing_that_is_being_told_outlives_the_daemon() {
    let mut home = Home::new();
    let command = "echo $$ > pid; sleep 1000";
    home.configure(&format!(
        "name = 'it'\ntimeout = 100\nevents = ['GatewayStop']\ncommand = '{command}'"
    ));
    let hookery = home.open();
    say(&hookery, Point::GatewayStop, json!({})).await;
    until("it runs", || home.text("config/pid").ends_with('\n')).await;
    let pid = home.text("config/pid").trim().to_owned();
    let start = Instant::now();
    assert!(!hookery.finish(Duration::from_millis(50)).await);
    drop(hookery);
    let stat = format!("/proc/{pid}/stat");
    let dead = || std::fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z"));
    until("it is dead", dead).await;
    assert!(start.elapsed() < Duration::from_secs(30));
}

#[tokio::test]
async fn a_workspaces_hooks_are_called_for_it_alone() {
    let home = Home::new();
    write(&home.work_hooks(), "it", "events = ['BeforeToolCall']", "exit 1");
    let hookery = home.open();
    hookery.enable("it", Some(home.workspace()), true).await.unwrap();
    let here = |workspace| Occasion { point: Point::BeforeToolCall, workspace, facts: json!({}) };
    let said = hookery.call(here(Some(home.workspace()))).await;
    assert_eq!(shown(said), "block: it gave no reason");
    assert_eq!(shown(hookery.call(here(None)).await), "go on {}");
    assert_eq!(shown(hookery.call(here(Some(home.path("data")))).await), "go on {}");
}

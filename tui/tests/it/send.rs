//! `moltis send` and `tail`.

use moltis_proto::v1::attach_response::Feed;
use moltis_proto::v1::part::Part as Inner;
use moltis_proto::v1::{Ending, QueueMode, Snapshot, TurnFailure};

use crate::fake::{
    Fake, SESSION, Script, Step, TURN, answered, asked, ended, give, paint, refusal, session,
};
use crate::run::{Home, end, interrupt, read_line, read_until};

fn whole() -> Vec<Step> {
    vec![
        give(asked(2, "hello")),
        paint("i1", 0, "Hel"),
        paint("i1", 3, "lo\u{1b}[31m"),
        give(answered(3, "i1", "Hello\u{1b}[31m you")),
        give(ended(4, Ending::Done, None)),
        Step::Silence,
    ]
}

fn playing(feeds: Vec<Vec<Step>>) -> (Home, Fake) {
    let home = Home::new();
    let fake = Fake::start(&home.socket(), Script { feeds: feeds.into(), ..Script::default() });
    (home, fake)
}

#[test]
fn send_prints_the_answer_and_nothing_else() {
    let (home, fake) = playing(vec![whole()]);
    let ran = home.run(&["send", "hello", "there"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
    // Not a terminal: the text is given as it is.
    assert_eq!(ran.stdout, "Hello\u{1b}[31m you\n");
    fake.heard(|heard| {
        assert_eq!(heard.sends.len(), 1);
        let send = &heard.sends[0];
        assert_eq!((send.session.as_str(), send.op_id.len()), (SESSION, 20));
        assert_eq!(send.parts[0].part, Some(Inner::Text("hello there".to_owned())));
        assert_eq!(heard.attaches[0].after_seq, Some(1));
    });
}

#[test]
fn json_gives_events_deltas_and_one_done_line_at_the_end() {
    let (home, _fake) = playing(vec![whole()]);
    let ran = home.run(&["send", "--json", "hello"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let lines = ran.lines();
    let types: Vec<&str> = lines.iter().map(|line| line["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["event", "delta", "delta", "event", "event", "done"]);
    assert_eq!(lines[0]["event"]["kind"], "user");
    assert_eq!((&lines[1]["offset"], &lines[1]["text"]), (&0.into(), &"Hel".into()));
    let done = lines.last().unwrap();
    assert_eq!((&done["state"], &done["turn"]), (&"done".into(), &TURN.into()));
    assert_eq!(done["text"], "Hello\u{1b}[31m you");
    assert_eq!(done["usage"]["input_tokens"], 3);
}

#[test]
fn a_failed_turn_exits_five_with_message_and_hint() {
    let failure = TurnFailure {
        kind: "auth".to_owned(),
        message: "the key was refused".to_owned(),
        hint: "moltis providers login fake".to_owned(),
    };
    let steps = vec![
        paint("i1", 0, "Par"),
        give(answered(3, "i1", "Par")),
        give(ended(4, Ending::Failed, Some(failure))),
    ];
    let (home, _fake) = playing(vec![steps.clone(), steps]);
    let ran = home.run(&["send", "hello"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (5, "Par\n"));
    assert_eq!(
        ran.stderr,
        "moltis: cannot get an answer: the key was refused\nhint: moltis providers login fake\n"
    );
    let ran = home.run(&["send", "--json", "hello"]);
    assert_eq!(ran.code, 5);
    let lines = ran.lines();
    let done = lines.last().unwrap();
    assert_eq!((&done["type"], &done["state"]), (&"done".into(), &"failed".into()));
    assert_eq!(done["error"]["message"], "the key was refused");
}

#[test]
fn without_a_provider_the_error_says_what_mends_it() {
    let home = Home::new();
    let refused = refusal("not_configured", "no provider is set up", "moltis models pull tiny");
    let script = Script { refusal: Some(refused), ..Script::default() };
    let _fake = Fake::start(&home.socket(), script);
    let ran = home.run(&["send", "--json", "hello"]);
    assert_eq!(ran.code, 1);
    assert_eq!(ran.json()["error"]["code"], "not_configured");
    assert_eq!(
        ran.stderr,
        "moltis: cannot get an answer: no provider is set up\nhint: moltis models pull tiny\n"
    );
}

#[test]
fn a_broken_feed_goes_on_where_it_was() {
    let first = vec![give(asked(2, "hello")), paint("i1", 0, "Hel"), Step::Break];
    let second = vec![
        paint("i1", 0, "Hello"),
        give(answered(3, "i1", "Hello you")),
        give(ended(4, Ending::Done, None)),
    ];
    let (home, fake) = playing(vec![first, second]);
    let ran = home.run(&["send", "hello"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "Hello you\n"), "{ran:?}");
    fake.heard(|heard| {
        assert_eq!(heard.sends.len(), 1);
        let from: Vec<_> = heard.attaches.iter().map(|attach| attach.after_seq).collect();
        assert_eq!(from, [Some(1), Some(2)]);
    });
}

#[test]
fn a_restarted_daemon_is_found_again() {
    let home = Home::new();
    let first = vec![give(asked(2, "hello")), paint("i1", 0, "Hel"), Step::Silence];
    let script = Script { feeds: vec![first].into(), ..Script::default() };
    let fake = Fake::start(&home.socket(), script);
    let mut child = home.command(&["--no-autostart", "send", "hello"]).spawn().unwrap();
    assert_eq!(read_until(&mut child, "Hel"), "Hel");
    drop(fake);
    let second = vec![give(answered(3, "i1", "Hel")), give(ended(4, Ending::Interrupted, None))];
    let script = Script { feeds: vec![second].into(), ..Script::default() };
    let _fake = Fake::start(&home.socket(), script);
    let ran = end(child);
    assert_eq!(ran.code, 5, "{ran:?}");
    assert_eq!(ran.stdout, "\n");
    assert!(ran.stderr.contains("interrupted"), "{ran:?}");
}

#[test]
fn a_send_that_broke_off_is_sent_again_with_the_same_op_id() {
    let home = Home::new();
    let script = Script { broken_sends: 2, feeds: vec![whole()].into(), ..Script::default() };
    let fake = Fake::start(&home.socket(), script);
    let ran = home.run(&["send", "hello"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    fake.heard(|heard| {
        assert_eq!(heard.sends.len(), 3);
        assert!(heard.sends.iter().all(|send| *send == heard.sends[0]));
    });
}

#[test]
fn ctrl_c_stops_the_turn_and_waits_for_its_end() {
    let steps = vec![
        paint("i1", 0, "Hel"),
        Step::WaitForStop,
        give(answered(3, "i1", "Hel")),
        give(ended(4, Ending::Cancelled, None)),
    ];
    let (home, fake) = playing(vec![steps]);
    let mut child = home.command(&["send", "hello"]).spawn().unwrap();
    read_until(&mut child, "Hel");
    interrupt(&child);
    let ran = end(child);
    assert_eq!((ran.code, ran.stdout.as_str()), (5, "\n"));
    assert_eq!(ran.stderr, "moltis: cannot get an answer: the turn was stopped\n");
    fake.heard(|heard| {
        assert_eq!(heard.stops.len(), 1);
        assert_eq!(heard.stops[0].turn, TURN);
    });
}

#[test]
fn a_second_ctrl_c_leaves() {
    let steps = vec![paint("i1", 0, "Hel"), Step::WaitForStop, paint("i1", 3, "lo"), Step::Silence];
    let (home, _fake) = playing(vec![steps]);
    let mut child = home.command(&["send", "hello"]).spawn().unwrap();
    read_until(&mut child, "Hel");
    interrupt(&child);
    read_until(&mut child, "lo");
    interrupt(&child);
    assert_eq!(end(child).code, 5);
}

#[test]
fn detached_prints_the_ids_and_follows_nothing() {
    let (home, fake) = playing(Vec::new());
    let ran = home.run(&["send", "--detach", "--queue", "steer", "-m", "a/b", "hello"]);
    assert_eq!((ran.code, ran.stdout), (0, format!("{SESSION} {TURN}\n")));
    let ran = home.run(&["send", "--detach", "--json", "hello"]);
    assert_eq!(ran.json()["turn"], TURN);
    fake.heard(|heard| {
        assert_eq!(heard.attaches.len(), 0);
        assert_eq!(heard.sends[0].queue(), QueueMode::Steer);
        assert_eq!(heard.sends[0].model, "a/b");
    });
}

#[test]
fn standard_input_and_files_are_part_of_the_message() {
    let (home, fake) = playing(Vec::new());
    let file = home.dir.path().join("notes.txt");
    std::fs::write(&file, "a note\n").unwrap();
    let file = file.to_str().unwrap();
    assert_eq!(home.run_with(&["send", "--detach"], "piped\n").code, 0);
    assert_eq!(home.run_with(&["send", "--detach", "look:", "-"], "piped").code, 0);
    assert_eq!(home.run(&["send", "--detach", "look", "-f", file]).code, 0);
    let ran = home.run(&["send", "--detach"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    fake.heard(|heard| {
        let said: Vec<Vec<_>> = heard
            .sends
            .iter()
            .map(|send| send.parts.iter().map(|part| part.part.clone().unwrap()).collect())
            .collect();
        let text = |text: &str| Inner::Text(text.to_owned());
        assert_eq!(said[0], [text("piped")]);
        assert_eq!(said[1], [text("look:\n\npiped")]);
        assert_eq!(said[2], [text("look"), text("notes.txt:\n```txt\na note\n```\n")]);
    });
}

#[test]
fn new_makes_a_session_of_its_own() {
    let (home, fake) = playing(vec![whole()]);
    let ran = home.run(&["send", "--new", "hello"]);
    assert_eq!(ran.stderr, format!("moltis: session {SESSION}\n"));
    fake.heard(|heard| assert_eq!(heard.creates.len(), 1));
}

#[test]
fn tail_follows_from_a_seq_until_the_session_is_gone() {
    let steps = vec![give(asked(2, "hello\nyou")), paint("i1", 0, "Hel"), Step::Break];
    let rest = vec![
        give(asked(2, "again")),
        give(answered(3, "i1", "Hello")),
        give(ended(4, Ending::Done, None)),
    ];
    let (home, fake) = playing(vec![steps, rest]);
    let ran = home.run(&["tail", "main", "--from", "2"]);
    assert_eq!(ran.code, 1);
    assert_eq!(ran.stdout, "> hello\n> you\nHello\n");
    assert_eq!(ran.stderr, "moltis: cannot follow the session: the session is gone\n");
    fake.heard(|heard| {
        let from: Vec<_> = heard.attaches.iter().map(|attach| attach.after_seq).collect();
        assert_eq!(from, [Some(1), Some(2), Some(4)]);
    });
}

#[test]
fn a_second_snapshot_leaves_no_gap() {
    let later = Snapshot { session: Some(session()), first_seq: 5 };
    let steps = vec![
        give(asked(2, "two")),
        Step::Give(Box::new(Feed::Snapshot(later))),
        give(asked(5, "five")),
        Step::Break,
    ];
    let home = Home::new();
    let history = vec![asked(1, "one"), asked(2, "two"), asked(3, "three"), asked(4, "four")];
    let script = Script { feeds: vec![steps].into(), history, ..Script::default() };
    let _fake = Fake::start(&home.socket(), script);
    let ran = home.run(&["tail", "main", "--from", "2"]);
    assert_eq!(ran.stdout, "> two\n> three\n> four\n> five\n", "{ran:?}");
}

#[test]
fn tail_as_json_is_a_line_for_each_thing_at_once() {
    let steps = vec![give(asked(5, "hello")), paint("i1", 0, "Hel"), Step::Silence];
    let home = Home::new();
    let script =
        Script { feeds: vec![steps].into(), sessions: vec![session()], ..Script::default() };
    let _fake = Fake::start(&home.socket(), script);
    let mut child = home.command(&["tail", "main", "--json"]).spawn().unwrap();
    let first: serde_json::Value = serde_json::from_str(&read_line(&mut child)).unwrap();
    assert_eq!((&first["type"], &first["seq"]), (&"event".into(), &5.into()));
    let second: serde_json::Value = serde_json::from_str(&read_line(&mut child)).unwrap();
    assert_eq!((&second["type"], &second["text"]), (&"delta".into(), &"Hel".into()));
    child.kill().unwrap();
    child.wait().unwrap();
}

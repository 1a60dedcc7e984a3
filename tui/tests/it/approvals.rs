//! Questions whether calls may be made: listed, answered, and what `send` does with them.

use std::process::Stdio;

use moltis_proto::v1::attach_response::Feed;
use moltis_proto::v1::event::Kind;
use moltis_proto::v1::{
    Approval, ApprovalAnswered, ApprovalAsked, Ending, Session, Snapshot, ToolFinished, ToolStarted,
};
use serde_json::json;

use crate::fake::{
    Fake, SESSION, Script, Step, TURN, answered, asked, ended, event, give, session,
};
use crate::played::Screen;
use crate::run::Home;

const DIGEST: &str = "00112233445566778899aabbccddeeff";

fn question(id: &str) -> Approval {
    Approval {
        id: id.to_owned(),
        session: SESSION.to_owned(),
        turn: TURN.to_owned(),
        tool: "exec".to_owned(),
        arguments: r#"{"command":"rm -r build"}"#.to_owned(),
        subject: "rm -r build".to_owned(),
        reason: "no pattern allows it".to_owned(),
        digest: DIGEST.to_owned(),
        pattern: "exec: rm".to_owned(),
        ..Approval::default()
    }
}

fn asks(seq: u64, id: &str) -> Step {
    give(event(
        seq,
        Kind::ApprovalAsked(ApprovalAsked { approval: id.to_owned(), ..ApprovalAsked::default() }),
    ))
}

fn playing(script: Script) -> (Home, Fake) {
    let home = Home::new();
    let fake = Fake::start(&home.socket(), script);
    (home, fake)
}

fn waiting(ids: &[&str]) -> Script {
    let approvals = ids.iter().map(|id| question(id)).collect();
    Script { approvals, ..Script::default() }
}

#[test]
fn what_waits_is_listed_and_nothing_says_so() {
    let (home, _fake) = playing(waiting(&["01aa", "01ab"]));
    let ran = home.run(&["approvals"]);
    assert!(
        ran.stdout.contains("rm -r build") && ran.stdout.contains("0011223344556677"),
        "{ran:?}"
    );
    let ran = home.run(&["approvals", "main", "--json"]);
    assert_eq!(ran.json()[1]["id"], "01ab");
    assert_eq!(ran.json()[0]["digest"], DIGEST);
    drop(_fake);
    let _fake = Fake::start(&home.socket(), Script::default());
    let ran = home.run(&["approvals"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, "moltis: nothing waits for an answer\n"));
    assert_eq!(home.run(&["approvals", "--json"]).json(), json!([]));
}

#[test]
fn an_approval_shows_all_of_it_and_echoes_the_digest() {
    let (home, fake) = playing(waiting(&["01aa", "01bb"]));
    let ran = home.run(&["approve", "01a", "--reason", "it is mine"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "allowed: exec rm -r build\n"), "{ran:?}");
    assert!(ran.stderr.contains("\"command\": \"rm -r build\""), "{ran:?}");
    assert!(ran.stderr.contains("no pattern allows it\n"), "{ran:?}");
    fake.heard(|heard| {
        let answer = &heard.answers[0];
        assert!(answer.allow);
        assert_eq!((answer.approval.as_str(), answer.digest.as_str()), ("01aa", DIGEST));
        assert_eq!((answer.reach.as_str(), answer.reason.as_str()), ("once", "it is mine"));
        assert_eq!((answer.session.as_str(), answer.op_id.len()), (SESSION, 20));
    });
    let ran = home.run(&["approve", "01bb", "--always", "--json"]);
    assert_eq!((&ran.json()["allowed"], &ran.json()["reach"]), (&json!(true), &json!("always")));
    assert_eq!(ran.json()["pattern"], "exec: rm");
    assert_eq!(home.run(&["approve", "x", "--always", "--session"]).code, 2);
}

#[test]
fn a_beginning_that_fits_several_or_none_answers_nothing() {
    let (home, fake) = playing(waiting(&["01aa", "01ab"]));
    let ran = home.run(&["approve", "01"]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.stderr.contains("several questions begin with `01`\nhint: moltis approvals"),
        "{ran:?}"
    );
    let ran = home.run(&["deny", "02", "--json"]);
    assert_eq!((ran.code, &ran.json()["error"]["code"]), (1, &json!("not_found")));
    fake.heard(|heard| assert!(heard.answers.is_empty()));
}

#[test]
fn with_a_digest_only_the_question_that_was_seen_is_answered() {
    let (home, fake) = playing(waiting(&["01aa"]));
    let ran = home.run(&["approve", "01aa", "--digest", "00112233445f"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("another question: its digest begins with 0011223344556677"));
    // Too short to mean one question.
    assert_eq!(home.run(&["approve", "01aa", "--digest", "0011"]).code, 2);
    fake.heard(|heard| assert!(heard.answers.is_empty()));
    let ran = home.run(&["approve", "01aa", "--digest", "001122334455"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    fake.heard(|heard| assert_eq!(heard.answers[0].digest, DIGEST));
}

#[test]
fn a_denial_needs_no_consent_and_carries_its_reason() {
    let (home, fake) = playing(waiting(&["01aa"]));
    let ran = home.run(&["deny", "01aa", "--reason", "not today"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "denied: exec rm -r build\n"));
    fake.heard(|heard| {
        assert!(!heard.answers[0].allow);
        assert_eq!(heard.answers[0].reason, "not today");
    });
}

#[test]
fn on_a_terminal_an_approval_is_asked_once_more() {
    let (home, fake) = playing(waiting(&["01aa"]));
    let mut screen = Screen::start(&home, &["approve", "01aa"]);
    let shown = screen.wait_for("Approve? [y/N] ");
    assert!(shown.contains("rm -r build"), "{shown}");
    screen.keys("\n");
    let (code, shown) = screen.end();
    assert_eq!(code, 1, "{shown}");
    fake.heard(|heard| assert!(heard.answers.is_empty()));
    let mut screen = Screen::start(&home, &["approve", "01aa"]);
    screen.wait_for("Approve? [y/N] ");
    screen.keys("y\n");
    assert_eq!(screen.end().0, 0);
    fake.heard(|heard| assert_eq!(heard.answers.len(), 1));
}

#[test]
fn a_script_is_not_left_hanging_when_its_turn_waits() {
    let feed = || vec![give(asked(2, "hello")), asks(3, "01aa"), Step::Silence];
    let script = Script { feeds: vec![feed(), feed()].into(), ..waiting(&["01aa"]) };
    let (home, fake) = playing(script);
    let ran = home.run(&["send", "hello"]);
    assert_eq!(ran.code, 4, "{ran:?}");
    assert_eq!(
        ran.stderr,
        "moltis: cannot get an answer: the turn waits for an approval: exec rm -r build\n\
         hint: moltis approve 01aa --digest 0011223344556677\n"
    );
    let ran = home.run(&["send", "--json", "hello"]);
    assert_eq!(ran.code, 4);
    let lines = ran.lines();
    let done = lines.last().unwrap();
    assert_eq!((&done["type"], &done["state"]), (&json!("done"), &json!("waiting")));
    assert_eq!((&done["approvals"][0]["id"], &done["turn"]), (&json!("01aa"), &json!(TURN)));
    assert_eq!(done["error"]["code"], "waiting");
    // The turn goes on waiting: it is neither stopped nor answered.
    fake.heard(|heard| assert!(heard.stops.is_empty() && heard.answers.is_empty()));
}

#[test]
fn a_turn_behind_one_that_waits_is_no_reason_to_hang_either() {
    let pending = vec![question("01aa")];
    let snapshot =
        Snapshot { session: Some(Session { pending, ..session() }), ..Snapshot::default() };
    let feed = vec![Step::Give(Box::new(Feed::Snapshot(snapshot))), Step::Silence];
    let (home, _fake) = playing(Script { feeds: vec![feed].into(), ..Script::default() });
    let ran = home.run(&["send", "hello"]);
    assert_eq!(ran.code, 4, "{ran:?}");
    assert!(ran.stderr.contains("moltis approve 01aa"), "{ran:?}");
}

#[test]
fn a_question_that_has_its_answer_holds_nobody_up() {
    let feed = vec![
        asks(3, "01aa"),
        give(event(
            4,
            Kind::ApprovalAnswered(ApprovalAnswered {
                approval: "01aa".to_owned(),
                allowed: true,
                ..ApprovalAnswered::default()
            }),
        )),
        give(answered(5, "i1", "done")),
        give(ended(6, Ending::Done, None)),
    ];
    // Nothing waits any more when it is looked for.
    let (home, _fake) = playing(Script { feeds: vec![feed].into(), ..Script::default() });
    let ran = home.run(&["send", "hello"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "done\n"), "{ran:?}");
}

#[test]
fn a_person_at_a_terminal_is_asked_right_there() {
    let call = ToolStarted {
        call: "c".to_owned(),
        tool: "exec".to_owned(),
        arguments: r#"{"command":"rm -r build"}"#.to_owned(),
        ..ToolStarted::default()
    };
    let result = ToolFinished {
        call: "c".to_owned(),
        tool: "exec".to_owned(),
        ending: "done".to_owned(),
        ..ToolFinished::default()
    };
    let feed = vec![
        give(asked(2, "hello")),
        asks(3, "01aa"),
        Step::WaitForAnswer,
        give(event(4, Kind::ToolStarted(call))),
        give(event(5, Kind::ToolFinished(result))),
        give(answered(6, "i1", "It is gone.")),
        give(ended(7, Ending::Done, None)),
    ];
    let (home, fake) = playing(Script { feeds: vec![feed].into(), ..waiting(&["01aa"]) });
    let mut screen = Screen::start(&home, &["send", "hello"]);
    let shown = screen.wait_for("(n)o: ");
    assert!(shown.contains("\"command\": \"rm -r build\""), "{shown}");
    assert!(shown.contains("(s)ession, (a)lways"), "{shown}");
    // No word that means something: it asks again.
    screen.keys("perhaps\n");
    screen.wait_for("(n)o: ");
    screen.keys("s\n");
    let (code, shown) = screen.end();
    assert_eq!(code, 0, "{shown}");
    assert!(
        shown.contains("[exec rm -r build]\n[exec rm -r build: done]\nIt is gone.\n"),
        "{shown}"
    );
    fake.heard(|heard| {
        assert_eq!(
            (heard.answers[0].digest.as_str(), heard.answers[0].reach.as_str()),
            (DIGEST, "session")
        );
    });
}

#[test]
fn what_was_typed_before_a_question_was_shown_does_not_answer_it() {
    let feed = vec![
        give(asked(2, "hello")),
        give(answered(3, "i0", "Just a moment.")),
        Step::WaitForStop,
        asks(4, "01aa"),
        Step::WaitForAnswer,
        give(ended(5, Ending::Done, None)),
    ];
    let (home, fake) = playing(Script { feeds: vec![feed].into(), ..waiting(&["01aa"]) });
    let mut screen = Screen::start(&home, &["send", "hello"]);
    screen.wait_for("Just a moment.");
    screen.keys("a\n");
    // The echo says that the line is there to be read.
    screen.wait_for("a\r\n");
    assert_eq!(home.run(&["stop", "main"]).code, 0);
    screen.wait_for("(n)o: ");
    screen.keys("n\n");
    assert_eq!(screen.end().0, 0);
    fake.heard(|heard| {
        assert_eq!(heard.answers.len(), 1);
        assert!(!heard.answers[0].allow);
    });
}

#[test]
fn an_answer_from_elsewhere_is_told_and_the_turn_goes_on() {
    let feed = vec![
        give(asked(2, "hello")),
        asks(3, "01aa"),
        Step::WaitForAnswer,
        give(event(
            4,
            Kind::ApprovalAnswered(ApprovalAnswered {
                approval: "01aa".to_owned(),
                allowed: true,
                ..ApprovalAnswered::default()
            }),
        )),
        give(answered(5, "i1", "It is gone.")),
        give(ended(6, Ending::Done, None)),
    ];
    let (home, fake) = playing(Script { feeds: vec![feed].into(), ..waiting(&["01aa"]) });
    let mut screen = Screen::start(&home, &["send", "hello"]);
    screen.wait_for("(n)o: ");
    assert_eq!(home.run(&["approve", "01aa"]).code, 0);
    let (code, shown) = screen.end();
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("allowed elsewhere"), "{shown}");
    fake.heard(|heard| assert_eq!(heard.answers.len(), 1));
}

#[test]
fn input_that_is_no_terminal_is_nobody_to_ask() {
    let feed = vec![asks(3, "01aa"), Step::Silence];
    let (home, fake) = playing(Script { feeds: vec![feed].into(), ..waiting(&["01aa"]) });
    // `yes | moltis send` approves nothing.
    let mut child = home.command(&["send", "hello"]).stdin(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(child.stdin.as_mut().unwrap(), b"y\ny\n").unwrap();
    let ran = crate::run::end(child);
    assert_eq!(ran.code, 4, "{ran:?}");
    fake.heard(|heard| assert!(heard.answers.is_empty()));
}

#[test]
fn a_script_reads_the_answer_and_hears_of_calls_beside_it() {
    let call = ToolStarted {
        call: "c".to_owned(),
        tool: "exec".to_owned(),
        arguments: r#"{"command":"ls"}"#.to_owned(),
        ..ToolStarted::default()
    };
    let result = ToolFinished {
        call: "c".to_owned(),
        tool: "exec".to_owned(),
        ending: "done".to_owned(),
        ..ToolFinished::default()
    };
    let feed = vec![
        give(event(3, Kind::ToolStarted(call))),
        give(event(4, Kind::ToolFinished(result))),
        give(answered(5, "i1", "Two files.")),
        give(ended(6, Ending::Done, None)),
    ];
    let (home, _fake) = playing(Script { feeds: vec![feed].into(), ..Script::default() });
    let ran = home.run(&["send", "hello"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "Two files.\n"), "{ran:?}");
    assert_eq!(ran.stderr, "moltis: exec ls: done\n");
}

//! Answering questions: on purpose, to what was shown, and never by accident.

use moltis_proto::v1::{self, Ending, event::Kind as Fact};

use super::fixture::{Chat, at, call_of, session, trouble};
use super::*;

/// A chat in which a command waits for a yes.
fn asked() -> Chat {
    let mut chat = Chat::open(80, 24);
    chat.person("Publish it.");
    chat.answers(vec![call_of("a", "exec", r#"{"command":"git push"}"#)]);
    chat.asks("a", "exec", "git push", "");
    chat
}

fn answers(chat: &Chat) -> Vec<v1::AnswerRequest> {
    let one = |cmd: &Cmd| match cmd {
        Cmd::Answer(request) => Some((**request).clone()),
        _ => None,
    };
    chat.asked.iter().filter_map(one).collect()
}

fn toast(chat: &Chat) -> &str {
    chat.model.toast.as_ref().map_or("", |toast| toast.text.as_str())
}

fn has_keys(chat: &Chat) -> bool {
    matches!(chat.model.mode, Mode::Card)
}

#[test]
fn who_is_typing_when_a_question_comes_goes_on_typing() {
    let mut chat = Chat::open(80, 24);
    chat.person("Publish it.").types("say ");
    chat.answers(vec![call_of("a", "exec", "{}")]).asks("a", "exec", "git push", "");
    chat.after(10_000).types("yes, and a new line");
    chat.press("Tab");
    assert_eq!(chat.model.composer.text(), "say yes, and a new line");
    assert!(answers(&chat).is_empty() && !has_keys(&chat));
}

#[test]
fn letters_in_an_empty_composer_answer_nothing() {
    let mut chat = asked();
    chat.after(10_000).types("ysanr");
    assert!(answers(&chat).is_empty());
    assert_eq!(chat.model.composer.text(), "ysanr");
}

#[test]
fn a_question_that_came_up_just_now_takes_no_answer() {
    let mut chat = asked();
    chat.press("Tab y n");
    assert!(answers(&chat).is_empty());
    assert_eq!(toast(&chat), "it came up just now: press it again");
    // The same key gets through when there was time to read.
    chat.after(400).press("y");
    assert_eq!(answers(&chat).len(), 1);
}

#[test]
fn an_answer_echoes_the_digest_of_what_was_shown() {
    for (key, allow, reach) in
        [("y", true, "once"), ("s", true, "session"), ("a", true, "always"), ("n", false, "once")]
    {
        let mut chat = asked();
        chat.after(400).press("C-x a");
        chat.press(key);
        let sent = answers(&chat).remove(0);
        assert_eq!((sent.allow, sent.reach.as_str()), (allow, reach), "{key}");
        assert_eq!((sent.digest.as_str(), sent.approval.as_str()), ("digest-a", "q-a"));
        assert_eq!(sent.session, "s1");
        chat.press(key);
        assert_eq!(answers(&chat).len(), 1, "one answer at a time");
    }
}

#[test]
fn what_does_not_fit_is_read_to_its_end_before_a_yes_but_not_before_a_no() {
    let long = |chat: &mut Chat| {
        let command = format!("echo {}", "x".repeat(9_000));
        chat.person("go").answers(vec![call_of("a", "exec", "{}")]);
        chat.asks("a", "exec", &command, "").after(400).press("C-x a");
    };
    let mut chat = Chat::open(40, 12);
    long(&mut chat);
    chat.press("y");
    assert!(answers(&chat).is_empty());
    chat.press("n");
    assert_eq!(answers(&chat).len(), 1);
    let mut chat = Chat::open(40, 12);
    long(&mut chat);
    chat.press("End Home y");
    assert_eq!(answers(&chat).len(), 1, "it was read to its end");
    let mut chat = Chat::open(20, 5);
    long(&mut chat);
    chat.press("PageDown y");
    assert!(answers(&chat).is_empty());
}

#[test]
fn another_width_is_read_anew() {
    let mut chat = asked();
    chat.after(400).press("C-x a");
    assert!(chat.model.card.seen);
    chat.resize(20, 5);
    assert!(!chat.model.card.seen);
}

#[test]
fn a_call_that_nothing_covers_is_allowed_only_once() {
    let mut chat = asked();
    chat.model.session.as_mut().unwrap().pending[0].pattern.clear();
    chat.after(400).press("C-x a");
    chat.press("s a");
    assert!(answers(&chat).is_empty());
    chat.press("y");
    assert_eq!(answers(&chat)[0].reach, "once");
}

#[test]
fn after_an_answer_the_next_question_has_the_keys_and_its_own_time() {
    let mut chat = asked();
    chat.asks("b", "exec", "make", "").after(400).press("Tab");
    chat.press("y");
    chat.answered("a", true, "once", "tui");
    assert!(has_keys(&chat));
    assert_eq!(chat.model.question().unwrap().1.id, "q-b");
    chat.press("y");
    assert_eq!(answers(&chat).len(), 1, "the second press was meant for the first question");
    chat.after(400).press("y");
    assert_eq!(answers(&chat)[1].digest, "digest-b");
    chat.answered("b", true, "once", "tui");
    assert!(!has_keys(&chat) && chat.model.question().is_none());
}

#[test]
fn an_answer_from_elsewhere_takes_the_keys_away_and_is_told() {
    let mut chat = asked();
    chat.asks("b", "exec", "make", "").after(400).press("Tab");
    chat.answered("a", true, "session", "telegram");
    assert_eq!(toast(&chat), "answered by telegram: allowed for this session");
    chat.after(400).types("y");
    assert!(answers(&chat).is_empty() && !has_keys(&chat));
    assert_eq!(chat.model.question().unwrap().1.id, "q-b");
    let grants = &chat.model.session.as_ref().unwrap().grants;
    assert_eq!(grants[0].pattern, "exec: git");
}

#[test]
fn an_answer_that_was_not_taken_is_told_and_nothing_is_lost() {
    let mut chat = asked();
    chat.after(400).press("Tab r").len();
    chat.types("not to main").press("Enter");
    let sent = answers(&chat).remove(0);
    assert_eq!((sent.allow, sent.reason.as_str()), (false, "not to main"));
    let result = Err(trouble("unavailable", "the daemon is restarting"));
    chat.reply(Reply::Answered { op: sent.op_id, result });
    assert_eq!(toast(&chat), "not answered: the daemon is restarting");
    chat.press("Enter");
    assert_eq!(answers(&chat)[1].reason, "not to main");
}

#[test]
fn without_a_connection_nothing_is_answered() {
    let mut chat = asked();
    chat.after(400).press("Tab");
    chat.lose().press("y");
    assert!(answers(&chat).is_empty());
    assert_eq!(toast(&chat), "not connected: nothing was answered");
}

#[test]
fn an_answer_that_went_down_with_the_connection_can_be_given_again() {
    let mut chat = asked();
    chat.after(400).press("Tab y").len();
    chat.lose().say(Said::Up { build: String::new() }).press("y");
    let answers = answers(&chat);
    assert_eq!(answers.len(), 2);
    assert_eq!(answers[0].digest, answers[1].digest);
}

#[test]
fn esc_puts_a_question_off_and_does_not_stop_the_turn() {
    let mut chat = asked();
    chat.after(400).press("Tab Esc Esc");
    assert!(!chat.asked.iter().any(|cmd| matches!(cmd, Cmd::Stop { .. })));
    assert!(chat.model.card.collapsed && !has_keys(&chat));
    // Later it does.
    chat.after(2_000).press("Esc");
    assert!(chat.asked.iter().any(|cmd| matches!(cmd, Cmd::Stop { .. })));
    chat.press("C-x a");
    assert!(!chat.model.card.collapsed && has_keys(&chat));
}

#[test]
fn what_is_pasted_answers_nothing() {
    let mut chat = asked();
    chat.after(400).press("Tab");
    chat.paste("y").paste("yes\n");
    assert!(answers(&chat).is_empty());
    assert!(chat.model.composer.is_empty());
}

#[test]
fn a_question_goes_with_its_turn() {
    let mut chat = asked();
    chat.after(400).press("Tab");
    chat.ends(Ending::Cancelled);
    assert!(!has_keys(&chat) && chat.model.pending().is_empty());
}

#[test]
fn a_question_calls_whoever_looks_elsewhere_once() {
    let mut chat = Chat::open(80, 24);
    chat.person("go").answers(vec![call_of("a", "exec", "{}")]);
    chat.say(Said::Focus(false)).asks("a", "exec", "make", "");
    assert_eq!(chat.cmds, [Cmd::Ring]);
    chat.say(Said::Focus(true)).asks("b", "exec", "make", "");
    assert!(!chat.cmds.contains(&Cmd::Ring));
}

#[test]
fn who_waits_for_a_person_does_not_spin() {
    let mut chat = asked();
    assert_eq!(status(&chat.model).sign.text, "waiting for you");
    assert!(next_wake(&chat.model).is_some_and(|ms| ms > 900 || ms == 1_000));
    // Another call of the same answer is at work meanwhile.
    chat.begins("b", "exec", "{}");
    assert!(status(&chat.model).sign.text.starts_with("running"));
}

#[test]
fn the_list_leads_to_a_question_in_whatever_session() {
    let mut chat = asked();
    let mut entries = chat.model.pending().to_vec();
    entries.push(v1::Approval { id: "q9".into(), session: "s9".into(), ..entries[0].clone() });
    chat.press("C-x i");
    chat.reply(Reply::Approvals(Ok(entries.clone()))).press("Enter");
    assert!(has_keys(&chat));
    chat.press("Esc");
    chat.after(2_000).send("/approvals");
    chat.reply(Reply::Approvals(Ok(entries))).press("Down Enter");
    assert_eq!(chat.model.session_id(), Some("s9"));
}

#[test]
fn a_question_from_before_the_client_was_there_is_shown() {
    let mut chat = Chat::starting(80, 24);
    chat.session.pending = vec![v1::Approval {
        id: "q1".into(),
        tool: "exec".into(),
        subject: "make".into(),
        digest: "d".into(),
        expires_at: Some(at(0)),
        ..v1::Approval::default()
    }];
    chat.attach(1).caught_up();
    chat.after(400).press("Tab y");
    assert_eq!(answers(&chat)[0].digest, "d");
}

/// The settings that a command asks for.
fn configured(cmds: &[Cmd]) -> v1::Settings {
    let one = |cmd: &Cmd| match cmd {
        Cmd::Configure { settings, .. } => Some(settings.clone()),
        _ => None,
    };
    cmds.iter().find_map(one).unwrap_or_else(|| panic!("nothing is configured: {cmds:?}"))
}

#[test]
fn a_setting_is_changed_and_the_others_are_kept() {
    let mut chat = Chat::open(80, 24);
    let before = v1::Settings {
        model: "openai/gpt-5".into(),
        mount: "ro".into(),
        ..v1::Settings::default()
    };
    chat.model.session.as_mut().unwrap().settings = Some(before.clone());
    let expected = |change: fn(&mut v1::Settings)| {
        let mut settings = before.clone();
        change(&mut settings);
        settings
    };
    let cases: [(&str, fn(&mut v1::Settings)); 8] = [
        ("/mode on-miss", |settings| settings.approvals = "on-miss".into()),
        ("/workspace /home/me/a b", |settings| settings.workspace = "/home/me/a b".into()),
        ("/workspace worktree", |settings| settings.tree = "own".into()),
        ("/workspace worktree /a b", |settings| {
            (settings.tree, settings.workspace) = ("own".into(), "/a b".into());
        }),
        ("/workspace shared", |settings| settings.tree = "shared".into()),
        ("/sandbox network listed", |settings| settings.network = "listed".into()),
        ("/sandbox mount rw network none", |settings| {
            (settings.mount, settings.network) = ("rw".into(), "none".into());
        }),
        ("/sandbox mount default", |settings| settings.mount.clear()),
    ];
    for (line, change) in cases {
        assert_eq!(configured(&chat.send(line)), expected(change), "{line}");
    }
}

#[test]
fn a_setting_without_a_word_is_told_and_a_wrong_one_is_refused() {
    let mut chat = Chat::open(80, 24);
    for (line, said) in [
        ("/mode", "approvals: as configured (of ask, on-miss, auto, default)"),
        ("/mode yolo", "no mode yolo: ask, on-miss, auto or default"),
        ("/workspace", "workspace: as configured"),
        ("/sandbox", "sandbox: network as configured, mount as configured"),
        ("/sandbox open", "/sandbox network none|listed|open or mount none|ro|rw"),
        ("/revoke", "nothing is allowed for this session"),
    ] {
        let cmds = chat.send(line);
        assert!(!cmds.iter().any(|cmd| matches!(cmd, Cmd::Configure { .. })), "{line}");
        assert_eq!(toast(&chat), said, "{line}");
    }
}

#[test]
fn what_was_allowed_is_listed_and_taken_back() {
    let mut chat = asked();
    chat.answered("a", true, "session", "web");
    chat.send("/revoke");
    assert_eq!(toast(&chat), "allowed for this session: exec: git");
    let cmds = chat.send("/revoke exec: git");
    let is_it = |cmd: &Cmd| matches!(cmd, Cmd::Revoke { pattern, .. } if pattern == "exec: git");
    assert!(cmds.iter().any(is_it));
    chat.fact(Fact::GrantRevoked(v1::GrantRevoked { pattern: "exec: git".into() }));
    assert!(chat.model.session.as_ref().unwrap().grants.is_empty());
}

#[test]
fn undoing_is_asked_first_from_a_key_and_tells_what_it_left_alone() {
    let mut chat = Chat::open(80, 24);
    assert!(matches!(chat.send("/undo").as_slice(), [.., Cmd::Undo { .. }]));
    assert!(chat.press("C-x t").is_empty());
    assert!(matches!(chat.press("y").as_slice(), [Cmd::Undo { .. }]));
    let file = v1::FileChange { path: "a".into(), kind: "modified".into() };
    let kept = vec!["b".into()];
    let undone = v1::UndoResponse { turn: "t".into(), files: vec![file], kept };
    chat.reply(Reply::Undone(Ok(undone)));
    assert_eq!(toast(&chat), "undone: 1 file; 1 file left alone, changed since");
}

#[test]
fn a_diff_for_a_session_that_was_left_is_not_shown_in_another() {
    let mut chat = Chat::open(80, 24);
    chat.send("/diff");
    let diff = |text: &str| Ok(v1::DiffResponse { text: text.into(), ..Default::default() });
    chat.reply(Reply::Diff { session: "s2".into(), result: diff("+theirs") });
    chat.reply(Reply::Diff { session: "s1".into(), result: diff("+ours") });
    let Some(Overlay::Pager(pager)) = chat.model.overlays.last() else { panic!("no pager") };
    assert_eq!(pager.rows[0].text(), "+ours");
    chat.press("Esc");
    chat.send("/diff");
    let result = Err(trouble("not_found", "no turn changed anything"));
    chat.reply(Reply::Diff { session: session("s1", "").id, result });
    assert!(chat.model.overlays.is_empty());
    assert_eq!(toast(&chat), "no changes to show: no turn changed anything");
}

use expect_test::expect;

use super::*;

fn question() -> Approval {
    Approval {
        id: "01approval".to_owned(),
        tool: "exec".to_owned(),
        subject: "rm -r build".to_owned(),
        arguments: r#"{"command":"rm -r build\u202e # txt","timeout":5}"#.to_owned(),
        reason: "no pattern allows it".to_owned(),
        digest: "0123456789abcdef0123".to_owned(),
        pattern: "exec: rm".to_owned(),
        tainted: true,
        ..Approval::default()
    }
}

#[test]
fn a_person_is_shown_all_that_is_approved_and_nothing_is_hidden_in_it() {
    expect![[r#"
        exec rm -r build
          no pattern allows it
          others than you had a say in what is asked
            {
              "command": "rm -r build\u{202e} # txt",
              "timeout": 5
            }
          calls like it: exec: rm
          and with it whatever that program can be made to do inside the sandbox
          digest 0123456789abcdef
    "#]]
    .assert_eq(&text(&question()));
    // The same text without that care: a terminal would show it turned around.
    assert!(!crate::widget::SafeText::clean("build\u{202e} # txt").contains("202e"));
}

#[test]
fn a_digest_means_one_question_and_no_other() {
    let question = question();
    let check = |digest: &str| check_digest(&question, digest).map_err(|failure| failure.code);
    assert_eq!(check("0123456789AB"), Ok(()));
    assert_eq!(check(&question.digest), Ok(()));
    assert_eq!(check("0123456789ac"), Err("conflict".to_owned()));
    assert_eq!(check(&format!("{}0", question.digest)), Err("conflict".to_owned()));
    // Too short to mean anything, or no digest at all.
    assert_eq!(check("0123456789a"), Err("usage".to_owned()));
    assert_eq!(check(""), Err("usage".to_owned()));
    assert_eq!(check("not a digest!"), Err("usage".to_owned()));
}

#[test]
fn only_a_clear_word_is_an_answer() {
    let parse = |line| Choice::parse(line, true);
    assert_eq!(parse("Y\n"), Some(Choice::Once));
    assert_eq!(parse("session"), Some(Choice::Session));
    assert_eq!(parse("a"), Some(Choice::Always));
    assert_eq!(parse(" no "), Some(Choice::No));
    for line in ["", "\n", "yy", "ok", "1"] {
        assert_eq!(parse(line), None, "{line:?}");
    }
    // Nothing would cover calls like it: there is nothing more to allow.
    assert_eq!(Choice::parse("a", false), None);
}

#[test]
fn what_waits_is_named_with_the_command_that_answers_it() {
    let failure = unanswered(&[question()]);
    assert_eq!(failure.exit, 4);
    assert_eq!(failure.message, "the turn waits for an approval: exec rm -r build");
    let hint = "moltis approve 01approval --digest 0123456789abcdef";
    assert_eq!(failure.hint.as_deref(), Some(hint));
    let failure = unanswered(&[question(), question()]);
    assert_eq!(failure.hint.as_deref(), Some("moltis approvals"));
}

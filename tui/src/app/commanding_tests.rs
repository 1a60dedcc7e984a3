use moltis_proto::v1;

use crate::app::fixture::{Chat, session, trouble};
use crate::app::slash::{Parsed, parse};
use crate::app::{Cmd, Link, Overlay, Reply, Trouble};
use crate::widget::Line;

fn info(name: &str, argument: &str, help: &str) -> v1::CommandInfo {
    v1::CommandInfo { name: name.into(), argument: argument.into(), help: help.into() }
}

fn open() -> Chat {
    let mut chat = Chat::open(80, 24);
    let clear = info("clear", "", "the model is told nothing of what was before");
    chat.reply(Reply::Commands(vec![clear, info("sh", "COMMAND", "run a program")]));
    chat
}

/// The name and the line of the command that the daemon is to do.
fn commanded(cmds: &[Cmd]) -> Option<(String, String)> {
    cmds.iter().find_map(|cmd| match cmd {
        Cmd::Command { op, line, .. } => Some((op.clone(), line.clone())),
        _ => None,
    })
}

fn toast(chat: &Chat) -> &str {
    chat.model.toast.as_ref().map_or("", |toast| toast.text.as_str())
}

#[test]
fn a_command_that_only_the_daemon_knows_is_done_by_it() {
    let mut chat = open();
    let (op, line) = commanded(&chat.send("/clear")).unwrap();
    assert_eq!((line.as_str(), chat.model.composer.text()), ("/clear", ""));
    let result = Ok(v1::CommandResponse { text: "cleared".into(), ..Default::default() });
    chat.reply(Reply::Commanded { op, result });
    assert_eq!(toast(&chat), "cleared");
}

#[test]
fn an_unknown_command_comes_back_with_the_nearest_name() {
    let mut chat = open();
    let (op, _) = commanded(&chat.send("/cleer it all")).unwrap();
    let hint = "did you mean `/clear`?".to_owned();
    let refused = Trouble { hint, ..trouble("not_found", "there is no command `/cleer`") };
    chat.types("meanwhile").reply(Reply::Commanded { op, result: Err(refused) });
    assert!(chat.model.composer.text().starts_with("/cleer it all"));
    assert!(chat.model.composer.text().ends_with("meanwhile"));
    let toast = chat.model.toast.clone().unwrap();
    assert_eq!(toast.text.as_str(), "there is no command `/cleer`");
    assert_eq!(toast.hint.as_str(), "did you mean `/clear`?");
}

#[test]
fn without_a_connection_a_command_stays_where_it_is_written() {
    let mut chat = open();
    chat.lose();
    assert!(matches!(chat.model.link, Link::Down { .. }));
    assert_eq!(commanded(&chat.send("/clear")), None);
    assert_eq!(chat.model.composer.text(), "/clear");
}

#[test]
fn an_older_daemon_says_so_and_the_text_is_kept() {
    let mut chat = Chat::open(80, 24);
    let (op, _) = commanded(&chat.send("/clear")).unwrap();
    let result = Err(trouble("version_mismatch", "the running daemon does not know this"));
    chat.reply(Reply::Commanded { op, result });
    assert_eq!(chat.model.composer.text(), "/clear");
    assert!(toast(&chat).starts_with("this daemon knows no such commands"), "{}", toast(&chat));
    chat.press("C-u");
    chat.send("/sh on");
    assert!(!chat.model.shell);
}

#[test]
fn a_text_of_several_lines_is_read_in_a_pane() {
    let mut chat = open();
    let (op, _) = commanded(&chat.send("/agent")).unwrap();
    let text = format!("{}end\nthis session's model works as: none", "reviewer ".repeat(10));
    let result = Ok(v1::CommandResponse { text, ..Default::default() });
    chat.reply(Reply::Commanded { op, result });
    let Some(Overlay::Pager(pager)) = chat.model.overlays.last() else {
        panic!("there is no pane")
    };
    let texts = |line: &Line| line.spans.iter().map(|span| span.text.as_str()).collect::<String>();
    let rows: Vec<String> = pager.rows.iter().map(texts).collect();
    // Between words.
    assert_eq!(rows.len(), 3, "{rows:?}");
    assert!(rows[0].trim_end().ends_with("reviewer") && rows[1].ends_with("end"), "{rows:?}");
}

#[test]
fn a_session_that_a_command_made_is_gone_to() {
    let mut chat = open();
    let (op, _) = commanded(&chat.send("/branch")).unwrap();
    let made = session("s2", "").id;
    let result = Ok(v1::CommandResponse { session: made, ..Default::default() });
    chat.reply(Reply::Commanded { op, result });
    assert_eq!(chat.model.session_id(), Some("s2"));
}

#[test]
fn in_command_mode_every_line_is_a_program_until_it_is_off() {
    let mut chat = open();
    assert_eq!(commanded(&chat.send("/sh on")), None);
    assert!(chat.model.shell);
    let (_, line) = commanded(&chat.send("ls -la")).unwrap();
    assert_eq!(line, "/sh ls -la");
    let (_, line) = commanded(&chat.send("/bin/true")).unwrap();
    assert_eq!(line, "/sh /bin/true");
    assert_eq!(commanded(&chat.send("/sh off")), None);
    assert!(chat.send("hello").iter().any(|cmd| matches!(cmd, Cmd::Send { .. })));
    let (_, line) = commanded(&chat.send("/sh make")).unwrap();
    assert_eq!(line, "/sh make");
}

#[test]
fn help_of_one_command_is_a_line_or_asked_of_the_daemon() {
    let mut chat = open();
    assert_eq!(commanded(&chat.send("/help /title")), None);
    assert_eq!(toast(&chat), "/title [TITLE] · rename this session");
    let (_, line) = commanded(&chat.send("/help sh")).unwrap();
    assert_eq!(line, "/help sh");
}

#[test]
fn what_the_daemon_knows_is_completed_as_well() {
    let mut chat = open();
    chat.types("/cl").press("Tab");
    assert_eq!(chat.model.composer.text(), "/clear");
    assert_eq!(parse("/clear"), Parsed::Other("clear"));
}

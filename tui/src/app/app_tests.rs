//! What a person notices, key by key.

use moltis_proto::v1::{self, event::Kind as Fact};

use super::fixture::{Chat, answer, models, session, trouble, user, user_of, words};
use super::*;

/// The command that sends a message, if there is one among these: its name and its text.
fn sent(cmds: &[Cmd]) -> Vec<(String, String)> {
    let send = |cmd: &Cmd| match cmd {
        Cmd::Send { op, text, .. } => Some((op.clone(), text.clone())),
        _ => None,
    };
    cmds.iter().filter_map(send).collect()
}

fn toast(chat: &Chat) -> &str {
    chat.model.toast.as_ref().map_or("", |toast| toast.text.as_str())
}

fn draft(chat: &Chat) -> String {
    chat.model.composer.expanded()
}

fn sending(chat: &Chat) -> Vec<&str> {
    chat.model.sending_here().map(|sending| sending.text.as_str()).collect()
}

#[test]
fn a_sent_message_is_shown_at_once_and_the_composer_is_empty() {
    let mut chat = Chat::open(80, 24);
    let cmds = chat.send("hello");
    let sends = sent(&cmds);
    assert_eq!(sends.len(), 1);
    assert_eq!(sends[0].1, "hello");
    assert!(cmds.contains(&Cmd::Remember("hello".into())));
    assert_eq!((draft(&chat).as_str(), sending(&chat)), ("", vec!["hello"]));
    let op = sends[0].0.clone();
    chat.reply(Reply::Sent { op: op.clone(), result: Ok(()) });
    assert_eq!(sending(&chat), ["hello"], "it stays until its event comes");
    chat.fact(user_of(&op, "hello"));
    assert!(sending(&chat).is_empty());
    assert_eq!(chat.model.transcript.blocks().len(), 1);
}

#[test]
fn an_empty_message_is_not_sent() {
    let mut chat = Chat::open(80, 24);
    assert!(chat.send("  ").is_empty());
}

#[test]
fn a_message_that_could_not_be_sent_comes_back_before_the_new_draft() {
    let mut chat = Chat::open(80, 24);
    let op = sent(&chat.send("important"))[0].0.clone();
    chat.reply(Reply::Sent { op, result: Err(trouble("invalid", "too long")) });
    assert_eq!(draft(&chat), "important");
    assert_eq!(toast(&chat), "not sent: too long");
    let op = sent(&chat.press("Enter"))[0].0.clone();
    chat.types("next thought");
    chat.reply(Reply::Sent { op, result: Err(trouble("invalid", "too long")) });
    assert_eq!(draft(&chat), "important\n\nnext thought");
    assert!(sending(&chat).is_empty());
}

#[test]
fn a_message_that_failed_elsewhere_goes_back_to_the_draft_of_its_session() {
    let mut chat = Chat::open(80, 24);
    let op = sent(&chat.send("for Prague"))[0].0.clone();
    go_to(&mut chat, "s2");
    chat.types("for Brno");
    chat.reply(Reply::Sent { op, result: Err(trouble("invalid", "no")) });
    assert_eq!(draft(&chat), "for Brno");
    go_to(&mut chat, "s1");
    assert_eq!(draft(&chat), "for Prague");
}

#[test]
fn what_is_sent_while_the_connection_is_gone_goes_out_when_it_is_back() {
    let mut chat = Chat::open(80, 24);
    chat.lose();
    assert!(sent(&chat.send("hello")).is_empty());
    assert_eq!(sending(&chat), ["hello"]);
    chat.types("a draft");
    chat.say(Said::Up { build: "1.0.1".into() });
    assert_eq!(sent(&chat.cmds)[0].1, "hello");
    assert_eq!(draft(&chat), "a draft");
    assert_eq!(toast(&chat), "connected again");
}

#[test]
fn a_message_without_an_answer_is_sent_again_under_the_same_name() {
    let mut chat = Chat::open(80, 24);
    let first = sent(&chat.send("hello"));
    let (op, lost) = (first[0].0.clone(), trouble("unavailable", "gone"));
    chat.reply(Reply::Sent { op, result: Err(lost) }).lose();
    chat.say(Said::Up { build: String::new() });
    assert_eq!(sent(&chat.cmds), first);
}

/// Opens a session from the list, as if there were these two.
fn go_to(chat: &mut Chat, id: &str) {
    chat.press("C-x l");
    let all = vec![session("s1", "Trip to Prague"), session("s2", "Brno")];
    chat.reply(Reply::Sessions(Ok(all)));
    chat.press("C-Home");
    if id == "s2" {
        chat.press("Down");
    }
    chat.press("Enter");
    chat.session = session(id, "");
}

#[test]
fn a_draft_stays_with_its_session() {
    let mut chat = Chat::open(80, 24);
    chat.types("for Prague");
    go_to(&mut chat, "s2");
    let epoch = chat.model.epoch;
    assert!(chat.cmds.contains(&Cmd::Attach { epoch, target: Target::Id("s2".into()) }));
    assert_eq!(draft(&chat), "");
    chat.types("for Brno");
    go_to(&mut chat, "s1");
    assert_eq!(draft(&chat), "for Prague");
    go_to(&mut chat, "s2");
    assert_eq!(draft(&chat), "for Brno");
}

#[test]
fn a_message_on_its_way_is_shown_only_in_its_session() {
    let mut chat = Chat::open(80, 24);
    let op = sent(&chat.send("for Prague"))[0].0.clone();
    go_to(&mut chat, "s2");
    assert!(sending(&chat).is_empty());
    go_to(&mut chat, "s1");
    assert_eq!(sending(&chat), ["for Prague"]);
    chat.reply(Reply::Sent { op, result: Ok(()) });
    go_to(&mut chat, "s2");
    go_to(&mut chat, "s1");
    assert!(sending(&chat).is_empty(), "it is on disk: the transcript has it");
}

#[test]
fn what_belongs_to_the_session_before_is_ignored() {
    let mut chat = Chat::open(80, 24);
    let old = chat.model.epoch;
    go_to(&mut chat, "s2");
    chat.attach(1).caught_up();
    let event = v1::Event { seq: 1, kind: Some(user("late")), ..v1::Event::default() };
    let feed = Box::new(v1::attach_response::Feed::Event(event));
    chat.say(Said::Fed { epoch: old, feed });
    chat.say(Said::Lost { epoch: old, trouble: trouble("not_found", "gone") });
    chat.reply(Reply::Page { epoch: old, result: Ok(vec![v1::Event::default()]) });
    let other = Box::new(session("s9", "stale"));
    chat.say(Said::Opened { epoch: old, session: other });
    assert!(chat.model.transcript.blocks().is_empty());
    assert_eq!(chat.model.session_id(), Some("s2"));
}

#[test]
fn a_session_that_is_gone_leads_to_main() {
    let mut chat = Chat::open(80, 24);
    chat.types("a draft");
    let epoch = chat.model.epoch;
    chat.say(Said::Lost { epoch, trouble: trouble("not_found", "deleted") });
    let target = Target::Name("main".into());
    assert!(chat.cmds.contains(&Cmd::Attach { epoch: epoch + 1, target }));
    assert_eq!(draft(&chat), "a draft");
}

#[test]
fn esc_stops_the_answer_and_a_second_one_drops_the_queue() {
    let mut chat = Chat::open(80, 24);
    assert!(chat.press("Esc").is_empty(), "nothing runs");
    chat.person("go").waits("t9", "then this");
    let stop = |all| Cmd::Stop { session: "s1".into(), all, turn: String::new() };
    assert_eq!(chat.press("Esc"), [stop(false)]);
    assert_eq!(chat.press("Esc"), [stop(true)]);
    chat.after(2_000);
    assert_eq!(chat.press("Esc"), [stop(false)], "too late for the second of a pair");
}

#[test]
fn the_last_waiting_message_can_be_taken_back() {
    let mut chat = Chat::open(80, 24);
    chat.person("go").waits("t8", "one").waits("t9", "two");
    let cmds = chat.press("A-Up");
    assert_eq!(cmds, [Cmd::Stop { session: "s1".into(), all: false, turn: "t9".into() }]);
    assert_eq!(draft(&chat), "two");
    assert!(chat.press("A-Up").is_empty(), "what is written is not lost");
}

#[test]
fn c_c_clears_then_detaches_and_what_was_cleared_can_be_had_back() {
    let mut chat = Chat::open(80, 24);
    chat.types("a draft");
    assert!(chat.press("C-c").is_empty());
    assert_eq!(draft(&chat), "");
    chat.press("C-_");
    assert_eq!(draft(&chat), "a draft");
    chat.press("C-c");
    assert_eq!(chat.press("C-c"), [Cmd::Quit]);
    chat.after(5_000);
    assert!(chat.press("C-c").is_empty(), "alone it only says what a second one does");
    assert_eq!(chat.press("C-d"), [Cmd::Quit]);
}

#[test]
fn earlier_messages_come_with_the_arrows_and_are_found_with_c_r() {
    let mut chat = Chat::open(80, 24);
    chat.say(Said::History(vec!["one".into(), "two words".into()]));
    chat.send("three");
    chat.types("draft").press("Up Up");
    assert_eq!(draft(&chat), "two words");
    chat.press("Down Down");
    assert_eq!(draft(&chat), "draft");
    chat.press("C-r");
    chat.types("wor").press("Esc");
    assert_eq!(draft(&chat), "draft", "given up");
    chat.press("C-r");
    chat.types("wor").press("Enter");
    assert_eq!(draft(&chat), "two words");
}

#[test]
fn a_big_paste_is_a_chip_and_is_sent_whole() {
    let mut chat = Chat::open(80, 24);
    let big = "a line of log\n".repeat(75_000);
    chat.types("look: ").paste(&big);
    assert!(chat.model.composer.text().len() < 20);
    let sends = sent(&chat.press("Enter"));
    assert_eq!(sends[0].1, format!("look: {big}"));
    chat.reply(Reply::Sent { op: sends[0].0.clone(), result: Err(trouble("invalid", "no")) });
    assert!(chat.model.composer.text().len() < 20, "it comes back as a chip");
    assert_eq!(draft(&chat), format!("look: {big}"));
    chat.paste(&"x".repeat(9 << 20));
    assert!(toast(&chat).starts_with("too much"), "{}", toast(&chat));
    assert_eq!(draft(&chat), format!("look: {big}"));
}

#[test]
fn a_slash_and_a_known_word_is_a_command() {
    let mut chat = Chat::open(80, 24);
    let made = chat.send("/new Cooking");
    assert!(made.iter().any(|cmd| matches!(cmd, Cmd::Create { title, .. } if title == "Cooking")));
    assert_eq!(draft(&chat), "");
    assert!(chat.send("/stop all").iter().any(|cmd| matches!(cmd, Cmd::Stop { all: true, .. })));
    let configured = chat.send("/model openai/gpt-5");
    assert!(configured.iter().any(
        |cmd| matches!(cmd, Cmd::Configure { settings, .. } if settings.model == "openai/gpt-5")
    ));
    assert!(chat.send("/export").iter().any(|cmd| matches!(cmd, Cmd::Export { .. })));
    assert!(chat.send("/quit").contains(&Cmd::Quit));
    chat.types("/ses").press("Tab");
    assert_eq!(draft(&chat), "/sessions ");
}

#[test]
fn a_path_is_no_command() {
    let mut chat = Chat::open(80, 24);
    assert_eq!(sent(&chat.send("/etc/hosts is odd")).len(), 1, "a path is a message");
}

#[test]
fn a_new_session_is_gone_to_and_keeps_what_was_written_in_the_old_one() {
    let mut chat = Chat::open(80, 24);
    chat.types("half a thought").press("C-x n");
    chat.reply(Reply::Made(Ok(session("s2", ""))));
    assert_eq!(chat.model.session_id(), Some("s2"));
    assert_eq!(draft(&chat), "");
    go_to(&mut chat, "s1");
    assert_eq!(draft(&chat), "half a thought");
}

#[test]
fn a_session_is_renamed_in_place() {
    let mut chat = Chat::open(80, 24);
    chat.press("C-x r");
    chat.types(" 2027");
    let cmds = chat.press("Enter");
    assert!(matches!(&cmds[..], [Cmd::Rename { session, title, .. }]
        if session == "s1" && title == "Trip to Prague 2027"));
    chat.fact(Fact::TitleChanged(v1::TitleChanged {
        title: "Prague 2027".into(),
        automatic: false,
        usage: None,
    }));
    assert_eq!(status(&chat.model).title.as_str(), "Prague 2027");
}

#[test]
fn a_session_is_deleted_only_after_a_yes() {
    let mut chat = Chat::open(80, 24);
    chat.press("C-x l");
    chat.reply(Reply::Sessions(Ok(vec![session("s1", "a"), session("s2", "b")])));
    chat.press("Down Delete");
    assert!(chat.press("Enter").is_empty(), "Enter is not a yes");
    assert!(chat.press("n").is_empty());
    chat.press("Delete");
    assert_eq!(chat.press("y"), [Cmd::Delete { session: "s2".into() }]);
    chat.reply(Reply::Deleted { session: "s2".into(), result: Ok(String::new()) });
    assert_eq!(chat.cmds, [Cmd::ListSessions { archived: false }]);
}

#[test]
fn a_message_is_written_anew_in_a_fork_before_it() {
    let mut chat = Chat::open(80, 24);
    chat.person("first").answer("yes").person("secnd").answer("what?");
    chat.press("C-x b {");
    let cmds = chat.press("e");
    assert!(
        matches!(&cmds[..], [Cmd::Fork { session, seq: 4, .. }] if session == "s1"),
        "{cmds:?}"
    );
    assert_eq!(draft(&chat), "secnd");
    chat.reply(Reply::Made(Ok(session("s2", ""))));
    assert_eq!((chat.model.session_id(), draft(&chat).as_str()), (Some("s2"), "secnd"));
}

#[test]
fn a_selected_message_is_copied_as_it_was_written() {
    let mut chat = Chat::open(80, 24);
    chat.person("hi").answer("some **bold** words");
    assert_eq!(chat.press("C-x b y"), [Cmd::Copy("some **bold** words".into())]);
    assert_eq!(chat.press("q C-x y"), [Cmd::Copy("some **bold** words".into())]);
}

#[test]
fn a_model_is_chosen_with_its_effort_for_this_session() {
    let mut chat = Chat::open(80, 24);
    chat.press("C-x m");
    chat.types("claude").press("A-. A-. A-.");
    let cmds = chat.press("Enter");
    assert!(matches!(&cmds[..], [Cmd::Configure { settings, .. }]
        if settings.model == "anthropic/claude-sonnet-4-5" && settings.effort == "medium"));
    chat.press("C-x m");
    assert_eq!(chat.press("Tab"), [Cmd::SetDefault { model: "openai/gpt-5".into() }]);
}

#[test]
fn the_status_counts_what_the_session_cost_once() {
    let mut chat = Chat::open(80, 24);
    chat.person("hi").answer("ho");
    assert!(status(&chat.model).facts.iter().any(|fact| fact.as_str() == "$0.0042"));
    // Another answer comes while the connection is gone; the snapshot has it counted already.
    chat.lose();
    let missed = chat.events.len();
    chat.record("t9", user("more"));
    chat.record("t9", answer("i9", vec![words("more")]));
    chat.session.usage = Some(v1::Usage { cost_microusd: 8_400, ..v1::Usage::default() });
    chat.attach(5);
    chat.give(missed).caught_up();
    assert!(status(&chat.model).facts.iter().any(|fact| fact.as_str() == "$0.0084"));
}

fn first_run() -> Chat {
    let mut chat = Chat::starting(80, 24);
    chat.attach(1).caught_up();
    chat.reply(Reply::Models(Ok(v1::ListModelsResponse::default())));
    assert_eq!(chat.cmds, [Cmd::LookAround]);
    let starter =
        v1::CatalogModel { name: "smol".into(), starter: true, ..v1::CatalogModel::default() };
    chat.reply(Reply::Catalog(vec![starter]));
    let server = v1::FoundServer { kind: "ollama".into(), ..v1::FoundServer::default() };
    chat.reply(Reply::Servers(vec![server]));
    let kind = v1::ProviderKind { name: "openai".into(), needs_key: true };
    chat.reply(Reply::Kinds(vec![kind]));
    chat
}

fn is_welcome(chat: &Chat) -> bool {
    chat.model.overlays.iter().any(|overlay| matches!(overlay, Overlay::Welcome(_)))
}

#[test]
fn the_first_run_brings_the_starter_model_and_makes_it_the_default() {
    let mut chat = first_run();
    assert_eq!(chat.press("Enter"), [Cmd::Pull { name: "smol".into() }]);
    let step = v1::Step { finished: true, ..v1::Step::default() };
    chat.reply(Reply::Pulled(Ok(step)));
    assert_eq!(chat.cmds, [Cmd::ListModels { refresh: true }]);
    let local = v1::Model { id: "local/smol".into(), local: true, ..v1::Model::default() };
    let list = v1::ListModelsResponse { models: vec![local], ..v1::ListModelsResponse::default() };
    chat.reply(Reply::Models(Ok(list)));
    assert_eq!(chat.cmds, [Cmd::SetDefault { model: "local/smol".into() }]);
    assert!(!is_welcome(&chat));
}

#[test]
fn the_first_run_takes_a_server_that_runs_here() {
    let mut chat = first_run();
    assert!(
        matches!(&chat.press("Down Enter")[..], [Cmd::Adopt(server)] if server.kind == "ollama")
    );
    chat.reply(Reply::SetUp(Ok(())));
    chat.reply(Reply::Models(Ok(models())));
    assert!(!is_welcome(&chat));
    assert_eq!(toast(&chat), "ready: openai/gpt-5 answers");
}

#[test]
fn the_first_run_stores_a_key_that_no_print_shows() {
    let mut chat = first_run();
    chat.press("Down Down Enter Enter");
    chat.types("sk-1");
    let cmds = chat.press("Enter");
    assert!(matches!(&cmds[..], [Cmd::Login { name, .. }] if name == "openai"));
    assert!(!format!("{cmds:?}{:?}", chat.model.overlays).contains("sk-1"));
}

#[test]
fn the_first_run_can_be_skipped_and_does_not_come_back() {
    let mut chat = first_run();
    chat.press("Esc");
    assert!(!is_welcome(&chat));
    chat.reply(Reply::Models(Ok(v1::ListModelsResponse::default())));
    assert!(!is_welcome(&chat));
}

#[test]
fn finding_reads_older_messages_until_it_finds() {
    let mut chat = Chat::starting(80, 24);
    chat.record("t1", user("the needle"));
    for number in 2..=400 {
        chat.record("t1", user(&format!("hay {number}")));
    }
    chat.attach(301);
    chat.give(300).caught_up();
    assert!(!chat.asked.iter().any(|cmd| matches!(cmd, Cmd::History { .. })), "not needed yet");
    chat.press("C-x /");
    chat.types("needle");
    let asked = |cmds: &[Cmd]| {
        cmds.iter().find_map(|cmd| match cmd {
            Cmd::History { epoch, before, .. } => Some((*epoch, *before)),
            _ => None,
        })
    };
    let mut wanted = chat.asked.iter().rev().find_map(|cmd| asked(std::slice::from_ref(cmd)));
    while let Some((epoch, before)) = wanted {
        let older = chat.events.iter().filter(|event| event.seq < before).cloned();
        let older: Vec<v1::Event> = older.collect();
        let page = older[older.len().saturating_sub(100)..].to_vec();
        chat.reply(Reply::Page { epoch, result: Ok(page) });
        wanted = asked(&chat.cmds);
    }
    let found = chat.model.selected().and_then(|id| chat.model.transcript.block(id));
    assert_eq!(found.map(|block| block.text()), Some("the needle"));
}

#[test]
fn a_find_goes_on_with_n_after_it_was_selected() {
    let mut chat = Chat::open(80, 24);
    chat.exchanges(12);
    chat.press("C-x /");
    chat.types("question").press("Enter");
    let text = |chat: &Chat| {
        let block = chat.model.selected().and_then(|id| chat.model.transcript.block(id));
        block.map(|block| block.text().to_owned()).unwrap_or_default()
    };
    assert_eq!(text(&chat), "question 12");
    chat.press("n n");
    assert_eq!(text(&chat), "question 10");
    chat.press("N");
    assert_eq!(text(&chat), "question 11");
    chat.press("k j");
    assert_eq!(draft(&chat), "");
}

#[test]
fn a_letter_that_means_nothing_to_the_selection_goes_on_with_the_message() {
    let mut chat = Chat::open(80, 24);
    chat.exchanges(2).press("C-x b");
    chat.types("what");
    assert_eq!(draft(&chat), "what");
}

#[test]
fn a_sequence_that_is_not_bound_says_so() {
    let mut chat = Chat::open(80, 24);
    chat.press("C-x q");
    assert_eq!(toast(&chat), "C-x q is not bound; F1 shows the keys");
    assert!(chat.press("C-x Esc").is_empty() && chat.model.chord.is_empty());
}

#[test]
fn nothing_wakes_a_client_on_which_nothing_moves() {
    let mut chat = Chat::open(80, 24);
    assert_eq!(next_wake(&chat.model), None);
    chat.press("C-c");
    assert_eq!(next_wake(&chat.model), Some(3_000));
    chat.after(3_000);
    assert_eq!(next_wake(&chat.model), None);
    chat.person("go");
    assert!(next_wake(&chat.model).is_some());
}

#[test]
fn what_a_cut_chip_held_is_not_sent_as_rubbish() {
    let mut chat = Chat::open(80, 24);
    chat.paste(&"x".repeat(2_000)).press("C-u");
    chat.types("a").press("Enter");
    chat.types("b").press("C-y");
    assert!(draft(&chat).chars().all(|c| u32::from(c) < 0xf_0000), "{:?}", draft(&chat));
}

#[test]
fn help_comes_from_everywhere_and_goes_back_there() {
    let mut chat = Chat::open(80, 24);
    for keys in ["C-x l", "C-x m", "C-x r", "C-p", "C-x b", "C-x /", "C-r"] {
        chat.press(keys);
        let before = chat.model.overlays.len();
        chat.press("F1");
        assert!(matches!(chat.model.overlays.last(), Some(Overlay::Help(_))), "{keys}");
        chat.press("q");
        assert_eq!(chat.model.overlays.len(), before, "{keys}");
        chat.press("Esc");
    }
}

#[test]
fn compacting_is_asked_for_by_a_command_and_a_key() {
    let mut chat = Chat::open(80, 24);
    let asked = |op: &str| Cmd::Compact { op: op.into(), session: "s1".into() };
    assert!(chat.send("/compact").contains(&asked("op0001")));
    assert_eq!(chat.press("C-x c"), [asked("op0002")]);
    chat.reply(Reply::Compacting(Err(trouble("conflict", "there is nothing to compact"))));
    let toast = chat.model.toast.as_ref().unwrap();
    assert_eq!(toast.text.as_str(), "not compacted: there is nothing to compact");
}

#[test]
fn a_compaction_empties_the_window_and_costs() {
    let mut chat = Chat::open(80, 24);
    chat.person("hello").answer("hi");
    let before = chat.model.session.clone().unwrap();
    chat.fact(Fact::Compacted(v1::Compacted {
        after_tokens: 7,
        usage: Some(v1::Usage { input_tokens: 5, ..v1::Usage::default() }),
        ..v1::Compacted::default()
    }));
    let after = chat.model.session.clone().unwrap();
    assert_eq!(after.context_tokens, 7);
    assert_eq!(after.usage.unwrap().input_tokens, before.usage.unwrap().input_tokens + 5);
}

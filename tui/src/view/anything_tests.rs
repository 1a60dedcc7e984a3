//! Whatever comes in whatever order can be drawn, and what was shown live is what a replay shows.

use moltis_proto::v1::{self, Ending, Level, Strand, attach_response::Feed, event::Kind as Fact};
use proptest::prelude::*;

use super::tests::rows;
use crate::app::fixture::{
    Chat, answer, call, call_of, models, session, thought, told, trouble, user, user_of, words,
};
use crate::app::{Cmd, Mode, Reply, Said, Trouble, Wanted};
use crate::keymap::{Key, table};

/// Text with everything that makes text difficult.
const TEXTS: [&str; 12] = [
    "",
    "word",
    "two words ",
    "日本語",
    "e\u{301}\u{301} 👩‍👩‍👧\u{200d}",
    "```rust\nfn main() {}\n",
    "| a | b |\n|---|---|\n| 世 | x |\n",
    "# head\n\n- one\n  - two\n> quote\n",
    "\u{1b}[31mred\u{1b}]0;title\u{7}\t\r\n\u{202e}",
    "https://example.org/a/very/long/path/without/any/place/to/break/it/in/two?query=yes#here",
    "/model ",
    "**bold *both*** `code` [link](x) \\* ~~gone~~\n\n\n",
];

fn text(number: u16) -> &'static str {
    TEXTS[usize::from(number) % TEXTS.len()]
}

fn result<T>(number: u16, good: T) -> Result<T, Trouble> {
    match number % 3 {
        0 => Err(trouble("invalid", text(number / 3))),
        1 => Err(trouble("unavailable", "gone")),
        _ => Ok(good),
    }
}

fn some_session(number: u16) -> v1::Session {
    v1::Session {
        last_seq: u64::from(number % 40),
        messages: u64::from(number),
        archived: number.is_multiple_of(2),
        open_turns: vec![v1::OpenTurn {
            turn: format!("t{}", number % 3),
            started: true,
            ..v1::OpenTurn::default()
        }],
        ..session(&format!("s{}", number % 4), text(number / 4))
    }
}

fn some_fact(kind: u8, number: u16) -> Fact {
    let item = format!("i{}", number % 5);
    match kind % 17 {
        0 => user_of(&format!("op{:04}", number % 6), text(number)),
        1 => Fact::TurnStarted(v1::TurnStarted::default()),
        2 => answer(&item, vec![thought(text(number / 7)), words(text(number)), call("t", "{")]),
        3 => Fact::TurnEnded(v1::TurnEnded {
            ending: i32::from(number % 6),
            ..v1::TurnEnded::default()
        }),
        4 => Fact::Notice(v1::Notice { item, level: 2, text: text(number).into() }),
        5 => Fact::TitleChanged(v1::TitleChanged {
            title: text(number).into(),
            automatic: true,
            ..v1::TitleChanged::default()
        }),
        6 => Fact::SettingsChanged(v1::SettingsChanged {
            settings: Some(v1::Settings { model: text(number).into(), ..v1::Settings::default() }),
        }),
        7 => Fact::Compacted(v1::Compacted {
            item,
            summary: text(number).into(),
            before_tokens: u64::from(number) * 100,
            ..v1::Compacted::default()
        }),
        8 => Fact::SessionForked(v1::SessionForked::default()),
        _ => some_act(kind, number),
    }
}

const ENDINGS: [&str; 6] = ["done", "failed", "denied", "cancelled", "interrupted", "?"];

/// What an agent does and asks, in whatever order.
fn some_act(kind: u8, number: u16) -> Fact {
    let call = format!("c{}", number % 3);
    let tool = ["exec", "edit", "write", "\u{1b}[1m"][usize::from(number / 3) % 4].to_owned();
    let arguments = serde_json::json!({"command": text(number), "old_string": text(number / 5),
        "new_string": text(number / 7), "content": text(number)});
    let item = format!("x{}", number % 5);
    let approval = format!("q{}", number % 3);
    let file = v1::FileChange { path: text(number).into(), kind: "created".into() };
    match kind % 17 {
        9 => Fact::ToolStarted(v1::ToolStarted {
            item,
            call,
            tool,
            arguments: if number.is_multiple_of(5) { "{".into() } else { arguments.to_string() },
            ..v1::ToolStarted::default()
        }),
        10 => Fact::ToolFinished(v1::ToolFinished {
            item,
            call,
            tool,
            ending: ENDINGS[usize::from(number) % 6].into(),
            parts: vec![words(&text(number).repeat(usize::from(number % 9)))],
            ..v1::ToolFinished::default()
        }),
        11 | 12 => Fact::ApprovalAsked(v1::ApprovalAsked {
            approval,
            call,
            tool,
            arguments: arguments.to_string(),
            subject: text(number / 2).repeat(usize::from(number % 9)),
            reason: text(number / 3).into(),
            digest: number.to_string(),
            pattern: text(number / 4).into(),
            expires_at: None,
        }),
        13 => Fact::ApprovalAnswered(v1::ApprovalAnswered {
            approval,
            allowed: number.is_multiple_of(2),
            reach: "session".into(),
            reason: text(number).into(),
        }),
        14 => Fact::GrantRevoked(v1::GrantRevoked { pattern: text(number).into() }),
        15 => Fact::WorkspaceChanged(v1::WorkspaceChanged {
            files: vec![file; usize::from(number % 6)],
            ..v1::WorkspaceChanged::default()
        }),
        _ => Fact::WorkspaceRestored(v1::WorkspaceRestored {
            files: vec![file],
            kept: vec![text(number).into()],
            ..v1::WorkspaceRestored::default()
        }),
    }
}

fn some_event(kind: u8, number: u16) -> v1::Event {
    v1::Event {
        seq: u64::from(number % 64),
        turn: format!("t{}", number % 3),
        kind: (kind < 250).then(|| some_fact(kind, number)),
        ..v1::Event::default()
    }
}

fn some_feed(kind: u8, number: u16) -> Feed {
    match number % 8 {
        0 => Feed::Snapshot(v1::Snapshot {
            session: Some(some_session(number / 8)),
            first_seq: u64::from(kind % 40),
        }),
        1 => Feed::CaughtUp(v1::CaughtUp {}),
        2 => Feed::Progress(v1::Progress {
            text: text(number / 8).into(),
            ..v1::Progress::default()
        }),
        3..=5 => Feed::Delta(v1::Delta {
            turn: format!("t{}", number % 3),
            item: format!("i{}", number % 5),
            strand: i32::from(kind % 5),
            offset: u64::from(number % 16),
            text: text(u16::from(kind)).into(),
            call: format!("c{}", kind % 3),
            ..v1::Delta::default()
        }),
        _ => Feed::Event(some_event(kind, number / 8)),
    }
}

fn some_reply(kind: u8, number: u16, epoch: u64) -> Reply {
    let sessions = || (0..number % 9).map(some_session).collect::<Vec<_>>();
    let events = || (0..number % 9).map(|n| some_event(kind, n)).collect::<Vec<_>>();
    let step = v1::Step {
        phase: text(number).into(),
        done: u64::from(number),
        total: u64::from(kind),
        finished: number.is_multiple_of(5),
    };
    match kind % 23 {
        0 => Reply::Sent { op: format!("op{:04}", number % 6), result: result(number / 6, ()) },
        1 => Reply::Made(result(number, some_session(number))),
        2 => Reply::Changed(result(number, some_session(number))),
        3 => Reply::Deleted { session: "s1".into(), result: result(number, String::new()) },
        4 => Reply::Stopped(result(number, vec!["t1".into()])),
        5 => Reply::Page { epoch, result: result(number, events()) },
        6 => Reply::Sessions(result(number, sessions())),
        7 => Reply::Peeked { session: format!("s{}", number % 4), events: events() },
        8 => Reply::Models(result(number, models())),
        9 => Reply::Models(Ok(v1::ListModelsResponse::default())),
        10 => Reply::DefaultSet { model: text(number).into(), result: result(number, ()) },
        11 => Reply::Catalog(vec![v1::CatalogModel {
            name: text(number).into(),
            starter: true,
            ..v1::CatalogModel::default()
        }]),
        12 => Reply::Servers(
            (0..number % 12)
                .map(|n| v1::FoundServer { kind: text(n).into(), ..v1::FoundServer::default() })
                .collect(),
        ),
        13 => Reply::Kinds(vec![v1::ProviderKind { name: text(number).into(), needs_key: true }]),
        14 => Reply::Pulled(result(number, step)),
        15 => Reply::SetUp(result(number, ())),
        16 => Reply::Compacting(result(number, ())),
        17 => Reply::Context {
            session: format!("s{}", number % 4),
            result: result(number, told(text(number), u64::from(number))),
        },
        18 => Reply::Answered {
            op: format!("op{:04}", number % 6),
            result: result(number, text(number).into()),
        },
        19 => Reply::Approvals(result(
            number,
            vec![v1::Approval { subject: text(number).into(), ..v1::Approval::default() }],
        )),
        20 => Reply::Diff {
            session: format!("s{}", number % 4),
            result: result(
                number,
                v1::DiffResponse { text: text(number).into(), ..v1::DiffResponse::default() },
            ),
        },
        21 => Reply::Undone(result(number, v1::UndoResponse::default())),
        _ => Reply::Failed { asked: Wanted::Copy, trouble: trouble("", text(number)) },
    }
}

/// A step of an arbitrary story.
fn anything(chat: &mut Chat, kind: u8, number: u16, epoch: u64) {
    let said = match kind % 16 {
        0..=5 => {
            let row = &table()[usize::from(number) % table().len()];
            let keys = row.keys[usize::from(number / 128) % row.keys.len()];
            for key in keys.split(' ').filter_map(Key::parse) {
                chat.say(Said::Key(key));
            }
            return;
        }
        6 => {
            chat.types(&text(number).replace(|c: char| c.is_control() && c != '\n', ""));
            return;
        }
        7 => Said::Paste(text(number).repeat(usize::from(number) % 300)),
        8 => Said::Resize { width: number % 201, height: u16::from(kind) * 7 % 61 },
        9..=11 => Said::Fed { epoch, feed: Box::new(some_feed(kind / 16 * 17, number)) },
        12 | 13 => Said::Reply(Box::new(some_reply(kind / 16 * 2 + kind % 2, number, epoch))),
        14 => match number % 8 {
            0 => Said::Up { build: text(number).into() },
            1 => Said::Down(trouble("unavailable", text(number))),
            2 => Said::Refused(trouble("version_mismatch", text(number))),
            3 => Said::Lost { epoch, trouble: trouble("not_found", "gone") },
            4 => Said::Opened { epoch, session: Box::new(some_session(number)) },
            5 => Said::Edited(Ok(text(number / 8).into())),
            6 => Said::History(vec![text(number / 8).into(), "earlier".into()]),
            _ => Said::Focus(number > 999),
        },
        _ => {
            chat.after(u64::from(number));
            Said::Wheel(isize::from(kind) - 128)
        }
    };
    chat.say(said);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_comes_can_be_drawn_and_drawing_changes_nothing(
        steps in prop::collection::vec((any::<u8>(), any::<u16>()), 0..80),
        (width, height) in (0_u16..=200, 0_u16..=60),
    ) {
        let mut chat = Chat::open(width, height);
        for (kind, number) in steps {
            let epoch = chat.model.epoch.saturating_sub(u64::from(number % 7 == 3));
            anything(&mut chat, kind, number, epoch);
            let drawn = rows(&chat);
            prop_assert!(!drawn.contains('\x1b'), "an escape was drawn");
            for cmd in chat.asked.drain(..) {
                let Cmd::Answer(answer) = cmd else { continue };
                prop_assert!(matches!(chat.model.mode, Mode::Card), "answered from elsewhere");
                let (_, asked) = chat.model.question().unwrap();
                prop_assert_eq!((&asked.id, &asked.digest), (&answer.approval, &answer.digest));
                prop_assert!(!answer.allow || chat.model.card.seen, "allowed unread");
            }
        }
        prop_assert_eq!(rows(&chat), rows(&chat));
    }
}

/// A session in which everything happens in an order in which it can happen.
#[derive(Default)]
struct Story {
    turns: u16,
    running: bool,
    /// Turns that wait.
    waiting: Vec<String>,
    /// What the growing answer says so far.
    said: String,
    /// Calls of the running turn, and how far they are.
    calls: Vec<(String, Call)>,
    /// Calls so far.
    count: u16,
}

/// How far a call is.
#[derive(PartialEq)]
enum Call {
    Wished,
    Asked,
    Running(u64),
}

impl Story {
    fn step(&mut self, chat: &mut Chat, kind: u8, number: u16) {
        match kind % 13 {
            0 | 1 if !self.running => {
                self.running = true;
                if self.waiting.is_empty() {
                    chat.person(text(number));
                } else {
                    chat.starts(&self.waiting.remove(0));
                }
            }
            0 => {
                self.turns += 1;
                let turn = format!("w{}", self.turns);
                chat.waits(&turn, text(number));
                self.waiting.push(turn);
            }
            1..=3 if self.running => {
                let offset = self.said.len() as u64;
                chat.streams(Strand::Text, offset, text(number));
                self.said.push_str(text(number));
                // Sometimes the daemon gives all of it again.
                if number.is_multiple_of(5) {
                    let all = self.said.clone();
                    chat.streams(Strand::Text, 0, &all);
                }
                chat.streams(Strand::Reasoning, 0, text(number / 12));
            }
            4 if self.running => {
                let text = std::mem::take(&mut self.said) + text(number);
                let mut parts = vec![thought("hm"), words(&text)];
                for _ in 0..number % 4 {
                    self.count += 1;
                    let id = format!("k{}", self.count);
                    parts.push(call_of(&id, "exec", "{\"command\":\"make\"}"));
                    self.calls.push((id, Call::Wished));
                }
                chat.answers(parts);
            }
            5 if self.running => {
                let ending = Ending::try_from(i32::from(number % 4) + 1).unwrap();
                chat.ends(ending);
                (self.running, self.said) = (false, String::new());
                self.calls.clear();
            }
            6 => drop(chat.notice(Level::Info, text(number))),
            7 if self.running => drop(chat.fact(user(text(number)))),
            8 => drop(chat.resize(number % 120, number / 120 % 40)),
            9 => {
                let next = chat.session.last_seq + 1;
                chat.lose().attach(next).caught_up();
            }
            10 => {
                chat.press(
                    ["PageUp", "PageDown", "C-End", "C-o", "C-Home"][usize::from(number) % 5],
                );
            }
            11 | 12 if !self.calls.is_empty() => {
                let at = usize::from(number) % self.calls.len();
                self.act(chat, at, number);
            }
            _ => {}
        }
    }

    /// A call goes on by a step.
    fn act(&mut self, chat: &mut Chat, at: usize, number: u16) {
        let (id, call) = &mut self.calls[at];
        match (&call, number % 4) {
            (Call::Wished, 0) => {
                chat.asks(id, "exec", "make", "");
                *call = Call::Asked;
            }
            (Call::Asked, 0) => {
                chat.answered(id, true, "once", "web");
                *call = Call::Wished;
            }
            (Call::Wished | Call::Asked, 1) => {
                chat.finishes(id, "exec", ENDINGS[usize::from(number / 4) % 5], text(number / 8));
                self.calls.remove(at);
            }
            (Call::Wished, _) => {
                chat.begins(id, "exec", "{\"command\":\"make all\"}");
                *call = Call::Running(0);
            }
            (Call::Running(offset), 0..=2) => {
                chat.prints(id, *offset, text(number / 4));
                *call = Call::Running(offset + text(number / 4).len() as u64);
            }
            (Call::Running(_), _) => {
                chat.finishes(id, "exec", ENDINGS[usize::from(number / 4) % 5], text(number / 8));
                self.calls.remove(at);
            }
            (Call::Asked, _) => {}
        }
    }
}

/// All rows of the transcript.
fn all_rows(chat: &mut Chat) -> Vec<String> {
    chat.resize(70, 6_000);
    chat.press("C-End");
    let height = chat.model.transcript_height();
    chat.model.transcript.visible(height).map(|row| row.line.text()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_was_shown_live_is_what_a_replay_shows(
        steps in prop::collection::vec((any::<u8>(), any::<u16>()), 0..60),
    ) {
        let (mut live, mut story) = (Chat::open(80, 24), Story::default());
        for (kind, number) in steps {
            story.step(&mut live, kind, number);
        }
        if story.running {
            live.ends(Ending::Interrupted);
        }
        let mut replayed = live.replay();
        replayed.model.transcript.unfolded = live.model.transcript.unfolded;
        prop_assert_eq!(all_rows(&mut live), all_rows(&mut replayed));
        prop_assert_eq!(live.model.transcript.waiting().len(), story.waiting.len());
    }
}

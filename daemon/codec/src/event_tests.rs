use moltis_core::event::{FileChange, FileChangeKind, ToolEnding};
use moltis_core::journal::Draft;
use moltis_core::policy::{Mode, Reach};
use moltis_core::provider::Effort;
use moltis_core::sandbox::{Mount, Network};
use moltis_core::session::{OpenTurn, Purpose, Settings, Spawned, Summary};
use moltis_core::tool::Class;
use moltis_core::worktree::{Tree, Worktree};
use proptest::option;
use proptest::prelude::*;
use prost::Message;

use super::*;
use crate::part::part_to_wire;
use crate::row::*;

fn text() -> impl Strategy<Value = String> {
    "\\PC{0,40}"
}

fn id() -> impl Strategy<Value = String> {
    "[a-z0-9]{1,20}"
}

fn filled_text() -> impl Strategy<Value = String> {
    "\\PC{1,20}"
}

fn model() -> impl Strategy<Value = ModelRef> {
    ("[a-z]{1,8}", "[a-z/:.0-9-]{1,16}")
        .prop_map(|(provider, model)| ModelRef::new(provider, model))
}

fn usage() -> impl Strategy<Value = Usage> {
    any::<[u64; 5]>().prop_map(|n| Usage {
        input_tokens: n[0],
        output_tokens: n[1],
        cache_read_tokens: n[2],
        cache_write_tokens: n[3],
        cost_microusd: n[4],
    })
}

fn queue() -> impl Strategy<Value = QueueMode> {
    prop::sample::select(vec![QueueMode::Followup, QueueMode::Collect, QueueMode::Steer])
}

fn effort() -> impl Strategy<Value = Effort> {
    prop::sample::select(vec![Effort::Minimal, Effort::Low, Effort::Medium, Effort::High])
}

fn settings() -> impl Strategy<Value = Settings> {
    let mode = prop::sample::select(vec![Mode::Ask, Mode::OnMiss, Mode::Auto]);
    let mount = prop::sample::select(vec![Mount::None, Mount::ReadOnly, Mount::ReadWrite]);
    let network = prop::sample::select(vec![Network::None, Network::Listed, Network::Open]);
    let said = (option::of(model()), option::of(effort()), option::of(queue()));
    let text = || option::of(filled_text());
    let done = (text(), option::of(mode), option::of(mount), option::of(network), text());
    let tree = option::of(prop::sample::select(vec![Tree::Shared, Tree::Own]));
    (said, done, tree).prop_map(|(said, (workspace, approvals, mount, network, preset), tree)| {
        let (model, effort, queue) = said;
        Settings { model, effort, queue, workspace, approvals, mount, network, tree, preset }
    })
}

fn spawned() -> impl Strategy<Value = Spawned> {
    let tools = prop::collection::vec(text(), 0..3);
    (id(), id(), id(), any::<u32>(), tools, text(), any::<(bool, bool)>()).prop_map(
        |(parent, turn, call, depth, tools, system, (sensitive, unattended))| Spawned {
            sensitive,
            unattended,
            parent: parent.into(),
            turn: turn.into(),
            call: call.into(),
            depth,
            tools,
            system,
        },
    )
}

fn files() -> impl Strategy<Value = Vec<FileChange>> {
    let kind = prop::sample::select(vec![
        FileChangeKind::Created,
        FileChangeKind::Modified,
        FileChangeKind::Deleted,
    ]);
    prop::collection::vec((text(), kind).prop_map(|(path, kind)| FileChange { path, kind }), 0..4)
}

fn call_kind() -> impl Strategy<Value = EventKind> {
    let class = prop::sample::select(vec![Class::Read, Class::Idempotent, Class::Once]);
    let ending = prop::sample::select(vec![
        ToolEnding::Done,
        ToolEnding::Failed,
        ToolEnding::Denied,
        ToolEnding::Cancelled,
        ToolEnding::Interrupted,
    ]);
    prop_oneof![
        (id(), id(), text(), text(), class, text()).prop_map(
            |(item, call, tool, arguments, class, why)| EventKind::ToolStarted {
                item: item.into(),
                call: call.into(),
                tool,
                arguments,
                class,
                why,
            }
        ),
        (id(), id(), text(), ending, parts(), any::<bool>(), option::of(duration())).prop_map(
            |(item, call, tool, ending, parts, sensitive, took)| EventKind::ToolFinished {
                item: item.into(),
                call: call.into(),
                tool,
                ending,
                parts,
                sensitive,
                took,
            }
        ),
    ]
}

fn worktree() -> impl Strategy<Value = Worktree> {
    (filled_text(), filled_text(), filled_text(), filled_text())
        .prop_map(|(path, repository, branch, base)| Worktree { path, repository, branch, base })
}

fn act_kind() -> impl Strategy<Value = EventKind> {
    let reach = prop::sample::select(vec![Reach::Once, Reach::Session, Reach::Always]);
    let asked = (id(), id(), text(), text(), text(), text(), text());
    prop_oneof![
        (asked, option::of("[a-z]{1,5}: [a-z]{1,5}"), 0..4_000_000_000_i64).prop_map(
            |((approval, call, tool, arguments, subject, reason, digest), pattern, at)| {
                EventKind::ApprovalAsked {
                    approval: approval.into(),
                    call: call.into(),
                    tool,
                    arguments,
                    subject,
                    reason,
                    digest,
                    pattern,
                    expires_at: Timestamp::new(at, 0).expect("within the years"),
                }
            }
        ),
        (id(), any::<bool>(), reach, text()).prop_map(|(approval, allowed, reach, reason)| {
            EventKind::ApprovalAnswered { approval: approval.into(), allowed, reach, reason }
        }),
        text().prop_map(|pattern| EventKind::GrantRevoked { pattern }),
        (text(), text(), files()).prop_map(|(before, after, files)| {
            EventKind::WorkspaceChanged { before, after, files }
        }),
        (id(), files(), prop::collection::vec(text(), 0..3)).prop_map(|(undone, files, kept)| {
            EventKind::WorkspaceRestored { undone: undone.into(), files, kept }
        }),
        option::of(worktree()).prop_map(|worktree| EventKind::WorktreeSet { worktree }),
        (text(), text(), option::of(text()))
            .prop_map(|(namespace, key, value)| { EventKind::StateSet { namespace, key, value } }),
    ]
}

fn part() -> impl Strategy<Value = Part> {
    prop_oneof![
        text().prop_map(Part::Text),
        (text(), option::of(filled_text()))
            .prop_map(|(text, signature)| Part::Reasoning { text, signature }),
        (text(), prop::collection::vec(any::<u8>(), 0..64))
            .prop_map(|(media_type, data)| Part::Image { media_type, data: data.into() }),
        (id(), text(), text()).prop_map(|(id, name, arguments)| Part::ToolCall {
            id: id.into(),
            name,
            arguments
        }),
        (id(), text(), any::<bool>()).prop_map(|(id, text, failed)| Part::ToolResult {
            id: id.into(),
            text,
            failed
        }),
    ]
}

fn parts() -> impl Strategy<Value = Vec<Part>> {
    prop::collection::vec(part(), 0..5)
}

fn duration() -> impl Strategy<Value = Duration> {
    (0..=i64::MAX.cast_unsigned(), 0..1_000_000_000_u32)
        .prop_map(|(seconds, nanos)| Duration::new(seconds, nanos))
}

fn answer() -> impl Strategy<Value = Answer> {
    let finish = prop::sample::select(vec![
        FinishReason::Stop,
        FinishReason::Length,
        FinishReason::ToolCalls,
        FinishReason::Filtered,
    ]);
    let counts = (usage(), any::<u64>());
    (model(), counts, option::of(finish), option::of(duration()), duration()).prop_map(
        |(model, (usage, estimated), finish, first_token, took)| Answer {
            model,
            usage,
            estimated,
            finish,
            first_token,
            took,
        },
    )
}

fn failure() -> impl Strategy<Value = TurnFailure> {
    let kind = prop::sample::select(vec![
        FailureKind::Auth,
        FailureKind::RateLimit,
        FailureKind::Overload,
        FailureKind::ContextOverflow,
        FailureKind::Billing,
        FailureKind::BadRequest,
        FailureKind::Transport,
        FailureKind::Malformed,
    ]);
    (option::of(kind), text(), option::of(filled_text()))
        .prop_map(|(kind, message, hint)| TurnFailure { kind, message, hint })
}

fn ending() -> impl Strategy<Value = Ending> {
    prop::sample::select(vec![Ending::Done, Ending::Failed, Ending::Cancelled, Ending::Interrupted])
}

fn kind() -> impl Strategy<Value = EventKind> {
    let level = prop::sample::select(vec![Level::Info, Level::Warning]);
    prop_oneof![
        call_kind(),
        act_kind(),
        (text(), option::of(filled_text()), settings(), option::of(spawned())).prop_map(
            |(agent, key, settings, spawned)| EventKind::SessionCreated {
                agent,
                key,
                settings,
                spawned
            }
        ),
        (id(), any::<u64>()).prop_map(|(parent, parent_seq)| EventKind::SessionForked {
            parent: parent.into(),
            parent_seq
        }),
        (text(), any::<bool>(), usage()).prop_map(|(title, automatic, usage)| {
            EventKind::TitleChanged { title, automatic, usage }
        }),
        any::<bool>().prop_map(|archived| EventKind::ArchivedChanged { archived }),
        settings().prop_map(|settings| EventKind::SettingsChanged { settings }),
        (id(), id(), parts(), queue(), option::of(model()), any::<bool>()).prop_map(
            |(item, op, parts, queue, model, sensitive)| EventKind::UserMessage {
                sensitive,
                item: item.into(),
                op: op.into(),
                parts,
                queue,
                model,
            }
        ),
        option::of(model()).prop_map(|model| EventKind::TurnStarted { model }),
        (id(), parts(), answer(), any::<bool>()).prop_map(|(item, parts, answer, partial)| {
            EventKind::AssistantMessage { item: item.into(), parts, answer, partial }
        }),
        (id(), level, text()).prop_map(|(item, level, text)| EventKind::Notice {
            item: item.into(),
            level,
            text
        }),
        Just(EventKind::CompactionAsked),
        Just(EventKind::ClearAsked),
        "[a-z]{1,9}".prop_map(|command| EventKind::ProgramAsked { command }),
        (any::<u64>(), any::<u64>()).prop_map(|(upto, since)| EventKind::Cleared { upto, since }),
        (id(), text(), any::<[u64; 4]>(), any::<bool>(), option::of(model()), usage()).prop_map(
            |(
                item,
                summary,
                [upto, since, before_tokens, after_tokens],
                automatic,
                model,
                usage,
            )| {
                EventKind::Compacted {
                    item: item.into(),
                    summary,
                    upto,
                    since,
                    before_tokens,
                    after_tokens,
                    automatic,
                    model,
                    usage,
                }
            }
        ),
        (ending(), option::of(failure()), usage()).prop_map(|(ending, failure, usage)| {
            EventKind::TurnEnded { ending, failure, usage }
        }),
    ]
}

fn new_event() -> impl Strategy<Value = NewEvent> {
    let cause =
        prop_oneof![text().prop_map(Cause::Client), Just(Cause::Daemon), Just(Cause::Model),];
    let origin = prop::sample::select(vec![
        Origin::Owner,
        Origin::Config,
        Origin::Workspace,
        Origin::Peer,
        Origin::Tool,
        Origin::Web,
    ]);
    let at = (-100_000_000_000_i64..100_000_000_000, 0..1_000_000_000_i32)
        .prop_map(|(seconds, nanos)| Timestamp::new(seconds, nanos).expect("within the years"));
    (at, option::of(id()), cause, origin, option::of(id()), kind()).prop_map(
        |(at, turn, cause, origin, op, kind)| NewEvent {
            at,
            turn: turn.map(TurnId::from),
            cause,
            origin,
            op: op.map(Into::into),
            kind,
        },
    )
}

proptest! {
    #[test]
    fn an_event_reads_back_as_it_was_from_wire_and_from_disk(
        new in new_event(), session in id(), seq in 1..u64::MAX,
    ) {
        let session = SessionId::from(session);
        let row = event_to_row(&new);
        let event = new.committed(session.clone(), seq);
        prop_assert_eq!(event_from_row(session, seq, &row), Ok(event.clone()));
        let wire = event_to_wire(&event).encode_to_vec();
        let wire = v1::Event::decode(wire.as_slice()).expect("what was encoded");
        prop_assert_eq!(event_from_wire(wire), Ok(event));
    }

    #[test]
    fn a_draft_reads_back_as_it_was(turn in id(), item in id(), model in model(), parts in parts()) {
        let draft = Draft { turn: turn.into(), item: item.into(), model, parts };
        prop_assert_eq!(draft_from_row(&draft_to_row(&draft)), Ok(draft));
    }

    #[test]
    fn a_summary_reads_back_as_it_was(
        events in prop::collection::vec(new_event(), 0..12),
        open in prop::collection::vec((id(), any::<bool>(), option::of(model())), 0..3),
    ) {
        let mut summary = Summary::empty("s".into());
        for (n, event) in events.into_iter().enumerate() {
            // Their sums may pass the largest number; how they are added is not the matter here.
            summary.usage = Usage::default();
            if !matches!(event.kind, EventKind::AssistantMessage { .. }) {
                summary.apply(&event.committed("s".into(), n as u64 + 1));
            }
        }
        summary.open_turns = open
            .into_iter()
            .map(|(turn, started, model)| OpenTurn {
                purpose: match turn.len() % 4 {
                    0 => Purpose::Answer,
                    1 => Purpose::Clear,
                    2 => Purpose::Run(turn.clone()),
                    _ => Purpose::Compact,
                },
                turn: turn.into(),
                started,
                model,
                asked: started,
                report: (!started).then(|| "agent".into()),
            })
            .collect();
        prop_assert_eq!(summary_from_row(&summary_to_row(&summary)), Ok(summary));
    }

    #[test]
    fn whatever_the_bytes_are_reading_them_ends_with_an_answer(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        // Whether the bytes mean something does not matter, only that nothing panics and that
        // what they mean can be written again.
        if let Ok(event) = event_from_row(SessionId::from("s"), 1, &bytes) {
            let again = event_to_wire(&event);
            prop_assert_eq!(event_from_wire(again), Ok(event));
        }
        if let Ok(draft) = draft_from_row(&bytes) {
            prop_assert_eq!(draft_from_row(&draft_to_row(&draft)), Ok(draft));
        }
    }

    #[test]
    fn a_flipped_byte_of_an_event_never_panics(
        new in new_event(), at in any::<prop::sample::Index>(), flip in 1..=255_u8,
    ) {
        let mut row = event_to_row(&new);
        let at = at.index(row.len());
        row[at] ^= flip;
        if let Err(error) = event_from_row(SessionId::from("s"), 1, &row) {
            prop_assert!(!error.reason.is_empty());
        }
    }
}

fn wire() -> v1::Event {
    v1::Event {
        session: "s".into(),
        seq: 7,
        at: Some(prost_types::Timestamp { seconds: 1, nanos: 2 }),
        turn: String::new(),
        cause: Some(v1::Cause { kind: v1::CauseKind::Daemon.into(), name: String::new() }),
        origin: v1::Origin::Owner.into(),
        op_id: String::new(),
        kind: Some(v1::event::Kind::UserMessage(v1::UserMessage {
            sensitive: false,
            item: "i".into(),
            op_id: "o".into(),
            parts: vec![part_to_wire(&Part::Text("hello".into()))],
            queue: v1::QueueMode::Followup.into(),
            model: String::new(),
        })),
    }
}

#[track_caller]
fn check(change: impl FnOnce(&mut v1::Event), wanted: &str) {
    let mut event = wire();
    change(&mut event);
    let error = event_from_wire(event).expect_err("the event has no meaning");
    assert_eq!(error.to_string(), wanted);
}

fn message(event: &mut v1::Event) -> &mut v1::UserMessage {
    match &mut event.kind {
        Some(v1::event::Kind::UserMessage(message)) => message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_error_names_the_field() {
    event_from_wire(wire()).expect("the unchanged event is good");
    check(|e| e.session.clear(), "read the field `session`: is empty");
    check(|e| e.seq = 0, "read the field `seq`: is 0");
    check(|e| e.at = None, "read the field `at`: is missing");
    check(|e| e.origin = 0, "read the field `origin`: has no value 0");
    check(|e| e.origin = 99, "read the field `origin`: has no value 99");
    check(|e| e.cause = None, "read the field `cause`: is missing");
    check(|e| e.kind = None, "read the field `kind`: is missing or unknown");
    check(|e| message(e).op_id.clear(), "read the field `user_message.op_id`: is empty");
    check(|e| message(e).queue = 9, "read the field `user_message.queue`: has no value 9");
    check(
        |e| message(e).parts.push(v1::Part { part: None }),
        "read the field `user_message.parts[1].part`: is missing or of an unknown kind",
    );
    check(
        |e| {
            e.at = Some(prost_types::Timestamp { seconds: i64::MAX, nanos: 0 });
        },
        "read the field `at`: is out of range",
    );
    check(
        |e| {
            e.kind = Some(v1::event::Kind::TurnStarted(v1::TurnStarted { model: "gpt".into() }));
        },
        "read the field `turn_started.model`: `gpt` is not `provider/model`",
    );
}

#[test]
fn a_row_holds_neither_session_nor_seq() {
    let new = NewEvent {
        at: Timestamp::UNIX_EPOCH,
        turn: None,
        cause: Cause::Daemon,
        origin: Origin::Owner,
        op: None,
        kind: EventKind::ArchivedChanged { archived: true },
    };
    let row = v1::Event::decode(event_to_row(&new).as_slice()).expect("an event");
    assert_eq!((row.session.as_str(), row.seq), ("", 0));
}

#[test]
fn a_time_before_1970_counts_nanoseconds_up() {
    let at = Timestamp::new(-5, -250_000_000).expect("a time");
    let wire = timestamp_to_wire(at);
    assert_eq!(wire, prost_types::Timestamp { seconds: -6, nanos: 750_000_000 });
    assert_eq!(timestamp_from_wire("at", Some(wire)), Ok(at));
}

//! What holds whatever happens: live is replay, and every turn ends once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use moltis_core::assistant::{Assistant, StopScope};
use moltis_core::event::{Event, EventKind};
use moltis_core::feed::From;
use moltis_core::id::TurnId;
use moltis_core::message::text_of;
use moltis_core::provider::FailureKind;
use moltis_core::session::{QueueMode, Summary};
use moltis_testkit::journal::Breakdown;
use moltis_testkit::provider::{Gate, Script};
use proptest::prelude::*;

use crate::harness::{Home, View, owner, soon};

#[derive(Clone, Debug)]
enum Act {
    Send(QueueMode),
    Stop(StopScope),
    /// Asks for a summary.
    Compact,
    /// Lets one waiting script go on.
    Open,
    /// A reader comes, from this place, and stays.
    Attach(u64),
    /// A reader reads what is there.
    Read(usize),
    /// A reader goes.
    Detach(usize),
    /// Everything that can happen now, happens.
    Yield(u8),
    /// Time passes: retries, drafts, timeouts.
    Pass(u64),
    /// The n-th append from now on fails.
    Break(u64, bool),
    /// The daemon dies and comes back.
    Restart,
}

fn acts(faults: bool) -> impl Strategy<Value = Vec<Act>> {
    let queue =
        prop_oneof![Just(QueueMode::Followup), Just(QueueMode::Collect), Just(QueueMode::Steer)];
    let stop = prop_oneof![Just(StopScope::Running), Just(StopScope::All)];
    let fault = if faults {
        prop_oneof![
            (0_u64..4, any::<bool>()).prop_map(|(n, written)| Act::Break(n, written)),
            Just(Act::Restart)
        ]
        .boxed()
    } else {
        Just(Act::Yield(9)).boxed()
    };
    let act = prop_oneof![
        5 => queue.prop_map(Act::Send),
        1 => stop.prop_map(Act::Stop),
        1 => Just(Act::Compact),
        5 => Just(Act::Open),
        2 => (0_u64..12).prop_map(Act::Attach),
        4 => (0_usize..4).prop_map(Act::Read),
        1 => (0_usize..4).prop_map(Act::Detach),
        6 => (0_u8..30).prop_map(Act::Yield),
        2 => (0_u64..3_000).prop_map(Act::Pass),
        1 => fault,
    ];
    prop::collection::vec(act, 1..60)
}

/// A script: what comes, and where it waits.
fn script(pieces: &[u8], gate: &Gate) -> Script {
    let mut script = Script::new();
    for piece in pieces {
        script = match piece % 8 {
            0..=2 => script.text("ab"),
            3 => script.text("é"),
            4 => script.reasoning("hm"),
            5 => script.gate(gate),
            6 => script.usage(3, 1),
            _ => script.fail(FailureKind::Transport, "gone"),
        };
    }
    script.done()
}

/// What is known of a session's items, from events alone.
fn fold<'a>(events: impl Iterator<Item = &'a Event>) -> BTreeMap<String, String> {
    let mut items = BTreeMap::new();
    for event in events {
        let (item, text) = match &event.kind {
            EventKind::UserMessage { item, parts, .. } => (item, text_of(parts)),
            EventKind::AssistantMessage { item, parts, partial, .. } => {
                (item, format!("{partial} {}", text_of(parts)))
            }
            EventKind::Notice { item, text, .. } => (item, text.clone()),
            EventKind::Compacted { item, summary, .. } => (item, summary.clone()),
            _ => continue,
        };
        assert_eq!(items.insert(item.to_string(), text), None, "an item is there twice");
    }
    items
}

struct World {
    home: Home,
    gate: Gate,
    views: Vec<View>,
    acked: Vec<(u64, String)>,
}

impl World {
    async fn new(scripts: &[Vec<u8>]) -> Self {
        // So small that a few messages fill it: turns compact by themselves too.
        let home = Home::with_window(1_200).await;
        let gate = Gate::closed();
        for pieces in scripts {
            home.provider.push(script(pieces, &gate));
        }
        home.provider.otherwise(Script::answer("yes"));
        Self { home, gate, views: Vec::new(), acked: Vec::new() }
    }

    async fn act(&mut self, act: Act) {
        match act {
            Act::Send(queue) => {
                let text = format!("U{}{}", self.acked.len(), " word".repeat(150));
                let message = moltis_core::assistant::NewMessage {
                    queue: Some(queue),
                    ..self.home.message(&text)
                };
                if let Ok(receipt) = self.home.try_send(message).await {
                    self.acked.push((receipt.seq, text));
                }
            }
            Act::Stop(scope) => {
                let sessions = &self.home.sessions;
                let op = self.home.message("").op;
                if let Ok(stopped) =
                    soon(sessions.stop(&owner(), op, &self.home.session, scope)).await
                {
                    let ends = ends(&self.home.log());
                    assert!(stopped.iter().all(|turn| ends.get(turn) == Some(&1)));
                }
            }
            Act::Compact => {
                let _nothing_to_compact = self.home.compact().await.is_err();
            }
            Act::Open => self.gate.open(),
            Act::Attach(seq) if self.views.len() < 4 => {
                let from = if seq % 2 == 0 { From::Seq(seq / 2) } else { From::Tail(seq) };
                self.views.push(self.home.attach(from).await);
            }
            Act::Read(view) => {
                if let Some(view) = self.views.get_mut(view) {
                    view.drain().await;
                }
            }
            Act::Detach(view) if view < self.views.len() => {
                self.views.swap_remove(view);
            }
            Act::Attach(_) | Act::Detach(_) => {}
            Act::Yield(times) => {
                for _ in 0..times {
                    tokio::task::yield_now().await;
                }
            }
            Act::Pass(millis) => tokio::time::sleep(Duration::from_millis(millis)).await,
            Act::Break(healthy, written) => {
                let how = if written { Breakdown::WrittenAnyway } else { Breakdown::Lost };
                self.home.journal.fail_append(healthy, how);
            }
            Act::Restart => {
                self.views.clear();
                // What the old daemon still does after its death would not be fair.
                self.home.sessions.shut_down(Duration::from_secs(60)).await;
                self.home.restart();
                let _failed_and_tried_again_later = self.home.sessions.recover().await.is_err();
            }
        }
    }

    /// Opens every gate and waits until nothing is open any more.
    async fn settle(&mut self) {
        for _ in 0..1_000 {
            self.gate.open();
        }
        while self.home.sessions.recover().await.is_err() {}
        self.home.quiet().await;
    }
}

fn ends(events: &[Event]) -> BTreeMap<TurnId, usize> {
    let mut ends = BTreeMap::new();
    for event in events {
        if let (Some(turn), EventKind::TurnEnded { .. }) = (&event.turn, &event.kind) {
            *ends.entry(turn.clone()).or_default() += 1;
        }
    }
    ends
}

fn run<F: Future<Output = ()>>(what: impl FnOnce() -> F) {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().start_paused(true).build().unwrap().block_on(what());
}

async fn check(world: &mut World) {
    let home = &world.home;
    let log = home.log();
    let turns: std::collections::BTreeSet<TurnId> =
        log.iter().filter_map(|event| event.turn.clone()).collect();
    let ends = ends(&log);
    assert_eq!(ends.len(), turns.len(), "a turn without an end:\n{}", home.story());
    assert!(ends.values().all(|count| *count == 1), "a second end:\n{}", home.story());
    for (seq, text) in &world.acked {
        let event = &log[usize::try_from(*seq).unwrap() - 1];
        let EventKind::UserMessage { parts, .. } = &event.kind else { panic!("{event:?}") };
        assert_eq!(text_of(parts), *text, "an acknowledged message is not where it was");
    }
    let replayed = home.history().await;
    let mut summary = Summary::empty(home.session.clone());
    replayed.iter().for_each(|event| summary.apply(event));
    for view in &mut world.views {
        let last = summary.last_seq;
        view.until(|view| view.caught_up && view.first_seq + view.events.len() as u64 > last).await;
        let suffix = replayed.iter().filter(|event| event.seq >= view.first_seq);
        let live: Vec<Arc<Event>> = view.events.clone();
        assert_eq!(fold(live.iter().map(AsRef::as_ref)), fold(suffix.clone()));
        assert!(live.iter().map(AsRef::as_ref).eq(suffix));
        assert_eq!(view.summary(), summary);
        view.drain().await;
        assert!(view.growing.is_empty(), "paint that no event superseded");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn live_is_replay(
        scripts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..12), 0..8),
        acts in acts(false),
    ) {
        run(|| async {
            let mut world = World::new(&scripts).await;
            for act in acts {
                world.act(act).await;
            }
            world.settle().await;
            check(&mut world).await;
        });
    }

    #[test]
    fn every_turn_ends_once_and_nothing_acknowledged_is_lost(
        scripts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..12), 0..8),
        acts in acts(true),
    ) {
        run(|| async {
            let mut world = World::new(&scripts).await;
            for act in acts {
                world.act(act).await;
            }
            world.settle().await;
            check(&mut world).await;
        });
    }
}

//! What a decision of the policy costs, for each kind of action; `moltis bench` holds it against 5 µs.
//!
//! The table is the least kind that a person has: twenty patterns in the configuration, twenty
//! permissions in the session, none of which covers the call, so that each is compared. The time is
//! that of [`authorize`] and of dropping its verdict; copying the call before it is not counted.
//! Nothing is decided for anybody here.

use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use moltis_core::event::Origin;
use moltis_core::id::CallId;
use moltis_core::policy::{Grant, Grants, Label, Mode, Pattern, Principal, Verdict, authorize};
use moltis_core::sandbox::{Mount, Network};
use moltis_core::tool::{Action, Call, Change, Look, Outbound, Run};
use moltis_core::{Code, Error, Result};
use serde_json::{Value, json};

use crate::offline::print;

/// Decisions that are timed together.
const BATCH: u32 = 100;

/// Batches; the middle one counts.
const BATCHES: usize = 101;

/// Prints each kind of decision with its time: a line each, or one JSON document.
pub(crate) fn print_figures(json: bool) -> Result<ExitCode> {
    let grants = grants()?;
    let tainted = Label { taint: Origin::Web, sensitive: true };
    let mut document: Vec<Value> = Vec::new();
    for (name, call) in calls() {
        for (label, words) in
            [(Label::CLEAN, name.to_owned()), (tainted, format!("{name}, tainted"))]
        {
            let (each, verdict) = measure(&call, label, &grants);
            let nanoseconds = each.as_nanos();
            if json {
                let nanoseconds = u64::try_from(nanoseconds).unwrap_or(u64::MAX);
                document.push(json!({"kind": words, "verdict": verdict, "ns": nanoseconds}));
            } else {
                print(&format!("{words:<34} {verdict:<8} {nanoseconds:>8} ns\n"))?;
            }
        }
    }
    if json {
        print(&format!("{}\n", json!({ "decisions": document })))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The time of one decision, and what it was.
fn measure(call: &Call, label: Label, grants: &Grants) -> (Duration, &'static str) {
    let mut times = Vec::with_capacity(BATCHES);
    for _ in 0..BATCHES {
        let calls = vec![call.clone(); BATCH as usize];
        let begun = Instant::now();
        for call in calls {
            black_box(authorize(black_box(Principal::Model), call, label, black_box(grants)));
        }
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    let verdict = match authorize(Principal::Model, call.clone(), label, grants) {
        Verdict::Allowed(_) => "allowed",
        Verdict::Ask(_) => "asked",
        Verdict::Denied(_) => "denied",
    };
    (times[BATCHES / 2] / BATCH, verdict)
}

/// What a person allowed who has been at it for a while.
fn grants() -> Result<Grants> {
    let pattern =
        |line: &str| Pattern::parse(line).map_err(|error| Error::new(Code::Internal, error));
    let listed = |number: usize| match number % 4 {
        0 => format!("exec: cargo task{number}"),
        1 => format!("web_fetch: https://docs{number}.example.org/"),
        2 => format!("write: src/part{number}/"),
        _ => format!("exec: git verb{number}"),
    };
    let given = |number: usize| match number % 2 {
        0 => format!("exec: npm run step{number}"),
        _ => format!("web_fetch: https://api{number}.example.com/v1/"),
    };
    let given = |number: usize| {
        let tainted = number.is_multiple_of(3);
        Ok(Grant { pattern: pattern(&given(number))?, tainted })
    };
    let deny = ["*: .ssh", "exec: sudo", "exec: rm -rf /"];
    Ok(Grants {
        mode: Mode::Auto,
        allow: (0..20).map(|number| pattern(&listed(number))).collect::<Result<_>>()?,
        deny: deny.into_iter().map(pattern).collect::<Result<_>>()?,
        session: (0..20).map(given).collect::<Result<_>>()?,
    })
}

/// One call of each kind, of the length that models write.
fn calls() -> Vec<(&'static str, Call)> {
    let run = |command: &str, network| {
        Action::Run(Run {
            command: command.to_owned(),
            typed: false,
            directory: "daemon".to_owned(),
            timeout: Duration::from_secs(120),
            network,
            hosts: Vec::new(),
            mount: Mount::ReadWrite,
        })
    };
    let plain = "cargo test --workspace --locked -p moltis-core policy -- --nocapture";
    let shell = "cd daemon && grep -rn 'authorize(' --include='*.rs' . | sort | uniq -c | head -50";
    let path = "daemon/core/src/deep/down/in/a/tree/policy.rs".to_owned();
    let to = "https://www.example.net/search/results?page=2&order=newest".to_owned();
    let task = "Find out which tests fail and why; change nothing.".to_owned();
    let actions = [
        ("inward", "session_state", Action::Inward),
        ("look", "read", Action::Look(Look { path: path.clone() })),
        ("change", "write", Action::Change(Change { path })),
        ("run, plain", "exec", run(plain, Network::None)),
        ("run, shell", "exec", run(shell, Network::None)),
        ("run, open network", "exec", run(plain, Network::Open)),
        ("send", "web_fetch", Action::Send(Outbound { to, what: String::new() })),
        ("spawn", "spawn_agent", Action::Spawn { task }),
    ];
    let call = |(name, tool, action): (&'static str, &str, Action)| {
        let arguments = json!({"of": "no", "interest": ["here", 1, true]});
        let id = CallId::new("call_0123456789abcdef");
        (name, Call { id, tool: tool.to_owned(), arguments, action })
    };
    actions.into_iter().map(call).collect()
}

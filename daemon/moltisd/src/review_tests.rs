use std::fmt::Write as _;
use std::path::Path;

use expect_test::{Expect, expect};
use moltis_config::{Sources, resolve};

use super::review;
use crate::settings::SCHEMA;

fn check(file: &str, env: &[(&str, &str)], expected: &Expect) {
    let env: Vec<(String, String)> =
        env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let resolved = resolve(&SCHEMA, &Sources { file, env: &env, flags: &[] });
    assert_eq!(resolved.problems, []);
    let vars = |name: &str| env.iter().find(|(known, _)| known == name).map(|(_, v)| v.clone());
    let mut said = String::new();
    for problem in review(&resolved.config, Some(0o644), &vars) {
        writeln!(said, "{}: {}", problem.severity, problem.line(Path::new("f"))).unwrap();
        if let Some(hint) = problem.hint {
            writeln!(said, "  hint: {hint}").unwrap();
        }
    }
    expected.assert_eq(&said);
}

#[test]
fn what_the_daemon_could_not_start_from_is_an_error_at_its_place() {
    check(
        "[providers.work]\nkind = \"openai\"\nbase_url = \"http://\"\n",
        &[],
        &expect![[r#"
        error: f:3:12: the base URL `http:` of the provider `work` is not an http or https URL
        warning: f:3:12: `work` is asked without encryption, key included
          hint: use https://
    "#]],
    );
    check(
        "[providers.work]\nkind = \"opnai\"\n",
        &[],
        &expect![[r#"
        error: f:2:8: the provider `work` has the unknown kind `opnai`; `openai` is near
          hint: moltis providers list --kinds
    "#]],
    );
    check(
        "[providers.local]\nkind = \"openai\"\n",
        &[],
        &expect![[r#"
        error: f:2:8: there are two providers named `local`
    "#]],
    );
    check(
        "",
        &[("MOLTIS_PROVIDER", "nobody")],
        &expect![[r#"
        error: environment MOLTIS_PROVIDER: the provider `nobody` has the unknown kind `nobody`
          hint: moltis providers list --kinds
    "#]],
    );
    check(
        "",
        &[("OPENAI_API_KEY", "k"), ("OPENAI_BASE_URL", "nowhere")],
        &expect![[r#"
            error: environment *_BASE_URL: the base URL `nowhere` of the provider `openai` is not an http or https URL
        "#]],
    );
}

#[test]
fn a_key_that_will_not_be_used_is_worth_a_word() {
    let file = "[providers.work]\nkind = \"openai\"\napi_key_env = \"WORK_KEY\"\n";
    check(file, &[("WORK_KEY", "k")], &expect![[""]]);
    check(
        file,
        &[],
        &expect![[r#"
        warning: f:3:15: the variable WORK_KEY is not set for the daemon
    "#]],
    );
    check(
        &format!("{file}api_key = \"k\"\n"),
        &[("WORK_KEY", "k")],
        &expect![[r#"
        warning: f:3:15: `work` has an api_key too, and that one is used
        warning: f:4:11: the key of `work` lies in the file as plain text
          hint: moltis providers login work
        warning: f: others on this machine can read this file, and it holds a key
          hint: chmod 600 the file
    "#]],
    );
}

#[test]
fn a_model_of_nobody_is_worth_a_word() {
    let file = "[chat]\ndefault_model = \"openai/gpt-5\"\nfallbacks = [\"local/a\", \"work/b\"]\n";
    check(
        file,
        &[("OPENAI_API_KEY", "k")],
        &expect![[r#"
        warning: f:3:13: the provider of `work/b` is not set up
          hint: moltis providers login work
    "#]],
    );
}

#[test]
fn only_an_address_of_this_machine_may_be_asked_without_encryption() {
    for (host, is_own) in [
        ("127.0.0.1:8080/v1", true),
        ("LOCALHOST/v1", true),
        ("[::1]:11434", true),
        ("localhost.example.com", false),
        ("127.example.com", false),
        ("me@10.0.0.2", false),
        ("localhost@example.com", false),
    ] {
        assert_eq!(super::is_loopback(&format!("http://{host}")), is_own, "{host}");
    }
}

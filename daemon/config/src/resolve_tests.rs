use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::sample::SAMPLE;

fn env(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn settings(file: &str, pairs: &[(&str, &str)], flags: &[Flag]) -> String {
    let env = env(pairs);
    let resolved = resolve(&SAMPLE, &Sources { file, env: &env, flags });
    assert_eq!(resolved.problems, []);
    let mut text = String::new();
    for setting in resolved.config.settings() {
        text += &format!("{} = {} ({})\n", setting.path, setting.shown(), setting.origin);
    }
    text
}

fn problems(file: &str, pairs: &[(&str, &str)]) -> String {
    let env = env(pairs);
    let resolved = resolve(&SAMPLE, &Sources { file, env: &env, flags: &[] });
    let mut text = String::new();
    for problem in &resolved.problems {
        text += &problem.line(std::path::Path::new("moltis.toml"));
        text += &problem.hint.as_ref().map_or("\n".to_owned(), |hint| format!(" | {hint}\n"));
    }
    text
}

fn check(found: &str, expected: Expect) {
    expected.assert_eq(found);
}

#[test]
fn each_layer_wins_over_the_one_below_and_says_so() {
    check(
        &settings(
            "[chat]\nmodel = 'a/b'\ntimeout_s = 2\nmode = \"fast\"\n[providers.zed-ai]\nkind='x'\n",
            &[
                ("MOLTIS_CHAT__TIMEOUT_S", "4"),
                ("MOLTIS_CHAT__SPARES", "a/b, c/d"),
                ("MOLTIS_PROVIDERS__ZED_AI__API_KEY", "sk-1"),
                ("MOLTIS_PROVIDERS__NEW__KIND", "openai"),
                ("MOLTIS_CHAT__MODE", "calm"),
                ("MOLTIS_PROVIDER", "not ours"),
            ],
            &[Flag { name: "--json-logs", path: "log.json", value: Value::Bool(true) }],
        ),
        expect![[r#"
            chat.model = "a/b" (file)
            chat.timeout_s = 4 (env MOLTIS_CHAT__TIMEOUT_S)
            chat.mode = "calm" (env MOLTIS_CHAT__MODE)
            chat.spares = ["a/b", "c/d"] (env MOLTIS_CHAT__SPARES)
            providers.zed-ai.kind = "x" (file)
            providers.zed-ai.api_key = "***" (env MOLTIS_PROVIDERS__ZED_AI__API_KEY)
            providers.new.kind = "openai" (env MOLTIS_PROVIDERS__NEW__KIND)
            providers.new.api_key = "" (default)
            log.json = true (flag --json-logs)
        "#]],
    );
}

#[test]
fn every_way_to_write_a_table_is_understood() {
    let dotted = "chat.model = 'a/b'\nproviders = { x = { kind = 'k' } }";
    let tables = "[chat]\nmodel = 'a/b'\n[providers.x]\nkind = 'k'";
    assert_eq!(settings(dotted, &[], &[]), settings(tables, &[], &[]));
}

#[test]
fn an_empty_table_with_a_chosen_name_exists() {
    let file = "[providers.openai]\n";
    let resolved = resolve(&SAMPLE, &Sources { file, ..Sources::default() });
    assert_eq!(resolved.config.names("providers"), ["openai"]);
}

#[test]
fn what_is_not_known_is_an_error_with_place_and_nearest_name() {
    check(
        &problems(
            "[chat]\nmodle = 1\n[chta]\nmodel = 'x'\n[providers.x]\nkin = 'y'\n[log]\ntimeout_s = 3\n",
            &[("MOLTIS_CHAT__TIMEOUTS", "1"), ("MOLTIS_ZZ__QQ", "1")],
        ),
        expect![[r#"
            moltis.toml:2:1: unknown key `chat.modle` | did you mean `chat.model`?
            moltis.toml:3:2: unknown section `chta` | did you mean `chat`?
            moltis.toml:6:1: unknown key `providers.x.kin` | did you mean `providers.x.kind`?
            moltis.toml:8:1: unknown key `log.timeout_s` | did you mean `chat.timeout_s`?
            environment MOLTIS_CHAT__TIMEOUTS: unknown key `chat.timeouts` | did you mean `chat.timeout_s`?
            environment MOLTIS_ZZ__QQ: unknown key `zz.qq`
        "#]],
    );
}

#[test]
fn a_value_of_the_wrong_kind_is_an_error_that_never_shows_a_secret() {
    check(
        &problems(
            "chat = 3\nlog.json = 'yes'\n[providers.x]\napi_key = 1234\nkind = 1.5\n\"a b\".kind = ''\n",
            &[("MOLTIS_CHAT__TIMEOUT_S", "soon"), ("MOLTIS_CHAT__MODE", "slow")],
        ),
        expect![[r#"
            moltis.toml:1:1: `chat` must be a table: [chat]
            moltis.toml:2:12: `log.json`: expected true or false, found "yes"
            moltis.toml:4:11: `providers.x.api_key`: expected a string
            moltis.toml:5:8: `providers.x.kind`: expected a string, found 1.5
            moltis.toml:6:1: `a b` is no name: use letters, digits, `-` and `_`
            environment MOLTIS_CHAT__TIMEOUT_S: `chat.timeout_s`: expected a whole number from 0 to 100
            environment MOLTIS_CHAT__MODE: `chat.mode`: expected one of calm, fast
        "#]],
    );
}

#[test]
fn bounds_and_checks_are_looked_at() {
    check(
        &problems("[chat]\ntimeout_s = 101\n", &[("MOLTIS_CHAT__TIMEOUT_S", "3")]),
        expect![[r#"
            moltis.toml:2:13: `chat.timeout_s`: expected a whole number from 0 to 100, found 101
            environment MOLTIS_CHAT__TIMEOUT_S: `chat.timeout_s`: expected an even number
        "#]],
    );
}

#[test]
fn a_syntax_error_has_a_place_and_does_not_quote_the_line() {
    let found = problems("[providers.x]\napi_key = \"sk-secret\n", &[]);
    assert!(found.starts_with("moltis.toml:2:"), "{found}");
    assert!(!found.contains("sk-secret"), "{found}");
}

#[test]
fn a_change_is_told_by_its_paths() {
    let of = |file| resolve(&SAMPLE, &Sources { file, ..Sources::default() }).config;
    let (old, new) = (of("[chat]\nmodel='a/b'\n[providers.x]\n"), of("[chat]\nmodel='c/d'\n"));
    let changed: Vec<&str> = new.changed_since(&old).iter().map(|s| s.path.as_str()).collect();
    assert_eq!(changed, ["chat.model", "providers.x.kind", "providers.x.api_key"]);
}

proptest! {
    #[test]
    fn no_text_breaks_the_reader(text in "[\\[\\]{}a-z.=\"'#\n, 0-9é]{0,120}", value in ".{0,40}") {
        let env = env(&[("MOLTIS_CHAT__SPARES", &value), ("MOLTIS_CHAT__MODEL", &value)]);
        let resolved = resolve(&SAMPLE, &Sources { file: &text, env: &env, flags: &[] });
        prop_assert!(resolved.config.get("chat.model").is_some());
    }
}

const BELLS: &str = "[chat]\nmodel = 'a/b'\n\n[[bells]] # the first\ntone = 'c' # low\npeals = [1, # once\n  2]\n\
                     [bells.env]\nKEY = 'secret'\n[[bells]]\ntone = \"d\"\n";

#[test]
fn the_rows_of_a_list_are_handed_on_without_comments_however_they_are_written() {
    let of = |file| {
        let resolved = resolve(&SAMPLE, &Sources { file, ..Sources::default() });
        assert_eq!(resolved.problems, []);
        resolved.config
    };
    let config = of(BELLS);
    let rows: Vec<&str> = config.rows("bells").collect();
    expect![[r#"
        [
            "tone = \"c\"\npeals = [1, 2]\nenv = { KEY = \"secret\" }\n",
            "tone = \"d\"\n",
        ]
    "#]]
    .assert_debug_eq(&rows);
    let shown: Vec<String> =
        config.all_rows().iter().map(|row| format!("{} = {}", row.name(), row.shown())).collect();
    assert_eq!(shown, ["bells.1 = { tone = \"c\" }", "bells.2 = { tone = \"d\" }"]);
    let inline = "chat.model = 'a/b'\n\
                  bells = [{ tone = 'c', peals = [1, 2], env.KEY = 'secret' }, { tone = 'd' }]\n";
    let inline = of(inline);
    assert_eq!(inline.rows("bells").collect::<Vec<_>>(), rows);
    assert_eq!(inline.rows_changed_since(&config), [] as [&str; 0]);
    assert_eq!(of("bells = []").rows_changed_since(&config), ["bells"]);
    assert_eq!(config.rows_changed_since(&Config::default()), ["bells"]);
}

#[test]
fn a_row_that_can_not_be_understood_is_an_error_at_its_line() {
    check(
        &problems(
            "[[bells]]\ntone = 'a'\n[[bells]]\n\n[bells.env]\nKEY = 'secret'\n",
            &[("MOLTIS_BELLS__TONE", "b")],
        ),
        expect![[r#"
            moltis.toml:3:1: row 2 of `bells`: it has no `tone`
            environment MOLTIS_BELLS__TONE: `bells` is a list of tables: only the file can have it
        "#]],
    );
    check(
        &problems("[bells]\ntone = 'a'\n", &[]),
        expect![[r#"
            moltis.toml:1:2: `bells` must be a list of tables: [[bells]]
        "#]],
    );
    check(
        &problems("[[bels]]\ntone = 'a'\n", &[]),
        expect![[r#"
            moltis.toml:1:3: unknown key `bels` | did you mean `bells`?
        "#]],
    );
    let many = "[[bells]]\ntone = 'a'\n".repeat(257);
    assert_eq!(problems(&many, &[]), "moltis.toml:1:3: `bells` has 257 rows: at most 256\n");
}

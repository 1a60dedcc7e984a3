use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::sample::SAMPLE;
use crate::template;

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

fn check(before: &str, path: &str, value: &Value, after: Expect) {
    after.assert_eq(&set(before, path, value).unwrap());
}

#[test]
fn a_key_of_the_template_comes_alive_in_its_place() {
    let edited = set(&template(&SAMPLE), "chat.timeout_s", &Value::Integer(8)).unwrap();
    let edited = set(&edited, "providers.ollama.kind", &text("ollama")).unwrap();
    let edited = set(&edited, "providers.ollama.api_key", &text("k")).unwrap();
    expect![[r##"
        # A sample.

        # Talking.
        [chat]

        # The model.
        # model = ""

        # Seconds.
        # 0 is off.
        timeout_s = 8

        # How.
        # mode = "calm"

        # Others.
        # spares = []

        # Who is asked.
        # [providers.work]
        # kind = ""                        # What it speaks.
        # api_key = "…"                    # Its key.

        # Logs.
        [log]

        # As JSON.
        # json = false

        # What rings.
        # [[bells]]
        # tone = "a"

        [providers.ollama]
        kind = "ollama"
        api_key = "k"
    "##]]
    .assert_eq(&edited);
}

#[test]
fn a_key_changes_where_it_stands_and_its_comment_stays() {
    check(
        "b = 1 # keep\n[chat] # talk\nmodel   =  'a'   # mine\n# end\n",
        "chat.model",
        &text("c/d"),
        expect![[r#"
            b = 1 # keep
            [chat] # talk
            model   =  "c/d"   # mine
            # end
        "#]],
    );
}

#[test]
fn inline_and_dotted_tables_can_be_edited() {
    check(
        "providers = { x = { kind = 'k' } }\nchat.mode = 'fast'\n",
        "providers.y.kind",
        &text("z"),
        expect![[r#"
            providers = { x = { kind = 'k' } , y.kind = "z" }
            chat.mode = 'fast'
        "#]],
    );
    check(
        "chat.mode = 'fast'\n",
        "chat.model",
        &text("z"),
        expect![[r#"
            chat.mode = 'fast'
            chat.model = "z"
        "#]],
    );
}

#[test]
fn an_empty_text_gets_the_section() {
    check(
        "",
        "chat.spares",
        &Value::List(vec!["a/b".to_owned()]),
        expect![[r#"
        [chat]
        spares = ["a/b"]
    "#]],
    );
}

#[test]
fn a_line_in_a_string_is_not_taken_for_a_comment() {
    let before = "[chat]\nmodel = '''\n# mode = 1\n'''\n";
    let after = set(before, "chat.mode", &text("fast")).unwrap();
    assert!(after.starts_with(before), "{after}");
}

#[test]
fn what_cannot_be_edited_is_an_error() {
    assert_eq!(set("[chat", "chat.model", &text("x")), Err(EditError::NotToml));
    let shape = Err(EditError::Shape("chat.model".to_owned()));
    assert_eq!(set("chat = 3\n", "chat.model", &text("x")), shape);
}

proptest! {
    #[test]
    fn every_value_survives_being_set(value in ".{0,60}", other in "[ -~]{0,30}") {
        let before = format!("[chat]\nspares = [] # {other}\n");
        let after = set(&before, "chat.model", &text(&value)).unwrap();
        let document: DocumentMut = after.parse().unwrap();
        prop_assert_eq!(document["chat"]["model"].as_str(), Some(value.as_str()));
        let remark = format!("# {other}");
        prop_assert!(after.contains(&remark));
    }
}

#[test]
fn a_key_is_taken_out_and_every_comment_stays() {
    let gone = |before: &str, after: Expect| {
        after.assert_eq(&unset(before, "providers.work.key").unwrap());
    };
    gone(
        "# Ours.\n[providers.work]\nkind = \"a\"\n# Its key.\nkey = \"k\"\n# More.\n",
        expect![[r##"
            # Ours.
            [providers.work]
            kind = "a"
            # Its key.
            # More.
        "##]],
    );
    gone(
        "[providers.work]\nkey = \"\"\"a\nb\"\"\"\nkind = \"a\"",
        expect![[r#"
        [providers.work]
        kind = "a""#]],
    );
    gone(
        "[providers]\nwork = { kind = \"a\", key = \"k\" } # inline\n",
        expect![[r#"
        [providers]
        work = { kind = "a"} # inline
    "#]],
    );
    gone(
        "providers.work.key = \"k\"\nproviders.work.kind = \"a\"\n",
        expect![[r#"
        providers.work.kind = "a"
    "#]],
    );
    gone(
        "[providers.work]\n# key = \"k\"\n",
        expect![[r#"
        [providers.work]
        # key = "k"
    "#]],
    );
}

#[test]
fn a_key_is_changed_beside_rows_and_they_stay_as_they_are() {
    let rows = "[[bells]] # mine\ntone = 'a' # low\n[bells.env]\nKEY = 'k'\n";
    check(
        &format!("{rows}[[bells]]\ntone='b'\n"),
        "chat.model",
        &text("c/d"),
        expect![[r#"
            [[bells]] # mine
            tone = 'a' # low
            [bells.env]
            KEY = 'k'
            [[bells]]
            tone='b'

            [chat]
            model = "c/d"
        "#]],
    );
    let edited = set(&format!("[chat]\nmodel = 'a/b'\n\n{rows}"), "chat.mode", &text("fast"));
    assert!(edited.unwrap().ends_with(rows));
    assert_eq!(set(rows, "bells.tone", &text("c")), Err(EditError::Shape("bells.tone".to_owned())));
}

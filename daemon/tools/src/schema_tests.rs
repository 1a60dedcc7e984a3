use expect_test::expect;
use moltis_core::provider::ToolSpec;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{fit, schema};

fn spec() -> ToolSpec {
    let item =
        schema(1, &[("old", json!({"type": "string"})), ("all", json!({"type": "boolean"}))]);
    let parameters = schema(
        1,
        &[
            ("command", json!({"type": "string"})),
            ("timeout", json!({"type": "integer", "minimum": 1, "maximum": 1800})),
            ("mode", json!({"type": "string", "enum": ["files", "count"]})),
            ("loud", json!({"type": "boolean"})),
            ("edits", json!({"type": "array", "items": item, "minItems": 1})),
        ],
    );
    ToolSpec { name: "try".to_owned(), description: String::new(), parameters }
}

#[test]
fn what_can_only_mean_one_thing_is_taken_for_it() {
    let given = json!({
        "command": 5, "timeout": "30", "loud": "True", "mode": null,
        "edits": "[{\"old\": \"x\", \"all\": \"false\"}]",
    });
    let meant = json!({
        "command": "5", "timeout": 30, "loud": true, "edits": [{"old": "x", "all": false}],
    });
    assert_eq!(fit(&spec(), &given), Ok(meant.clone()));
    assert_eq!(fit(&spec(), &Value::from(given.to_string())), Ok(meant));
    assert_eq!(fit(&spec(), &json!({"command": "x", "timeout": 5.0})).unwrap()["timeout"], 5);
}

#[test]
fn what_is_wrong_is_said_in_a_sentence() {
    let wrong = [
        json!({}),
        json!({"command": "x", "cmd": 1}),
        json!({"command": ["x"]}),
        json!({"command": "x", "timeout": "soon"}),
        json!({"command": "x", "timeout": 2000}),
        json!({"command": "x", "mode": "all"}),
        json!({"command": "x", "edits": []}),
        json!({"command": "x", "edits": [{"old": "a"}, {"all": true}]}),
        json!("do it"),
        json!([1, 2, 3]),
    ];
    let said: Vec<String> = wrong
        .iter()
        .map(|arguments| fit(&spec(), arguments).unwrap_err())
        .map(|said| said.split(". ").next().unwrap().to_owned())
        .collect();
    expect![[r#"
        `command` is missing
        `cmd` is no parameter
        `command` must be a text, which ["x"] is not
        `timeout` must be a whole number from 1 to 1800, which "soon" is not
        `timeout` must be a whole number from 1 to 1800, which 2000 is not
        `mode` must be one of files, count, which "all" is not
        `edits` is empty
        `edits[1].old` is missing
        the arguments must be a JSON object, which "do it" are not
        the arguments must be a JSON object, which [1,2,3] are not"#]]
    .assert_eq(&said.join("\n"));
    expect![
        "`command` is missing. `try` takes command (a text), edits (a list, optional), loud (true or false, optional), mode (one of files, count, optional), timeout (a whole number from 1 to 1800, optional)."
    ]
    .assert_eq(&fit(&spec(), &json!({})).unwrap_err());
}

fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z0-9\"{}\\[\\]:, -]{0,12}".prop_map(Value::from),
        prop_oneof![Just("files"), Just("true"), Just("12"), Just("[]")].prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let key = prop_oneof![
            Just("command"),
            Just("timeout"),
            Just("mode"),
            Just("loud"),
            Just("edits"),
            Just("old"),
            Just("all"),
            Just("other"),
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..5).prop_map(|fields| {
                fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
            }),
        ]
    })
}

proptest! {
    #[test]
    fn fitting_twice_is_fitting_once(arguments in anything()) {
        if let Ok(fitted) = fit(&spec(), &arguments) {
            prop_assert_eq!(fit(&spec(), &fitted), Ok(fitted));
        }
    }
}

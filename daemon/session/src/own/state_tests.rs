use super::*;

#[test]
fn a_value_has_names_of_a_length_that_is_bounded() {
    let long = "k".repeat(MOST_NAME + 1);
    let asked = |namespace: &str, key: &str| {
        ask(&json!({ "operation": "set", "namespace": namespace, "key": key, "value": 1 }))
    };
    assert!(asked("n", &long[1..]).is_ok());
    assert_eq!(asked("n", &long).unwrap_err(), "`key` has at most 200 bytes");
    assert_eq!(asked(&long, "k").unwrap_err(), "`namespace` has at most 200 bytes");
}

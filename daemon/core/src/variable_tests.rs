use secrecy::SecretString;

use super::{LONGEST_VALUE, check_name, check_value, secret_name, variable_of};

#[test]
fn a_variable_is_named_as_shells_name_them() {
    for name in ["A", "_a", "API_KEY_2"] {
        assert!(check_name(name).is_ok(), "{name}");
        assert_eq!(variable_of(&secret_name(name)), Some(name));
    }
    let long = "A".repeat(65);
    for name in ["", "2A", "A-B", "A B", "A=B", "Ä", "a/b", &long] {
        assert!(check_name(name).is_err(), "{name}");
    }
    assert_eq!(variable_of("provider/openai"), None);
}

#[test]
fn a_value_that_could_not_be_found_again_is_refused() {
    let check = |value: &str| check_value(&SecretString::from(value));
    assert!(check("12345678").is_ok());
    assert!(check(&"x".repeat(LONGEST_VALUE)).is_ok());
    for value in ["", "1234567", "two\nlines, long enough", &"x".repeat(LONGEST_VALUE + 1)] {
        let error = check(value).unwrap_err();
        assert!(value.is_empty() || !error.message.contains(value), "{error}");
    }
}

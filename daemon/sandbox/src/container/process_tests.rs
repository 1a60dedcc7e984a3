use super::{check_name, escaped};

#[test]
fn a_last_semicolon_is_text_for_tmux() {
    assert_eq!(escaped("ls; pwd"), "ls; pwd");
    assert_eq!(escaped("ls;"), "ls\\;");
    assert_eq!(escaped("find . -exec ls {} \\;"), "find . -exec ls {} \\\\;");
}

#[test]
fn a_name_can_not_be_an_option_or_a_target_of_tmux() {
    for name in ["server", "a-b_9", "A"] {
        assert!(check_name(name).is_ok(), "{name}");
    }
    for name in ["", "-t", "a:b", "a.b", "a b", "=a", "ä", &"a".repeat(33)] {
        assert!(check_name(name).is_err(), "{name}");
    }
}

use std::path::Path;

use proptest::prelude::*;

use super::Inside;

fn parse(text: &str) -> Result<String, String> {
    Inside::parse(text, Some(Path::new("/home/me/work"))).map(|path| path.as_str().to_owned())
}

#[test]
fn a_path_is_taken_by_each_of_its_names() {
    for text in ["a/b", "./a//b/", "/home/me/work/a/b", "/workspace/a/b", "/workspace/./a/b"] {
        assert_eq!(parse(text).as_deref(), Ok("a/b"), "{text}");
    }
    for text in ["", ".", "/home/me/work", "/workspace/"] {
        assert_eq!(parse(text).as_deref(), Ok(""), "{text}");
    }
}

#[test]
fn what_is_outside_by_its_text_is_refused() {
    for text in
        ["/etc/passwd", "/home/me/workshop/a", "/", "..", "a/../b", "/workspace/../etc", "a\0b"]
    {
        assert!(parse(text).is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn a_path_that_was_taken_is_clean_and_taken_again_the_same(text in r"[a-c./]{0,12}|\PC{0,20}") {
        if let Ok(path) = parse(&text) {
            prop_assert!(!path.starts_with('/'));
            prop_assert!(path.is_empty() || path.split('/').all(|step| !matches!(step, "" | "." | "..")));
            let again = Inside::parse(&path, None);
            prop_assert_eq!(again.map(|again| again.as_str().to_owned()), Ok(path));
        }
    }
}

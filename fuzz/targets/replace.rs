//! Any edit of any text is made or refused; what is around a found text stays as it is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use moltis_tools::replace::{Edit, replace};

fuzz_target!(|input: (String, String, String, String, bool)| {
    let (before, old, new, after, all) = input;
    let text = format!("{before}{old}{after}");
    let Ok(edited) = replace(&text, Edit { old: &old, new: &new, all }) else { return };
    assert!(edited.places >= 1);
    if !all {
        // It was found once, so it was found there.
        assert!(!edited.alike && edited.places == 1);
        assert!(edited.text.starts_with(&before) && edited.text.ends_with(&after));
    }
});

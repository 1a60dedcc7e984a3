//! Any HOOK.md gives a spec within its bounds, or a sentence.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use moltis_hooks::manifest;

fuzz_target!(|bytes: &[u8]| {
    match manifest(bytes, "it") {
        Ok(spec) => {
            assert_eq!(spec.name, "it");
            assert!(!spec.points.is_empty() && !spec.command.trim().is_empty());
            assert!(spec.timeout > Duration::ZERO && spec.timeout <= Duration::from_secs(300));
        }
        Err(why) => assert!(!why.is_empty()),
    }
});

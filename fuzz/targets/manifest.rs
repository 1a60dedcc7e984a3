//! Any bytes give a manifest or damage; a manifest is written as the bytes that it was read from,
//! and all of its paths stay within the workspace.
#![no_main]

use libfuzzer_sys::fuzz_target;
use moltis_checkpoint::manifest::{Manifest, hash};

fuzz_target!(|body: &[u8]| {
    // The sum is right, so that what is before it is looked at.
    let whole = [b"moltis checkpoint 1\n", body].concat();
    let whole = [whole.as_slice(), &hash(&whole)].concat();
    if let Ok(manifest) = Manifest::parse(&whole) {
        assert_eq!(manifest.write(), whole);
        for path in manifest.entries.keys() {
            assert!(
                path.split(|byte| *byte == b'/').all(|name| !matches!(name, b"" | b"." | b".."))
            );
        }
    }
});

//! Any bytes of a row give an event or an error; an event that was read is written and read the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use moltis_codec::event::{event_from_wire, event_to_wire};
use moltis_codec::row::event_from_row;
use moltis_core::SessionId;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(event) = event_from_row(SessionId::from("s"), 1, bytes) {
        assert_eq!(event_from_wire(event_to_wire(&event)).as_ref(), Ok(&event));
    }
});

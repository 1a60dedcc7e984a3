use proptest::prelude::*;

use super::*;

const CODES: [Code; 10] = [
    Code::NotFound,
    Code::Invalid,
    Code::Conflict,
    Code::Busy,
    Code::NotConfigured,
    Code::Provider,
    Code::Storage,
    Code::Unavailable,
    Code::Denied,
    Code::Internal,
];

proptest! {
    #[test]
    fn an_error_reads_back_as_it_was(
        code in prop::sample::select(CODES.to_vec()),
        message in ".{0,200}",
        hint in prop::option::of(".{1,100}"),
    ) {
        let error = Error { code, message, hint };
        prop_assert_eq!(error_from_wire(&error_to_wire(&error)), Ok(error));
    }

    #[test]
    fn arbitrary_bytes_are_an_error_or_a_detail(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        if let Ok(error) = error_from_wire(&bytes) {
            prop_assert!(CODES.contains(&error.code));
        }
    }
}

#[test]
fn a_long_message_is_cut_between_characters() {
    let error = Error::new(Code::Provider, "é".repeat(5_000)).with_hint("ü".repeat(5_000));
    let bytes = error_to_wire(&error);
    assert!(bytes.len() < 4_096, "{} bytes do not fit a header", bytes.len());
    let back = error_from_wire(&bytes).unwrap();
    assert_eq!(back.code, Code::Provider);
    assert_eq!(back.message, "é".repeat(1_024));
}

#[test]
fn a_code_of_the_future_is_internal() {
    let bytes = detail_to_wire("out_of_luck", "why", "");
    assert_eq!(error_from_wire(&bytes), Ok(Error::new(Code::Internal, "why")));
}

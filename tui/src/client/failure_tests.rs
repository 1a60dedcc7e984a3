//! From a status of the wire to what a person is told.

use std::io;

use tonic::metadata::{MetadataMap, MetadataValue};

use super::*;

fn status(detail: &ErrorDetail) -> Status {
    let mut metadata = MetadataMap::new();
    let value = MetadataValue::from_bytes(&detail.encode_to_vec());
    metadata.insert_bin(ERROR_DETAIL_KEY, value);
    Status::with_metadata(Code::Internal, "ignored", metadata)
}

#[test]
fn the_detail_of_a_status_decides() {
    let detail = ErrorDetail {
        code: "not_configured".to_owned(),
        message: "no provider is set up".to_owned(),
        hint: "moltis providers login NAME".to_owned(),
    };
    let failure = Failure::from(status(&detail));
    assert_eq!(
        failure,
        Failure {
            code: "not_configured".to_owned(),
            message: "no provider is set up".to_owned(),
            hint: Some("moltis providers login NAME".to_owned()),
            exit: EXIT_FAILED,
        }
    );
}

#[test]
fn codes_have_their_exits() {
    let exits = ["version_mismatch", "unavailable", "usage", "not_found"]
        .map(|code| Failure::new(code, "").exit);
    assert_eq!(exits, [EXIT_VERSION, EXIT_UNREACHABLE, EXIT_USAGE, EXIT_FAILED]);
}

#[test]
fn a_broken_transport_is_an_unreachable_daemon() {
    let broken = Status::from_error(Box::new(io::Error::other("reset")));
    assert!(Failure::from(broken).is_unavailable());
    assert_eq!(Failure::from(Status::unimplemented("x")).exit, EXIT_VERSION);
}

#[test]
fn io_errors_lose_their_numbers() {
    let error = io::Error::from_raw_os_error(2);
    assert_eq!(plain(&error), "no such file or directory");
}

//! Errors as gRPC tells them: a fitting code for generic tools, and the detail for our clients.
//!
//! Headers are bounded by HTTP/2, so that texts are: a long message is cut, not lost with the
//! whole answer.

use moltis_codec::error::detail_to_wire;
use moltis_core::{Code, Error};
use moltis_proto::ERROR_DETAIL_KEY;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::http::Response;
use tonic::metadata::MetadataValue;

/// The one code that is no [`Code`]: only the transport knows it, and clients of every version must
/// understand it for ever.
pub(crate) const VERSION_MISMATCH: &str = "version_mismatch";

/// The longest text of the status itself; the detail has its own bounds.
const LONGEST_TEXT: usize = 512;

/// An error of a port, or of a request without meaning.
pub(crate) fn to_status(error: impl Into<Error>) -> Status {
    let error = error.into();
    let hint = error.hint.as_deref().unwrap_or_default();
    detailed(grpc_code(error.code), error.code.as_str(), &error.message, hint)
}

/// A status with its detail.
pub(crate) fn detailed(code: tonic::Code, name: &str, message: &str, hint: &str) -> Status {
    let mut status = Status::new(code, cut(message));
    let detail = MetadataValue::from_bytes(&detail_to_wire(name, message, hint));
    status.metadata_mut().insert_bin(ERROR_DETAIL_KEY, detail);
    status
}

/// The daemon has too many connections: what the first call on a further one is told.
pub(crate) fn crowded() -> Status {
    let error = Error::new(Code::Busy, "the daemon has too many connections");
    to_status(error.with_hint("close some clients"))
}

/// The daemon stops: what streams are told.
pub(crate) fn stopping() -> Status {
    let error = Error::new(Code::Unavailable, "the daemon is stopping");
    to_status(error.with_hint("moltis daemon start"))
}

fn grpc_code(code: Code) -> tonic::Code {
    match code {
        Code::NotFound => tonic::Code::NotFound,
        Code::Invalid => tonic::Code::InvalidArgument,
        Code::Conflict => tonic::Code::Aborted,
        Code::Busy => tonic::Code::ResourceExhausted,
        Code::NotConfigured => tonic::Code::FailedPrecondition,
        // "Errors of another address space", as gRPC has it: the vendor's.
        Code::Provider => tonic::Code::Unknown,
        Code::Storage | Code::Internal => tonic::Code::Internal,
        Code::Unavailable => tonic::Code::Unavailable,
        Code::Denied => tonic::Code::PermissionDenied,
    }
}

/// Gives a detail to what gRPC itself refused before any service saw it: a message that is too
/// large or no message at all, a call that does not exist.
pub(crate) fn with_detail(response: Response<Body>) -> Response<Body> {
    match Status::from_header_map(response.headers()) {
        Some(status) if lacks_detail(&status) => refused_by_grpc(&status).into_http(),
        Some(_) | None => response,
    }
}

fn lacks_detail(status: &Status) -> bool {
    status.code() != tonic::Code::Ok && status.metadata().get_bin(ERROR_DETAIL_KEY).is_none()
}

fn refused_by_grpc(status: &Status) -> Status {
    let said = status.message();
    match status.code() {
        tonic::Code::Unimplemented => {
            let message = "this daemon does not know the call";
            let hint = "moltis daemon restart";
            detailed(tonic::Code::Unimplemented, VERSION_MISMATCH, message, hint)
        }
        tonic::Code::OutOfRange | tonic::Code::Internal | tonic::Code::InvalidArgument => {
            let message = format!("the request can't be read: {}", plain(said));
            detailed(tonic::Code::InvalidArgument, Code::Invalid.as_str(), &message, "")
        }
        tonic::Code::Cancelled | tonic::Code::DeadlineExceeded => {
            detailed(status.code(), Code::Unavailable.as_str(), "the call was given up", "")
        }
        code => detailed(code, Code::Internal.as_str(), said, ""),
    }
}

/// The library's sentences as our fragments.
fn plain(said: &str) -> &str {
    said.trim_start_matches("Error, ").trim_end_matches('.')
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(LONGEST_TEXT)]
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;

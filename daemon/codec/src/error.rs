//! Errors as the detail that every failed call carries.
//!
//! A detail travels in a header, and headers are bounded: a text that is too long is cut, so that
//! the code always arrives.

use moltis_core::{Code, Error};
use moltis_proto::v1::ErrorDetail;
use prost::Message as _;

/// The longest message in bytes.
const LONGEST_MESSAGE: usize = 2048;

/// The longest hint in bytes.
const LONGEST_HINT: usize = 1024;

/// The bytes of a detail for the metadata. `code` is one of [`Code`], or one that only the
/// transport knows (`version_mismatch`).
pub fn detail_to_wire(code: &str, message: &str, hint: &str) -> Vec<u8> {
    let detail = ErrorDetail {
        code: code.to_owned(),
        message: cut(message, LONGEST_MESSAGE).to_owned(),
        hint: cut(hint, LONGEST_HINT).to_owned(),
    };
    detail.encode_to_vec()
}

/// The error's detail as bytes for the metadata.
pub fn error_to_wire(error: &Error) -> Vec<u8> {
    detail_to_wire(error.code.as_str(), &error.message, error.hint.as_deref().unwrap_or_default())
}

/// The error that a detail tells of. A code that is not known yet is `internal`: newer daemons may
/// have more of them.
///
/// # Errors
/// Bytes that are no detail.
pub fn error_from_wire(bytes: &[u8]) -> crate::event::Result<Error> {
    let detail = ErrorDetail::decode(bytes)
        .map_err(|error| crate::event::Error::new("", error.to_string()))?;
    Ok(Error {
        code: Code::parse(&detail.code).unwrap_or(Code::Internal),
        message: detail.message,
        hint: (!detail.hint.is_empty()).then_some(detail.hint),
    })
}

/// A request without meaning, as the caller is told.
impl From<crate::event::Error> for Error {
    fn from(error: crate::event::Error) -> Self {
        Self::new(Code::Invalid, error.to_string())
    }
}

fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

#[cfg(test)]
#[path = "error_tests.rs"]
mod tests;

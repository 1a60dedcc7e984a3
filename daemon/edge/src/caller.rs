//! Who asks: the kind of client, from the call's metadata.
//!
//! The socket admits the owner only, so that every caller's words are the owner's; the kind is for
//! the record, not for permission.

use moltis_core::assistant::Caller;
use moltis_core::event::{Cause, Origin};
use moltis_core::{Code, Error};
use tonic::Status;
use tonic::metadata::MetadataMap;

use crate::status::to_status;

/// The metadata key of the client's kind.
const CLIENT_KEY: &str = "moltis-client";

/// The longest kind.
const LONGEST_KIND: usize = 16;

/// The caller: a client of the owner; one that does not say which is a script.
pub(crate) fn caller(metadata: &MetadataMap) -> Result<Caller, Status> {
    let kind = match metadata.get(CLIENT_KEY) {
        None => "cli",
        Some(value) => value.to_str().ok().filter(|kind| is_kind(kind)).ok_or_else(malformed)?,
    };
    Ok(Caller { cause: Cause::Client(kind.to_owned()), origin: Origin::Owner })
}

fn is_kind(kind: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=LONGEST_KIND).contains(&kind.len()) && kind.bytes().all(allowed)
}

fn malformed() -> Status {
    let rule = "is not 1 to 16 characters of `a` to `z`, `0` to `9` and `-`";
    to_status(Error::new(Code::Invalid, format!("the metadata `{CLIENT_KEY}` {rule}")))
}

#[cfg(test)]
#[path = "caller_tests.rs"]
mod tests;

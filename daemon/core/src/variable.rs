//! The owner's variables: what programs in the sandbox find in their environment.
//!
//! Their values are secrets, kept in the vault under [`secret_name`], and taken out of all that
//! tools give. Not here: who keeps them and who takes them out. The invariant: a value that
//! [`check_value`] lets pass can be told from text that only looks like it.

use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};

use crate::error::{Code, Error, Result};

/// What the vault's names of variables begin with.
const SECRET: &str = "sandbox/env/";

/// Bytes of a name.
const LONGEST_NAME: usize = 64;

/// Bytes that a value has at least: a shorter one would be found in texts that are none.
pub const SHORTEST_VALUE: usize = 8;

/// Bytes that a value has at most.
pub const LONGEST_VALUE: usize = 8 << 10;

/// So many variables there are at most.
pub const MOST_VARIABLES: usize = 64;

/// Looking after the owner's variables.
///
/// Called by the edge; implemented in `moltisd` over the vault. Values go in and never come out.
#[async_trait]
pub trait VariableAdmin: Send + Sync {
    /// The names, sorted.
    async fn list(&self) -> Result<Vec<String>>;

    /// Keeps a value under a name, in the place of an older one. Programs that start from now on
    /// find it.
    ///
    /// # Errors
    /// `Invalid` for a name or a value that can't be, or one variable too many.
    async fn set(&self, name: &str, value: SecretString) -> Result<()>;

    /// Forgets one; says whether there was one.
    async fn remove(&self, name: &str) -> Result<bool>;
}

/// The vault's name of a variable.
pub fn secret_name(variable: &str) -> String {
    format!("{SECRET}{variable}")
}

/// The variable that a secret of the vault is, if it is one.
pub fn variable_of(secret: &str) -> Option<&str> {
    secret.strip_prefix(SECRET)
}

/// Whether a variable may be called so: as POSIX has it, and not too long.
///
/// # Errors
/// `Invalid`.
pub fn check_name(name: &str) -> Result<()> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let begins = name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
    if begins && name.len() <= LONGEST_NAME && name.bytes().all(fits) {
        return Ok(());
    }
    invalid(format!(
        "`{name}` can't name a variable: letters, digits and `_` can, no digit first, \
         {LONGEST_NAME} at most"
    ))
}

/// Whether a variable may have this value: a line that is long enough to be found again.
///
/// # Errors
/// `Invalid`; the value is not in the message.
pub fn check_value(value: &SecretString) -> Result<()> {
    let value = value.expose_secret();
    if value.len() < SHORTEST_VALUE {
        return invalid(format!(
            "the value has fewer than {SHORTEST_VALUE} bytes: it could not be told from other \
             text, and so not be kept from the model"
        ));
    }
    if value.len() > LONGEST_VALUE {
        return invalid(format!("the value has more than {} KiB", LONGEST_VALUE >> 10));
    }
    if value.chars().any(char::is_control) {
        return invalid("the value has control characters: it must be one line".to_owned());
    }
    Ok(())
}

fn invalid<T>(message: String) -> Result<T> {
    Err(Error::new(Code::Invalid, message))
}

#[cfg(test)]
#[path = "variable_tests.rs"]
mod tests;

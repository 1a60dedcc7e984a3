//! Names of commands: a retry with the same one is the same command.

use std::hash::{BuildHasher, RandomState};

/// No vowels but `a` and `e`, nothing that looks like a digit.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A fresh op id: 20 characters of base32, 100 random bits.
pub(crate) fn op_id() -> String {
    let mut bytes = [0_u8; 20];
    if getrandom::fill(&mut bytes).is_err() {
        // Without the system's randomness the hasher's keys are the next best thing: the id must be
        // unlikely to meet another one, not secret.
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = RandomState::new().hash_one(index).to_le_bytes()[0];
        }
    }
    bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte & 31)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn op_ids_are_twenty_characters_and_differ() {
        let (one, other) = (op_id(), op_id());
        assert_eq!(one.len(), 20);
        assert!(one.bytes().all(|byte| ALPHABET.contains(&byte)));
        assert_ne!(one, other);
    }
}

//! The machine's clock and its randomness.

use moltis_core::Timestamp;
use moltis_core::env::Env;

/// Digits and letters without those that are easily taken for each other.
const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Letters of an id: 100 random bits.
const LENGTH: usize = 20;

/// The real one.
pub(crate) struct SystemEnv;

impl Env for SystemEnv {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn fresh_id(&self) -> String {
        let mut bytes = [0; LENGTH];
        if let Err(error) = getrandom::fill(&mut bytes) {
            // Without the system's randomness nothing of what this daemon does is safe.
            tracing::error!(%error, "no randomness");
            std::process::abort();
        }
        bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_long_plain_and_different() {
        let ids: std::collections::BTreeSet<String> =
            (0..1000).map(|_| SystemEnv.fresh_id()).collect();
        assert_eq!(ids.len(), 1000);
        assert!(
            ids.iter().all(|id| id.len() == LENGTH && id.bytes().all(|b| LETTERS.contains(&b)))
        );
    }
}

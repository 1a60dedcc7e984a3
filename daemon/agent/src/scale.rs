//! What a vendor's count of tokens says of our estimates.
//!
//! Estimates are a quarter of the bytes, which is right for English and far off for code, Chinese
//! or a vendor's own overhead. An answer in the log has both: what was estimated of its prompt, and
//! what the vendor counted. Their ratio holds for the same model's next prompt. The invariant: it
//! follows from the log alone, in whole numbers, and is never more than double or less than half.

/// A prompt of less than this many estimated tokens tells more of a vendor's overhead than of text.
const LEAST: u64 = 256;

/// A count that is off by more than this factor counts something else.
const WORST: u64 = 8;

/// Real tokens to estimated ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    counted: u64,
    estimated: u64,
}

impl Scale {
    /// An estimate is what it is.
    pub const NONE: Self = Self { counted: 1, estimated: 1 };

    /// What an answer tells, whose prompt was estimated at and counted as so many tokens.
    pub(crate) fn of(estimated: u64, counted: u64) -> Option<Self> {
        let is_believed = estimated >= LEAST
            && counted >= estimated / WORST
            && counted <= estimated.saturating_mul(WORST);
        let counted = counted.clamp(estimated.div_ceil(2), estimated.saturating_mul(2));
        is_believed.then_some(Self { counted, estimated })
    }

    /// The tokens that so many estimated ones are.
    pub fn real(self, tokens: u64) -> u64 {
        ratio(tokens, self.counted, self.estimated)
    }

    /// The estimate that so many tokens have.
    pub fn estimate(self, tokens: u64) -> u64 {
        ratio(tokens, self.estimated, self.counted)
    }
}

fn ratio(tokens: u64, to: u64, from: u64) -> u64 {
    let scaled = u128::from(tokens) * u128::from(to) / u128::from(from.max(1));
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[path = "scale_tests.rs"]
mod tests;

//! Picks the next token.

/// How tokens are picked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sampling {
    /// 0 always takes the best.
    pub(crate) temperature: f32,
    /// Of the best tokens that make up this share one is drawn.
    pub(crate) top_p: f32,
    /// At most so many are drawn from.
    pub(crate) top_k: usize,
    /// What scores of tokens that were written lately are divided by.
    pub(crate) repetition: f32,
}

impl Sampling {
    /// What suits a model of this many weights: tiny ones lose the thread when it gets warm.
    pub(crate) fn for_size(weights: usize) -> Self {
        const TINY: usize = 500_000_000;
        let (temperature, top_p, repetition) =
            if weights < TINY { (0.2, 0.9, 1.1) } else { (0.7, 0.9, 1.05) };
        Self { temperature, top_p, top_k: 40, repetition }
    }
}

/// Tokens of the answer that count as written lately.
const LATELY: usize = 256;
/// Scores so far below the best are never drawn: e^-16 is one in ten million.
const FAR: f32 = 16.0;

/// Picks tokens for one answer; the same seed picks the same.
#[derive(Debug)]
pub(crate) struct Sampler {
    sampling: Sampling,
    state: u64,
    written: Vec<u32>,
}

impl Sampler {
    /// A sampler for an answer.
    pub(crate) fn new(sampling: Sampling, seed: u64) -> Self {
        Self { sampling, state: seed, written: Vec::new() }
    }

    /// The next token by the scores of all tokens.
    pub(crate) fn pick(&mut self, scores: &mut [f32]) -> u32 {
        self.dampen(scores);
        let best = best(scores);
        let token = if self.sampling.temperature > 0.0 { self.draw(scores, best) } else { best.0 };
        self.written.push(token);
        token
    }

    fn dampen(&self, scores: &mut [f32]) {
        let by = self.sampling.repetition;
        let mut lately = self.written[self.written.len().saturating_sub(LATELY)..].to_vec();
        lately.sort_unstable();
        lately.dedup();
        for token in lately {
            if let Some(score) = scores.get_mut(token as usize) {
                *score = if *score > 0.0 { *score / by } else { *score * by };
            }
        }
    }

    fn draw(&mut self, scores: &[f32], (token, top): (u32, f32)) -> u32 {
        let warmth = self.sampling.temperature;
        let mut shares: Vec<(u32, f32)> = (0..)
            .zip(scores)
            .filter(|(_, score)| **score >= top - FAR * warmth)
            .map(|(token, score)| (token, ((score - top) / warmth).exp()))
            .collect();
        shares.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        shares.truncate(self.sampling.top_k.max(1));
        let mut wanted = shares.iter().map(|(_, share)| share).sum::<f32>() * self.sampling.top_p;
        let kept = shares.iter().position(|(_, share)| {
            wanted -= share;
            wanted <= 0.0
        });
        shares.truncate(kept.map_or(shares.len(), |last| last + 1));
        let whole: f32 = shares.iter().map(|(_, share)| share).sum();
        let mut at = self.random() * whole;
        let drawn = shares.iter().find(|(_, share)| {
            at -= share;
            at < 0.0
        });
        drawn.map_or(token, |(token, _)| *token)
    }

    /// A number from 0 up to 1, by SplitMix64.
    fn random(&mut self) -> f32 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 40) as f32 / (1_u32 << 24) as f32
    }
}

/// The token with the best score. One that is no number never is the best.
fn best(scores: &[f32]) -> (u32, f32) {
    (0..).zip(scores).fold((0, f32::NEG_INFINITY), |best, (token, score)| {
        if *score > best.1 { (token, *score) } else { best }
    })
}

#[cfg(test)]
#[path = "sampler_tests.rs"]
mod tests;

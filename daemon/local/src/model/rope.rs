//! Rotary positions. There is no table: the few sines of a pass are computed when it runs.

/// Which numbers of a head turn together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pairing {
    /// Each with its neighbor.
    Neighbors,
    /// Each with the one half a head further on.
    Halves,
}

/// How positions are told apart.
#[derive(Clone, Debug)]
pub(crate) struct Rope {
    pairing: Pairing,
    /// Radians per position for each pair.
    frequencies: Vec<f32>,
}

impl Rope {
    /// Positions where `turning` numbers of a head turn, stretched by a factor.
    pub(crate) fn new(pairing: Pairing, turning: usize, base: f32, stretch: f32) -> Self {
        let frequencies = (0..turning / 2)
            .map(|pair| base.powf(-2.0 * pair as f32 / turning as f32) / stretch)
            .collect();
        Self { pairing, frequencies }
    }

    /// Divides each frequency by its factor, as Llama 3.1 and later do.
    pub(crate) fn slow_down(&mut self, factors: &[f32]) {
        for (frequency, factor) in self.frequencies.iter_mut().zip(factors) {
            *frequency /= factor;
        }
    }

    /// How many pairs turn.
    pub(crate) fn pairs(&self) -> usize {
        self.frequencies.len()
    }

    /// Cosine and sine of each pair at some positions behind one another.
    pub(crate) fn turns(&self, first: usize, count: usize) -> Vec<(f32, f32)> {
        let mut turns = Vec::with_capacity(count * self.pairs());
        for position in first..first + count {
            // In f64, because at position 100,000 an f32 is off by a hundredth of a turn.
            turns.extend(self.frequencies.iter().map(|frequency| {
                let (sin, cos) = (position as f64 * f64::from(*frequency)).sin_cos();
                (cos as f32, sin as f32)
            }));
        }
        turns
    }

    /// Turns one head by the turns of its position.
    pub(crate) fn apply(&self, head: &mut [f32], turns: &[(f32, f32)]) {
        let pairs = self.pairs();
        for (pair, (cos, sin)) in turns.iter().enumerate() {
            let (i, j) = match self.pairing {
                Pairing::Neighbors => (2 * pair, 2 * pair + 1),
                Pairing::Halves => (pair, pair + pairs),
            };
            let (a, b) = (head[i], head[j]);
            head[i] = a * cos - b * sin;
            head[j] = a * sin + b * cos;
        }
    }
}

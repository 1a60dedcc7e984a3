//! The inner loops, compiled for the processor at hand.
//!
//! Each loop is a struct with a [`WithSimd`] body that `pulp` compiles once for every instruction
//! set and picks at run time; the bodies are plain Rust over arrays of lanes, which the compiler
//! turns into vector instructions. Nothing here allocates, and nothing here knows of models.

use pulp::{Arch, Simd, WithSimd};

/// Weights of a row that share a step and a base.
pub(crate) const BLOCK: usize = 32;

/// The inner product. Two sums side by side, because one would wait for its own last addition.
#[inline(always)]
fn dot_in<S: Simd>(simd: S, left: &[f32], right: &[f32]) -> f32 {
    let (left, left_rest) = S::as_simd_f32s(left);
    let (right, right_rest) = S::as_simd_f32s(right);
    let (left, left_odd) = left.as_chunks::<2>();
    let (right, right_odd) = right.as_chunks::<2>();
    let mut even = simd.splat_f32s(0.0);
    let mut odd = simd.splat_f32s(0.0);
    for ([a, b], [c, d]) in left.iter().zip(right) {
        even = simd.mul_add_e_f32s(*a, *c, even);
        odd = simd.mul_add_e_f32s(*b, *d, odd);
    }
    for (a, b) in left_odd.iter().zip(right_odd) {
        even = simd.mul_add_e_f32s(*a, *b, even);
    }
    let rest: f32 = left_rest.iter().zip(right_rest).map(|(a, b)| a * b).sum();
    simd.reduce_sum_f32s(simd.add_f32s(even, odd)) + rest
}

/// The bytes of a block as numbers. Kept apart from what follows, because only then does the
/// compiler turn it into the few conversions that it is.
#[inline(always)]
fn numbers(quants: &[u8; BLOCK]) -> [f32; BLOCK] {
    let mut numbers = [0.0; BLOCK];
    for i in 0..BLOCK {
        numbers[i] = f32::from(quants[i]);
    }
    numbers
}

/// e^x by range reduction and a polynomial; within a few ulp, and far faster than the library's
/// because it has no branches.
#[inline(always)]
fn exp(x: f32) -> f32 {
    // Adding 1.5 × 2^23 rounds to the nearest integer and leaves it in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 88.0);
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let n = rounded - ROUND;
    let r = x - n * 0.693_359_4 + n * 2.121_944_4e-4;
    let mut p = 1.987_569_1e-4_f32;
    p = p * r + 1.398_2e-3;
    p = p * r + 8.333_452e-3;
    p = p * r + 4.166_579_6e-2;
    p = p * r + 1.666_666_5e-1;
    p = p * r + 0.5;
    let p = p * r * r + r + 1.0;
    p * f32::from_bits(rounded.to_bits().wrapping_add(127) << 23)
}

/// Some rows of quantised weights times one vector.
struct RowDots<'a> {
    quants: &'a [u8],
    steps: &'a [f32],
    bases: &'a [f32],
    x: &'a [f32],
    sums: &'a [f32],
    out: &'a mut [f32],
}

impl WithSimd for RowDots<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let blocks = self.sums.len();
        let vectors = BLOCK / S::F32_LANES;
        let (x, _) = S::as_simd_f32s(self.x);
        let (quants, _) = self.quants.as_chunks::<BLOCK>();
        for (row, out) in self.out.iter_mut().enumerate() {
            let place = row * blocks..(row + 1) * blocks;
            let mut sum = [simd.splat_f32s(0.0); 2];
            let steps = &self.steps[place.clone()];
            let row = quants[place.clone()].iter().zip(x.chunks_exact(vectors));
            for ((quants, x), step) in row.zip(steps) {
                let numbers = numbers(quants);
                let (numbers, _) = S::as_simd_f32s(&numbers);
                let mut block = [simd.splat_f32s(0.0); 2];
                for i in 0..vectors {
                    block[i % 2] = simd.mul_add_e_f32s(numbers[i], x[i], block[i % 2]);
                }
                let step = simd.splat_f32s(*step);
                sum[0] = simd.mul_add_e_f32s(step, block[0], sum[0]);
                sum[1] = simd.mul_add_e_f32s(step, block[1], sum[1]);
            }
            let steps = simd.reduce_sum_f32s(simd.add_f32s(sum[0], sum[1]));
            *out = steps + dot_in(simd, &self.bases[place], self.sums);
        }
    }
}

/// Multiplies some rows with `x`. `sums` has the sum of each block of `x`.
pub(crate) fn row_dots(
    quants: &[u8],
    steps: &[f32],
    bases: &[f32],
    x: &[f32],
    sums: &[f32],
    out: &mut [f32],
) {
    Arch::new().dispatch(RowDots { quants, steps, bases, x, sums, out });
}

/// The sum of each block of `x`.
pub(crate) fn block_sums(x: &[f32]) -> Vec<f32> {
    x.as_chunks::<BLOCK>().0.iter().map(|block| block.iter().sum()).collect()
}

struct Widen<'a> {
    quants: &'a [u8],
    steps: &'a [f32],
    bases: &'a [f32],
    out: &'a mut [f32],
}

impl WithSimd for Widen<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let vectors = BLOCK / S::F32_LANES;
        let (quants, _) = self.quants.as_chunks::<BLOCK>();
        let (out, _) = S::as_mut_simd_f32s(self.out);
        let blocks = quants.iter().zip(out.chunks_exact_mut(vectors));
        for (((quants, out), step), base) in blocks.zip(self.steps).zip(self.bases) {
            let numbers = numbers(quants);
            let (numbers, _) = S::as_simd_f32s(&numbers);
            let (step, base) = (simd.splat_f32s(*step), simd.splat_f32s(*base));
            for (out, number) in out.iter_mut().zip(numbers) {
                *out = simd.mul_add_e_f32s(*number, step, base);
            }
        }
    }
}

/// Turns quantised weights into plain numbers.
pub(crate) fn widen(quants: &[u8], steps: &[f32], bases: &[f32], out: &mut [f32]) {
    Arch::new().dispatch(Widen { quants, steps, bases, out });
}

struct Normalize<'a> {
    x: &'a mut [f32],
    weight: &'a [f32],
    epsilon: f32,
}

impl WithSimd for Normalize<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for row in self.x.chunks_exact_mut(self.weight.len()) {
            let mean = dot_in(simd, row, row) / row.len() as f32;
            let scale = 1.0 / (mean + self.epsilon).sqrt();
            for (x, weight) in row.iter_mut().zip(self.weight) {
                *x *= scale * weight;
            }
        }
    }
}

/// RMS-normalizes each row of `weight.len()` numbers in place.
pub(crate) fn normalize(x: &mut [f32], weight: &[f32], epsilon: f32) {
    Arch::new().dispatch(Normalize { x, weight, epsilon });
}

/// What stands between the two halves of a feed-forward layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Activation {
    Silu,
    /// The tanh approximation of GELU, which is what Gemma was trained with.
    GeluTanh,
}

struct Gate<'a> {
    activation: Activation,
    gate_up: &'a [f32],
    out: &'a mut [f32],
}

impl WithSimd for Gate<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let (gate, up) = self.gate_up.split_at(self.out.len());
        match self.activation {
            Activation::Silu => {
                for ((out, g), u) in self.out.iter_mut().zip(gate).zip(up) {
                    *out = g / (1.0 + exp(-g)) * u;
                }
            }
            Activation::GeluTanh => {
                for ((out, g), u) in self.out.iter_mut().zip(gate).zip(up) {
                    // 0.5 (1 + tanh z) is the logistic function of 2 z.
                    let z = 0.797_884_6 * (g + 0.044_715 * g * g * g);
                    *out = g / (1.0 + exp(-2.0 * z)) * u;
                }
            }
        }
    }
}

/// Writes `activation(gate) * up`; both halves lie behind one another in `gate_up`.
pub(crate) fn gate(activation: Activation, gate_up: &[f32], out: &mut [f32]) {
    Arch::new().dispatch(Gate { activation, gate_up, out });
}

struct Softmax<'a> {
    row: &'a mut [f32],
    scale: f32,
}

impl WithSimd for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        softmax_in(self.row, self.scale);
    }
}

#[inline(always)]
fn softmax_in(row: &mut [f32], scale: f32) {
    // Several tops and sums side by side; the order of a single one could not be changed.
    const LANES: usize = 16;
    let mut tops = [f32::NEG_INFINITY; LANES];
    let (chunks, rest) = row.as_chunks::<LANES>();
    for chunk in chunks {
        for (top, x) in tops.iter_mut().zip(chunk) {
            *top = if *x > *top { *x } else { *top };
        }
    }
    let top = tops.iter().chain(rest).copied().fold(f32::NEG_INFINITY, f32::max);
    for x in row.iter_mut() {
        *x = exp((*x - top) * scale);
    }
    let mut sums = [0.0_f32; LANES];
    let (chunks, rest) = row.as_chunks::<LANES>();
    for chunk in chunks {
        for (sum, x) in sums.iter_mut().zip(chunk) {
            *sum += x;
        }
    }
    let share = 1.0 / sums.iter().chain(rest).sum::<f32>();
    for x in row.iter_mut() {
        *x *= share;
    }
}

/// Replaces a row by the softmax of `scale` times it.
pub(crate) fn softmax(row: &mut [f32], scale: f32) {
    Arch::new().dispatch(Softmax { row, scale });
}

/// One query head over the keys and values of its group.
struct Attend<'a> {
    query: &'a [f32],
    keys: &'a [f32],
    values: &'a [f32],
    scale: f32,
    scores: &'a mut [f32],
    out: &'a mut [f32],
}

impl WithSimd for Attend<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let width = self.query.len();
        for (key, score) in self.keys.chunks_exact(width).zip(self.scores.iter_mut()) {
            *score = dot_in(simd, self.query, key);
        }
        softmax_in(self.scores, self.scale);
        self.out.fill(0.0);
        let (out, out_rest) = S::as_mut_simd_f32s(self.out);
        for (value, score) in self.values.chunks_exact(width).zip(self.scores.iter()) {
            let (value, value_rest) = S::as_simd_f32s(value);
            let share = simd.splat_f32s(*score);
            for (out, value) in out.iter_mut().zip(value) {
                *out = simd.mul_add_e_f32s(share, *value, *out);
            }
            for (out, value) in out_rest.iter_mut().zip(value_rest) {
                *out += score * value;
            }
        }
    }
}

/// Attends one query head to `scores.len()` keys and values.
pub(crate) fn attend(
    query: &[f32],
    keys: &[f32],
    values: &[f32],
    scale: f32,
    scores: &mut [f32],
    out: &mut [f32],
) {
    Arch::new().dispatch(Attend { query, keys, values, scale, scores, out });
}

/// Adds `b` to `a`.
pub(crate) fn add(a: &mut [f32], b: &[f32]) {
    for (a, b) in a.iter_mut().zip(b) {
        *a += b;
    }
}

#[cfg(test)]
#[path = "kernel_tests.rs"]
mod tests;

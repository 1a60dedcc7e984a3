//! Weights: kept at eight bits, multiplied as plain numbers.
//!
//! Whatever a file's quantisation, a row is held as blocks of 32 weights, each a byte, with a step
//! and a base per block. That is finer than any quantisation that is worth downloading, takes a
//! third of the memory of plain numbers, and one kernel fits all. A single vector is multiplied
//! straight with the bytes, because then the memory is the limit; many vectors are multiplied with
//! the rows made plain, because then the arithmetic is.

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use super::kernel::{self, BLOCK};
use crate::error::{Error, Result};
use crate::gguf::Tensors;

/// From this many vectors on, making the rows plain pays.
const MANY: usize = 4;
/// Weights in a piece of work for one thread.
const PIECE: usize = 1 << 16;
/// Weights that are read and quantised at once.
const READ: usize = 1 << 19;

/// A matrix of weights, or several below one another.
#[derive(Debug)]
pub(crate) struct Matrix {
    rows: usize,
    cols: usize,
    quants: Vec<u8>,
    steps: Vec<f32>,
    bases: Vec<f32>,
}

impl Matrix {
    /// Reads tensors of equal width and puts them below one another.
    pub(crate) fn load(tensors: &Tensors, parts: &[(&str, usize)], cols: usize) -> Result<Self> {
        if !cols.is_multiple_of(BLOCK) {
            return Err(Error::unsupported(format!("rows of {cols} weights")));
        }
        // Looked for before there is room for them: a lying head must not cost memory.
        let found = parts
            .iter()
            .map(|(name, rows)| tensors.expect(name, *rows, cols))
            .collect::<Result<Vec<_>>>()?;
        let rows = found.iter().map(|info| info.rows).sum::<usize>();
        let size =
            rows.checked_mul(cols).ok_or_else(|| Error::malformed("a tensor is too large"))?;
        let mut matrix = Self {
            rows,
            cols,
            quants: vec![0; size],
            steps: vec![0.0; size / BLOCK],
            bases: vec![0.0; size / BLOCK],
        };
        let mut at = 0;
        for info in found {
            let span = at * cols..(at + info.rows) * cols;
            let blocks = span.start / BLOCK..span.end / BLOCK;
            let batch = (READ / cols).max(1);
            matrix.quants[span]
                .par_chunks_mut(batch * cols)
                .zip(matrix.steps[blocks.clone()].par_chunks_mut(batch * cols / BLOCK))
                .zip(matrix.bases[blocks].par_chunks_mut(batch * cols / BLOCK))
                .enumerate()
                .try_for_each(|(index, ((quants, steps), bases))| {
                    let plain = tensors.rows(info, index * batch, quants.len() / cols)?;
                    quantise(&plain, quants, steps, bases);
                    Ok::<_, Error>(())
                })?;
            at += info.rows;
        }
        Ok(matrix)
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// How many weights it has.
    pub(crate) fn weights(&self) -> usize {
        self.quants.len()
    }

    /// One row as plain numbers; `None` when there is no such row.
    pub(crate) fn row_into(&self, row: usize, out: &mut [f32]) -> Option<()> {
        let quants = self.quants.chunks_exact(self.cols).nth(row)?;
        let blocks = self.cols / BLOCK;
        let place = row * blocks..(row + 1) * blocks;
        kernel::widen(quants, &self.steps[place.clone()], &self.bases[place], out);
        Some(())
    }

    /// Multiplies each of the vectors that lie behind one another in `x`.
    pub(crate) fn times(&self, x: &[f32]) -> Result<Vec<f32>> {
        let count = x.len() / self.cols;
        if count >= MANY {
            return self.times_many(x, count);
        }
        let mut out = vec![0.0; count * self.rows];
        for (x, out) in x.chunks_exact(self.cols).zip(out.chunks_exact_mut(self.rows)) {
            self.times_one(x, out);
        }
        Ok(out)
    }

    fn times_one(&self, x: &[f32], out: &mut [f32]) {
        let sums = kernel::block_sums(x);
        let rows = (PIECE / self.cols).max(1);
        let blocks = rows * self.cols / BLOCK;
        out.par_chunks_mut(rows)
            .zip(self.quants.par_chunks(rows * self.cols))
            .zip(self.steps.par_chunks(blocks))
            .zip(self.bases.par_chunks(blocks))
            .for_each(|(((out, quants), steps), bases)| {
                kernel::row_dots(quants, steps, bases, x, &sums, out);
            });
    }

    fn times_many(&self, x: &[f32], count: usize) -> Result<Vec<f32>> {
        let mut plain = vec![0.0; self.quants.len()];
        plain
            .par_chunks_mut(PIECE)
            .zip(self.quants.par_chunks(PIECE))
            .zip(self.steps.par_chunks(PIECE / BLOCK))
            .zip(self.bases.par_chunks(PIECE / BLOCK))
            .for_each(|(((out, quants), steps), bases)| kernel::widen(quants, steps, bases, out));
        let weights = Tensor::from_vec(plain, (self.rows, self.cols), &Device::Cpu)?;
        let x = Tensor::from_slice(x, (count, self.cols), &Device::Cpu)?;
        Ok(x.matmul(&weights.t()?)?.flatten_all()?.to_vec1()?)
    }
}

/// Finds step and base of each block so that its least and its greatest weight are kept.
fn quantise(plain: &[f32], quants: &mut [u8], steps: &mut [f32], bases: &mut [f32]) {
    let blocks = plain.as_chunks::<BLOCK>().0.iter().zip(quants.as_chunks_mut::<BLOCK>().0);
    for ((block, quants), (step, base)) in blocks.zip(steps.iter_mut().zip(bases.iter_mut())) {
        let (least, greatest) = block
            .iter()
            .fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), w| (low.min(*w), high.max(*w)));
        *base = least;
        *step = (greatest - least) / 255.0;
        let per_step = if *step > 0.0 { 1.0 / *step } else { 0.0 };
        for (quant, weight) in quants.iter_mut().zip(block) {
            // A cast from float saturates, so that no weight, however odd, gets out of range.
            *quant = ((weight - least) * per_step + 0.5) as u8;
        }
    }
}

#[cfg(test)]
#[path = "matrix_tests.rs"]
mod tests;

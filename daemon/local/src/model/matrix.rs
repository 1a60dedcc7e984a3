//! Weights: kept at eight bits, multiplied as plain numbers.
//!
//! Whatever a file's quantisation, a row is held as blocks of 32 weights, each a byte, with a step
//! and a base per block. That is finer than any quantisation that is worth downloading, takes a
//! third of the memory of plain numbers, and one kernel fits all. A single vector is multiplied
//! straight with the bytes, because then the memory is the limit; many vectors are multiplied with
//! the rows made plain, because then the arithmetic is.
//!
//! All weights of a model lie in one [`Store`]: allocations of that size go back to the operating
//! system as soon as they are dropped, which many smaller ones do not.

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use super::Gone;
use super::kernel::{self, BLOCK};
use crate::error::{Error, Result};
use crate::gguf::{TensorInfo, Tensors};

/// From this many vectors on, making the rows plain pays.
const MANY: usize = 4;
/// Weights in a piece of work for one thread.
const PIECE: usize = 1 << 16;
/// Weights that are made plain at once: 64 MB of them, whatever the matrix.
const STRIP: usize = 1 << 24;
/// Weights that are read and quantised at once.
const READ: usize = 1 << 19;

/// The place of a matrix in a store: one tensor, or several below one another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Matrix {
    rows: usize,
    cols: usize,
    /// Its first weight; a multiple of the block.
    start: usize,
}

/// Matrices that are to be read. Their shapes are checked when they are added, so that a lying
/// head costs no memory.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    tensors: &'a Tensors,
    parts: Vec<&'a TensorInfo>,
    end: usize,
}

impl<'a> Plan<'a> {
    pub(crate) fn new(tensors: &'a Tensors) -> Self {
        Self { tensors, parts: Vec::new(), end: 0 }
    }

    /// Adds tensors of equal width, below one another.
    pub(crate) fn add(&mut self, parts: &[(&str, usize)], cols: usize) -> Result<Matrix> {
        if !cols.is_multiple_of(BLOCK) {
            return Err(Error::unsupported(format!("rows of {cols} weights")));
        }
        let mut matrix = Matrix { rows: 0, cols, start: self.end };
        for (name, rows) in parts {
            self.parts.push(self.tensors.expect(name, *rows, cols)?);
            matrix.rows += rows;
        }
        self.end = matrix
            .rows
            .checked_mul(cols)
            .and_then(|size| self.end.checked_add(size))
            .ok_or_else(|| Error::malformed("its tensors are too large"))?;
        Ok(matrix)
    }

    /// Reads all that was added.
    ///
    /// # Errors
    /// When there is not enough memory for it and `more` bytes, the file can't be read, or whoever
    /// asked is gone.
    pub(crate) fn read(&self, more: usize, gone: Gone<'_>) -> Result<Store> {
        let needed = self.end.saturating_add(self.end / BLOCK * 2 * size_of::<f32>());
        super::memory::check(needed.saturating_add(more))?;
        let mut store = Store::empty(self.end);
        let (mut quants, mut steps, mut bases) = store.parts();
        let mut work = Vec::new();
        for info in &self.parts {
            let batch = (READ / info.cols).max(1);
            for first in (0..info.rows).step_by(batch) {
                let rows = batch.min(info.rows - first);
                let size = rows * info.cols;
                work.push((
                    (*info, first, rows),
                    cut(&mut quants, size),
                    cut(&mut steps, size / BLOCK),
                    cut(&mut bases, size / BLOCK),
                ));
            }
        }
        work.into_par_iter().try_for_each(|((info, first, rows), quants, steps, bases)| {
            if gone() {
                return Err(Error::Cancelled);
            }
            let plain = self.tensors.rows(info, first, rows)?;
            quantise(&plain, quants, steps, bases);
            Ok::<_, Error>(())
        })?;
        Ok(store)
    }
}

/// Takes the first `length` elements off a slice.
fn cut<'a, T>(from: &mut &'a mut [T], length: usize) -> &'a mut [T] {
    let (head, tail) = std::mem::take(from).split_at_mut(length);
    *from = tail;
    head
}

/// The weights of all matrices.
#[derive(Debug)]
pub(crate) struct Store {
    quants: Vec<u8>,
    /// The steps of all blocks, then their bases.
    scales: Vec<f32>,
}

impl Store {
    fn empty(size: usize) -> Self {
        Self { quants: vec![0; size], scales: vec![0.0; size / BLOCK * 2] }
    }

    /// How many weights there are.
    pub(crate) fn len(&self) -> usize {
        self.quants.len()
    }

    fn parts(&mut self) -> (&mut [u8], &mut [f32], &mut [f32]) {
        let (steps, bases) = self.scales.split_at_mut(self.quants.len() / BLOCK);
        (&mut self.quants, steps, bases)
    }

    /// Bytes, steps and bases of some weights from a whole block on.
    fn slice(&self, start: usize, size: usize) -> (&[u8], &[f32], &[f32]) {
        let (steps, bases) = self.scales.split_at(self.quants.len() / BLOCK);
        let blocks = start / BLOCK..(start + size) / BLOCK;
        (&self.quants[start..start + size], &steps[blocks.clone()], &bases[blocks])
    }
}

impl Matrix {
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// One row as plain numbers; `None` when there is no such row.
    pub(crate) fn row_into(&self, store: &Store, row: usize, out: &mut [f32]) -> Option<()> {
        if row >= self.rows {
            return None;
        }
        let (quants, steps, bases) = store.slice(self.start + row * self.cols, self.cols);
        kernel::widen(quants, steps, bases, out);
        Some(())
    }

    /// Multiplies each of the vectors that lie behind one another in `x`.
    pub(crate) fn times(&self, store: &Store, x: &[f32]) -> Result<Vec<f32>> {
        let count = x.len() / self.cols;
        if count >= MANY {
            return self.times_many(store, x, count, STRIP);
        }
        let mut out = vec![0.0; count * self.rows];
        for (x, out) in x.chunks_exact(self.cols).zip(out.chunks_exact_mut(self.rows)) {
            self.times_one(store, x, out);
        }
        Ok(out)
    }

    fn times_one(&self, store: &Store, x: &[f32], out: &mut [f32]) {
        let sums = kernel::block_sums(x);
        let rows = (PIECE / self.cols).max(1);
        let (quants, steps, bases) = store.slice(self.start, self.rows * self.cols);
        let blocks = rows * self.cols / BLOCK;
        out.par_chunks_mut(rows)
            .zip(quants.par_chunks(rows * self.cols))
            .zip(steps.par_chunks(blocks))
            .zip(bases.par_chunks(blocks))
            .for_each(|(((out, quants), steps), bases)| {
                kernel::row_dots(quants, steps, bases, x, &sums, out);
            });
    }

    /// The same for many vectors, `strip` weights at a time.
    fn times_many(&self, store: &Store, x: &[f32], count: usize, strip: usize) -> Result<Vec<f32>> {
        let x = Tensor::from_slice(x, (count, self.cols), &Device::Cpu)?;
        let mut out = vec![0.0; count * self.rows];
        let strip = (strip / self.cols).max(1);
        for first in (0..self.rows).step_by(strip) {
            let rows = strip.min(self.rows - first);
            let weights = self.plain(store, first, rows)?;
            let part: Vec<f32> = x.matmul(&weights.t()?)?.flatten_all()?.to_vec1()?;
            for (out, part) in out.chunks_exact_mut(self.rows).zip(part.chunks_exact(rows)) {
                out[first..first + rows].copy_from_slice(part);
            }
        }
        Ok(out)
    }

    /// Some rows as plain numbers.
    fn plain(&self, store: &Store, first: usize, rows: usize) -> Result<Tensor> {
        let (quants, steps, bases) = store.slice(self.start + first * self.cols, rows * self.cols);
        let mut plain = vec![0.0; quants.len()];
        plain
            .par_chunks_mut(PIECE)
            .zip(quants.par_chunks(PIECE))
            .zip(steps.par_chunks(PIECE / BLOCK))
            .zip(bases.par_chunks(PIECE / BLOCK))
            .for_each(|(((out, quants), steps), bases)| kernel::widen(quants, steps, bases, out));
        Ok(Tensor::from_vec(plain, (rows, self.cols), &Device::Cpu)?)
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

//! Reading tensor data out of a GGUF file, some rows at a time.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use candle_core::quantized::{GgmlDType, ggml_file};
use candle_core::{DType, Device, Tensor};

use super::{Gguf, TensorInfo};
use crate::error::{Error, Result};

/// A model file that is open. Reading takes `&self`: rows are read from several threads.
#[derive(Debug)]
pub(crate) struct Tensors {
    file: File,
    head: Gguf,
}

impl Tensors {
    /// Opens a file and reads its head.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file = File::open(path)?;
        let bytes = file.metadata()?.len();
        let head = Gguf::read(std::io::BufReader::with_capacity(1 << 18, &file), bytes)?;
        Ok(Self { file, head })
    }

    pub(crate) fn head(&self) -> &Gguf {
        &self.head
    }

    /// The place of a tensor that has to be there in this shape.
    pub(crate) fn expect(&self, name: &str, rows: usize, cols: usize) -> Result<&TensorInfo> {
        let info = self
            .head
            .tensor(name)
            .ok_or_else(|| Error::malformed(format!("the tensor `{name}` is missing")))?;
        if (info.rows, info.cols) == (rows, cols) {
            return Ok(info);
        }
        Err(Error::malformed(format!(
            "the tensor `{name}` is {} × {}, not {rows} × {cols}",
            info.rows, info.cols
        )))
    }

    /// A vector of `length` numbers.
    pub(crate) fn vector(&self, name: &str, length: usize) -> Result<Vec<f32>> {
        let info = self.expect(name, 1, length)?;
        self.rows(info, 0, 1)
    }

    /// The same, where a model may do without it.
    pub(crate) fn optional_vector(&self, name: &str, length: usize) -> Result<Option<Vec<f32>>> {
        match self.head.tensor(name) {
            Some(_) => self.vector(name, length).map(Some),
            None => Ok(None),
        }
    }

    /// Some rows of a tensor as plain numbers.
    pub(crate) fn rows(&self, info: &TensorInfo, first: usize, count: usize) -> Result<Vec<f32>> {
        let mut raw = vec![0; info.row_bytes * count];
        let start = info.start + (info.row_bytes as u64) * (first as u64);
        self.file.read_exact_at(&mut raw, start)?;
        let shape = [count * info.cols];
        let plain = |dtype| Tensor::from_raw_buffer(&raw, dtype, &shape, &Device::Cpu);
        let tensor = match info.dtype {
            GgmlDType::F32 => plain(DType::F32)?,
            GgmlDType::F16 => plain(DType::F16)?.to_dtype(DType::F32)?,
            GgmlDType::BF16 => plain(DType::BF16)?.to_dtype(DType::F32)?,
            quantised => {
                ggml_file::qtensor_from_ggml(quantised, &raw, shape.to_vec(), &Device::Cpu)?
                    .dequantize(&Device::Cpu)?
            }
        };
        Ok(tensor.to_vec1()?)
    }
}

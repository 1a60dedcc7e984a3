//! The head of a GGUF file: its metadata and where its tensors lie.
//!
//! The file comes from outside, so every count is held against a bound and against the bytes that
//! are left before anything is allocated: a malformed head gives an error, never a panic and never
//! more memory than a small multiple of its own size. Tensor data is read by [`Tensors`].

mod reader;
mod tensors;

use std::collections::HashMap;
use std::io::Read;

use candle_core::quantized::GgmlDType;

use crate::error::{Error, Result};
use reader::Input;
pub(crate) use tensors::Tensors;

/// Versions 2 and 3 differ in nothing that is read here.
const VERSIONS: std::ops::RangeInclusive<u32> = 2..=3;
const MAGIC: [u8; 4] = *b"GGUF";
const MAX_ENTRIES: u64 = 4_096;
const MAX_TENSORS: u64 = 16_384;
const MAX_DIMENSIONS: u32 = 4;
const MAX_ALIGNMENT: u64 = 1 << 16;
const DEFAULT_ALIGNMENT: u64 = 32;

/// Many strings in one allocation: a vocabulary has hundreds of thousands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Strings {
    text: String,
    ends: Vec<u32>,
}

impl Strings {
    pub(crate) fn push(&mut self, text: &str) -> Result<()> {
        self.text.push_str(text);
        let end = u32::try_from(self.text.len())
            .map_err(|_| Error::malformed("an array of strings is longer than 4 GiB"))?;
        self.ends.push(end);
        Ok(())
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn get(&self, index: usize) -> Option<&str> {
        let end = *self.ends.get(index)? as usize;
        let start = match index.checked_sub(1) {
            Some(before) => *self.ends.get(before)? as usize,
            None => 0,
        };
        self.text.get(start..end)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).filter_map(|index| self.get(index))
    }
}

/// A value of the metadata, widened to what is asked of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Bool(bool),
    Text(String),
    Texts(Strings),
    Numbers(Vec<f32>),
}

/// Where a tensor lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TensorInfo {
    pub(crate) dtype: GgmlDType,
    /// Rows; 1 for a vector.
    pub(crate) rows: usize,
    /// Numbers in a row.
    pub(crate) cols: usize,
    /// Bytes in a row.
    pub(crate) row_bytes: usize,
    /// From the beginning of the file.
    pub(crate) start: u64,
}

/// The head of a file.
#[derive(Debug, Default)]
pub(crate) struct Gguf {
    metadata: HashMap<String, Value>,
    tensors: HashMap<String, TensorInfo>,
}

impl Gguf {
    /// Reads the head of a file of `file_bytes` bytes.
    pub(crate) fn read(source: impl Read, file_bytes: u64) -> Result<Self> {
        let mut input = Input::new(source, file_bytes);
        if input.bytes::<4>()? != MAGIC {
            return Err(Error::malformed("it does not begin with `GGUF`"));
        }
        let version = input.u32()?;
        if !VERSIONS.contains(&version) {
            return Err(Error::unsupported(format!("GGUF version {version}, only 2 and 3 are")));
        }
        let tensor_count = input.count("tensors", MAX_TENSORS, 24)?;
        let entry_count = input.count("metadata entries", MAX_ENTRIES, 13)?;
        let mut metadata = HashMap::new();
        for _ in 0..entry_count {
            let key = input.string()?;
            if let Some(value) = input.value()? {
                metadata.insert(key, value);
            }
        }
        let mut raw = Vec::new();
        for _ in 0..tensor_count {
            raw.push(RawTensor::read(&mut input)?);
        }
        let alignment = alignment(&metadata)?;
        let data_start = input.position().next_multiple_of(alignment);
        let mut tensors = HashMap::with_capacity(raw.len());
        for tensor in raw {
            let (name, info) = tensor.place(data_start, file_bytes)?;
            tensors.insert(name, info);
        }
        Ok(Self { metadata, tensors })
    }

    /// The architecture's name.
    pub(crate) fn architecture(&self) -> Result<&str> {
        self.text("general.architecture")
            .ok_or_else(|| Error::malformed("`general.architecture` is missing"))
    }

    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        match self.metadata.get(key)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn texts(&self, key: &str) -> Option<&Strings> {
        match self.metadata.get(key)? {
            Value::Texts(texts) => Some(texts),
            _ => None,
        }
    }

    pub(crate) fn numbers(&self, key: &str) -> Option<&[f32]> {
        match self.metadata.get(key)? {
            Value::Numbers(numbers) => Some(numbers),
            _ => None,
        }
    }

    pub(crate) fn unsigned(&self, key: &str) -> Option<u64> {
        match self.metadata.get(key)? {
            Value::Unsigned(number) => Some(*number),
            Value::Signed(number) => u64::try_from(*number).ok(),
            _ => None,
        }
    }

    /// A token's number; the whole range of a `u32`.
    pub(crate) fn token(&self, key: &str) -> Option<u32> {
        self.unsigned(key).and_then(|number| u32::try_from(number).ok())
    }

    pub(crate) fn float(&self, key: &str) -> Option<f32> {
        match self.metadata.get(key)? {
            Value::Float(number) => Some(*number as f32),
            _ => None,
        }
    }

    pub(crate) fn flag(&self, key: &str) -> Option<bool> {
        match self.metadata.get(key)? {
            Value::Bool(flag) => Some(*flag),
            _ => None,
        }
    }

    pub(crate) fn tensor(&self, name: &str) -> Option<&TensorInfo> {
        self.tensors.get(name)
    }
}

/// A tensor's entry before it is known where the data begin.
struct RawTensor {
    name: String,
    dimensions: Vec<u64>,
    dtype: GgmlDType,
    offset: u64,
}

impl RawTensor {
    fn read<R: Read>(input: &mut Input<R>) -> Result<Self> {
        let name = input.string()?;
        let count = input.u32()?;
        if count == 0 || count > MAX_DIMENSIONS {
            return Err(Error::malformed(format!("`{name}` has {count} dimensions")));
        }
        let mut dimensions = Vec::new();
        for _ in 0..count {
            dimensions.push(input.u64()?);
        }
        let dtype = dtype(input.u32()?, &name)?;
        Ok(Self { name, dimensions, dtype, offset: input.u64()? })
    }

    fn place(self, data_start: u64, file_bytes: u64) -> Result<(String, TensorInfo)> {
        let name = self.name;
        let wrong = |what: &str| Error::malformed(format!("the tensor `{name}` {what}"));
        let cols = self.dimensions.first().copied().unwrap_or(0);
        let rows = self.dimensions.iter().skip(1).try_fold(1_u64, |all, d| all.checked_mul(*d));
        let rows = rows.filter(|rows| *rows > 0).ok_or_else(|| wrong("has no sensible shape"))?;
        let block = self.dtype.block_size() as u64;
        if cols == 0 || cols % block != 0 {
            return Err(wrong("does not consist of whole blocks"));
        }
        let row_bytes = (cols / block)
            .checked_mul(self.dtype.type_size() as u64)
            .ok_or_else(|| wrong("has no sensible shape"))?;
        let start = data_start.checked_add(self.offset);
        let end = row_bytes.checked_mul(rows).and_then(|bytes| start?.checked_add(bytes));
        match (start, end) {
            (Some(start), Some(end)) if end <= file_bytes => {
                let size = |n: u64| usize::try_from(n).map_err(|_| wrong("is too large"));
                let info = TensorInfo {
                    dtype: self.dtype,
                    rows: size(rows)?,
                    cols: size(cols)?,
                    row_bytes: size(row_bytes)?,
                    start,
                };
                Ok((name, info))
            }
            _ => Err(wrong("lies beyond the end of the file; is it complete?")),
        }
    }
}

fn alignment(metadata: &HashMap<String, Value>) -> Result<u64> {
    match metadata.get("general.alignment") {
        None => Ok(DEFAULT_ALIGNMENT),
        Some(Value::Unsigned(bytes)) if (1..=MAX_ALIGNMENT).contains(bytes) => Ok(*bytes),
        Some(_) => Err(Error::malformed("`general.alignment` is not a sensible number")),
    }
}

fn dtype(number: u32, tensor: &str) -> Result<GgmlDType> {
    Ok(match number {
        0 => GgmlDType::F32,
        1 => GgmlDType::F16,
        2 => GgmlDType::Q4_0,
        3 => GgmlDType::Q4_1,
        6 => GgmlDType::Q5_0,
        7 => GgmlDType::Q5_1,
        8 => GgmlDType::Q8_0,
        10 => GgmlDType::Q2K,
        11 => GgmlDType::Q3K,
        12 => GgmlDType::Q4K,
        13 => GgmlDType::Q5K,
        14 => GgmlDType::Q6K,
        30 => GgmlDType::BF16,
        other => {
            return Err(Error::unsupported(format!(
                "the tensor `{tensor}` is quantised in a way (type {other}) that is not known \
                 here; Q4_0, Q4_K_M, Q5_K_M, Q6_K, Q8_0, F16 and BF16 files are"
            )));
        }
    })
}

#[cfg(test)]
#[path = "gguf_tests.rs"]
mod tests;

//! Reading little-endian values with a bound on every count.

use std::io::Read;

use super::{Strings, Value};
use crate::error::{Error, Result};

const MAX_STRING: u64 = 4 << 20;
const MAX_ELEMENTS: u64 = 4 << 20;
/// A head of the largest vocabularies has 20 MB.
const MAX_HEAD: u64 = 64 << 20;

/// The numbers that stand for types in the file.
mod kind {
    pub(super) const U8: u32 = 0;
    pub(super) const I8: u32 = 1;
    pub(super) const U16: u32 = 2;
    pub(super) const I16: u32 = 3;
    pub(super) const U32: u32 = 4;
    pub(super) const I32: u32 = 5;
    pub(super) const F32: u32 = 6;
    pub(super) const BOOL: u32 = 7;
    pub(super) const STRING: u32 = 8;
    pub(super) const ARRAY: u32 = 9;
    pub(super) const U64: u32 = 10;
    pub(super) const I64: u32 = 11;
    pub(super) const F64: u32 = 12;
}

/// A source of bytes that knows how many may still come.
pub(super) struct Input<R> {
    source: R,
    position: u64,
    end: u64,
}

impl<R: Read> Input<R> {
    pub(super) fn new(source: R, file_bytes: u64) -> Self {
        Self { source, position: 0, end: file_bytes.min(MAX_HEAD) }
    }

    pub(super) fn position(&self) -> u64 {
        self.position
    }

    pub(super) fn bytes<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.take(N as u64)?;
        self.source.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.bytes()?))
    }

    pub(super) fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.bytes()?))
    }

    /// A count of things that have at least `least` bytes each.
    pub(super) fn count(&mut self, what: &str, most: u64, least: u64) -> Result<u64> {
        let count = self.u64()?;
        let left = self.end - self.position;
        if count > most || count.saturating_mul(least) > left {
            return Err(Error::malformed(format!("it claims to have {count} {what}")));
        }
        Ok(count)
    }

    pub(super) fn string(&mut self) -> Result<String> {
        let length = self.count("characters in a string", MAX_STRING, 1)?;
        self.take(length)?;
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
        self.source.read_exact(&mut bytes)?;
        // A few vocabularies in circulation hold strings that are not UTF-8.
        Ok(String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }

    /// A value with its type before it; `None` is one that nothing here asks for.
    pub(super) fn value(&mut self) -> Result<Option<Value>> {
        let kind = self.u32()?;
        Ok(Some(match kind {
            kind::STRING => Value::Text(self.string()?),
            kind::ARRAY => return self.array(),
            kind::BOOL => Value::Bool(self.bytes::<1>()? != [0]),
            kind::F32 => Value::Float(f64::from(f32::from_le_bytes(self.bytes()?))),
            kind::F64 => Value::Float(f64::from_le_bytes(self.bytes()?)),
            _ => self.integer(kind)?,
        }))
    }

    fn integer(&mut self, kind: u32) -> Result<Value> {
        Ok(match kind {
            kind::U8 => Value::Unsigned(u8::from_le_bytes(self.bytes()?).into()),
            kind::U16 => Value::Unsigned(u16::from_le_bytes(self.bytes()?).into()),
            kind::U32 => Value::Unsigned(self.u32()?.into()),
            kind::U64 => Value::Unsigned(self.u64()?),
            kind::I8 => Value::Signed(i8::from_le_bytes(self.bytes()?).into()),
            kind::I16 => Value::Signed(i16::from_le_bytes(self.bytes()?).into()),
            kind::I32 => Value::Signed(i32::from_le_bytes(self.bytes()?).into()),
            kind::I64 => Value::Signed(i64::from_le_bytes(self.bytes()?)),
            other => return Err(Error::malformed(format!("no value has the type {other}"))),
        })
    }

    fn array(&mut self) -> Result<Option<Value>> {
        let kind = self.u32()?;
        let width = match kind {
            kind::U8 | kind::I8 | kind::BOOL => 1,
            kind::U16 | kind::I16 => 2,
            kind::U32 | kind::I32 | kind::F32 => 4,
            kind::U64 | kind::I64 | kind::F64 | kind::STRING => 8,
            kind::ARRAY => return Err(Error::unsupported("metadata with nested arrays")),
            other => return Err(Error::malformed(format!("no value has the type {other}"))),
        };
        let count = self.count("elements in an array", MAX_ELEMENTS, width)?;
        if kind == kind::STRING {
            let mut strings = Strings::default();
            for _ in 0..count {
                strings.push(&self.string()?)?;
            }
            return Ok(Some(Value::Texts(strings)));
        }
        let mut numbers = Vec::new();
        for _ in 0..count {
            numbers.push(self.number(kind)?);
        }
        Ok(Some(Value::Numbers(numbers)))
    }

    /// An element of an array. All that is asked of number arrays are scores, kinds and counts, so f32 loses nothing.
    fn number(&mut self, kind: u32) -> Result<f32> {
        Ok(match kind {
            kind::F32 => f32::from_le_bytes(self.bytes()?),
            kind::F64 => f64::from_le_bytes(self.bytes()?) as f32,
            kind::BOOL => f32::from(self.bytes::<1>()?[0]),
            _ => match self.integer(kind)? {
                Value::Unsigned(number) => number as f32,
                Value::Signed(number) => number as f32,
                _ => 0.0,
            },
        })
    }

    fn take(&mut self, bytes: u64) -> Result<()> {
        match self.position.checked_add(bytes) {
            Some(position) if position <= self.end => {
                self.position = position;
                Ok(())
            }
            _ => Err(Error::malformed("it ends in the middle of its head")),
        }
    }
}

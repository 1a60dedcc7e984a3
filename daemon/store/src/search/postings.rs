//! The bytes of a row of postings: which messages among 256 seqs have a word, and how often.

/// A message that has a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Posting {
    /// Its seq.
    pub(crate) seq: u64,
    /// How often it has the word.
    pub(crate) count: u32,
    /// How many words it has in all.
    pub(crate) length: u32,
}

/// The row that a seq belongs to.
pub(crate) fn chunk_of(seq: u64) -> u32 {
    u32::try_from(seq >> 8).unwrap_or(u32::MAX)
}

/// Writes postings at the end of a row.
pub(crate) fn encode(postings: &[Posting], row: &mut Vec<u8>) {
    for posting in postings {
        row.push((posting.seq & 0xff) as u8);
        varint(posting.count, row);
        varint(posting.length, row);
    }
}

/// The postings of a row; a damaged end is left out.
pub(crate) fn decode(chunk: u32, mut row: &[u8]) -> Vec<Posting> {
    let mut postings = Vec::new();
    while let Some((low, rest)) = row.split_first() {
        row = rest;
        let (Some(count), Some(length)) = (read_varint(&mut row), read_varint(&mut row)) else {
            break;
        };
        postings.push(Posting { seq: (u64::from(chunk) << 8) | u64::from(*low), count, length });
    }
    postings
}

fn varint(mut number: u32, row: &mut Vec<u8>) {
    while number >= 0x80 {
        row.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    row.push(number as u8);
}

fn read_varint(row: &mut &[u8]) -> Option<u32> {
    let mut number = 0_u32;
    for shift in [0, 7, 14, 21, 28] {
        let (byte, rest) = row.split_first()?;
        *row = rest;
        number |= u32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

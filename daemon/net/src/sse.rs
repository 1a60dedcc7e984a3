//! Server-sent events, as the WHATWG's HTML standard has them.
//!
//! Bytes go in as they arrive, whole events come out: how the bytes were cut makes no difference.
//! `id` and `retry` are read over, because nothing here reconnects. An event that the stream's
//! end cuts off is not an event.

/// The most bytes that one event may have.
pub const MAX_EVENT: usize = 8 << 20;

/// An event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// Its type; empty where the stream named none (a browser calls it `message`).
    pub name: String,
    /// Its data lines, joined with line feeds.
    pub data: String,
}

/// An event or a line that is larger than its bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than {limit} bytes without an end")]
pub struct TooLarge {
    /// The bound.
    pub limit: usize,
}

/// Cuts a stream of bytes into events.
///
/// The state between two pushes: the bytes of the present line, the fields of the present event,
/// and whether the last byte was a carriage return, whose line feed may be still to come.
#[derive(Debug)]
pub struct Decoder {
    line: Vec<u8>,
    after_cr: bool,
    /// Whether the first line is still to come, which may begin with a byte order mark.
    first: bool,
    name: String,
    data: String,
    /// `data` may be empty and yet be there: then there is an event.
    has_data: bool,
    limit: usize,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new(MAX_EVENT)
    }
}

impl Decoder {
    /// A decoder that refuses events of more than `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            line: Vec::new(),
            after_cr: false,
            first: true,
            name: String::new(),
            data: String::new(),
            has_data: false,
            limit,
        }
    }

    /// Takes bytes in and gives the events that they complete to `sink`.
    ///
    /// # Errors
    /// When the present event is too large; the decoder is of no use afterwards.
    pub fn push(&mut self, bytes: &[u8], mut sink: impl FnMut(Event)) -> Result<(), TooLarge> {
        let mut rest = bytes;
        if self.after_cr && !rest.is_empty() {
            self.after_cr = false;
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
        }
        while let Some(at) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            let (line, end) = rest.split_at(at);
            let is_cr = end.first() == Some(&b'\r');
            rest = end.get(1..).unwrap_or_default();
            if is_cr {
                match rest.strip_prefix(b"\n") {
                    Some(after) => rest = after,
                    None => self.after_cr = rest.is_empty(),
                }
            }
            self.end_line(line, &mut sink)?;
        }
        self.room_for(rest.len())?;
        self.line.extend_from_slice(rest);
        Ok(())
    }

    fn room_for(&self, more: usize) -> Result<(), TooLarge> {
        let size = self.line.len() + self.data.len() + self.name.len() + more;
        if size > self.limit { Err(TooLarge { limit: self.limit }) } else { Ok(()) }
    }

    fn end_line(&mut self, tail: &[u8], sink: &mut impl FnMut(Event)) -> Result<(), TooLarge> {
        self.room_for(tail.len())?;
        if self.line.is_empty() {
            self.read_line(tail, sink);
        } else {
            let mut line = std::mem::take(&mut self.line);
            line.extend_from_slice(tail);
            self.read_line(&line, sink);
            line.clear();
            self.line = line;
        }
        Ok(())
    }

    fn read_line(&mut self, mut line: &[u8], sink: &mut impl FnMut(Event)) {
        if std::mem::take(&mut self.first) {
            line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
        }
        if line.is_empty() {
            return self.dispatch(sink);
        }
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let (field, value) = line.split_at(colon);
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => {
                if self.has_data {
                    self.data.push('\n');
                }
                self.has_data = true;
                self.data.push_str(&String::from_utf8_lossy(value));
            }
            b"event" => self.name = String::from_utf8_lossy(value).into_owned(),
            // A comment (empty field), `id`, `retry`, and whatever comes in future.
            _ => {}
        }
    }

    fn dispatch(&mut self, sink: &mut impl FnMut(Event)) {
        let name = std::mem::take(&mut self.name);
        if std::mem::take(&mut self.has_data) {
            sink(Event { name, data: std::mem::take(&mut self.data) });
        }
    }
}

#[cfg(test)]
#[path = "sse_tests.rs"]
mod tests;

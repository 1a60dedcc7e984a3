//! Text out of a stream of tokens.

/// Joins the bytes of tokens and gives out whole characters only.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    /// The beginning of a character that is not complete: at most three bytes.
    rest: Vec<u8>,
}

impl Decoder {
    /// Takes the bytes of a token, gives the text that is complete now. Bytes that can't become a
    /// character are shown as one replacement character for each broken sequence.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> String {
        self.rest.extend_from_slice(bytes);
        let mut text = String::new();
        loop {
            match std::str::from_utf8(&self.rest) {
                Ok(valid) => {
                    text.push_str(valid);
                    self.rest.clear();
                    return text;
                }
                Err(error) => {
                    let (valid, broken) = self.rest.split_at(error.valid_up_to());
                    text.push_str(&String::from_utf8_lossy(valid));
                    match error.error_len() {
                        Some(length) => {
                            text.push(char::REPLACEMENT_CHARACTER);
                            self.rest = broken[length..].to_vec();
                        }
                        None => {
                            self.rest = broken.to_vec();
                            return text;
                        }
                    }
                }
            }
        }
    }

    /// What is left when nothing more comes.
    pub(crate) fn finish(&mut self) -> String {
        if self.rest.is_empty() {
            return String::new();
        }
        self.rest.clear();
        char::REPLACEMENT_CHARACTER.to_string()
    }
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;

//! Finds many secrets at once in a stream of bytes: the automaton of Aho and Corasick.
//!
//! Not a search crate's: what is held back at a chunk's end follows from how much of a secret was
//! read, which those do not tell. The invariant: one step costs the same on average, however many
//! secrets there are and whatever was read before.

use std::collections::VecDeque;

use zeroize::Zeroizing;

/// The state in which nothing of any secret was read.
const NOTHING: u32 = 0;

/// A secret in the text: where its form begins and ends, and which one it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Match {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) secret: usize,
}

/// What a decoded byte was written with: where in the text that begins and ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) start: u64,
    pub(super) end: u64,
}

/// A state: the longest end of what was read that begins a secret.
#[derive(Clone, Copy, Default)]
struct State {
    /// The first of the states with one byte more; 0 is none.
    child: u32,
    /// The next of those that this one is among.
    sibling: u32,
    /// The longest shorter end that also begins a secret.
    shorter: u32,
    /// Bytes of it.
    length: u32,
    /// The longest secret that ends here: bytes of it, 0 is none, and which.
    found: (u32, usize),
}

/// The secrets, to be searched for.
pub(super) struct Needles {
    names: Vec<String>,
    states: Vec<State>,
    /// The byte that leads to each state.
    bytes: Zeroizing<Vec<u8>>,
    /// The states with one byte.
    first: Box<[u32; 256]>,
    /// Whether secrets begin with these four bits.
    nibbles: [bool; 16],
    /// Whether the base64 of a secret begins with these six bits, at any place in its group.
    sextets: [bool; 64],
}

impl Needles {
    pub(super) fn new<'a>(secrets: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let mut needles = Self {
            names: Vec::new(),
            states: vec![State::default()],
            bytes: Zeroizing::new(vec![0]),
            first: Box::new([NOTHING; 256]),
            nibbles: [false; 16],
            sextets: [false; 64],
        };
        for (name, value) in secrets {
            needles.add(name, value.as_bytes());
        }
        needles.link();
        needles
    }

    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether a secret has a space, which forms write as `+`.
    pub(super) fn have_spaces(&self) -> bool {
        self.bytes.contains(&b' ')
    }

    pub(super) fn begins_with_nibble(&self, nibble: u8) -> bool {
        self.nibbles[usize::from(nibble & 15)]
    }

    pub(super) fn begins_with_sextet(&self, sextet: u8) -> bool {
        self.sextets[usize::from(sextet & 63)]
    }

    fn add(&mut self, name: &str, value: &[u8]) {
        let Some(&first) = value.first() else { return };
        let mut at = NOTHING;
        for &byte in value {
            at = match self.child(at, byte) {
                NOTHING => self.grow(at, byte),
                there => there,
            };
        }
        let state = &mut self.states[at as usize];
        if state.found.0 == 0 {
            state.found = (state.length, self.names.len());
        }
        self.names.push(name.to_owned());
        self.nibbles[usize::from(first >> 4)] = true;
        for sextet in 0..64 {
            self.sextets[usize::from(sextet)] |= sextet == first >> 2 || sextet & 15 == first >> 4;
        }
    }

    fn grow(&mut self, parent: u32, byte: u8) -> u32 {
        // The values are bounded where they are set, far below this.
        let new = u32::try_from(self.states.len()).unwrap_or(u32::MAX);
        let State { child: sibling, length, .. } = self.states[parent as usize];
        self.states.push(State { sibling, length: length + 1, ..State::default() });
        self.states[parent as usize].child = new;
        self.bytes.push(byte);
        if parent == NOTHING {
            self.first[usize::from(byte)] = new;
        }
        new
    }

    /// The state after this byte, where it goes on with a secret.
    fn child(&self, of: u32, byte: u8) -> u32 {
        if of == NOTHING {
            return self.first[usize::from(byte)];
        }
        let mut child = self.states[of as usize].child;
        while child != NOTHING && self.bytes[child as usize] != byte {
            child = self.states[child as usize].sibling;
        }
        child
    }

    /// Finds for each state the next shorter one, the short states before the long.
    fn link(&mut self) {
        let mut queue = VecDeque::from([NOTHING]);
        while let Some(parent) = queue.pop_front() {
            let mut child = self.states[parent as usize].child;
            while child != NOTHING {
                if parent != NOTHING {
                    let shorter = self.states[parent as usize].shorter;
                    let shorter = self.step(shorter, self.bytes[child as usize]);
                    let found = self.states[shorter as usize].found;
                    let state = &mut self.states[child as usize];
                    state.shorter = shorter;
                    if state.found.0 == 0 {
                        state.found = found;
                    }
                }
                queue.push_back(child);
                child = self.states[child as usize].sibling;
            }
        }
    }

    fn step(&self, mut state: u32, byte: u8) -> u32 {
        loop {
            match self.child(state, byte) {
                NOTHING if state == NOTHING => return NOTHING,
                NOTHING => state = self.states[state as usize].shorter,
                next => return next,
            }
        }
    }
}

/// One decoder's way through the secrets.
#[derive(Clone, Default)]
pub(super) struct Trail {
    state: u32,
    /// Where the bytes that the state stands for begin in the text.
    starts: VecDeque<u64>,
}

impl Trail {
    /// Takes the next byte that was decoded.
    #[inline]
    pub(super) fn push(
        &mut self,
        needles: &Needles,
        byte: u8,
        span: Span,
        matches: &mut Vec<Match>,
    ) {
        if self.state == NOTHING && needles.first[usize::from(byte)] == NOTHING {
            return;
        }
        self.state = needles.step(self.state, byte);
        if self.state == NOTHING {
            self.starts.clear();
            return;
        }
        let State { length, found, .. } = needles.states[self.state as usize];
        self.starts.push_back(span.start);
        let more = self.starts.len().saturating_sub(length as usize);
        self.starts.drain(..more);
        if found.0 > 0
            && let Some(&start) = self.starts.get((length - found.0) as usize)
        {
            matches.push(Match { start, end: span.end, secret: found.1 });
        }
    }

    /// Where what may become a secret begins.
    pub(super) fn begins(&self) -> Option<u64> {
        self.starts.front().copied()
    }
}

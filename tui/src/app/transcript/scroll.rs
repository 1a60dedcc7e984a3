//! The place of the screen in the transcript.
//!
//! Either it follows the end, or it is anchored at a row of a block. Moving walks from block to
//! block and lays only what it passes, so that every step costs the same in a transcript of ten
//! messages and of ten thousand. Invariants after [`Transcript::settle`]: the anchor is a row that
//! exists, there is no empty room below the last row unless everything fits, every block on the
//! screen has its rows.

use super::block::{Block, BlockId};
use super::fold::Transcript;
use super::lay::{Laid, Setting, is_fresh, lay};
use crate::widget::{CodeSlot, Line, Paint};

/// What all rows together may weigh before those off the screen are dropped.
const MAX_LAID_BYTES: usize = 16 << 20;
/// When fewer blocks than this are above the screen, older ones are wanted.
const READ_AHEAD: usize = 30;

/// Where the screen is.
#[derive(Debug)]
pub(crate) struct Scroll {
    /// It stays at the end, whatever comes.
    pub(crate) follow: bool,
    top: Place,
    /// Blocks that came since it stopped to follow.
    unseen: usize,
    moves: Vec<Move>,
}

impl Default for Scroll {
    fn default() -> Self {
        Self { follow: true, top: Place::default(), unseen: 0, moves: Vec::new() }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Place {
    block: BlockId,
    line: usize,
}

/// A wish of the person; fulfilled when the screen is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Move {
    /// So many rows down, or up.
    By(isize),
    /// So many screens down, or up.
    Pages(isize),
    /// To the first loaded row.
    Top,
    /// To the end, and follow.
    End,
    /// So that this block can be seen.
    Show(BlockId),
}

impl Scroll {
    /// Wishes for a move. A bounded number waits; none is lost by merging.
    pub(crate) fn wish(&mut self, wish: Move) {
        if let (Some(Move::By(rows)), Move::By(more)) = (self.moves.last_mut(), wish) {
            *rows += more;
        } else if self.moves.len() < 64 {
            self.moves.push(wish);
        }
    }

    /// Blocks that came since the screen stopped to follow.
    pub(crate) fn unseen(&self) -> usize {
        self.unseen
    }

    /// A block was put in there, so that those from there on have other names.
    pub(super) fn moved_down(&mut self, from: BlockId) {
        if self.top.block >= from {
            self.top.block += 1;
        }
    }

    /// The block of that name was taken out, so that those behind it have other names.
    pub(super) fn moved_up(&mut self, gone: BlockId) {
        if self.top.block > gone {
            self.top.block -= 1;
        }
    }

    pub(super) fn count_new(&mut self) {
        if !self.follow {
            self.unseen += 1;
        }
    }
}

/// A row on the screen.
#[derive(Clone, Copy)]
pub(crate) struct Visible<'a> {
    /// The block that it belongs to.
    pub(crate) block: &'a Block,
    /// It is the block's first.
    pub(crate) first: bool,
    /// The row.
    pub(crate) line: &'a Line,
}

impl Transcript {
    /// Fulfils the wishes and lays what is on the screen.
    pub(crate) fn settle(&mut self, setting: &Setting<'_>) {
        self.stamp += 1;
        for wish in std::mem::take(&mut self.scroll.moves) {
            self.fulfil(wish, setting);
        }
        if self.blocks.is_empty() {
            self.scroll.follow = true;
            return;
        }
        if self.scroll.follow {
            self.stand_at_end(setting);
        } else {
            self.clamp(setting);
        }
        self.lay_screen(setting);
        self.evict();
    }

    /// The rows on the screen, from the top; after [`Self::settle`].
    pub(crate) fn visible(&self, height: usize) -> impl Iterator<Item = Visible<'_>> {
        let top = self.scroll.top;
        let from = self.index_of(top.block).unwrap_or(0);
        self.blocks
            .range(from..)
            .flat_map(move |block| {
                let skip = if block.id == top.block { top.line } else { 0 };
                let laid = block.laid.as_ref();
                let rows = laid.map_or(0, Laid::height);
                (skip..rows).filter_map(move |at| {
                    Some(Visible { block, first: at == 0, line: laid?.line(at)? })
                })
            })
            .take(height)
    }

    /// Whether older messages should be read now.
    pub(crate) fn wants_older(&self) -> bool {
        let above = self.index_of(self.scroll.top.block).unwrap_or(0);
        self.has_older() && above < READ_AHEAD
    }

    /// The code on the screen that has no colors yet.
    pub(crate) fn uncolored<'a>(&'a self, setting: &Setting<'a>) -> Vec<&'a CodeSlot> {
        let from = self.index_of(self.scroll.top.block).unwrap_or(0);
        let on_screen = self.blocks.range(from..).take(setting.height.max(1));
        let slots = on_screen.filter_map(|block| block.laid.as_ref()).flat_map(|laid| laid.slots());
        let named = slots.filter(|slot| !slot.language.is_empty());
        named.filter(|slot| setting.highlights.get(slot.key).is_none()).collect()
    }

    /// Gives code its colors wherever it is shown.
    pub(crate) fn repaint(&mut self, key: u64, paint: &Paint) {
        for laid in self.blocks.iter_mut().filter_map(|block| block.laid.as_mut()) {
            laid.repaint(key, paint);
        }
    }

    /// The last block that begins on the screen or fills it.
    pub(crate) fn last_visible(&self, height: usize) -> Option<BlockId> {
        self.visible(height).last().map(|row| row.block.id)
    }

    /// How far down the screen is, in percent of the session.
    pub(crate) fn percent(&self) -> u64 {
        let seq = self.block(self.scroll.top.block).map_or(0, |block| block.seq);
        let seq = if seq == 0 { self.last_seq() } else { seq };
        seq.saturating_mul(100) / self.last_seq().max(1)
    }

    fn fulfil(&mut self, wish: Move, setting: &Setting<'_>) {
        let Some(first) = self.blocks.front().map(|block| block.id) else { return };
        let page = isize::try_from(setting.height.saturating_sub(2).max(1)).unwrap_or(1);
        match wish {
            Move::By(rows) => self.move_by(rows, setting),
            Move::Pages(pages) => self.move_by(pages.saturating_mul(page), setting),
            Move::Top => {
                self.scroll.follow = false;
                self.scroll.top = Place { block: first, line: 0 };
            }
            Move::End => {
                self.scroll.follow = true;
                self.scroll.unseen = 0;
            }
            Move::Show(block) => self.show(block, setting),
        }
    }

    fn move_by(&mut self, rows: isize, setting: &Setting<'_>) {
        if rows < 0 && self.scroll.follow {
            self.stand_at_end(setting);
            self.scroll.follow = false;
        }
        if rows != 0 && !self.scroll.follow {
            self.scroll.top = self.walk(self.scroll.top, rows, setting);
        }
    }

    /// The place so many rows away, as far as there are rows.
    fn walk(&mut self, from: Place, rows: isize, setting: &Setting<'_>) -> Place {
        let mut index = self.index_of(from.block).unwrap_or(0);
        let mut line = from.line.min(self.height_of(index, setting).saturating_sub(1));
        let mut left = rows.unsigned_abs();
        while left > 0 {
            if rows < 0 {
                let step = left.min(line);
                (line, left) = (line - step, left - step);
                if left == 0 || index == 0 {
                    break;
                }
                index -= 1;
                line = self.height_of(index, setting);
            } else {
                let height = self.height_of(index, setting);
                let step = left.min(height.saturating_sub(line + 1));
                (line, left) = (line + step, left - step);
                if left == 0 || index + 1 >= self.blocks.len() {
                    break;
                }
                index += 1;
                let next = self.height_of(index, setting);
                (line, left) = if next == 0 { (0, left) } else { (0, left - 1) };
            }
        }
        Place { block: self.blocks.get(index).map_or(from.block, |block| block.id), line }
    }

    fn stand_at_end(&mut self, setting: &Setting<'_>) {
        let mut left = setting.height;
        let mut top = Place::default();
        for index in (0..self.blocks.len()).rev() {
            let height = self.height_of(index, setting);
            top = Place { block: self.blocks[index].id, line: height.saturating_sub(left) };
            if height >= left {
                break;
            }
            left -= height;
        }
        self.scroll.top = top;
        self.scroll.unseen = 0;
    }

    /// Puts the anchor onto a row that exists, and follows if the end is on the screen.
    fn clamp(&mut self, setting: &Setting<'_>) {
        let index = match self.index_of(self.scroll.top.block) {
            Some(index) => index,
            None => {
                // It was dropped at the beginning, or had only begun to grow and is gone.
                let last = self.blocks.len() - 1;
                let gone = self.blocks.back().is_some_and(|back| back.id < self.scroll.top.block);
                let index = if gone { last } else { 0 };
                self.scroll.top = Place { block: self.blocks[index].id, line: 0 };
                index
            }
        };
        // A block that became narrower or wider keeps about the same words at the top.
        let before = self.blocks[index].laid.as_ref().map(Laid::height);
        let height = self.height_of(index, setting);
        if let Some(before) = before.filter(|before| *before > 0 && *before != height)
            && !matches!(self.blocks[index].kind, super::block::Kind::Growing(_))
        {
            self.scroll.top.line = self.scroll.top.line * height / before;
        }
        self.scroll.top.line = self.scroll.top.line.min(height.saturating_sub(1));
        let mut below = height - self.scroll.top.line.min(height);
        for index in index + 1..self.blocks.len() {
            if below > setting.height {
                return;
            }
            below += self.height_of(index, setting);
        }
        if below <= setting.height {
            self.scroll.follow = true;
            self.stand_at_end(setting);
        }
    }

    /// Moves as little as possible so that the block can be seen.
    fn show(&mut self, block: BlockId, setting: &Setting<'_>) {
        let Some(target) = self.index_of(block) else { return };
        if self.scroll.follow {
            self.stand_at_end(setting);
        }
        self.scroll.follow = false;
        let top = self.index_of(self.scroll.top.block).unwrap_or(0);
        if target < top || (target == top && self.scroll.top.line > 0) {
            self.scroll.top = Place { block, line: 0 };
            return;
        }
        let mut above = 0;
        for index in top..target {
            above += self.height_of(index, setting);
            if above > setting.height + self.scroll.top.line {
                break;
            }
        }
        let above = above.saturating_sub(self.scroll.top.line);
        let height = self.height_of(target, setting);
        if above + height > setting.height {
            let room = setting.height.saturating_sub(height.min(setting.height));
            let back = isize::try_from(room).unwrap_or(0);
            self.scroll.top = self.walk(Place { block, line: 0 }, -back, setting);
        }
    }

    /// The rows of a block, made if need be.
    fn height_of(&mut self, index: usize, setting: &Setting<'_>) -> usize {
        self.make_rows(index, setting);
        self.blocks.get(index).and_then(|block| block.laid.as_ref()).map_or(0, Laid::height)
    }

    fn make_rows(&mut self, index: usize, setting: &Setting<'_>) {
        let (unfolded, stamp) = (self.unfolded, self.stamp);
        let Some(block) = self.blocks.get_mut(index) else { return };
        if !is_fresh(block, setting, unfolded) {
            let old = block.laid.take();
            self.laid_bytes -= old.as_ref().map_or(0, |old| old.bytes).min(self.laid_bytes);
            let laid = lay(block, old, setting, unfolded);
            self.laid_bytes += laid.bytes;
            self.laid_count += 1;
            block.laid = Some(laid);
        }
        if let Some(laid) = &mut block.laid {
            laid.stamp = stamp;
        }
    }

    fn lay_screen(&mut self, setting: &Setting<'_>) {
        let mut index = self.index_of(self.scroll.top.block).unwrap_or(0);
        let mut rows = self.height_of(index, setting).saturating_sub(self.scroll.top.line);
        while rows < setting.height && index + 1 < self.blocks.len() {
            index += 1;
            rows += self.height_of(index, setting);
        }
    }

    /// Drops rows that have been off the screen for the longest time.
    fn evict(&mut self) {
        if self.laid_bytes <= MAX_LAID_BYTES {
            return;
        }
        let mut stamps: Vec<(u64, usize)> = Vec::new();
        for (index, block) in self.blocks.iter().enumerate() {
            if let Some(laid) = block.laid.as_ref().filter(|laid| laid.stamp < self.stamp) {
                stamps.push((laid.stamp, index));
            }
        }
        stamps.sort_unstable();
        for (_, index) in stamps {
            if self.laid_bytes <= MAX_LAID_BYTES / 2 {
                break;
            }
            let laid = self.blocks[index].laid.take();
            self.laid_bytes -= laid.map_or(0, |laid| laid.bytes).min(self.laid_bytes);
        }
    }
}

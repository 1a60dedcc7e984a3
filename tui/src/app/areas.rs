//! How the rows of the screen are shared out. The composer takes what it needs up to a third; what
//! is left is the transcript's; on a low screen the frame goes first.

use super::browse::Mode;
use super::model::{Link, Model};
use crate::widget::wrap;

/// Below this the screen only says that it is too small.
pub(crate) const SMALLEST: (u16, u16) = (20, 5);
/// Waiting messages that are shown.
const MAX_QUEUE: usize = 3;

/// Rows of each part, from top to bottom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Areas {
    pub(crate) header: u16,
    pub(crate) upper_rule: u16,
    pub(crate) transcript: u16,
    pub(crate) lower_rule: u16,
    /// The question that waits.
    pub(crate) card: u16,
    /// Messages that wait or are on their way, and what is going on.
    pub(crate) queue: u16,
    pub(crate) composer: u16,
    pub(crate) footer: u16,
}

impl Model {
    /// Whether there is no room to show anything.
    pub(crate) fn is_too_small(&self) -> bool {
        self.width < SMALLEST.0 || self.height < SMALLEST.1
    }

    /// The rows of each part.
    pub(crate) fn areas(&self) -> Areas {
        if self.is_too_small() {
            return Areas::default();
        }
        let height = self.height;
        let frame = u16::from(height >= 12);
        let needed = u16::try_from(self.composer.rows(self.composer_width()).len());
        let composer = needed.unwrap_or(u16::MAX).clamp(1, (height / 3).max(1));
        let queue = u16::try_from(self.queue_rows()).unwrap_or(0).min(height / 5);
        let footer = if height >= 8 || self.needs_footer() { self.footer_rows() } else { 0 };
        let taken = 1 + 2 * frame + queue + composer + footer;
        let card = self.card_height(height.saturating_sub(taken));
        let taken = taken + card;
        Areas {
            header: 1,
            upper_rule: frame,
            transcript: height.saturating_sub(taken),
            lower_rule: frame,
            card,
            queue,
            composer,
            footer,
        }
    }

    pub(crate) fn transcript_height(&self) -> usize {
        usize::from(self.areas().transcript)
    }

    /// The last row is more than a hint.
    fn needs_footer(&self) -> bool {
        self.history.search().is_some() || matches!(self.mode, Mode::Find) || self.toast.is_some()
    }

    /// A remark that is longer than a row has more of them, unless a pane stands there.
    fn footer_rows(&self) -> u16 {
        let busy = !self.overlays.is_empty()
            || self.history.search().is_some()
            || matches!(self.mode, Mode::Find);
        let toast = self.toast.as_ref().filter(|_| !busy && self.chord.is_empty());
        let width = usize::from(self.width).saturating_sub(2);
        let rows = toast.map_or(1, |toast| wrap(&toast.spans(), width).len());
        u16::try_from(rows).unwrap_or(u16::MAX).clamp(1, (self.height / 5).max(1))
    }

    /// Whether there is something to say about the turn or the connection.
    pub(crate) fn has_banner(&self) -> bool {
        matches!(self.link, Link::Down { .. }) || (self.is_running() && !self.progress.is_empty())
    }

    fn queue_rows(&self) -> usize {
        let messages = self.transcript.waiting().len() + self.sending_here().count();
        // One row more says how many there are that have no row.
        let shown = if messages > MAX_QUEUE { MAX_QUEUE + 1 } else { messages };
        shown + usize::from(self.has_banner())
    }

    /// Waiting messages that have a row.
    pub(crate) fn queue_limit(&self) -> usize {
        MAX_QUEUE
    }
}

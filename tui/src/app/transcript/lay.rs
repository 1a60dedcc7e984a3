//! Blocks to rows.
//!
//! A block is a head, a Markdown body that can grow, and a foot; the body's rows are never copied.
//! Every block ends with an empty row.

use moltis_proto::v1;

use super::block::{Answer, Block, Compacted, End, Growing, Kind, Person};
use super::lay_call;
use super::numbers::{clock, money, span, tokens};
use crate::app::editor::{grouped, size};
use crate::widget::{CodeSlot, Document, Highlights, Hue, Line, Paint, SafeText, Span, wrap};

/// Rows of a long message of the person, unless unfolded.
const FOLDED_ROWS: usize = 12;
/// How much of a thought in progress is shown.
const THOUGHT_TAIL: usize = 2_000;

/// What rows depend on besides the block.
#[derive(Clone, Copy)]
pub(crate) struct Setting<'a> {
    /// Cells of a row.
    pub(crate) width: usize,
    /// Rows of the screen.
    pub(crate) height: usize,
    /// Seconds that local time is ahead of UTC.
    pub(crate) east: i64,
    /// The colors of code that are known.
    pub(crate) highlights: &'a Highlights,
}

/// The rows of a block.
#[derive(Debug)]
pub(super) struct Laid {
    pub(super) width: usize,
    pub(super) unfolded: bool,
    pub(super) stamp: u64,
    pub(super) bytes: usize,
    /// Bytes of the growing texts, or the revision of the call, that it shows.
    shown: usize,
    head: Vec<Line>,
    body: Option<Document>,
    foot: Vec<Line>,
}

impl Laid {
    /// How many rows.
    pub(super) fn height(&self) -> usize {
        self.head.len() + self.body_lines().len() + self.foot.len()
    }

    /// A row.
    pub(super) fn line(&self, at: usize) -> Option<&Line> {
        let body = self.body_lines();
        if at < self.head.len() {
            return self.head.get(at);
        }
        let at = at - self.head.len();
        if at < body.len() { body.get(at) } else { self.foot.get(at - body.len()) }
    }

    /// The code in it that may be colored.
    pub(super) fn slots(&self) -> &[CodeSlot] {
        self.body.as_ref().map_or(&[], Document::slots)
    }

    /// Gives a block of code its colors.
    pub(super) fn repaint(&mut self, key: u64, paint: &Paint) {
        if let Some(body) = &mut self.body {
            body.repaint(key, paint);
        }
    }

    fn body_lines(&self) -> &[Line] {
        self.body.as_ref().map_or(&[], Document::lines)
    }

    fn weigh(&self) -> usize {
        let lines = self.head.iter().chain(self.body_lines()).chain(&self.foot);
        lines.map(Line::bytes).sum::<usize>() + size_of::<Self>()
    }
}

/// Whether rows that were made before are still right.
pub(super) fn is_fresh(block: &Block, setting: &Setting<'_>, unfolded: bool) -> bool {
    let Some(laid) = &block.laid else { return false };
    let grown = match &block.kind {
        Kind::Growing(growing) => laid.shown != weight(growing),
        Kind::Call(call) => laid.shown != call.revision,
        _ => false,
    };
    laid.width == setting.width && laid.unfolded == unfolded && !grown
}

/// Makes the rows of a block, going on with the old ones where it can.
pub(super) fn lay(block: &Block, old: Option<Laid>, setting: &Setting<'_>, unfolded: bool) -> Laid {
    let mut laid = Laid {
        width: setting.width,
        unfolded,
        stamp: 0,
        bytes: 0,
        shown: 0,
        head: Vec::new(),
        body: None,
        foot: Vec::new(),
    };
    let time = if block.at > 0 { clock(block.at, setting.east) } else { String::new() };
    match &block.kind {
        Kind::Person(person) => lay_person(&mut laid, person, &time),
        Kind::Answer(answer) => lay_answer(&mut laid, answer, &time, setting),
        Kind::Growing(growing) => {
            let old = old.filter(|old| old.width == setting.width);
            let grown = old.as_ref().map_or(0, |old| old.bytes);
            lay_growing(&mut laid, growing, old.and_then(|old| old.body), setting);
            laid.shown = weight(growing);
            // Weighing all of its rows again would make each delta cost the whole text.
            laid.bytes = grown.max(laid.shown * 2);
            return laid;
        }
        Kind::Call(call) => {
            laid.head = lay_call::rows(call, setting.width, unfolded);
            laid.shown = call.revision;
        }
        Kind::Notice { warning, text } => {
            let (sign, hue) = if *warning { ("⚠ ", Hue::Warn) } else { ("· ", Hue::Dim) };
            laid.head = signed(sign, hue, text, setting.width);
        }
        Kind::End(end) => lay_end(&mut laid, end),
        Kind::Compacted(compacted) => lay_compacted(&mut laid, compacted, setting),
        Kind::Mark(text) => laid.head = signed("─ ", Hue::Dim, text, setting.width),
    }
    laid.foot.push(Line::blank());
    laid.bytes = laid.weigh();
    laid
}

fn weight(growing: &Growing) -> usize {
    let calls: usize = growing.calls.iter().map(|call| call.arguments.text().len()).sum();
    growing.text.text().len() + growing.reasoning.text().len() + calls + growing.calls.len()
}

fn lay_person(laid: &mut Laid, person: &Person, time: &str) {
    laid.head.push(head("you", Hue::Person, time));
    let spans = [Span::new(person.text.clone(), Hue::Text)];
    let mut rows = wrap(&spans, laid.width);
    let total = rows.len();
    if !laid.unfolded && total > FOLDED_ROWS + 3 {
        rows.truncate(FOLDED_ROWS);
    }
    let hidden = total - rows.len();
    laid.head.extend(rows.into_iter().map(Line::from));
    if hidden > 0 {
        let text = format!("… {} more rows ▸ C-o", grouped(hidden));
        laid.head.push(Line::new(text, Hue::Dim));
    }
    let pictures = person.pictures.iter();
    laid.head.extend(pictures.map(|picture| Line::new(picture.clone(), Hue::Dim)));
}

fn lay_answer(laid: &mut Laid, answer: &Answer, time: &str, setting: &Setting<'_>) {
    laid.head.push(head("moltis", Hue::Accent, time));
    lay_thought(laid, &answer.reasoning, false);
    if !answer.text.is_empty() {
        laid.body = Some(Document::whole(&answer.text, setting.width, setting.highlights));
    }
    if answer.partial {
        laid.foot.push(Line::new("✂ broke off here; this is what had arrived", Hue::Warn));
    }
    if answer.cut {
        laid.foot.push(Line::new("⚠ cut short by the model's output limit", Hue::Warn));
    }
    if answer.filtered {
        laid.foot.push(Line::new("⚠ the provider withheld a part", Hue::Warn));
    }
    let spans = [Span::new(facts(answer), Hue::Dim)];
    laid.foot.extend(wrap(&spans, setting.width).into_iter().map(Line::from));
}

fn lay_growing(laid: &mut Laid, growing: &Growing, body: Option<Document>, setting: &Setting<'_>) {
    laid.head.push(head("moltis", Hue::Accent, ""));
    lay_thought(laid, growing.reasoning.text(), growing.text.text().is_empty());
    let mut body = body.unwrap_or_else(|| Document::new(setting.width));
    body.update(growing.text.text(), setting.highlights);
    laid.body = Some(body);
    for call in &growing.calls {
        let text = call.arguments.text();
        let facts = format!("preparing · {}", size(text.len()));
        let mark = ("◌", Hue::Dim);
        laid.foot.push(lay_call::head(mark, &call.tool, text, &facts, setting.width));
    }
    laid.foot.push(Line::blank());
}

fn lay_thought(laid: &mut Laid, thought: &SafeText, ongoing: bool) {
    if thought.is_empty() {
        return;
    }
    let size = grouped(thought.chars().count());
    let (sign, text) = match (laid.unfolded, ongoing) {
        (false, true) => ("◌", format!("thinking … {size} characters ▸ C-o")),
        (false, false) => ("◌", format!("thought, {size} characters ▸ C-o")),
        (true, true) => ("◌", "thinking …".to_owned()),
        (true, false) => ("◌", format!("thought, {size} characters ▾ C-o")),
    };
    laid.head.push(Line::new(format!("{sign} {text}"), Hue::Dim));
    if !laid.unfolded {
        return;
    }
    let from = if ongoing { thought.len().saturating_sub(THOUGHT_TAIL) } else { 0 };
    let from = thought.ceil_char_boundary(from);
    let spans = [Span::new(thought.get(from..).unwrap_or_default().trim(), Hue::Dim)];
    for row in wrap(&spans, laid.width.saturating_sub(2)) {
        let mut line = Line::new("┊ ", Hue::Dim);
        line.spans.extend(row);
        laid.head.push(line);
    }
    laid.head.push(Line::blank());
}

fn lay_compacted(laid: &mut Laid, compacted: &Compacted, setting: &Setting<'_>) {
    let fold = if laid.unfolded { "▾" } else { "▸" };
    let (before, after) = (tokens(compacted.before), tokens(compacted.after));
    let text = format!("compacted: {before} → {after} tokens {fold} C-o");
    laid.head = signed("─ ", Hue::Dim, &text.into(), laid.width);
    if laid.unfolded {
        laid.body = Some(Document::whole(&compacted.summary, setting.width, setting.highlights));
    }
}

fn lay_end(laid: &mut Laid, end: &End) {
    let (sign, hue, what) = match end.ending {
        v1::Ending::Failed => ("✗ ", Hue::Bad, "failed"),
        v1::Ending::Cancelled => ("■ ", Hue::Warn, "stopped"),
        v1::Ending::Interrupted => ("⚠ ", Hue::Warn, "interrupted: the daemon stopped"),
        v1::Ending::Done | v1::Ending::Unspecified => ("· ", Hue::Dim, "ended"),
    };
    let text =
        if end.message.is_empty() { what.to_owned() } else { format!("{what}: {}", &*end.message) };
    laid.head = signed(sign, hue, &text.into(), laid.width);
    if !end.hint.is_empty() {
        let hint = format!("hint: {}", &*end.hint);
        laid.head.extend(signed("  ", Hue::Dim, &hint.into(), laid.width));
    }
}

/// A text with a sign before its first row.
fn signed(sign: &'static str, hue: Hue, text: &SafeText, width: usize) -> Vec<Line> {
    let rows = wrap(&[Span::new(text.clone(), hue)], width.saturating_sub(2));
    let mut lines = Vec::with_capacity(rows.len());
    for (number, row) in rows.into_iter().enumerate() {
        let mut line = Line::new(if number == 0 { sign } else { "  " }, hue);
        line.spans.extend(row);
        lines.push(line);
    }
    lines
}

fn head(who: &'static str, hue: Hue, time: &str) -> Line {
    let mut line = Line::default();
    line.push(Span { text: who.into(), ink: crate::widget::Ink::of(hue).bold() });
    if time.is_empty() { line } else { line.with(format!(" {time}"), Hue::Dim) }
}

/// What there is to say about an answer, in one row.
fn facts(answer: &Answer) -> SafeText {
    let usage = &answer.usage;
    let mut facts = Vec::new();
    if !answer.model.is_empty() {
        facts.push(answer.model.as_str().to_owned());
    }
    let input = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens;
    if input + usage.output_tokens > 0 {
        facts.push(format!("{} in", tokens(input)));
        if usage.cache_read_tokens > 0 {
            facts.push(format!("{} cached", tokens(usage.cache_read_tokens)));
        }
        facts.push(format!("{} out", tokens(usage.output_tokens)));
    }
    if usage.cost_microusd > 0 {
        facts.push(money(usage.cost_microusd));
    }
    if let Some(first) = answer.first_token_ms {
        facts.push(format!("first word {}", span(first)));
    }
    if let Some(took) = answer.took_ms {
        facts.push(span(took));
    }
    SafeText::one_line(&facts.join(" · "))
}

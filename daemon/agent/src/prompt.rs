//! What a model is told: the conversation cut to what fits, in the shape that dialects expect, and
//! what each part of it weighs.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};

use moltis_core::assistant::{Fragment, FragmentKind};
use moltis_core::context::{SystemFragment, SystemKind, label_with};
use moltis_core::id::SessionId;
use moltis_core::message::{Message, Part, Role, text_of};
use moltis_core::models::ModelInfo;
use moltis_core::policy::Label;
use moltis_core::provider::{Effort, Request, ToolSpec};

use crate::conversation::{
    Conversation, Entry, IMAGE_TOKENS, MESSAGE_TOKENS, estimate, part_tokens, text_tokens,
};
use crate::scale::Scale;
use crate::shorten::{self, SHORT_TOKENS};
use crate::system;
use crate::text_tools;

/// The window of models of which nobody knows it. Wrong guesses are mended by asking again with
/// less.
pub const UNKNOWN_WINDOW: u64 = 128_000;

/// A model with a window of at most this many tokens has no room for long instructions.
const TINY_WINDOW: u64 = 8_192;

/// Of the budget, in hundredths: what may be left out beyond what must be.
const SLACK: u64 = 40;

/// Tokens kept free for the answer where the model's limit is not known.
const USUAL_RESERVE: u64 = 8_192;

/// Instructions of at most this many bytes are given to tiny models as they are.
const TINY_SYSTEM_BYTES: usize = 240;

/// What tiny models are told instead of long instructions, which they would repeat rather than
/// follow.
const TINY_SYSTEM: &str = "You are a helpful assistant.";

/// A summary of which less than this many tokens fit says nothing.
const LEAST_SUMMARY: u64 = 32;

/// What a summary is introduced with.
const SUMMARY: &str = "[Summary of the conversation so far]";
const SUMMARY_END: &str = "[End of the summary]";

const NO_IMAGES: &str = "[a picture was here, but this model does not see pictures]";

/// What holds for every request of a turn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instructions {
    /// What the model is told first of all, in order, see [`system::ordered`].
    pub system: Vec<SystemFragment>,
    /// How hard it is to think.
    pub effort: Option<Effort>,
    /// Of the window, in hundredths: a longer prompt is compacted. 0 is never.
    pub compact_at: u64,
    /// The tools that it is offered; where a search is among them, those that it can find.
    pub tools: Vec<ToolSpec>,
    /// Rounds of calls that a turn may go through.
    pub max_rounds: u32,
}

impl Instructions {
    /// Has the model work as a kind of agent: told this instead of what is configured to be said first
    /// of all, if it says anything, and with those of the tools that the kind has.
    pub fn works_as(&mut self, intro: SystemFragment, has: impl Fn(&str) -> bool) {
        if !intro.text.trim().is_empty() {
            self.system.retain(|one| one.kind != SystemKind::Intro);
            self.system.insert(0, intro);
        }
        self.tools.retain(|tool| has(&tool.name));
    }

    /// How far can be trusted what a model has before it, where all else has this label.
    pub fn label(&self, label: Label) -> Label {
        label_with(label, &self.system)
    }
}

/// A request, and what had to be done to make it fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assembled {
    /// The request.
    pub request: Request,
    /// Older messages were left out.
    pub left_out: bool,
    /// Estimated tokens of its messages, the summary included.
    pub tokens: u64,
    /// There are messages that may still be left out.
    pub shrinks: bool,
    /// What it tells, in order.
    pub fragments: Vec<Fragment>,
}

/// How a model is offered tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    /// Not at all.
    None,
    /// As its vendor wants it.
    Native,
    /// In words.
    Text,
}

/// How this model is offered the tools that there are.
pub(crate) fn offer(model: &ModelInfo, instructions: &Instructions) -> Offer {
    match () {
        // It would repeat their descriptions rather than call them.
        () if instructions.tools.is_empty() || is_tiny(model) => Offer::None,
        () if model.tools => Offer::Native,
        () => Offer::Text,
    }
}

/// The estimated tokens that the conversation may take in a prompt for this model, whose estimates
/// weigh so much.
pub fn budget(model: &ModelInfo, instructions: &Instructions, scale: Scale) -> u64 {
    let window = model.context_window.unwrap_or(UNKNOWN_WINDOW);
    let reserve = model.output_limit.unwrap_or(USUAL_RESERVE).min(window / 4);
    let room = scale.estimate(window.saturating_sub(reserve));
    room.saturating_sub(system_tokens(model, instructions))
}

/// The estimated tokens that the conversation may take before it is compacted: as configured, but
/// never more than fits. `None` is never.
pub fn compact_above(model: &ModelInfo, instructions: &Instructions, scale: Scale) -> Option<u64> {
    if instructions.compact_at == 0 {
        return None;
    }
    let window = model.context_window.unwrap_or(UNKNOWN_WINDOW);
    let share =
        window / 100 * instructions.compact_at + window % 100 * instructions.compact_at / 100;
    let room = scale.estimate(share).saturating_sub(system_tokens(model, instructions));
    Some(room.min(budget(model, instructions, scale)))
}

/// Estimated tokens of what the model is told first of all.
pub(crate) fn system_tokens(model: &ModelInfo, instructions: &Instructions) -> u64 {
    let told = system_for(model, &instructions.system);
    let told: u64 = told.iter().map(|(_, text)| text_tokens(text)).sum();
    told + tool_tokens(model, instructions)
}

/// Estimated tokens of a whole request, whoever made it.
pub fn request_tokens(request: &Request) -> u64 {
    let messages = request.messages.iter().map(|message| estimate(&message.parts)).sum::<u64>();
    text_tokens(&request.system) + messages + spec_tokens(&request.tools)
}

/// Estimated tokens of the tools that it is offered.
fn tool_tokens(model: &ModelInfo, instructions: &Instructions) -> u64 {
    match offer(model, instructions) {
        Offer::None => 0,
        Offer::Native | Offer::Text => spec_tokens(&instructions.tools),
    }
}

fn spec_tokens(tools: &[ToolSpec]) -> u64 {
    let size = |tool: &ToolSpec| {
        let parameters = tool.parameters.to_string().len();
        (tool.name.len() + tool.description.len() + parameters) as u64 + 32
    };
    tools.iter().map(size).sum::<u64>() / 4
}

/// What each message would cost in a prompt for this model, with what tools were called with and gave
/// up to the seq `pruned` told as its size.
pub(crate) fn costs(conversation: &Conversation, model: &ModelInfo, pruned: u64) -> Vec<u64> {
    let entries = conversation.entries();
    let asked = last_asked(entries);
    let cost = |(at, entry): (usize, &Entry)| {
        let whole = cost(model, entry, Some(at) > asked);
        if entry.placed <= pruned { whole.saturating_sub(saved(entry)) } else { whole }
    };
    entries.iter().enumerate().map(cost).collect()
}

/// Up to which seq what tools were called with and gave is told as its size only, so that a prompt has at most
/// `target` tokens: the oldest go first, those of the last round of calls stay.
pub(crate) fn prune(
    conversation: &Conversation,
    model: &ModelInfo,
    pruned: u64,
    target: u64,
) -> u64 {
    let entries = conversation.entries();
    let costs = costs(conversation, model, pruned);
    let mut told = costs.iter().sum::<u64>() + summary_tokens(conversation);
    let last = entries.iter().rposition(|entry| entry.role == Role::Assistant).unwrap_or(0);
    let mut upto = pruned;
    for entry in entries.iter().take(last) {
        if told <= target {
            break;
        }
        if entry.placed > upto && saved(entry) > 0 {
            upto = entry.placed;
            told = told.saturating_sub(saved(entry));
        }
    }
    upto
}

/// Tokens that it saves to tell of a message's results and calls their size only.
fn saved(entry: &Entry) -> u64 {
    let long = entry.parts.iter().filter(|part| shorten::is_long(part));
    long.map(|part| part_tokens(part).saturating_sub(SHORT_TOKENS)).sum()
}

/// What the summary would cost.
pub(crate) fn summary_tokens(conversation: &Conversation) -> u64 {
    conversation.summary().map_or(0, summary_cost)
}

/// What a summary costs in a prompt.
pub(crate) fn summary_cost(summary: &str) -> u64 {
    text_tokens(&told_summary(summary)) + MESSAGE_TOKENS
}

/// Makes the request for the next answer in this conversation. Leaves out the oldest messages
/// until the rest fits `budget`, but never any of the newest messages of the person; of a summary
/// it tells what fits beside those.
pub fn assemble(
    conversation: &Conversation,
    session: &SessionId,
    model: &ModelInfo,
    instructions: &Instructions,
    budget: u64,
    pruned: u64,
) -> Assembled {
    let entries = conversation.entries();
    let newest = newest(entries);
    let costs = costs(conversation, model, pruned);
    let pinned: u64 = costs.iter().skip(newest).sum();
    let summary = fitting_summary(conversation, (budget / 2).min(budget.saturating_sub(pinned)));
    let summed = summary.as_ref().map_or(0, |summary| text_tokens(summary) + MESSAGE_TOKENS);
    let first = match beginning(entries, &costs, newest, budget.saturating_sub(summed)) {
        // After a summary an answer may be the first.
        None if summary.is_some() => 0,
        None => entries.iter().position(may_begin(conversation)).unwrap_or(newest),
        Some(first) => first,
    };
    let asked = last_asked(entries);
    let offer = offer(model, instructions);
    let mut messages: Vec<Message> = Vec::new();
    if let Some(summary) = summary {
        push(&mut messages, Role::User, vec![Part::Text(summary)]);
    }
    let mut images = 0;
    for (at, entry) in entries.iter().enumerate().skip(first) {
        let mut parts = parts_for(model, entry, Some(at) > asked);
        if entry.placed <= pruned {
            for part in &mut parts {
                if let Some(short) = shorten::part(part) {
                    *part = short;
                }
            }
        }
        let (role, parts) = match offer {
            Offer::Native => (entry.role, parts),
            Offer::None | Offer::Text => in_words(entry.role, parts),
        };
        images += parts.iter().filter(|part| matches!(part, Part::Image { .. })).count();
        push(&mut messages, role, parts);
    }
    let told_first = system_for(model, &instructions.system);
    let mut system: Vec<&str> = told_first.iter().map(|(_, text)| text.as_str()).collect();
    let introduction = match offer {
        Offer::Text => text_tools::introduction(&instructions.tools),
        Offer::None | Offer::Native => String::new(),
    };
    if !introduction.is_empty() {
        system.push(&introduction);
    }
    let system = system.join("\n\n");
    let tools = if offer == Offer::Native { instructions.tools.clone() } else { Vec::new() };
    let request = Request {
        model: model.clone(),
        session: session.clone(),
        system,
        messages,
        tools,
        effort: instructions.effort,
        max_output: None,
    };
    let left_out = conversation.is_cut() || first > 0;
    let told: u64 = costs.iter().skip(first).sum();
    let seen = images as u64 * IMAGE_TOKENS;
    let tools = tool_tokens(model, instructions);
    let said = [
        fragment(FragmentKind::Tools, instructions.tools.len(), tools),
        fragment(FragmentKind::Summary, 1, summed),
        fragment(FragmentKind::Messages, entries.len() - first, told.saturating_sub(seen)),
        fragment(FragmentKind::Images, images, seen),
    ];
    let shown = told_first.iter().map(|(one, text)| shown_first(*one, text)).chain(said);
    let fragments = shown.filter(|fragment| fragment.tokens > 0).collect();
    Assembled { request, left_out, tokens: told + summed, shrinks: first < newest, fragments }
}

fn fragment(kind: FragmentKind, count: usize, tokens: u64) -> Fragment {
    Fragment { kind, name: String::new(), count: count as u64, tokens, cut: false }
}

/// A part of the system prompt as a person sees it.
fn shown_first(one: Option<&SystemFragment>, text: &str) -> Fragment {
    Fragment {
        name: one.map(|one| one.name.clone()).unwrap_or_default(),
        cut: one.is_some_and(|one| one.truncated),
        ..fragment(FragmentKind::System, 1, text_tokens(text))
    }
}

/// Where what a model is told in any case begins: the newest messages of the person, and what was
/// done for them since, unless that has been answered.
pub(crate) fn newest(entries: &VecDeque<Entry>) -> usize {
    let answered = entries.back().is_some_and(|last| last.role == Role::Assistant);
    match last_asked(entries) {
        Some(last) if !answered => {
            last + 1 - entries.iter().take(last + 1).rev().take_while(|e| e.is_asked()).count()
        }
        _ => entries.len(),
    }
}

/// Which message may be the first: of a whole conversation also a program that the person ran.
fn may_begin(conversation: &Conversation) -> fn(&Entry) -> bool {
    if conversation.is_cut() { Entry::is_asked } else { |entry| entry.role == Role::User }
}

fn last_asked(entries: &VecDeque<Entry>) -> Option<usize> {
    entries.iter().rposition(Entry::is_asked)
}

fn told_summary(summary: &str) -> String {
    format!("{SUMMARY}\n{summary}\n{SUMMARY_END}")
}

/// The summary as a model is told it, cut to so many tokens; `None` where nothing of it fits.
fn fitting_summary(conversation: &Conversation, room: u64) -> Option<String> {
    let summary = conversation.summary()?;
    let over = summary_tokens(conversation).saturating_sub(room);
    if over == 0 {
        return Some(told_summary(summary));
    }
    let fits = usize::try_from(room.checked_sub(LEAST_SUMMARY)?.saturating_mul(4)).ok()?;
    Some(told_summary(&summary[..summary.floor_char_boundary(fits)]))
}

/// Where the told part of a conversation begins: with a message of the person, at the latest with
/// the `newest` ones.
///
/// Vendors and local models keep the state of a prompt and go on from there while its beginning
/// stays the same. So more is left out than must be, up to [`SLACK`], and which of the messages
/// there is the first is chosen by what they say: it stays the first for many turns, and also when
/// a different part of the log was read.
/// `None` when all of it fits.
fn beginning(
    entries: &VecDeque<Entry>,
    costs: &[u64],
    newest: usize,
    budget: u64,
) -> Option<usize> {
    let all: u64 = costs.iter().sum();
    let least = all.saturating_sub(budget);
    if least == 0 {
        return None;
    }
    let most = least + budget / 100 * SLACK;
    let mut before = 0;
    let mut best = None;
    for (at, (entry, cost)) in entries.iter().zip(costs).enumerate().take(newest) {
        if entry.is_asked() && before >= least {
            if best.is_some() && before > most {
                break;
            }
            let rank = rank(entry);
            if best.is_none_or(|(lowest, _)| rank < lowest) {
                best = Some((rank, at));
            }
        }
        before += cost;
    }
    Some(best.map_or(newest, |(_, at)| at))
}

/// A number that depends on nothing but what a message says.
fn rank(entry: &Entry) -> u64 {
    let mut hasher = DefaultHasher::new();
    text_of(&entry.parts).hash(&mut hasher);
    hasher.finish()
}

/// What this model is told first of all, and the fragment that each text words. A tiny one is told
/// the intro and nothing else.
fn system_for<'a>(
    model: &ModelInfo,
    fragments: &'a [SystemFragment],
) -> Vec<(Option<&'a SystemFragment>, String)> {
    if !is_tiny(model) {
        return fragments.iter().map(Some).zip(system::worded(fragments)).collect();
    }
    let intro = fragments.iter().find(|one| one.kind == SystemKind::Intro);
    let short = intro.filter(|intro| intro.text.len() <= TINY_SYSTEM_BYTES);
    match (intro, short) {
        (_, Some(short)) => vec![(Some(short), short.text.clone())],
        (Some(_), None) => vec![(None, TINY_SYSTEM.to_owned())],
        (None, None) => Vec::new(),
    }
}

fn is_tiny(model: &ModelInfo) -> bool {
    model.local || model.context_window.is_some_and(|window| window <= TINY_WINDOW)
}

/// Calls and results as text, for a model that knows no others.
fn in_words(role: Role, parts: Vec<Part>) -> (Role, Vec<Part>) {
    let word = |part: Part| match part {
        Part::ToolCall { name, arguments, .. } => Part::Text(text_tools::call(&name, &arguments)),
        Part::ToolResult { text, failed, .. } => Part::Text(text_tools::result(&text, failed)),
        other => other,
    };
    let role = if role == Role::Tool { Role::User } else { role };
    (role, parts.into_iter().map(word).collect())
}

/// About how many tokens the parts of [`parts_for`] cost.
fn cost(model: &ModelInfo, entry: &Entry, open: bool) -> u64 {
    let tokens = |part: &Part| match part {
        Part::Reasoning { .. } if !is_told(model, entry, part, open) => 0,
        Part::Image { .. } if !model.images => text_tokens(NO_IMAGES),
        other => part_tokens(other),
    };
    entry.parts.iter().map(tokens).sum::<u64>() + MESSAGE_TOKENS
}

/// Whether a thought goes back.
fn is_told(model: &ModelInfo, entry: &Entry, part: &Part, open: bool) -> bool {
    let mine = entry.model.as_ref() == Some(&model.id) && !entry.partial;
    match part {
        Part::Reasoning { signature, .. } => mine && (open || signature.is_some()),
        _ => true,
    }
}

/// The parts of a message as this model may be told them: thoughts go back only to the model
/// that had them, whole and with their proof, or without one while its calls are being answered
/// (`open`); pictures only to models that see.
fn parts_for(model: &ModelInfo, entry: &Entry, open: bool) -> Vec<Part> {
    let mut parts = Vec::with_capacity(entry.parts.len());
    for part in &entry.parts {
        match part {
            part if !is_told(model, entry, part, open) => {}
            Part::Image { .. } if !model.images => parts.push(Part::Text(NO_IMAGES.to_owned())),
            other => parts.push(other.clone()),
        }
    }
    parts
}

/// Adds a message; one by the same speaker as the last is joined to it, because most dialects
/// want speakers to take turns.
fn push(messages: &mut Vec<Message>, role: Role, parts: Vec<Part>) {
    if parts.is_empty() {
        return;
    }
    let Some(last) = messages.last_mut().filter(|last| last.role == role) else {
        messages.push(Message { role, parts });
        return;
    };
    let mut parts = parts.into_iter().peekable();
    if let (Some(Part::Text(before)), Some(Part::Text(after))) =
        (last.parts.last_mut(), parts.peek())
    {
        before.push_str("\n\n");
        before.push_str(after);
        parts.next();
    }
    last.parts.extend(parts);
}

#[cfg(test)]
#[path = "prompt_tests.rs"]
mod tests;

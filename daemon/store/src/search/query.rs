//! Answering a search: BM25 over the index and over what is not indexed yet.
//!
//! The last word of the query also finds words that begin with it. A message that has more of the
//! query's words comes before one that has fewer of them more often.

use std::collections::{BTreeMap, HashMap};

use moltis_core::assistant::Hit;
use moltis_core::event::Event;
use moltis_core::id::SessionId;
use redb::{ReadTransaction, ReadableTable};

use super::postings::decode;
use super::{MAX_WORDS, searched, snippet};
use crate::error::{Error, Result};
use crate::read;
use crate::tables::{DUE, INDEX_DUE, INDEXED, NUMBERS, POSTINGS, SUMMARIES, read_summary};
use crate::words::words;

/// Words of a query that count.
const MAX_QUERY: usize = 16;
/// Rows of the index that are read for one word.
const MAX_ROWS: usize = 65_536;
/// Events that are read because they are not indexed yet; in use there are a few hundred.
const MAX_UNINDEXED: usize = 8_192;
/// Hits in one answer.
const MAX_HITS: usize = 200;

const K1: f64 = 1.2;
const B: f64 = 0.75;

/// A message among all sessions.
type Place = (SessionId, u64);

/// How often a message has a word of the query, and how many words it has.
#[derive(Clone, Copy)]
struct Found {
    count: u32,
    length: u32,
}

struct Wanted {
    text: String,
    prefix: bool,
}

impl Wanted {
    fn fits(&self, word: &str) -> bool {
        if self.prefix { word.starts_with(&self.text) } else { word == self.text }
    }
}

#[derive(Default)]
struct Totals {
    messages: u64,
    words: u64,
}

/// The best hits of a query.
pub(crate) fn search(txn: &ReadTransaction, query: &str, limit: u32) -> Result<Vec<Hit>> {
    let wanted = wanted_words(query);
    if wanted.is_empty() || limit == 0 {
        return Ok(Vec::new());
    }
    let mut totals = totals(txn)?;
    let mut found: Vec<HashMap<Place, Found>> = Vec::new();
    for word in &wanted {
        found.push(indexed(txn, word)?);
    }
    unindexed(txn, &wanted, &mut found, &mut totals)?;
    let mut ranked: Vec<(f64, Place)> =
        rank(&found, &totals).into_iter().map(|(place, score)| (score, place)).collect();
    // Equal scores: the later message first, so that answers do not depend on chance.
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| b.1.cmp(&a.1)));
    ranked.truncate(usize::try_from(limit).unwrap_or(MAX_HITS).min(MAX_HITS));
    hits(txn, &wanted, ranked)
}

fn wanted_words(query: &str) -> Vec<Wanted> {
    let mut wanted: Vec<Wanted> = Vec::new();
    let all = words(query, MAX_QUERY);
    let last = all.len().saturating_sub(1);
    for (n, word) in all.into_iter().enumerate() {
        let prefix = n == last;
        wanted.retain(|other| other.text != word.text);
        wanted.push(Wanted { text: word.text, prefix });
    }
    wanted
}

fn totals(txn: &ReadTransaction) -> Result<Totals> {
    let mut totals = Totals::default();
    for row in txn.open_table(INDEXED)?.iter()? {
        let (_, _, messages, words) = row?.1.value();
        totals.messages += messages;
        totals.words += words;
    }
    Ok(totals)
}

#[expect(
    clippy::map_entry,
    reason = "making the value may fail, and then nothing is to be inserted"
)]
fn indexed(txn: &ReadTransaction, wanted: &Wanted) -> Result<HashMap<Place, Found>> {
    let postings = txn.open_table(POSTINGS)?;
    let numbers = txn.open_table(NUMBERS)?;
    let mut names = HashMap::<u32, Option<SessionId>>::new();
    let mut found = HashMap::new();
    for row in postings.range((wanted.text.as_str(), 0, 0)..)?.take(MAX_ROWS) {
        let (key, value) = row?;
        let (word, number, chunk) = key.value();
        if !wanted.fits(word) {
            break;
        }
        if !names.contains_key(&number) {
            let name = numbers.get(number)?.map(|name| SessionId::from(name.value()));
            names.insert(number, name);
        }
        let Some(Some(session)) = names.get(&number) else { continue };
        for posting in decode(chunk, value.value()) {
            let entry = found
                .entry((session.clone(), posting.seq))
                .or_insert(Found { count: 0, length: posting.length });
            entry.count = entry.count.saturating_add(posting.count);
        }
    }
    Ok(found)
}

/// Looks through the messages that are not indexed yet.
fn unindexed(
    txn: &ReadTransaction,
    wanted: &[Wanted],
    found: &mut [HashMap<Place, Found>],
    totals: &mut Totals,
) -> Result<()> {
    let indexed = txn.open_table(INDEXED)?;
    let mut left = MAX_UNINDEXED;
    for row in txn.open_table(DUE)?.iter()? {
        let (session, due) = row?;
        if due.value() & INDEX_DUE == 0 {
            continue;
        }
        let upto = indexed.get(session.value())?.map_or(0, |row| row.value().1);
        let session = SessionId::from(session.value());
        let events = match read::events(txn, &session, upto + 1, u64::MAX, left) {
            Err(Error::Damaged(what)) => {
                passed_over(&what);
                continue;
            }
            found => found?,
        };
        left -= events.len().min(left);
        for event in &events {
            look_at(event, wanted, found, totals);
        }
        if left == 0 {
            break;
        }
    }
    Ok(())
}

fn look_at(
    event: &Event,
    wanted: &[Wanted],
    found: &mut [HashMap<Place, Found>],
    totals: &mut Totals,
) {
    let Some((text, _)) = searched(event) else { return };
    let words = words(&text, MAX_WORDS);
    let length = u32::try_from(words.len()).unwrap_or(u32::MAX);
    totals.messages += 1;
    totals.words += u64::from(length);
    for (wanted, found) in wanted.iter().zip(found) {
        let count = words.iter().filter(|word| wanted.fits(&word.text)).count();
        if count > 0 {
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            found.insert((event.session.clone(), event.seq), Found { count, length });
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a score needs no more digits than a float has")]
fn rank(found: &[HashMap<Place, Found>], totals: &Totals) -> BTreeMap<Place, f64> {
    let messages = totals.messages.max(1) as f64;
    let mean = (totals.words as f64 / messages).max(1.0);
    let mut scores = BTreeMap::<Place, (f64, u32)>::new();
    for places in found {
        let with = places.len() as f64;
        let rarity = (1.0 + (messages - with + 0.5).max(0.0) / (with + 0.5)).ln();
        for (place, found) in places {
            let count = f64::from(found.count);
            let norm = K1 * (1.0 - B + B * f64::from(found.length) / mean);
            let (score, words) = scores.entry(place.clone()).or_default();
            *score += rarity * count * (K1 + 1.0) / (count + norm);
            *words += 1;
        }
    }
    let all = found.len() as f64;
    scores
        .into_iter()
        .map(|(place, (score, words))| (place, score * (f64::from(words) / all).powi(2)))
        .collect()
}

fn hits(txn: &ReadTransaction, wanted: &[Wanted], ranked: Vec<(f64, Place)>) -> Result<Vec<Hit>> {
    let summaries = txn.open_table(SUMMARIES)?;
    let mut hits = Vec::with_capacity(ranked.len());
    for (score, (session, seq)) in ranked {
        let Some(row) = summaries.get(session.as_str())? else { continue };
        let found = read_summary(session.as_str(), row.value())
            .and_then(|summary| Ok((summary.title, read::events(txn, &session, seq, seq, 1)?)));
        let (title, mut events) = match found {
            Err(Error::Damaged(what)) => {
                passed_over(&what);
                continue;
            }
            found => found?,
        };
        let Some(event) = events.pop() else { continue };
        let Some((text, by_person)) = searched(&event) else { continue };
        hits.push(Hit {
            session,
            title,
            seq,
            at: event.at,
            by_person,
            snippet: snippet::snippet(&text, |word| wanted.iter().any(|wanted| wanted.fits(word))),
            #[expect(clippy::cast_possible_truncation, reason = "only the order matters")]
            score: score as f32,
        });
    }
    Ok(hits)
}

/// What is damaged must not keep the rest from being found; `check` names it.
fn passed_over(what: &str) {
    tracing::warn!(what, "a search passed over this");
}

//! Perplexity: `POST /search`, the key as a bearer.
//!
//! Source: Perplexity Search API, `docs.perplexity.ai/api-reference/search-post`, and the types of its
//! own client (`perplexityai/perplexity-py`, `types/search_create_params.py`), read in November 2026:
//! `max_results` is 1 to 20, languages are ISO 639-1 (two lower-case letters, at most ten), `country` is
//! ISO 3166-1, a recency is `hour`, `day`, `week`, `month` or `year`. Its snippets are whole passages, so
//! that it is asked for short ones.

use moltis_net::Request;
use moltis_net::web::Page;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::{Engine, Found, Freshness, Query, Service, Trouble, trouble};

pub(super) const SERVICE: Service = Service {
    engine: Engine::Perplexity,
    name: "perplexity",
    title: "Perplexity",
    origin: "https://api.perplexity.ai",
    path: "/search",
    key: Some("PERPLEXITY_API_KEY"),
    ask,
    read,
};

/// Tokens that a page's passage may have: more than is told of it ([`super::SNIPPET`]).
const PASSAGE: usize = 256;

#[derive(Serialize)]
struct Body<'a> {
    query: &'a str,
    max_results: usize,
    max_tokens_per_page: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    search_language_filter: Option<[&'a str; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    search_recency_filter: Option<&'static str>,
}

fn ask(endpoint: &str, query: &Query, key: Option<&SecretString>) -> Result<Request, String> {
    let body = Body {
        query: &query.words,
        max_results: query.count,
        max_tokens_per_page: PASSAGE,
        country: query.country.as_deref(),
        search_language_filter: query
            .language
            .as_deref()
            .and_then(|code| code.split('-').next().filter(|code| code.len() == 2))
            .map(|code| [code]),
        search_recency_filter: query.freshness.map(|freshness| match freshness {
            Freshness::Day => "day",
            Freshness::Week => "week",
            Freshness::Month => "month",
            Freshness::Year => "year",
        }),
    };
    let request = Request::post(endpoint).json(&body);
    Ok(match key {
        Some(key) => request.bearer(key),
        None => request,
    })
}

#[derive(Deserialize)]
struct Reply {
    results: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    title: String,
    url: String,
    #[serde(default)]
    snippet: String,
    date: Option<String>,
}

fn read(page: &Page) -> Result<Vec<Found>, Trouble> {
    trouble(page)?;
    let reply: Reply = serde_json::from_str(&page.text()).map_err(|_| Trouble::Unreadable)?;
    let found =
        |row: Row| Found { title: row.title, url: row.url, snippet: row.snippet, date: row.date };
    Ok(reply.results.into_iter().map(found).collect())
}

//! Brave: `GET /res/v1/web/search`, the key in `x-subscription-token`.
//!
//! Source: Brave Search API, `api-dashboard.search.brave.com/api-reference/web/search/get`, read in
//! November 2026: a query has at most 400 characters and 50 words, `count` is 1 to 20, a language is one
//! of an enumeration of Brave's own. Errors are an `ErrorResponse` with a code; a wrong key is answered
//! with 422 and `SUBSCRIPTION_TOKEN_INVALID`, as is (422, `VALIDATION`) what is wrong otherwise.

use moltis_net::Request;
use moltis_net::web::Page;
use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use super::{Engine, Found, Freshness, Query, Service, Trouble, trouble};

pub(super) const SERVICE: Service = Service {
    engine: Engine::Brave,
    name: "brave",
    title: "Brave Search",
    origin: "https://api.search.brave.com",
    path: "/res/v1/web/search",
    key: Some("BRAVE_API_KEY"),
    ask,
    read,
};

fn ask(endpoint: &str, query: &Query, key: Option<&SecretString>) -> Result<Request, String> {
    let mut url = Url::parse(endpoint).map_err(|error| error.to_string())?;
    {
        let mut pairs = url.query_pairs_mut();
        pairs.append_pair("q", &query.words);
        pairs.append_pair("count", &query.count.to_string());
        pairs.append_pair("text_decorations", "false");
        if let Some(country) = &query.country {
            pairs.append_pair("country", country);
        }
        if let Some(language) = &query.language {
            pairs.append_pair("search_lang", own_code(language));
        }
        if let Some(freshness) = query.freshness {
            let code = match freshness {
                Freshness::Day => "pd",
                Freshness::Week => "pw",
                Freshness::Month => "pm",
                Freshness::Year => "py",
            };
            pairs.append_pair("freshness", code);
        }
    }
    let request = Request::get(url.as_str()).header("accept", "application/json");
    Ok(match key {
        Some(key) => request.secret_header("x-subscription-token", key),
        None => request,
    })
}

/// Brave's name of a language, where it is not the usual one: anything else than a name of its own is
/// answered with 422.
fn own_code(language: &str) -> &str {
    match language {
        "ja" => "jp",
        "zh" | "zh-cn" | "zh-sg" => "zh-hans",
        "zh-tw" | "zh-hk" => "zh-hant",
        "pt" => "pt-pt",
        "no" => "nb",
        "en-gb" | "pt-br" | "pt-pt" | "zh-hans" | "zh-hant" => language,
        other => other.split('-').next().unwrap_or(other),
    }
}

#[derive(Deserialize)]
struct Reply {
    web: Option<Section>,
}

#[derive(Deserialize)]
struct Section {
    #[serde(default)]
    results: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    title: String,
    url: String,
    #[serde(default)]
    description: String,
    age: Option<String>,
}

fn read(page: &Page) -> Result<Vec<Found>, Trouble> {
    let text = page.text();
    if page.status == 422 && text.contains("SUBSCRIPTION_TOKEN") {
        return Err(Trouble::Key);
    }
    trouble(page)?;
    let reply: Reply = serde_json::from_str(&text).map_err(|_| Trouble::Unreadable)?;
    // Where nothing was found there is no such section.
    let rows = reply.web.map(|section| section.results).unwrap_or_default();
    let found = |row: Row| Found {
        title: row.title,
        url: row.url,
        snippet: row.description,
        date: row.age,
    };
    Ok(rows.into_iter().map(found).collect())
}

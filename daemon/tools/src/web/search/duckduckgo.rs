//! DuckDuckGo: `GET /html/`, the page that it makes for browsers without scripts.
//!
//! There is no documentation: the page is read as it was seen in 2025 and 2026, and as other readers
//! of it describe it (the marks of a challenge were compared with theirs in November 2026). Results
//! are `.result` with a link `.result__a` and a text `.result__snippet`; advertisements are marked
//! `.result--ad`; links lead through `/l/?uddg=`. Robots are answered with 202, or with a page that
//! has `.anomaly-modal__title` or `#challenge-form`. A page that has none of that and no
//! `.no-results` is an error, not an empty result: it has changed.

use moltis_net::Request;
use moltis_net::web::Page;
use secrecy::SecretString;
use url::Url;

use super::super::document::parse;
use super::{Engine, Found, Freshness, Query, Service, Trouble, trouble};

pub(super) const SERVICE: Service = Service {
    engine: Engine::DuckDuckGo,
    name: "duckduckgo",
    title: "DuckDuckGo",
    origin: "https://html.duckduckgo.com",
    path: "/html/",
    key: None,
    ask,
    read,
};

fn ask(endpoint: &str, query: &Query, _: Option<&SecretString>) -> Result<Request, String> {
    let mut url = Url::parse(endpoint).map_err(|error| error.to_string())?;
    {
        let mut pairs = url.query_pairs_mut();
        pairs.append_pair("q", &query.words);
        if let Some(region) = region(query) {
            pairs.append_pair("kl", &region);
        }
        if let Some(freshness) = query.freshness {
            let code = match freshness {
                Freshness::Day => "d",
                Freshness::Week => "w",
                Freshness::Month => "m",
                Freshness::Year => "y",
            };
            pairs.append_pair("df", code);
        }
    }
    Ok(Request::get(url.as_str()).header("accept", "text/html"))
}

/// Country and language, as in `us-en`: it has no other way to say either.
fn region(query: &Query) -> Option<String> {
    let language = || query.language.as_deref().and_then(|code| code.split('-').next());
    match (&query.country, language()) {
        (None, None) => None,
        (Some(country), language) => {
            Some(format!("{}-{}", country.to_ascii_lowercase(), language.unwrap_or("en")))
        }
        (None, Some(language)) => Some(format!("wt-{language}")),
    }
}

fn read(page: &Page) -> Result<Vec<Found>, Trouble> {
    if page.status == 202 {
        return Err(Trouble::Captcha);
    }
    // It has no keys: what is forbidden to us is forbidden to robots.
    if matches!(page.status, 401 | 403 | 418) {
        return Err(Trouble::Captcha);
    }
    trouble(page)?;
    let document = parse(&page.text()).map_err(|_| Trouble::Unreadable)?;
    if document.select(".anomaly-modal__title, #challenge-form").exists() {
        return Err(Trouble::Captcha);
    }
    let mut found = Vec::new();
    for result in document.select(".result:not(.result--ad)").iter() {
        let link = result.select_single("a.result__a");
        let Some(url) = link.attr("href").and_then(|href| target(&href)) else { continue };
        let title = escaped(&link.text());
        let snippet = escaped(&result.select_single(".result__snippet").text());
        found.push(Found { title, url, snippet, date: None });
    }
    if found.is_empty() && !document.select(".no-results").exists() {
        return Err(Trouble::Unreadable);
    }
    Ok(found)
}

/// Text in the form in which the other services give theirs.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// Where a result's link leads; `None` for advertisements and for what is no page.
fn target(href: &str) -> Option<String> {
    let base = Url::parse("https://duckduckgo.com/").ok()?;
    let url = base.join(href).ok()?;
    let own = url
        .host_str()
        .is_some_and(|host| host == "duckduckgo.com" || host.ends_with(".duckduckgo.com"));
    let url = match (own, url.path()) {
        (true, "/l/") => {
            let (_, target) = url.query_pairs().find(|(name, _)| name == "uddg")?;
            Url::parse(&target).ok()?
        }
        (true, "/y.js") => return None,
        _ => url,
    };
    matches!(url.scheme(), "http" | "https").then(|| url.into())
}

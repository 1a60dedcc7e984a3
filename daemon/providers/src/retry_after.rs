//! How long a vendor asks to wait, in the forms in which vendors say so.

use std::time::Duration;

use jiff::Timestamp;
use moltis_net::Response;

/// What the headers say: `retry-after-ms`, else `retry-after` in seconds or as a date. A date is
/// compared with the vendor's own clock, where it tells it.
pub(crate) fn of_headers(response: &Response) -> Option<Duration> {
    let ms = response.header("retry-after-ms").and_then(|ms| ms.trim().parse::<f64>().ok());
    if let Some(wait) = ms.and_then(|ms| seconds(ms / 1000.0)) {
        return Some(wait);
    }
    let value = response.header("retry-after")?;
    let now = response.header("date").and_then(date).unwrap_or_else(Timestamp::now);
    of_value(value, now)
}

/// `retry-after` as HTTP defines it.
fn of_value(value: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(number) = value.trim().parse::<f64>() {
        return seconds(number);
    }
    let wait = date(value)?.duration_since(now);
    Some(Duration::try_from(wait).unwrap_or_default())
}

fn date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::parse(text.trim()).ok().map(|zoned| zoned.timestamp())
}

/// A span like `34.5s`, `250ms`, `1m2.5s` or `1h`.
pub(crate) fn span(text: &str) -> Option<Duration> {
    let mut total = 0.0;
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let unit_at = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(unit_at);
        let number: f64 = number.parse().ok()?;
        let next = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, after) = tail.split_at(next);
        total += number
            * match unit {
                "ms" => 0.001,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                _ => return None,
            };
        rest = after;
    }
    seconds(total)
}

/// A wish that is only said in words: "Please try again in 7.66s."
pub(crate) fn in_words(message: &str) -> Option<Duration> {
    let lower = message.to_ascii_lowercase();
    let (_, rest) = lower.split_once("try again in ")?;
    let mut words = rest.split_whitespace();
    let first = words.next()?.trim_end_matches(['.', ',', ')']);
    span(first).or_else(|| {
        let number: f64 = first.parse().ok()?;
        match words.next()?.trim_end_matches(['.', ',', ')']) {
            "second" | "seconds" => seconds(number),
            "minute" | "minutes" => seconds(number * 60.0),
            _ => None,
        }
    })
}

fn seconds(number: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(number).ok()
}

#[cfg(test)]
#[path = "retry_after_tests.rs"]
mod tests;

//! `moltis usage`: what was used, by day and model, and what is left of the limits.

use clap::Args;
use clap_complete::ArgValueCandidates;
use jiff::{SignedDuration, Timestamp};
use moltis_proto::v1::{BudgetLimit, BudgetRequest, Usage, UsageRequest, UsageRow};
use serde_json::{Value, json};

use super::context::{Context, find};
use super::{complete, shape};
use crate::client::{Failure, call};
use crate::output::{Side, Table, count, dollars};

/// Words of `moltis usage`.
#[derive(Args, Debug)]
pub(crate) struct UsageArgs {
    /// Since when: `24h`, `7d`, `2w`, `2026-11-24`, or an RFC 3339 time [default: the beginning]
    #[arg(long, value_name = "T", value_parser = parse_since)]
    since: Option<Timestamp>,
    /// Show what is left of the limits instead
    #[arg(long, conflicts_with = "since")]
    left: bool,
    /// Also of the limits of this session: key, id, beginning of an id, or title
    #[arg(long, requires = "left", add = ArgValueCandidates::new(complete::sessions))]
    session: Option<String>,
}

/// Prints the rows and, for people, their sum.
pub(super) async fn run(context: &Context, args: UsageArgs) -> Result<(), Failure> {
    if args.left {
        return left(context, args.session.as_deref()).await;
    }
    let mut client = context.connect().await?;
    let since = args.since.map(|since| prost_types::Timestamp {
        seconds: since.as_second(),
        nanos: since.subsec_nanosecond(),
    });
    let rows = client.caller.call(&call::USAGE, &UsageRequest { since }).await?.rows;
    if context.output.json {
        return context.output.json(&Value::Array(rows.iter().map(row_json).collect()));
    }
    if rows.is_empty() {
        return context.output.line("nothing was used");
    }
    context.output.table(&table(&rows))
}

/// Prints how the limits stand.
async fn left(context: &Context, session: Option<&str>) -> Result<(), Failure> {
    let mut client = context.connect().await?;
    let session = match session {
        Some(name) => find(&mut client, name).await?.id,
        None => String::new(),
    };
    let request = BudgetRequest { session };
    let limits = client.caller.call(&call::BUDGET, &request).await?.limits;
    if context.output.json {
        return context.output.json(&Value::Array(limits.iter().map(limit_json).collect()));
    }
    if limits.is_empty() {
        return context.output.line("nothing is limited: see [budget] in the configuration");
    }
    let mut table = Table::new(&[
        ("LIMIT", Side::Left),
        ("OF", Side::Right),
        ("USED", Side::Right),
        ("RESERVED", Side::Right),
        ("LEFT", Side::Right),
    ]);
    for limit in &limits {
        let said = |amount| said(&limit.unit, amount);
        table.row([
            &format!("{} {}", limit.span, unit(&limit.unit)),
            &said(limit.limit),
            &said(limit.spent),
            &said(limit.reserved),
            &said(left_of(limit)),
        ]);
    }
    context.output.table(&table)
}

/// What nothing has spent or reserved yet.
fn left_of(limit: &BudgetLimit) -> u64 {
    limit.limit.saturating_sub(limit.spent).saturating_sub(limit.reserved)
}

/// The unit as people and scripts have it: money is in dollars.
fn unit(unit: &str) -> &str {
    if unit == "microusd" { "usd" } else { unit }
}

/// So much of a unit, for a person.
fn said(unit: &str, amount: u64) -> String {
    match unit {
        "microusd" if amount == 0 => "$0".to_owned(),
        "microusd" => dollars(amount),
        "seconds" => format!("{}m {:02}s", amount / 60, amount % 60),
        _ => count(amount),
    }
}

fn limit_json(limit: &BudgetLimit) -> Value {
    let amount = |amount| match limit.unit.as_str() {
        "microusd" => json!(moltis_proto::json::usd(amount)),
        _ => json!(amount),
    };
    json!({
        "span": limit.span,
        "unit": unit(&limit.unit),
        "limit": amount(limit.limit),
        "used": amount(limit.spent),
        "reserved": amount(limit.reserved),
        "left": amount(left_of(limit)),
    })
}

fn row_json(row: &UsageRow) -> Value {
    let mut value = shape::usage(&row.usage.unwrap_or_default());
    value["day"] = json!(row.day);
    value["model"] = json!(row.model);
    value["answers"] = json!(row.answers);
    value
}

fn table(rows: &[UsageRow]) -> Table {
    let mut table = Table::new(&[
        ("DAY", Side::Left),
        ("MODEL", Side::Cut),
        ("ANSWERS", Side::Right),
        ("INPUT", Side::Right),
        ("CACHED", Side::Right),
        ("OUTPUT", Side::Right),
        ("COST", Side::Right),
    ]);
    let mut sum = Usage::default();
    let mut answers = 0;
    let mut add = |day: &str, model: &str, answers: u64, usage: &Usage| {
        table.row([
            day,
            model,
            &answers.to_string(),
            &count(usage.input_tokens),
            &count(usage.cache_read_tokens),
            &count(usage.output_tokens),
            &dollars(usage.cost_microusd),
        ]);
    };
    for row in rows {
        let usage = row.usage.unwrap_or_default();
        add(&row.day, &row.model, row.answers, &usage);
        answers += row.answers;
        sum.input_tokens += usage.input_tokens;
        sum.output_tokens += usage.output_tokens;
        sum.cache_read_tokens += usage.cache_read_tokens;
        sum.cost_microusd += usage.cost_microusd;
    }
    if rows.len() > 1 {
        add("all", "", answers, &sum);
    }
    table
}

fn parse_since(text: &str) -> Result<Timestamp, String> {
    since(text, Timestamp::now())
}

fn since(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let help = || "give `24h`, `7d`, `2w`, `2026-11-24`, or an RFC 3339 time".to_owned();
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    if let Ok(day) = text.parse::<jiff::civil::Date>() {
        return format!("{day}T00:00:00Z").parse().map_err(|_| help());
    }
    let mut letters = text.chars();
    let hours = match letters.next_back() {
        Some('h') => 1,
        Some('d') => 24,
        Some('w') => 24 * 7,
        _ => return Err(help()),
    };
    let number: u32 = letters.as_str().parse().map_err(|_| help())?;
    now.checked_sub(SignedDuration::from_hours(i64::from(number) * hours)).map_err(|_| help())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_takes_spans_days_and_times() {
        let now: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
        let said = |text| since(text, now).map(|time| time.to_string());
        assert_eq!(said("24h").as_deref(), Ok("2026-11-23T12:00:00Z"));
        assert_eq!(said("1w").as_deref(), Ok("2026-11-17T12:00:00Z"));
        assert_eq!(said("2026-11-01").as_deref(), Ok("2026-11-01T00:00:00Z"));
        assert_eq!(said("2026-11-01T02:00:00+02:00").as_deref(), Ok("2026-11-01T00:00:00Z"));
        for nonsense in ["", "h", "soon", "7", "-1d", "4294967295w", "2026-13-01"] {
            assert!(said(nonsense).is_err(), "{nonsense}");
        }
    }
}

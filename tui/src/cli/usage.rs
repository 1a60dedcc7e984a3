//! `moltis usage`: what was used, by day and model.

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use moltis_proto::v1::{Usage, UsageRequest, UsageRow};
use serde_json::{Value, json};

use super::context::Context;
use super::shape;
use crate::client::{Failure, call};
use crate::output::{Side, Table, count, dollars};

/// Words of `moltis usage`.
#[derive(Args, Debug)]
pub(crate) struct UsageArgs {
    /// Since when: `24h`, `7d`, `2w`, `2026-11-24`, or an RFC 3339 time [default: the beginning]
    #[arg(long, value_name = "T", value_parser = parse_since)]
    since: Option<Timestamp>,
}

/// Prints the rows and, for people, their sum.
pub(super) async fn run(context: &Context, args: UsageArgs) -> Result<(), Failure> {
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

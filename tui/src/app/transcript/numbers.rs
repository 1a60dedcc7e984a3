//! Numbers as people read them: times, tokens, money.

/// The time of day of a moment, for a place so many seconds east of UTC.
pub(crate) fn clock(at: i64, east: i64) -> String {
    let minutes = (at + east).div_euclid(60).rem_euclid(24 * 60);
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

/// A number of tokens: `340`, `1.2k`, `12k`, `1.3M`.
pub(crate) fn tokens(count: u64) -> String {
    let short = |unit: u64, sign: &str| {
        let tenths = count.saturating_mul(10) / unit;
        if tenths < 100 && !tenths.is_multiple_of(10) {
            format!("{}.{}{sign}", tenths / 10, tenths % 10)
        } else {
            format!("{}{sign}", tenths / 10)
        }
    };
    match count {
        0..1_000 => count.to_string(),
        1_000..1_000_000 => short(1_000, "k"),
        _ => short(1_000_000, "M"),
    }
}

/// An amount of money: `$0.0042`, `$0.21`, `$12.30`.
pub(crate) fn money(microusd: u64) -> String {
    match microusd {
        0..10_000 => format!("$0.{:04}", microusd.div_ceil(100)),
        _ => {
            let cents = (microusd + 5_000) / 10_000;
            format!("${}.{:02}", cents / 100, cents % 100)
        }
    }
}

/// A span of time: `0.4 s`, `12 s`, `3 min`.
pub(super) fn span(ms: u64) -> String {
    match ms {
        0..10_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        10_000..120_000 => format!("{} s", ms / 1_000),
        _ => format!("{} min", ms / 60_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_true() {
        assert_eq!(clock(86_400 + 3_600 * 14 + 125, 0), "14:02");
        assert_eq!(clock(0, -3_600), "23:00");
        assert_eq!(tokens(999), "999");
        assert_eq!(tokens(1_234), "1.2k");
        assert_eq!(tokens(12_345), "12k");
        assert_eq!(tokens(1_300_000), "1.3M");
        assert_eq!(money(42), "$0.0001");
        assert_eq!(money(4_200), "$0.0042");
        assert_eq!(money(12_300_000), "$12.30");
        assert_eq!(span(432), "0.4 s");
        assert_eq!(span(12_999), "12 s");
    }
}

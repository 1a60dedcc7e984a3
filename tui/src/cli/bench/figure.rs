//! A measured figure: its name, its samples summed up, and the limit that it is held against.

use serde::Serialize;

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Figure {
    /// What was measured.
    pub(crate) name: String,
    /// The middle of the samples, or the only one; `None` where it can't be measured.
    pub(crate) p50: Option<f64>,
    /// The 99th percentile, where there are enough samples for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p99: Option<f64>,
    /// `ms`, `us`, `MB`, `1/s`, …
    pub(crate) unit: &'static str,
    /// The figure to reach; absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) target: Option<Target>,
    /// Samples taken.
    pub(crate) samples: usize,
    /// What is missing to measure it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) missing: Option<&'static str>,
}

/// What a figure is to reach.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Target {
    /// The p50 is to be at most this.
    AtMost(f64),
    /// The p50 is to be at least this.
    AtLeast(f64),
    /// The p99 is to be at most this.
    P99AtMost(f64),
}

impl Figure {
    /// A figure of many samples.
    pub(crate) fn of(name: impl Into<String>, unit: &'static str, mut samples: Vec<f64>) -> Self {
        samples.sort_by(f64::total_cmp);
        let p99 = (samples.len() >= 20).then(|| percentile(&samples, 99));
        Self {
            name: name.into(),
            p50: Some(percentile(&samples, 50)),
            p99,
            unit,
            target: None,
            samples: samples.len(),
            missing: None,
        }
    }

    /// A figure measured once.
    pub(crate) fn once(name: impl Into<String>, unit: &'static str, value: f64) -> Self {
        let (name, p50) = (name.into(), Some(value));
        Self { name, p50, p99: None, unit, target: None, samples: 1, missing: None }
    }

    /// A figure that can't be measured here, for want of something.
    pub(crate) fn without(name: impl Into<String>, missing: &'static str) -> Self {
        let (name, missing) = (name.into(), Some(missing));
        Self { name, p50: None, p99: None, unit: "", target: None, samples: 0, missing }
    }

    /// The same figure with what it is to reach.
    pub(crate) fn reach(mut self, target: Target) -> Self {
        self.target = Some(target);
        self
    }

    /// Whether the target is reached; `None` without one, or without a number.
    pub(crate) fn reached(&self) -> Option<bool> {
        let p50 = self.p50?;
        self.target.map(|target| match target {
            Target::AtMost(limit) => p50 <= limit,
            Target::AtLeast(limit) => p50 >= limit,
            Target::P99AtMost(limit) => self.p99.is_some_and(|p99| p99 <= limit),
        })
    }

    /// The line of the table.
    pub(crate) fn line(&self) -> String {
        let p99 = self.p99.map_or_else(String::new, number);
        let target = match self.target {
            None => String::new(),
            Some(Target::AtMost(limit)) => format!("p50 ≤ {}", number(limit)),
            Some(Target::AtLeast(limit)) => format!("≥ {}", number(limit)),
            Some(Target::P99AtMost(limit)) => format!("p99 ≤ {}", number(limit)),
        };
        let mark = match self.reached() {
            None => "",
            Some(true) => "ok",
            Some(false) => "missed",
        };
        format!(
            "{:<46} {:>10} {:>10} {:<5} {:<14} {mark}",
            self.name,
            self.p50.map_or_else(|| self.missing.unwrap_or_default().to_owned(), number),
            p99,
            self.unit,
            target
        )
        .trim_end()
        .to_owned()
    }
}

/// The head of the table.
pub(crate) fn head() -> String {
    format!("{:<46} {:>10} {:>10} {:<5} {:<14}", "figure", "p50", "p99", "unit", "target")
        .trim_end()
        .to_owned()
}

/// The nearest-rank percentile of sorted samples; 0 of none.
fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0.0)
}

/// Three significant digits or so, thousands in full.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
#[path = "figure_tests.rs"]
mod tests;

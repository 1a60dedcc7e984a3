//! What may be spent in a turn, a session and a day (UTC), and what is.
//!
//! Whatever costs something reserves the most that it may cost before it begins, and settles what it
//! did cost when it is over. What is reserved counts as spent, so that turns side by side, and agents
//! of agents, can't together spend what each of them alone may. A reservation names every scope that
//! it counts in: its turn, its session, the day, and the turns and sessions of the agents above it.
//!
//! Not here: a clock, the log from which a ledger is filled after a restart, and what a call costs
//! that nobody told the price of: that is nothing. The invariant: what was settled in a scope
//! exceeds its limit by no more than what its calls cost beyond their estimates.

use std::collections::HashMap;
use std::fmt;

use crate::id::{SessionId, TurnId};
use crate::message::Usage;
use crate::models::ModelInfo;

/// Tokens of an answer that are reserved at most. Vendors allow far more than is ever written;
/// reserving all of that would let nothing run beside.
pub const MOST_RESERVED: u64 = 8_192;

/// A limit is warned of when so many percent of it are used.
pub const WARN_AT: u64 = 80;

/// Scopes that are remembered while nothing of theirs runs. What was spent in them is in the log.
pub const MOST_SCOPES: usize = 4_096;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Tokens told and written, cached ones too.
    Tokens,
    /// Millionths of a US dollar.
    Microusd,
    /// Seconds that turns ran, without what they waited for a person.
    Seconds,
    /// Calls of tools.
    Calls,
}

impl Unit {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 4] = [Self::Tokens, Self::Microusd, Self::Seconds, Self::Calls];

    /// The name on the wire and in `--json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Microusd => "microusd",
            Self::Seconds => "seconds",
            Self::Calls => "calls",
        }
    }

    /// So much of it, for a person.
    pub fn said(self, amount: u64) -> String {
        match self {
            Self::Tokens => format!("{amount} tokens"),
            Self::Microusd => format!("{} USD", dollars(amount)),
            Self::Seconds if amount < 60 => format!("{amount} s"),
            Self::Seconds => format!("{} min", amount / 60),
            Self::Calls => format!("{amount} calls"),
        }
    }
}

/// Dollars with at most four decimals, rounded up.
fn dollars(microusd: u64) -> String {
    let (whole, rest) = (microusd / 1_000_000, (microusd % 1_000_000).div_ceil(100));
    let text = format!("{}.{:04}", whole + rest / 10_000, rest % 10_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// So much of each unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Tokens.
    pub tokens: u64,
    /// Millionths of a US dollar.
    pub microusd: u64,
    /// Seconds.
    pub seconds: u64,
    /// Calls.
    pub calls: u64,
}

impl Amount {
    /// One call of a tool.
    pub const CALL: Self = Self { tokens: 0, microusd: 0, seconds: 0, calls: 1 };

    /// What a model used.
    pub fn of(usage: &Usage) -> Self {
        let tokens = usage.prompt_tokens().saturating_add(usage.output_tokens);
        Self { tokens, microusd: usage.cost_microusd, ..Self::default() }
    }

    /// Seconds that a turn ran.
    pub fn time(seconds: u64) -> Self {
        Self { seconds, ..Self::default() }
    }

    /// The most that asking a model may cost: the prompt as if none of it were cached, the answer as
    /// long as it may be, and a second.
    pub fn estimate(model: &ModelInfo, prompt_tokens: u64, max_output: Option<u64>) -> Self {
        let output = max_output.or(model.output_limit).unwrap_or(u64::MAX).min(MOST_RESERVED);
        let microusd = model.price.map_or(0, |price| {
            let fresh =
                Usage { input_tokens: prompt_tokens, output_tokens: output, ..Usage::default() };
            let cached = Usage { cache_write_tokens: prompt_tokens, input_tokens: 0, ..fresh };
            price.cost_microusd(&fresh).max(price.cost_microusd(&cached))
        });
        Self { tokens: prompt_tokens.saturating_add(output), microusd, seconds: 1, calls: 0 }
    }

    /// How much of a unit.
    pub fn get(&self, unit: Unit) -> u64 {
        match unit {
            Unit::Tokens => self.tokens,
            Unit::Microusd => self.microusd,
            Unit::Seconds => self.seconds,
            Unit::Calls => self.calls,
        }
    }

    /// The sum.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        self.with(other, u64::saturating_add)
    }

    /// What is left of it.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        self.with(other, u64::saturating_sub)
    }

    /// The larger of both, unit by unit.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        self.with(other, u64::max)
    }

    fn with(self, other: Self, of: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            tokens: of(self.tokens, other.tokens),
            microusd: of(self.microusd, other.microusd),
            seconds: of(self.seconds, other.seconds),
            calls: of(self.calls, other.calls),
        }
    }
}

/// The most of each unit; `None` is any amount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limit {
    /// Tokens.
    pub tokens: Option<u64>,
    /// Millionths of a US dollar.
    pub microusd: Option<u64>,
    /// Seconds. A turn has none here: its time is [`crate::session::TurnRules::timeout`].
    pub seconds: Option<u64>,
    /// Calls.
    pub calls: Option<u64>,
}

impl Limit {
    /// The most of a unit.
    pub fn get(&self, unit: Unit) -> Option<u64> {
        match unit {
            Unit::Tokens => self.tokens,
            Unit::Microusd => self.microusd,
            Unit::Seconds => self.seconds,
            Unit::Calls => self.calls,
        }
    }

    /// Whether anything is limited.
    pub fn is_some(&self) -> bool {
        Unit::ALL.iter().any(|unit| self.get(*unit).is_some())
    }
}

/// How far a budget reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Span {
    /// One turn.
    Turn,
    /// All turns of a session.
    Session,
    /// All turns of a day, UTC.
    Day,
}

impl Span {
    /// The name on the wire, in `--json` and in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Turn => "turn",
            Self::Session => "session",
            Self::Day => "day",
        }
    }
}

/// The configured limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Of each turn, with the agents that it begins.
    pub turn: Limit,
    /// Of each session, with the agents that it begins.
    pub session: Limit,
    /// Of each day.
    pub day: Limit,
}

impl Limits {
    /// Those of a span.
    pub fn of(&self, span: Span) -> &Limit {
        match span {
            Span::Turn => &self.turn,
            Span::Session => &self.session,
            Span::Day => &self.day,
        }
    }
}

/// Whose spending is counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// That of a turn, and of the agents that it began.
    Turn(SessionId, TurnId),
    /// That of a session, and of the agents that it began.
    Session(SessionId),
    /// Everybody's.
    Day,
}

impl Scope {
    /// How far it reaches.
    pub fn span(&self) -> Span {
        match self {
            Self::Turn(..) => Span::Turn,
            Self::Session(_) => Span::Session,
            Self::Day => Span::Day,
        }
    }
}

/// How a limit stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// How far it reaches.
    pub span: Span,
    /// What it counts.
    pub unit: Unit,
    /// The most.
    pub limit: u64,
    /// What is spent.
    pub spent: u64,
    /// What is reserved by what is running.
    pub reserved: u64,
}

impl Standing {
    /// What is left of it.
    pub fn left(&self) -> u64 {
        self.limit.saturating_sub(self.spent).saturating_sub(self.reserved)
    }

    /// What a person is told when much of it is used.
    pub fn warning(&self) -> String {
        let percent = u128::from(self.spent) * 100 / u128::from(self.limit.max(1));
        let spent = self.unit.said(self.spent);
        format!("{percent} % of {} are used: {spent} ({})", self.budget(), self.key())
    }

    /// The key of the configuration that sets it.
    pub fn key(&self) -> String {
        let unit = match self.unit {
            Unit::Tokens => "tokens",
            Unit::Microusd => "cents",
            Unit::Seconds => "minutes",
            Unit::Calls => "calls",
        };
        format!("budget.{}_{unit}", self.span.as_str())
    }

    fn budget(&self) -> String {
        format!("the {}'s budget of {}", self.span.as_str(), self.unit.said(self.limit))
    }
}

/// What was asked for is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exceeded {
    /// The limit, and what is used of it.
    pub standing: Standing,
    /// What was asked for.
    pub wanted: u64,
}

impl Exceeded {
    /// What mends it.
    pub fn hint(&self) -> String {
        let key = self.standing.key();
        format!("{key} is the limit: moltis config set {key} N (0 is none)")
    }
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Standing { unit, limit, spent, reserved, .. } = self.standing;
        let budget = self.standing.budget();
        if spent >= limit {
            return write!(f, "{budget} is used up: {}", unit.said(spent));
        }
        write!(f, "{budget} is too small for what comes next: {} are used", unit.said(spent))?;
        if reserved > 0 {
            write!(f, ", {} reserved by what runs beside", unit.said(reserved))?;
        }
        write!(f, ", and it may take {}", unit.said(self.wanted))
    }
}

/// What somebody may spend. It counts as spent until it is settled or released.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct Reservation {
    scopes: Vec<Scope>,
    amount: Amount,
}

/// What is spent and reserved in one scope.
#[derive(Clone, Copy, Debug, Default)]
struct Account {
    spent: Amount,
    reserved: Amount,
    /// The limits that were warned of.
    warned: Amount,
    /// Turns that run in it.
    held: u32,
    /// What was spent before is in it.
    filled: bool,
}

/// What is spent, by scope.
#[derive(Debug, Default)]
pub struct Ledger {
    accounts: HashMap<Scope, Account>,
    /// The day, in days since 1970-01-01, UTC.
    day: i64,
}

impl Ledger {
    /// A ledger in which nothing was spent.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says which day it is, in days since 1970-01-01 (UTC). A new one begins with nothing spent; what
    /// is reserved stays so. A clock that was set back gives nothing back.
    pub fn on_day(&mut self, day: i64) {
        if day <= self.day {
            return;
        }
        self.day = day;
        if let Some(account) = self.accounts.get_mut(&Scope::Day) {
            let Account { reserved, held, .. } = *account;
            *account = Account { reserved, held, ..Account::default() };
        }
    }

    /// A turn begins that counts in these scopes.
    pub fn open(&mut self, scopes: &[Scope]) {
        if self.accounts.len() >= MOST_SCOPES {
            let used =
                |account: &Account| account.held > 0 || account.reserved != Amount::default();
            self.accounts.retain(|scope, account| *scope == Scope::Day || used(account));
        }
        for scope in scopes {
            self.accounts.entry(scope.clone()).or_default().held += 1;
        }
    }

    /// It is over. A turn's scope goes with the last that counts in it.
    pub fn close(&mut self, scopes: &[Scope]) {
        for scope in scopes {
            let Some(account) = self.accounts.get_mut(scope) else { continue };
            account.held = account.held.saturating_sub(1);
            if account.held == 0 && scope.span() == Span::Turn {
                self.accounts.remove(scope);
            }
        }
    }

    /// Whether what was spent in a scope before is in it.
    pub fn is_filled(&self, scope: &Scope) -> bool {
        self.accounts.get(scope).is_some_and(|account| account.filled)
    }

    /// Takes in what the log says of a scope. What was spent since may be in both: the larger one holds.
    pub fn fill(&mut self, scope: &Scope, spent: Amount) {
        let account = self.accounts.entry(scope.clone()).or_default();
        account.spent = account.spent.max(spent);
        account.filled = true;
    }

    /// Reserves in all of these scopes, or in none.
    ///
    /// # Errors
    /// The first limit that does not allow it. Units of which nothing is wanted are not looked at.
    pub fn reserve(
        &mut self,
        scopes: &[Scope],
        limits: &Limits,
        wanted: Amount,
    ) -> Result<Reservation, Exceeded> {
        for standing in self.standings(scopes, limits) {
            let wanted = wanted.get(standing.unit);
            if wanted > 0 && (standing.left() < wanted || standing.spent >= standing.limit) {
                return Err(Exceeded { standing, wanted });
            }
        }
        for scope in scopes {
            let account = self.accounts.entry(scope.clone()).or_default();
            account.reserved = account.reserved.plus(wanted);
        }
        Ok(Reservation { scopes: scopes.to_vec(), amount: wanted })
    }

    /// What was reserved for is over, and this is what it did cost.
    pub fn settle(&mut self, reservation: Reservation, actual: Amount) {
        for scope in &reservation.scopes {
            // One that has gone has nobody left who could ask for more.
            if let Some(account) = self.accounts.get_mut(scope) {
                account.reserved = account.reserved.minus(reservation.amount);
                account.spent = account.spent.plus(actual);
            }
        }
    }

    /// What was reserved for did not happen.
    pub fn release(&mut self, reservation: Reservation) {
        self.settle(reservation, Amount::default());
    }

    /// Takes in what was spent already, whatever the limits.
    pub fn spend(&mut self, scopes: &[Scope], amount: Amount) {
        for scope in scopes {
            let account = self.accounts.entry(scope.clone()).or_default();
            account.spent = account.spent.plus(amount);
        }
    }

    /// How the limits of these scopes stand.
    pub fn standings(&self, scopes: &[Scope], limits: &Limits) -> Vec<Standing> {
        let mut standings = Vec::new();
        for scope in scopes {
            let span = scope.span();
            let account = self.accounts.get(scope).copied().unwrap_or_default();
            for unit in Unit::ALL {
                if let Some(limit) = limits.of(span).get(unit) {
                    let (spent, reserved) = (account.spent.get(unit), account.reserved.get(unit));
                    standings.push(Standing { span, unit, limit, spent, reserved });
                }
            }
        }
        standings
    }

    /// The limits of sessions and of the day of which much is used and nobody was told: once for each
    /// limit, and again when it was changed. A turn ends before anybody could do something.
    pub fn warnings(&mut self, scopes: &[Scope], limits: &Limits) -> Vec<Standing> {
        let mut warnings = Vec::new();
        for scope in scopes.iter().filter(|scope| scope.span() != Span::Turn) {
            let standings = self.standings(std::slice::from_ref(scope), limits);
            let Some(account) = self.accounts.get_mut(scope) else { continue };
            for standing in standings {
                let Standing { unit, limit, spent, .. } = standing;
                let used = u128::from(spent) * 100 >= u128::from(limit) * u128::from(WARN_AT);
                let warned = match unit {
                    Unit::Tokens => &mut account.warned.tokens,
                    Unit::Microusd => &mut account.warned.microusd,
                    Unit::Seconds => &mut account.warned.seconds,
                    Unit::Calls => &mut account.warned.calls,
                };
                if used && *warned != limit {
                    *warned = limit;
                    warnings.push(standing);
                }
            }
        }
        warnings
    }
}

#[cfg(test)]
#[path = "budget_tests.rs"]
mod tests;

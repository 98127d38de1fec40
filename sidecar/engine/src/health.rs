//! Whether the service is well: what its checks answer, damped, brought to one verdict.
//!
//! A check is well after `passes` good answers in a row and sick after `failures` bad ones; a single answer changes
//! neither. A measured value that has gone over its bound must come back to a stricter one. What is asked, and how,
//! is the shell's; when, and what follows, is decided here.

use std::fmt;

use pavane_events::Millis;

/// A number that a check measures or is held against; always finite.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Amount(f64);

/// Which values of a check are good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Which side of the bound is good.
    pub side: Side,
    /// The last good value while the check is well.
    pub limit: Amount,
    /// The last good value while it is not: no better than the limit, or the check would be held to less.
    pub back: Amount,
}

/// Which side of a bound is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The bound and what is below it.
    AtMost,
    /// The bound and what is above it.
    AtLeast,
}

/// One check, as far as it is decided on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Its name; no two of a service share one.
    pub name: String,
    /// How long after a question the next one is asked, in milliseconds.
    pub every: Millis,
    /// How many good answers in a row make it well; at least 1.
    pub passes: u32,
    /// How many bad answers in a row make it sick; at least 1.
    pub failures: u32,
    /// How long after a new beginning bad answers do not count, in milliseconds. Being well once ends it.
    pub grace: Millis,
    /// What its values are held against.
    pub bound: Option<Bound>,
    /// The unit of its values, for a person, e.g. `ms`; empty when they have none.
    pub unit: &'static str,
}

/// What a check answered: a value, nothing but that all is well, or what is wrong.
pub type Answer = Result<Option<Amount>, String>;

/// A question to be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// What the answer must name.
    pub ticket: u64,
    /// Which check, by its place.
    pub check: usize,
}

/// How a check stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It has answered neither well nor badly often enough since the last beginning.
    Starting,
    /// It is well.
    Well,
    /// It is not.
    Sick,
}

/// One check that is not well, and by how much.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The name of the check.
    pub check: String,
    /// What is wrong, for a person; with the value and its bound where there are any.
    pub reason: String,
}

/// What follows from all checks together.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Not all checks have answered well often enough yet, and none is sick.
    Starting(Vec<Finding>),
    /// Every check is well.
    Ready,
    /// At least one check is sick; all that are not well are named, the sick ones first.
    Sick(Vec<Finding>),
}

/// How one check stands, with its last answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// The check.
    pub check: Check,
    /// How it stands.
    pub condition: Condition,
    /// The last answer; none before the first.
    pub last: Option<Answer>,
    /// How many answers in a row were good.
    pub good: u32,
    /// How many answers in a row were bad and counted.
    pub bad: u32,
}

/// The checks of a service, as a fold over their answers.
#[derive(Clone, Debug)]
pub struct Health {
    checks: Vec<State>,
    tickets: u64,
}

#[derive(Clone, Debug)]
struct State {
    standing: Standing,
    /// The question that is not answered yet.
    asked: Option<u64>,
    next: Millis,
    /// Until when bad answers do not count.
    grace: Millis,
}

impl Health {
    /// A service of which nothing is known yet.
    pub fn new(now: Millis, checks: impl IntoIterator<Item = Check>) -> Self {
        let mut health = Self { checks: checks.into_iter().map(State::new).collect(), tickets: 0 };
        health.begin_anew(now);
        health
    }

    /// The service has been changed: what was answered before says nothing of it, nor does what is being asked.
    pub fn begin_anew(&mut self, now: Millis) {
        for state in &mut self.checks {
            let check = state.standing.check.clone();
            let grace = now.saturating_add(check.grace);
            *state = State { next: now, grace, ..State::new(check) };
        }
    }

    /// The questions that are to be asked at this moment. Each must be answered, be it by `Err`.
    #[must_use = "a question that is not asked is never asked again"]
    pub fn due(&mut self, now: Millis) -> Vec<Question> {
        let mut due = Vec::new();
        for (check, state) in self.checks.iter_mut().enumerate() {
            if state.asked.is_none() && now >= state.next {
                self.tickets += 1;
                state.asked = Some(self.tickets);
                state.next = now.saturating_add(state.standing.check.every);
                due.push(Question { ticket: self.tickets, check });
            }
        }
        due
    }

    /// Takes an answer; one that was asked for before the last beginning is not listened to.
    pub fn answered(&mut self, now: Millis, ticket: u64, answer: Answer) {
        if let Some(state) = self.checks.iter_mut().find(|state| state.asked == Some(ticket)) {
            state.asked = None;
            state.take(now, answer);
        }
    }

    /// When the next question is due; none while every check is being asked.
    pub fn next_deadline(&self) -> Option<Millis> {
        self.checks.iter().filter(|state| state.asked.is_none()).map(|state| state.next).min()
    }

    /// What follows from all checks together.
    pub fn verdict(&self) -> Verdict {
        let findings = |condition| {
            let standings = self.standings().filter(move |standing| standing.condition == condition);
            standings
                .map(|standing| Finding { check: standing.check.name.clone(), reason: standing.reason() })
        };
        let mut sick: Vec<_> = findings(Condition::Sick).collect();
        let starting: Vec<_> = findings(Condition::Starting).collect();
        match (sick.is_empty(), starting.is_empty()) {
            (true, true) => Verdict::Ready,
            (true, false) => Verdict::Starting(starting),
            (false, _) => {
                sick.extend(starting);
                Verdict::Sick(sick)
            }
        }
    }

    /// How each check stands, in the order of the file.
    pub fn standings(&self) -> impl Iterator<Item = &Standing> {
        self.checks.iter().map(|state| &state.standing)
    }
}

impl State {
    fn new(check: Check) -> Self {
        let standing = Standing { check, condition: Condition::Starting, last: None, good: 0, bad: 0 };
        Self { standing, asked: None, next: Millis::MIN, grace: Millis::MIN }
    }

    fn take(&mut self, now: Millis, answer: Answer) {
        let standing = &mut self.standing;
        let good = standing.is_good(&answer);
        let spared = standing.condition == Condition::Starting && now < self.grace;
        standing.last = Some(answer);
        standing.good = if good { standing.good.saturating_add(1) } else { 0 };
        standing.bad = if good || spared { 0 } else { standing.bad.saturating_add(1) };
        if standing.good >= standing.check.passes {
            standing.condition = Condition::Well;
        } else if standing.bad >= standing.check.failures {
            standing.condition = Condition::Sick;
        }
    }
}

impl Standing {
    /// The bound that a value is held against as it stands: the stricter one while the check is not well.
    pub fn bound(&self) -> Option<Amount> {
        let bound = self.check.bound?;
        Some(if self.condition == Condition::Well { bound.limit } else { bound.back })
    }

    /// The value of the last answer.
    pub fn value(&self) -> Option<Amount> {
        self.last.as_ref()?.as_ref().ok().copied().flatten()
    }

    /// How far the last value is on the wrong side of its bound; none when it is not.
    pub fn off_by(&self) -> Option<Amount> {
        let (bound, value) = (self.bound()?, self.value()?);
        let off = match self.check.bound?.side {
            Side::AtMost => value.0 - bound.0,
            Side::AtLeast => bound.0 - value.0,
        };
        Amount::new(off).filter(|off| off.0 > 0.0)
    }

    /// Why it is not well, for a person: what was answered last, with value and bound.
    pub fn reason(&self) -> String {
        let Some(last) = &self.last else { return "it has not answered yet".to_owned() };
        let (value, unit) = match last {
            Err(why) => return why.clone(),
            Ok(value) => (value, Unit(self.check.unit)),
        };
        let times = format!("good {} of {} times in a row", self.good, self.check.passes);
        match (value, self.check.bound.zip(self.bound()), self.off_by()) {
            (Some(value), Some((bound, limit)), Some(off)) => {
                let (side, well) =
                    (bound.side, if limit == bound.limit { "is well" } else { "makes it well again" });
                format!("{value}{unit}, where {side} {limit}{unit} {well}: {off}{unit} off")
            }
            (Some(value), _, _) => format!("{value}{unit}, {times}"),
            (None, _, _) => times,
        }
    }

    fn is_good(&self, answer: &Answer) -> bool {
        match (answer, self.check.bound.zip(self.bound())) {
            (Ok(_), None) => true,
            // Held against a bound, an answer without a value proves nothing.
            (Err(_), _) | (Ok(None), Some(_)) => false,
            (Ok(Some(value)), Some((bound, limit))) => match bound.side {
                Side::AtMost => *value <= limit,
                Side::AtLeast => *value >= limit,
            },
        }
    }
}

impl Verdict {
    /// What is not well, for a person; empty when all is.
    pub fn reason(&self) -> String {
        let findings = match self {
            Self::Ready => return String::new(),
            Self::Starting(findings) | Self::Sick(findings) => findings,
        };
        findings
            .iter()
            .map(|found| format!("{}: {}", found.check, found.reason))
            .collect::<Vec<_>>()
            .join("; ")
    }
}

impl Condition {
    /// The condition as it is written: `starting`, `well` or `sick`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Well => "well",
            Self::Sick => "sick",
        }
    }
}

impl Amount {
    /// A finite number; none for what is not.
    pub fn new(value: f64) -> Option<Self> {
        value.is_finite().then_some(Self(value))
    }

    /// The number.
    pub const fn get(self) -> f64 {
        self.0
    }
}

/// No amount is NaN, so each equals itself.
impl Eq for Amount {}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Six places tell any two amounts apart that a person would, and hide what binary fractions leave.
        let rounded = (self.0 * 1e6).round() / 1e6;
        write!(f, "{}", if rounded.is_finite() { rounded } else { self.0 })
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AtMost => "at most",
            Self::AtLeast => "at least",
        })
    }
}

/// A unit behind its number.
struct Unit(&'static str);

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, " {}", self.0) }
    }
}
